"""`assign-verify`: checks a bundle offline. Needs the library alone: no server, no database, no network."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from assign.errors import AssignError
from assign.log.cosignature import Witness
from assign.log.note import NoteVerifier
from assign.verify.bundle import Bundle, read_bundle
from assign.verify.replay import verify_bundle
from assign.verify.report import Report
from assign.verify.words import report_in_words, verdict_in_words

__all__ = ["main", "register", "verify"]

_SOUND, _WRONG, _UNREADABLE = 0, 1, 2
_MAX_KEY_BYTES = 4096
_MAX_NAME = 255

_HELP = (
    "Check a port's log and every draw in it, offline, trusting nobody.\n\n"
    "Rebuilds the log's tree from its entries and compares it with the signed checkpoint; recomputes every draw "
    "from the opened inputs, the opened seeds and the public beacon, byte for byte; compares the inputs with the "
    "rosters, orders and slots in the log; and looks at the time of every freeze, draw and reveal."
)
_EPILOG = (
    "Exit status: 0, every draw replays byte for byte and every proof holds; 1, something is wrong (the first "
    "thing is named) or a draw cannot be replayed yet; 2, the file cannot be read as a bundle."
)


def register(app: typer.Typer, *, name: str = "verify") -> None:
    """Add the command to another command line, so that `assign verify` is the same as `assign-verify`."""
    app.command(name, help=_HELP, epilog=_EPILOG)(verify)


def verify(
    bundle: Annotated[Path, typer.Argument(help="The file that `assign export` wrote.", metavar="BUNDLE")],
    key: Annotated[
        Path | None,
        typer.Option(
            "--key",
            metavar="FILE",
            help="The log's verifier key, as you know it from elsewhere. Without it the bundle's own key is used, "
            "which proves less.",
        ),
    ] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            "--witness",
            metavar="VKEY|FILE",
            help="A witness whose word you take, its verifier key or a file with it; once each. Then every freeze that "
            "was drawn must have been seen by them before its beacon round.",
        ),
    ] = None,
    quorum: Annotated[
        int | None, typer.Option("--quorum", help="How many of the witnesses are needed; all by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole report as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only what is wrong, if anything is.")] = False,
) -> None:
    """Verify a bundle, print the report and exit with its status."""
    show_progress = not quiet and not as_json and sys.stderr.isatty()
    started = time.perf_counter()
    try:
        trusted_key = None if key is None else _read_key(key)
        witnesses = [_read_witness(text) for text in witness or ()]
        with _progress(show_progress) as progress, _open(bundle, progress) as opened:
            report = _verify(opened, trusted_key, witnesses, quorum, progress)
    except AssignError as error:
        _fail(error.reason, error.message, as_json=as_json)
    except OSError as error:
        _fail("FILE", f"{error.filename or bundle}: {error.strerror or error}", as_json=as_json)
    _print(report, time.perf_counter() - started, as_json=as_json, quiet=quiet)
    raise typer.Exit(_SOUND if report.is_sound and report.is_complete else _WRONG)


def main() -> None:
    """Entry point of `assign-verify`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    register(app)
    app()


def _read_key(path: Path) -> str:
    with path.open("rb") as file:
        text = file.read(_MAX_KEY_BYTES).decode("utf-8", "replace").strip()
    return NoteVerifier.from_vkey(text).vkey()


def _read_witness(text: str) -> str:
    # The path of a file may have pluses as well; what is longer than any name of one is a key.
    if "+" not in text or (len(text) <= _MAX_NAME and Path(text).is_file()):
        with Path(text).open("rb") as file:
            text = file.read(_MAX_KEY_BYTES).decode("utf-8", "replace").strip()
    return Witness.from_vkey(text).vkey()


@contextmanager
def _progress(show: bool) -> Iterator[Progress | None]:
    if not show:
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield progress


def _open(path: Path, progress: Progress | None) -> Bundle:
    if progress is None:
        return read_bundle(path)
    task = progress.add_task("Reading bytes", total=None)
    return read_bundle(path, progress=lambda done, total: progress.update(task, completed=done, total=total))


def _verify(
    bundle: Bundle, trusted_key: str | None, witnesses: list[str], quorum: int | None, progress: Progress | None
) -> Report:
    if progress is None:
        return verify_bundle(bundle, trusted_key=trusted_key, witnesses=witnesses, quorum=quorum)
    task = progress.add_task("Checking entries", total=bundle.tree_size)

    def tell(done: int, total: int, draws: int) -> None:
        progress.update(task, completed=done, total=total, description=f"Checking entries, {draws} draws")

    return verify_bundle(bundle, trusted_key=trusted_key, witnesses=witnesses, quorum=quorum, progress=tell)


def _print(report: Report, seconds: float, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=1))
        return
    console = Console(highlight=False, markup=False, soft_wrap=True)
    is_good = report.is_sound and report.is_complete
    if not quiet:
        for line in report_in_words(report):
            console.print(line)
        console.print(
            f"{report.tree_size:,} entries and {report.draws:,} draws in {seconds:.2f} s "
            f"({report.tree_size / seconds:,.0f} entries/s, {report.draws / seconds:,.0f} draws/s)."
        )
    if not (quiet and is_good):
        console.print(verdict_in_words(report), style="bold green" if is_good else "bold red")


def _fail(reason: str, message: str, *, as_json: bool) -> NoReturn:
    if as_json:
        typer.echo(json.dumps({"error": {"message": message, "reason": reason}, "is_sound": False}, indent=1))
    else:
        typer.echo(f"Cannot be verified. {reason}: {message}", err=True)
    raise typer.Exit(_UNREADABLE)


if __name__ == "__main__":
    main()
