"""The directory in which `assign certs` keeps an authority and what it issued.

    authority.pem, authority.key    give authority.pem to every client; keep authority.key off the servers
    server.pem, server.key
    persons/i-0042.pem, .key
    systems/rwg-tos.pem, .key

Keys have mode 0600. An authority is never overwritten; other certificates are, when they are renewed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from assign.errors import AlreadyExists, InvalidInput, NotFound
from assign.names import check_id
from server.auth.access import AccessTable, Kind
from server.auth.certificates import (
    AUTHORITY_DAYS,
    CLIENT_DAYS,
    MAX_LEAF_DAYS,
    Authority,
    Issued,
    create_authority,
    issue_client,
    issue_server,
)
from server.auth.private_files import read_private, write_new

__all__ = ["CertificateDirectory", "Files", "principals"]

_FOLDERS: Final[dict[Kind, str]] = {"person": "persons", "system": "systems"}
_PRIVATE_MODE: Final = 0o700


@dataclass(frozen=True, slots=True)
class Files:
    """Where one certificate and its key are (the key may be with its holder alone)."""

    certificate: Path
    key: Path


class CertificateDirectory:
    """An authority in the directory `path`, and the certificates it issues there."""

    def __init__(self, path: Path, authority: Authority) -> None:
        self.path = path
        self._authority = authority

    @classmethod
    def create(cls, path: Path, *, now: datetime, days: int = AUTHORITY_DAYS) -> CertificateDirectory:
        """Make the directory (mode 0700) if need be, and a new authority in it.

        Raises AlreadyExists FILE_EXISTS, InvalidInput FILE_NOT_WRITABLE or as `create_authority`.
        """
        issued = create_authority(now=now, days=days)
        files = _authority_files(path)
        _make_directory(path)
        if files.certificate.exists():
            raise AlreadyExists("FILE_EXISTS", f"There is an authority in {path} already.")
        write_new(files.key, issued.key)
        write_new(files.certificate, issued.certificate, private=False)
        return cls(path, Authority.from_pem(issued.certificate, issued.key))

    @classmethod
    def open(cls, path: Path) -> CertificateDirectory:
        """The authority in `path`. Raises NotFound AUTHORITY_MISSING, Corrupt or InvalidInput as `read_private`."""
        files = _authority_files(path)
        try:
            certificate = files.certificate.read_bytes()
        except OSError:
            raise NotFound("AUTHORITY_MISSING", f"There is no authority in {path}: run `assign certs init`.") from None
        return cls(path, Authority.from_pem(certificate, read_private(files.key)))

    @property
    def authority_certificate(self) -> Path:
        """What clients and servers trust: a PEM file."""
        return _authority_files(self.path).certificate

    def server_files(self) -> Files:
        """Where the server's certificate is or would be."""
        return Files(self.path / "server.pem", self.path / "server.key")

    def client_files(self, kind: Kind, name: str) -> Files:
        """Where the certificate of a person or system is or would be. Raises InvalidInput ID_FORM."""
        stem = self.path / _FOLDERS[kind] / check_id(name, field="id")
        return Files(stem.with_name(f"{stem.name}.pem"), stem.with_name(f"{stem.name}.key"))

    def add_server(self, hosts: Sequence[str], *, now: datetime, days: int = MAX_LEAF_DAYS) -> Files:
        """Issue the server's certificate, in place of an older one. Raises as `issue_server`."""
        return _store(self.server_files(), issue_server(self._authority, hosts=hosts, now=now, days=days))

    def add_client(
        self, kind: Kind, name: str, *, now: datetime, days: int = CLIENT_DAYS, request: bytes | None = None
    ) -> Files:
        """Issue a client's certificate, in place of an older one. Raises as `issue_client`."""
        issued = issue_client(self._authority, kind=kind, name=name, now=now, days=days, request=request)
        return _store(self.client_files(kind, name), issued)

    def add_clients(
        self, wanted: Iterable[tuple[Kind, str]], *, now: datetime, days: int = CLIENT_DAYS, renew: bool = False
    ) -> Iterator[bool]:
        """Issue one certificate after another; for each, whether it was made.

        Who has one keeps it unless `renew`.
        """
        for kind, name in wanted:
            made = renew or not self.client_files(kind, name).certificate.exists()
            if made:
                self.add_client(kind, name, now=now, days=days)
            yield made


def principals(access: AccessTable) -> list[tuple[Kind, str]]:
    """Everyone in an access file, persons first, in its order."""
    persons: list[tuple[Kind, str]] = [("person", name) for name in access.persons]
    return persons + [("system", name) for name in access.systems]


def _authority_files(path: Path) -> Files:
    return Files(path / "authority.pem", path / "authority.key")


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=_PRIVATE_MODE, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput("FILE_NOT_WRITABLE", f"Cannot make {path}: {error.strerror}.") from None


def _store(files: Files, issued: Issued) -> Files:
    _make_directory(files.certificate.parent)
    if issued.key:
        _replace(files.key, issued.key, private=True)
    else:
        # The key of an older certificate would not match: the holder of a request has his own.
        files.key.unlink(missing_ok=True)
    _replace(files.certificate, issued.certificate, private=False)
    return files


def _replace(path: Path, data: bytes, *, private: bool) -> None:
    """Write beside `path` and move there: nobody ever reads half a file."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.unlink(missing_ok=True)
    # Not synced: what a crash loses is issued again, and hundreds are written at once.
    write_new(beside, data, private=private, durable=False)
    beside.replace(path)
