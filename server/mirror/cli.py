"""`assign mirror`: serve the logs to whoever wants to copy them."""

from __future__ import annotations

import signal
import socket
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer
import uvicorn
from starlette.applications import Starlette

from assign.errors import InvalidInput
from assign.names import Port
from server.auth.cli_errors import shown_errors
from server.config import Config, load_config
from server.mirror.service import create_mirror_app
from server.mirror.settings import MirrorConfig
from server.storage.reader import Reader
from server.storage.sqlite import open_readers

__all__ = ["app"]

app = typer.Typer(help="The logs for everybody to copy: C2SP tlog-tiles over HTTP, read-only.", no_args_is_help=True)

_MAX_CONNECTIONS = 512
_SHUTDOWN_SECONDS = 5


@app.callback()
def _group() -> None:
    """The logs for everybody to copy: C2SP tlog-tiles over HTTP, read-only."""


@app.command()
def serve(
    config: Annotated[Path, typer.Option("--config", help="The server's configuration (TOML).", show_default=False)],
    listen: Annotated[str, typer.Option(help="HOST:PORT instead of the one configured; port 0 takes a free one.")] = "",
) -> None:
    """Serve the logs until told to stop (SIGTERM or Ctrl-C). Reads the store only, and no key file."""
    with shown_errors():
        loaded = load_config(config)
        settings = loaded.mirror or MirrorConfig()
        host, port = _split_address(listen or settings.listen)
        readers = open_readers(loaded.store)
        reader = Reader(readers)
        try:
            _run(create_mirror_app(reader, _origins(loaded), settings.publish_entries), host, port)
        except OSError as error:
            raise InvalidInput("LISTEN_FAILED", f"Cannot listen on {host}:{port}: {error.strerror}.") from None
        finally:
            reader.close()
            readers.dispose()


def _origins(config: Config) -> dict[Port, str]:
    return {Port(port.port): port.origin for port in config.ports}


def _run(mirror: Starlette, host: str, port: int) -> None:
    settings = uvicorn.Config(
        mirror,
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    # uvicorn shuts down gracefully and then raises the signal again: by then, leaving is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        address = f"[{host}]" if family == socket.AF_INET6 else host
        typer.echo(f"assign mirror listening on http://{address}:{listener.getsockname()[1]}")
        sys.stdout.flush()
        uvicorn.Server(settings).run(sockets=[listener])


def _split_address(listen: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{listen}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None or parts.netloc != listen:
        raise InvalidInput("LISTEN_ADDRESS", "An address is HOST:PORT, such as 127.0.0.1:8480.", field="mirror.listen")
    return host, port
