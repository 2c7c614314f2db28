"""`assign certs`: an authority for mutual TLS, and certificates for the server, persons and systems."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from assign.errors import InvalidInput
from server.auth.access import AccessTable, Kind
from server.auth.certificate_files import CertificateDirectory, Files, principals
from server.auth.certificates import AUTHORITY_DAYS, CLIENT_DAYS, MAX_LEAF_DAYS
from server.auth.cli_errors import shown_errors

__all__ = ["app"]

app = typer.Typer(
    help="Make the certificates of mutual TLS: an authority, the server's, and those of persons and systems.",
    no_args_is_help=True,
)

_Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Where the authority is kept.", show_default=False)]
_Id = Annotated[str, typer.Argument(metavar="ID", help="As in the access file, such as i-0042.", show_default=False)]
_ClientDays = Annotated[int, typer.Option("--days", min=1, max=MAX_LEAF_DAYS, help="Days of validity, from now.")]
_Request = Annotated[
    Path | None,
    typer.Option(help="Certificate request (PKCS #10, PEM) of the holder's own P-256 key.", show_default=False),
]


@app.command()
def init(
    directory: _Directory,
    days: Annotated[int, typer.Option(min=1, max=AUTHORITY_DAYS, help="Days of validity, from now.")] = AUTHORITY_DAYS,
) -> None:
    """Make a new authority in DIR. An existing one is never overwritten."""
    with shown_errors():
        made = CertificateDirectory.create(directory, now=_now(), days=days)
        _say(f"Authority: {made.authority_certificate}. Keep authority.key off the servers.")


@app.command()
def server(
    directory: _Directory,
    host: Annotated[list[str] | None, typer.Option(help="DNS name or IP address; repeatable.")] = None,
    days: Annotated[int, typer.Option(min=1, max=MAX_LEAF_DAYS, help="Days of validity, from now.")] = MAX_LEAF_DAYS,
) -> None:
    """Issue the server's certificate, in place of an older one."""
    with shown_errors():
        hosts = host or ["localhost", "127.0.0.1"]
        _say_files(CertificateDirectory.open(directory).add_server(hosts, now=_now(), days=days))


@app.command()
def person(directory: _Directory, name: _Id, request: _Request = None, days: _ClientDays = CLIENT_DAYS) -> None:
    """Issue the certificate of one natural person, in place of an older one."""
    _issue(directory, "person", name, request, days)


@app.command()
def system(directory: _Directory, name: _Id, request: _Request = None, days: _ClientDays = CLIENT_DAYS) -> None:
    """Issue the certificate of one registered system, in place of an older one."""
    _issue(directory, "system", name, request, days)


@app.command(name="from-access")
def from_access(
    directory: _Directory,
    access: Annotated[Path, typer.Argument(metavar="ACCESS.toml", help="The access file.", show_default=False)],
    renew: Annotated[bool, typer.Option("--renew", help="Also for those who have one.")] = False,
    days: _ClientDays = CLIENT_DAYS,
) -> None:
    """Issue a certificate for everyone in an access file who has none."""
    with shown_errors():
        wanted = principals(AccessTable.load(access))
        directory_of = CertificateDirectory.open(directory)
        issued = 0
        with _progress() as progress:
            task = progress.add_task("Certificates", total=len(wanted))
            for made in directory_of.add_clients(wanted, now=_now(), days=days, renew=renew):
                issued += made
                progress.advance(task)
        _say(f"{issued} issued, {len(wanted) - issued} kept.")


def _issue(directory: Path, kind: Kind, name: str, request: Path | None, days: int) -> None:
    with shown_errors():
        held = None if request is None else _read(request)
        made = CertificateDirectory.open(directory)
        _say_files(made.add_client(kind, name, now=_now(), days=days, request=held))


def _now() -> datetime:
    # TLS at the other end lives in real time, whatever clock the service runs on.
    return datetime.now(UTC)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput("REQUEST_MALFORMED", f"Cannot read {path}: {error.strerror}.") from None


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _say(text: str) -> None:
    typer.echo(text)


def _say_files(files: Files) -> None:
    _say(f"Certificate: {files.certificate}")
    if files.key.exists():
        _say(f"Key: {files.key}")
