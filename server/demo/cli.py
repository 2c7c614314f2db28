"""`assign demo`: one day at a port, with real processes, from declarations and a seed."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn

import typer

from assign.errors import AssignError
from server.demo.port_day import DayPlan
from server.demo.promises import BrokenPromise

__all__ = ["demo"]

_BROKEN = 1
_UNUSABLE = 2


def demo(
    declarations: Annotated[
        Path | None,
        typer.Option(help="CSV file of declarations; its sea freight rows become orders. Default: the one shipped."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Everything made up follows from it. The draws do not.")] = DayPlan().seed,
    directory: Annotated[Path, typer.Option(help="Where the day's files go.")] = Path("build/demo"),
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave server, beacon and witnesses running at the end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Summary as JSON on stdout; screens on stderr.")] = False,
) -> None:
    """Play a whole day at the port of Rotterdam: real server, beacon parties, witnesses, custodians, certificates.

    Three shifts, six terminals, some 450 containers drawn for 159 inspectors, sick calls, attempts to peek and
    to cheat, and an auditor who verifies it all offline. Ends with status 0 only if every promise was kept;
    otherwise it names the first that was broken.
    """
    # Here, not above: the other commands of `assign` start half a second sooner without gRPC clients.
    from server.demo.run import run_demo

    # A polite kill stops the started processes too.
    signal.signal(signal.SIGTERM, _leave)
    try:
        plan = replace(DayPlan(), seed=seed)
        summary = run_demo(directory, declarations=declarations, plan=plan, keep=keep, to_stderr=as_json)
    except BrokenPromise as broken:
        _end(str(broken), _BROKEN, as_json=as_json)
    except AssignError as error:
        _end(str(error), _UNUSABLE, as_json=as_json)
    if as_json:
        typer.echo(json.dumps({"kept": True, **summary.to_json()}, indent=1))


def _leave(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _end(message: str, status: int, *, as_json: bool) -> NoReturn:
    typer.echo(message, err=True)
    if as_json:
        typer.echo(json.dumps({"kept": False, "broken": message}, indent=1))
    raise typer.Exit(status)
