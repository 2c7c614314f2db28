"""`assign selftest`, and `python -m assign.selftest` where only the library is installed."""

from __future__ import annotations

import json
import time
from typing import Annotated

import typer
from rich.console import Console

from assign.selftest.report import Check, SelfTestReport
from assign.selftest.run import run_selftest

__all__ = ["main", "register", "selftest"]

_SOUND, _NOT_SOUND = 0, 1
_HELP = (
    "Test the installed build: may it draw?\n\n"
    "Compares it with published answers and with its own specification, and counts whether chance falls evenly. "
    "The keys are fixed, so a sound build gives the same figures each time. A server runs the short test whenever "
    "it starts, and serves nothing if it fails."
)
_EPILOG = "Exit status: 0, the build is sound; 1, it is not."


def register(app: typer.Typer, *, name: str = "selftest") -> None:
    """Add the command to a command line."""
    app.command(name, help=_HELP, epilog=_EPILOG)(selftest)


def selftest(
    is_long: Annotated[
        bool, typer.Option("--long", help="Draw far more, and use `ent` and `dieharder` where installed: minutes.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run the self-test, print the report and exit with its status."""
    started = time.perf_counter()
    report = run_selftest(is_long=is_long)
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=1))
    else:
        _print(report, time.perf_counter() - started)
    raise typer.Exit(_SOUND if report.is_sound else _NOT_SOUND)


def main() -> None:
    """Entry point of `python -m assign.selftest`."""
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    register(app)
    app()


def _print(report: SelfTestReport, seconds: float) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(f"Algorithm {report.algorithm}, {'long' if report.is_long else 'short'} test, {seconds:.1f} s")
    for title, checks in (("Known answers", report.known), ("Chance", report.chance)):
        console.print(f"\n{title}")
        for check in checks:
            console.print(f"  {_mark(check)}  {check.words}: {check.detail}")
    console.print()
    console.print(report.verdict(), style="bold green" if report.is_sound else "bold red")


def _mark(check: Check) -> str:
    if check.is_optional:
        return "-    "
    return "ok   " if check.is_passed else "WRONG"
