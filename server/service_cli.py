"""`assign serve`, `assign export` and `assign migrate`: the service and its store."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer

from assign.errors import NotFound
from assign.names import Port
from server.auth.cli_errors import shown_errors
from server.config import Config, load_config
from server.escrow.process_memory import forbid_core_dumps
from server.queries.export_bundle import write_port_bundle
from server.storage.migrate import current_revision, migrate, newest_revision
from server.storage.sqlite import open_readers, open_writer, store_errors, store_exists
from server.wiring import CODE_VERSION, build_services, running_server

__all__ = ["export", "migrate_store", "serve"]

_ConfigFile = Annotated[Path, typer.Option("--config", help="The server's configuration (TOML).", show_default=False)]


def serve(config: _ConfigFile) -> None:
    """Run the service until it is told to stop (SIGTERM or Ctrl-C)."""
    forbid_core_dumps()
    _log_to_stderr()
    with shown_errors():
        asyncio.run(_serve(load_config(config)))


async def _serve(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running_server(config) as running:
        clock = "system clock" if config.clock_file is None else "STEERED clock: a test, never evidence"
        typer.echo(f"{CODE_VERSION}, store {config.store}, {clock}")
        typer.echo(_escrow_in_words(config))
        typer.echo(_witnesses_in_words(config))
        for port, verifier in running.verifiers.items():
            typer.echo(f"log of {port}: {verifier.vkey()}")
        # Whoever starts the server as a child waits for this line.
        typer.echo(f"assign listening on {running.address}")
        sys.stdout.flush()
        await stop.wait()


def _escrow_in_words(config: Config) -> str:
    if config.escrow is None:
        return "NO ESCROW: if the key file is lost, open shifts can be neither drawn nor closed"
    return f"escrow: {config.escrow.in_words()} together open a shift's master seed"


def _witnesses_in_words(config: Config) -> str:
    witnesses = config.witnesses
    if witnesses is None:
        return "NO WITNESSES: nobody outside can tell when a freeze was written, or that the log was never forked"
    otherwise = "else the wave is missed" if witnesses.strict else "else the log says that the guarantee is weaker"
    return f"witnesses: {witnesses.in_words()} cosign each freeze before its draw, {otherwise}"


class _Lines(structlog.PrintLogger):
    """Writes lines to a file, and drops what cannot be written: a full disk must not end whoever tells of it."""

    def msg(self, message: str) -> None:
        """Write one line."""
        with contextlib.suppress(OSError):
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def _log_to_stderr() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=lambda *_: _Lines(sys.stderr),
    )


def export(
    config: _ConfigFile,
    out: Annotated[Path, typer.Option(help="The bundle to write.", show_default=False)],
    port: Annotated[str, typer.Option(help="UN/LOCODE; the first configured port by default.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Say what was written as JSON.")] = False,
) -> None:
    """Write a port's bundle for an auditor, straight from the store (the server may be running)."""
    with shown_errors():
        loaded = load_config(config)
        code = Port(port or loaded.ports[0].port)
        services = build_services(loaded)
        if code not in services.signers:
            raise typer.BadParameter(f"{code} is not configured")
        _require_store(loaded)
        readers = open_readers(loaded.store)
        partial = out.with_name(out.name + ".partial")
        try:
            with store_errors(), readers.connect() as connection, partial.open("wb") as file:
                connection.exec_driver_sql("BEGIN")
                vkey = services.signers[code].verifier().vkey()
                digest = write_port_bundle(connection, services.keyring, code, vkey, file)
            partial.replace(out)
        finally:
            partial.unlink(missing_ok=True)
            readers.dispose()
        written = {"bundle": str(out), "sha256": digest.hex(), "size": out.stat().st_size, "log_key": vkey}
        typer.echo(json.dumps(written) if as_json else f"{out}: {written['size']:,} bytes, log key {vkey}")


def migrate_store(
    config: _ConfigFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
) -> None:
    """Bring the store to this software's schema (`serve` does so as well)."""
    with shown_errors():
        store = load_config(config).store
        # Opening a store that is not there would make it.
        engine = None if dry_run and not store_exists(store) else open_writer(store)
        before = current_revision(engine) if engine is not None else ""
        if engine is not None and not dry_run:
            migrate(engine)
        done = " (dry run: nothing was done)" if dry_run else ""
        typer.echo(f"schema {before or 'none'} -> {newest_revision()}{done}")
        if engine is not None:
            engine.dispose()


def _require_store(config: Config) -> None:
    if not store_exists(config.store):
        raise NotFound("STORE_MISSING", f"There is no store at {config.store}; `assign serve` makes it.")
