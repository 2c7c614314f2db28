"""`assign audit`: does the store say what its logs say, and are the logs the ones that were seen before?"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from assign.errors import AssignError, Conflict, InvalidInput
from assign.log.note import MAX_NOTE_BYTES
from server.audit.audit import AuditReport, audit_store
from server.audit.audit import Progress as Tell
from server.config import Config, load_config
from server.storage.sqlite import open_readers, store_errors, store_exists
from server.wiring import build_services

__all__ = ["audit", "register"]

_SOUND, _WRONG, _UNREADABLE = 0, 1, 2
_LISTED = 20

_HELP = (
    "Recompute the whole store from its logs, and the logs from their entries.\n\n"
    "Every entry against the tree, the tree against the signed checkpoint, every row of every table against what "
    "the log says, every sealed value opened, every draw carried out again. The server may be running. Give the "
    "checkpoints that you kept, or that witnesses did: only they show a store that was set back as a whole."
)
_EPILOG = (
    "Exit status: 0, everything follows from the logs, and they contain the earlier checkpoints; 1, something is "
    "wrong, and the first thing is named; 2, the store, a key or a checkpoint cannot be read."
)


def register(app: typer.Typer) -> None:
    """Add the command to a command line."""
    app.command("audit", help=_HELP, epilog=_EPILOG)(audit)


def audit(
    config: Annotated[Path, typer.Option("--config", help="The server's configuration (TOML).", show_default=False)],
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="A checkpoint seen earlier, cosigned or not; may be repeated."),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            "--save-checkpoint",
            metavar="FOLDER",
            help="If nothing is wrong, keep each log's checkpoint there as PORT-SIZE.checkpoint, for the next audit.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only what is wrong, if anything is.")] = False,
) -> None:
    """Audit the store, print the report and exit with its status."""
    started = time.perf_counter()
    try:
        earlier = [_read_note(path) for path in checkpoint or []]
        with _progress(not quiet and not as_json and sys.stderr.isatty()) as tell:
            report = _audit(load_config(config), earlier, tell)
        if save is not None and report.is_sound:
            _save(report, save)
    except AssignError as error:
        _fail(error.reason, error.message, as_json=as_json)
    except OSError as error:
        _fail("FILE", f"{error.filename}: {error.strerror or error}", as_json=as_json)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=1))
    else:
        _print(report, time.perf_counter() - started, quiet=quiet)
    raise typer.Exit(_SOUND if report.is_sound else _WRONG)


def _audit(config: Config, earlier: Sequence[bytes], tell: Tell | None) -> AuditReport:
    services = build_services(config)
    if not store_exists(config.store):
        raise Conflict("STORE_MISSING", f"There is no store at {config.store}.")
    readers = open_readers(config.store)
    try:
        with store_errors(), readers.connect() as connection:
            connection.exec_driver_sql("BEGIN")  # one snapshot, whatever the server writes meanwhile
            return audit_store(connection, services, earlier=earlier, progress=tell)
    finally:
        readers.dispose()


def _read_note(path: Path) -> bytes:
    with path.open("rb") as file:
        note = file.read(MAX_NOTE_BYTES + 1)
    if len(note) > MAX_NOTE_BYTES:
        raise InvalidInput("CHECKPOINT_FILE", f"{path} is too long for a checkpoint.")
    return note


def _save(report: AuditReport, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for log in report.logs:
        if log.note:
            (folder / f"{log.port}-{log.size}.checkpoint").write_bytes(log.note)


@contextmanager
def _progress(show: bool) -> Iterator[Tell | None]:
    if not show:
        yield None
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Reading", total=None)
        yield lambda what, done, total: progress.update(task, description=what, completed=done, total=total)


def _print(report: AuditReport, seconds: float, *, quiet: bool) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    if not quiet:
        for log in report.logs:
            console.print(f"Log      {log.origin}, {log.size:,} entries, root {log.root.hex()}")
        console.print(f"Earlier  {_earlier_in_words(report)}")
        if report.not_compared:
            console.print(f"NOT compared: the tables {', '.join(report.not_compared)}")
        console.print(f"Time     {seconds:.2f} s")
    for finding in report.findings[1:_LISTED]:
        console.print(f"  {finding}")
    if report.is_sound:
        if not quiet:
            console.print(
                "OK: every row follows from the logs, and every draw is the one they hold.", style="bold green"
            )
        return
    more = "" if report.findings_count == 1 else f" And {report.findings_count - 1} more."
    console.print(f"WRONG: {report.findings[0]}{more}", style="bold red")
    if not report.tables:
        console.print("The other tables were not compared: there is no sound log to compare them with.")


def _earlier_in_words(report: AuditReport) -> str:
    if report.earlier:
        return f"compared with {report.earlier} checkpoints that were seen before"
    return "NONE given: a store that was set back as a whole, log and all, would look like this one"


def _fail(reason: str, message: str, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"error": {"message": message, "reason": reason}, "is_sound": False}, indent=1))
    else:
        typer.echo(f"Cannot be audited. {reason}: {message}", err=True)
    raise typer.Exit(_UNREADABLE)
