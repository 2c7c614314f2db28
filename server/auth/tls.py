"""Both ends of mutual TLS over gRPC, from certificate files.

The server asks every client for a certificate and refuses the connection without a valid one; a client sees that
as UNAVAILABLE, which retry policies repeat. A server that replaces its files need not restart: each new
connection is made with what the files hold by then.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import grpc
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from assign.errors import AssignError, Corrupt, InvalidInput, NotFound
from server.auth.private_files import read_private

__all__ = ["TlsFiles", "channel_credentials", "server_credentials"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """One end's certificate and key, and the authority that it expects of the other end. All PEM."""

    certificate: Path
    key: Path
    authority: Path


def server_credentials(files: TlsFiles) -> grpc.ServerCredentials:
    """Credentials that require a client certificate, and follow the files when they are replaced.

    Raises NotFound FILE_MISSING, InvalidInput FILE_EXPOSED or FILE_UNREADABLE, Corrupt CERTIFICATE_MALFORMED.
    """
    in_use = _read(files)
    reported = ""

    def fetch() -> grpc.ServerCertificateConfiguration | None:
        nonlocal in_use, reported
        try:
            found = _read(files)
        except AssignError as error:
            # Half-replaced files do not end a server that works. Once is enough: this runs at each connection.
            if error.reason != reported:
                _log.warning("new certificate files cannot be used; the old ones stay in use", reason=error.reason)
                reported = error.reason
            return None
        reported = ""
        if found == in_use:
            return None
        in_use = found
        return _configuration(found)

    # The stubs leave out that None means "no change".
    fetcher = cast("Callable[[], grpc.ServerCertificateConfiguration]", fetch)
    return grpc.dynamic_ssl_server_credentials(_configuration(in_use), fetcher, require_client_authentication=True)


def channel_credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Credentials of a client. Raises as `server_credentials`."""
    found = _read(files)
    return grpc.ssl_channel_credentials(found.authority, found.key, found.certificate)


@dataclass(frozen=True, slots=True)
class _Material:
    certificate: bytes
    key: bytes = field(repr=False)
    authority: bytes


def _read(files: TlsFiles) -> _Material:
    material = _Material(_read_public(files.certificate), read_private(files.key), _read_public(files.authority))
    try:
        certificate = x509.load_pem_x509_certificate(material.certificate)
        key = serialization.load_pem_private_key(material.key, password=None)
        x509.load_pem_x509_certificates(material.authority)
        matches = _spki(key.public_key()) == _spki(certificate.public_key())
    except (ValueError, TypeError):
        matches = False
    if not matches:
        raise Corrupt(
            "CERTIFICATE_MALFORMED", f"{files.certificate} and {files.key} are not a certificate and its key."
        )
    return material


def _read_public(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise NotFound("FILE_MISSING", f"There is no file {path}.") from None
    except OSError as error:
        raise InvalidInput("FILE_UNREADABLE", f"Cannot read {path}: {error.strerror}.") from None


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _configuration(material: _Material) -> grpc.ServerCertificateConfiguration:
    pair = (material.key, material.certificate)
    return grpc.ssl_server_certificate_configuration([pair], root_certificates=material.authority)
