"""`assign`: run the service, a day's demonstration, and check the evidence.

Each command's module is imported when the command is called: `assign keys` need not wait for gRPC.
"""

from __future__ import annotations

import contextlib
import importlib
from dataclasses import dataclass
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["app", "main"]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a command is: `attribute` of `module` is a Typer application, a function, or registers a command."""

    module: str
    attribute: str = "app"


_COMMANDS = {
    "serve": _Source("server.service_cli", "serve"),
    "demo": _Source("server.demo.cli", "demo"),
    "verify": _Source("assign.cli", "register"),
    "receipt": _Source("assign.receipt_cli"),
    "export": _Source("server.service_cli", "export"),
    "audit": _Source("server.audit.cli", "register"),
    "selftest": _Source("assign.selftest.cli", "register"),
    "migrate": _Source("server.service_cli", "migrate_store"),
    "keys": _Source("server.auth.key_cli"),
    "certs": _Source("server.auth.cli"),
    "beacon": _Source("server.beacons.cli"),
    "witness": _Source("server.witness.cli"),
    "mirror": _Source("server.mirror.cli"),
    "escrow": _Source("server.escrow.cli"),
    "outage": _Source("server.outage.cli"),
    "review": _Source("server.outage.review_cli"),
    "privacy": _Source("server.privacy.cli"),
}


class _LazyCommands(TyperGroup):
    def list_commands(self, _context: Any) -> list[str]:
        return [*_COMMANDS]

    def get_command(self, _context: Any, cmd_name: str) -> Any:
        source = _COMMANDS.get(cmd_name)
        if source is None:
            return None
        found = getattr(importlib.import_module(source.module), source.attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(add_completion=False)
            if source.attribute == "register":
                found(single)
            else:
                single.command(cmd_name)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_LazyCommands,
    help="Inspection assignments that nobody can know early, arrange or change, and that anyone can verify.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
)


@app.callback()
def _assign() -> None:
    """Inspection assignments that nobody can know early, arrange or change, and that anyone can verify."""


def main() -> None:
    """The `assign` command."""
    with contextlib.suppress(KeyboardInterrupt):
        app()


if __name__ == "__main__":
    main()
