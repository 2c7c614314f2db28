"""A command that acts as one person: it calls the running server with that person's certificate."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import grpc
import typer
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from assign.errors import AssignError, InvalidInput, Unavailable
from server.auth.tls import TlsFiles, channel_credentials

__all__ = [
    "Authority",
    "Certificate",
    "Key",
    "Server",
    "ask",
    "connection",
    "new_request_id",
    "pages",
]

_T = TypeVar("_T")
_CALL_SECONDS = 60.0

Server = Annotated[
    str, typer.Option("--server", envvar="ASSIGN_SERVER", help="HOST:PORT of the server.", show_default=False)
]
Certificate = Annotated[
    Path, typer.Option("--certificate", envvar="ASSIGN_CERTIFICATE", help="Your certificate (PEM).", show_default=False)
]
Key = Annotated[Path, typer.Option("--key", envvar="ASSIGN_KEY", help="Its key (PEM).", show_default=False)]
Authority = Annotated[
    Path, typer.Option("--authority", envvar="ASSIGN_AUTHORITY", help="Who vouches for the server.", show_default=False)
]


@contextmanager
def connection(server: str, certificate: Path, key: Path, authority: Path) -> Iterator[grpc.Channel]:
    """A channel to the server as the holder of the certificate. Raises InvalidInput (FILE_UNREADABLE)."""
    for path in (certificate, key, authority):
        if not path.is_file():
            raise InvalidInput("FILE_UNREADABLE", f"There is no file {path}.")
    with grpc.secure_channel(server, channel_credentials(TlsFiles(certificate, key, authority))) as channel:
        yield channel


def ask(method: Callable[..., _T], request: object) -> _T:
    """The answer. Raises an AssignError with the server's own reason where it refuses."""
    try:
        return method(request, timeout=_CALL_SECONDS)
    except grpc.RpcError as error:
        raise _as_error(cast("Any", error)) from None


def _as_error(error: Any) -> AssignError:
    status = rpc_status.from_call(error)
    for detail in [] if status is None else status.details:
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return AssignError(info.reason, error.details() or "")
    return Unavailable("SERVER_UNREACHABLE", f"The server does not answer: {error.details()}")


def pages(method: Callable[..., Any], request: Any) -> Iterator[Any]:
    """Every page of a list."""
    while True:
        page = ask(method, request)
        yield page
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def new_request_id() -> str:
    """An id that no request had before."""
    return f"cli-{secrets.token_hex(12)}"
