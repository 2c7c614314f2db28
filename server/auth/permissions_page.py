"""Writes docs/permissions.md from the table that the server decides by: `python -m server.auth.permissions_page`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from server.auth.access import SYSTEM_ROLES, Role
from server.auth.permissions import ALLOWED, ANONYMOUS, ANY_CALLER

__all__ = ["NARROWED", "page"]

_PATH: Final = Path("docs/permissions.md")

NARROWED: Final[Mapping[str, str]] = {
    "ReportAbsence": "an inspector for himself only",
    "ListOrders": "a selector sees those he selected",
    "BatchBookSlots": "at the system's own terminals",
    "CancelSlot": "at the system's own terminals, before the freeze",
    "ListSlots": "a terminal's system sees its own terminals",
    "RevealAssignment": "his own, from the reveal on, while on duty and cleared",
    "ListAssignments": "once the wave has started",
    "ApproveReplacement": "never who requested it",
    "GetReceipt": "an inspector for his own looks only",
    "CommitSheets": "again only after a change of the roster",
    "OpenSheet": "never who requested it",
    "GetSheetOrder": "once two persons opened it",
    "ConfirmManualWave": "never who requested it",
    "ErasePerson": "never who requested it, nor the person himself",
}
"""What the action behind a method asks beyond the role."""

_HEAD: Final = """\
# Permissions

Written by `make docs` from `server/auth/permissions.py`, the table by which the server decides; a test compares.

Callers are known by their client certificate, whose only URI is `urn:assign:person:ID` or `urn:assign:system:ID`, and
by their row in the access file. A person has exactly one role. A method that is not listed is refused to everyone; a
refusal by role is always `PERMISSION_DENIED` with the reason `ROLE_NOT_ALLOWED`.

"""


def page() -> str:
    """The whole page, in Markdown."""
    return _HEAD + "\n".join(_matrix()) + "\n\n" + "\n".join(_others()) + "\n"


def _matrix() -> list[str]:
    """Methods by roles, and beyond the role what the action asks."""
    roles = list(Role)
    lines = [
        _row(["method", *(str(role) for role in roles), "and only"]),
        _row(["---", *(":-:" for _ in roles), "---"]),
    ]
    for method, allowed in ALLOWED.items():
        service, _, name = method.removeprefix("/assign.v1.").partition("/")
        marks = ("✓" if role in allowed else "" for role in roles)
        lines.append(_row([f"{service}.{name}", *marks, NARROWED.get(name, "")]))
    return lines


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _others() -> list[str]:
    systems = ", ".join(f"`{role}`" for role in Role if role in SYSTEM_ROLES)
    return [
        f"Roles of systems: {systems}; all others are roles of natural persons.",
        "",
        f"Any registered caller: {_names(ANY_CALLER)}.",
        f"Anybody whose certificate TLS accepts, registered or not: {_names(ANONYMOUS)}.",
    ]


def _names(methods: frozenset[str]) -> str:
    return ", ".join(f"`{method.removeprefix('/')}`" for method in sorted(methods))


if __name__ == "__main__":
    _PATH.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"{_PATH}\n")
