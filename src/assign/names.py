"""Resource names (Google AIP-122) and the identifiers they are made of.

    ports/{port}                                            UN/LOCODE
    ports/{port}/terminals/{terminal}                       SMDG terminal code
    ports/{port}/shifts/{shift}                             one master seed, one calendar of waves
    ports/{port}/terminals/{terminal}/shifts/{shift}        the same shift as one terminal sees it
    ports/{port}/shifts/{shift}/rosterEntries/{person}
    ports/{port}/shifts/{shift}/waves/{start}               start in UTC: 20261124T060000Z
    ports/{port}/shifts/{shift}/waves/{start}/assignments/{person}
    ports/{port}/orders/{order}
    ports/{port}/slots/{slot}

The names of shifts and waves are also the identifiers that the draw protocol hashes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from assign.encoding import rfc3339
from assign.errors import InvalidInput

__all__ = [
    "AssignmentName",
    "OrderId",
    "PersonId",
    "Port",
    "ShiftId",
    "ShiftName",
    "SlotId",
    "TerminalCode",
    "WaveName",
    "check_id",
    "check_port",
    "check_terminal",
    "parse_assignment_name",
    "parse_port_name",
    "parse_shift_name",
    "parse_terminal_name",
    "parse_wave_name",
]

Port = NewType("Port", str)
TerminalCode = NewType("TerminalCode", str)
ShiftId = NewType("ShiftId", str)
PersonId = NewType("PersonId", str)
OrderId = NewType("OrderId", str)
SlotId = NewType("SlotId", str)

_LOCODE = re.compile(r"[A-Z]{2}[A-Z2-9]{3}", re.ASCII)
_TERMINAL = re.compile(r"[A-Z0-9]{1,6}", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


def check_port(text: str, *, field: str = "") -> Port:
    """`text` as a UN/LOCODE without space: `NLRTM`. Raises InvalidInput (PORT_FORM)."""
    if not _LOCODE.fullmatch(text):
        raise InvalidInput("PORT_FORM", "A port is a UN/LOCODE of five characters, as in NLRTM.", field=field)
    return Port(text)


def check_terminal(text: str, *, field: str = "") -> TerminalCode:
    """`text` as an SMDG terminal code: `RWG`. Raises InvalidInput (TERMINAL_FORM)."""
    if not _TERMINAL.fullmatch(text):
        raise InvalidInput("TERMINAL_FORM", "A terminal is an SMDG code of up to six capitals and digits.", field=field)
    return TerminalCode(text)


def check_id(text: str, *, field: str = "") -> str:
    """`text` as a resource id (letters, digits, `.`, `_`, `-`, 63 at most). Raises InvalidInput (ID_FORM)."""
    if not _ID.fullmatch(text):
        raise InvalidInput(
            "ID_FORM",
            "An id has 1 to 63 letters, digits, dots, underscores or hyphens and starts with a letter or digit.",
            field=field,
        )
    return text


@dataclass(frozen=True, slots=True, order=True)
class ShiftName:
    """A shift of a port: `ports/NLRTM/shifts/2026-11-24-A`."""

    port: Port
    shift: ShiftId

    def __str__(self) -> str:
        return f"ports/{self.port}/shifts/{self.shift}"


@dataclass(frozen=True, slots=True, order=True)
class WaveName:
    """A wave of a shift, named by its start in UTC (whole seconds)."""

    shift: ShiftName
    start: datetime

    def __str__(self) -> str:
        return f"{self.shift}/waves/{_wave_id(self.start)}"


@dataclass(frozen=True, slots=True)
class AssignmentName:
    """What one person was drawn for in one wave."""

    wave: WaveName
    person: PersonId

    def __str__(self) -> str:
        return f"{self.wave}/assignments/{self.person}"


def _segments(text: str, collections: tuple[str, ...], field: str) -> list[str]:
    parts = text.split("/")
    pattern = "/".join(f"{name}/*" for name in collections)
    if len(parts) != 2 * len(collections) or tuple(parts[::2]) != collections:
        raise InvalidInput("NAME_FORM", f"This resource name must have the form {pattern}.", field=field)
    return parts[1::2]


def parse_port_name(text: str, *, field: str = "") -> Port:
    """The port in `ports/NLRTM`. Raises InvalidInput."""
    (port,) = _segments(text, ("ports",), field)
    return check_port(port, field=field)


def parse_terminal_name(text: str, *, field: str = "") -> tuple[Port, TerminalCode]:
    """The port and terminal in `ports/NLRTM/terminals/RWG`. Raises InvalidInput."""
    port, terminal = _segments(text, ("ports", "terminals"), field)
    return check_port(port, field=field), check_terminal(terminal, field=field)


def parse_shift_name(text: str, *, field: str = "") -> tuple[ShiftName, TerminalCode | None]:
    """A shift, and the terminal it is seen from if the name has one. Raises InvalidInput."""
    if "/terminals/" in text:
        port, terminal, shift = _segments(text, ("ports", "terminals", "shifts"), field)
        seen_from: TerminalCode | None = check_terminal(terminal, field=field)
    else:
        port, shift = _segments(text, ("ports", "shifts"), field)
        seen_from = None
    name = ShiftName(check_port(port, field=field), ShiftId(check_id(shift, field=field)))
    return name, seen_from


def _wave_id(start: datetime) -> str:
    """`start` in ISO 8601 basic format, UTC: `20261124T060000Z`."""
    return rfc3339(start).replace("-", "").replace(":", "")


def _parse_wave_start(text: str, field: str) -> datetime:
    try:
        start = datetime.fromisoformat(text)
        # fromisoformat takes many forms: a wave has one name.
        same = _wave_id(start) == text
    except (ValueError, OverflowError, InvalidInput):
        same = False
    if not same:
        raise InvalidInput("WAVE_FORM", "A wave is named by its start in UTC: 20261124T060000Z.", field=field)
    return start


def parse_wave_name(text: str, *, field: str = "") -> WaveName:
    """The wave in `ports/*/shifts/*/waves/*`. Raises InvalidInput."""
    port, shift, start = _segments(text, ("ports", "shifts", "waves"), field)
    name = ShiftName(check_port(port, field=field), ShiftId(check_id(shift, field=field)))
    return WaveName(name, _parse_wave_start(start, field))


def parse_assignment_name(text: str, *, field: str = "") -> AssignmentName:
    """The wave and person in `ports/*/shifts/*/waves/*/assignments/*`. Raises InvalidInput."""
    wave, separator, person = text.rpartition("/assignments/")
    if not separator:
        _segments(text, ("ports", "shifts", "waves", "assignments"), field)
    return AssignmentName(parse_wave_name(wave, field=field), PersonId(check_id(person, field=field)))
