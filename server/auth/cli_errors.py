"""How a command of this package ends when something is wrong: one line, status 1, no traceback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from assign.errors import AssignError

__all__ = ["shown_errors"]


@contextmanager
def shown_errors() -> Iterator[None]:
    """Show an AssignError from within on standard error, and exit with status 1."""
    try:
        yield
    except AssignError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
