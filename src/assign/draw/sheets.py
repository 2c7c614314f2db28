"""Sealed sheets for an outage: random orders of a shift's people, fixed and committed to before anybody needs them.

A sheet is for one terminal and one set of qualifications. Its order is the keyed shuffle of the core under a stream
of its own, so that nobody who lacks the master seed can tell who comes next, and its salted hash is logged when it is
made. `docs/outage.md` says how a shift is worked by hand from it, and how that is reconciled afterwards; the server
and the verifier both use this module.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from assign import _core
from assign.draw.commitment import PROTOCOL
from assign.draw.streams import SHEET, SHEET_SALT
from assign.encoding import canonical_json, parse_canonical_json, sha256, u64be
from assign.encoding import lp as _lp
from assign.errors import AssignError, Corrupt, InvalidInput
from assign.names import OrderId, TerminalCode, check_terminal
from assign.order import check_qualification
from assign.person import Pseudonym

__all__ = [
    "FORMAT",
    "MAX_COPIES",
    "MAX_SHEETS",
    "Group",
    "Line",
    "Sheet",
    "SheetPerson",
    "WhySkipped",
    "check_lines",
    "commit_sheet",
    "deal_sheets",
    "group_for",
    "groups_of",
    "parse_sheet_name",
    "sheet_name",
    "sheet_salt",
]

FORMAT: Final = "sheet/v1"
MAX_COPIES: Final = 20
MAX_SHEETS: Final = 9999
_MAX_NUMBER: Final = 10**6
_SHEET = re.compile(r"[1-9][0-9]{0,5}", re.ASCII)
_PSEUDONYM = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """What a sheet is for: one terminal, and one set of qualifications (sorted) that everybody on it has."""

    terminal: TerminalCode
    qualifications: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetPerson:
    """What a sheet looks at in a person on the roster."""

    person: Pseudonym
    terminals: frozenset[TerminalCode]
    qualifications: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sealed sheet.

    Attributes:
        number: 1 and up, each once in a shift.
        persons: in the order in which containers are handed out to them.
    """

    origin: str
    shift: str
    number: int
    group: Group
    persons: tuple[Pseudonym, ...]

    @property
    def name(self) -> str:
        """`ports/NLRTM/shifts/A/sheets/7`."""
        return sheet_name(self.shift, self.number)

    def to_bytes(self) -> bytes:
        """`sheet/v1`: canonical JSON, as `docs/outage.md` gives it."""
        return canonical_json(
            {
                "format": FORMAT,
                "origin": self.origin,
                "persons": [*self.persons],
                "qualifications": [*self.group.qualifications],
                "sheet": self.number,
                "shift": self.shift,
                "terminal": self.group.terminal,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Sheet:
        """Inverse of `to_bytes`. Raises Corrupt (SHEET_MALFORMED, and those of canonical JSON)."""
        value = parse_canonical_json(data)
        try:
            sheet = cls._from_json(value)
            if sheet.to_bytes() == data:
                return sheet
        except (KeyError, TypeError, ValueError, AttributeError, AssignError):
            pass
        raise Corrupt("SHEET_MALFORMED", f"These bytes are not a sheet of {FORMAT}.")

    @classmethod
    def _from_json(cls, value: dict[str, Any]) -> Sheet:
        persons = tuple(Pseudonym(person) for person in value["persons"])
        if not persons or len(set(persons)) != len(persons) or not all(map(_PSEUDONYM.fullmatch, persons)):
            raise ValueError("persons")
        qualifications = tuple(check_qualification(word) for word in value["qualifications"])
        if list(qualifications) != sorted(set(qualifications)):
            raise ValueError("qualifications")
        if type(value["sheet"]) is not int or not 1 <= value["sheet"] < _MAX_NUMBER:
            raise ValueError("sheet")
        if not isinstance(value["origin"], str) or not isinstance(value["shift"], str):
            raise TypeError("names")
        return cls(
            origin=value["origin"],
            shift=value["shift"],
            number=value["sheet"],
            group=Group(check_terminal(value["terminal"]), qualifications),
            persons=persons,
        )


def sheet_name(shift: str, number: int) -> str:
    """The resource name of a sheet."""
    return f"{shift}/sheets/{number}"


def parse_sheet_name(text: str, *, field: str = "") -> tuple[str, int]:
    """The shift's name (unparsed) and the number in `ports/*/shifts/*/sheets/*`. Raises InvalidInput (NAME_FORM)."""
    shift, separator, number = text.rpartition("/sheets/")
    if not separator or not _SHEET.fullmatch(number):
        raise InvalidInput("NAME_FORM", "A sheet is named ports/*/shifts/*/sheets/7.", field=field)
    return shift, int(number)


def groups_of(persons: Iterable[SheetPerson]) -> list[Group]:
    """The groups of a roster, ascending: at each terminal no qualification, each one, and each person's whole set."""
    groups: set[Group] = set()
    for person in persons:
        sets = {(), tuple(sorted(person.qualifications)), *((word,) for word in person.qualifications)}
        groups.update(Group(terminal, words) for terminal in person.terminals for words in sets)
    return sorted(groups)


def group_for(groups: Iterable[Group], terminal: TerminalCode, needs: Collection[str]) -> Group | None:
    """The group an order is handed out by: at its terminal, with all it needs and as little else as possible."""
    fitting = [one for one in groups if one.terminal == terminal and set(needs) <= set(one.qualifications)]
    return min(fitting, key=lambda one: (len(one.qualifications), one.qualifications), default=None)


def deal_sheets(
    master: bytes, origin: str, shift: str, persons: Sequence[SheetPerson], *, first: int, copies: int
) -> list[Sheet]:
    """`copies` sheets for each group of a roster, numbered from `first`: copy by copy, groups ascending.

    Args:
        master: `M`, 32 bytes.

    Raises InvalidInput (SHEETS_NOBODY, SHEET_COPIES, SHEETS_TOO_MANY, KEY_LENGTH).
    """
    if not persons:
        raise InvalidInput("SHEETS_NOBODY", "Nobody is on the roster of this shift yet: import it first.")
    if not 1 <= copies <= MAX_COPIES:
        raise InvalidInput("SHEET_COPIES", f"Ask for 1 to {MAX_COPIES} sheets of each kind.", field="copies")
    groups = groups_of(persons)
    if first + len(groups) * copies > MAX_SHEETS:
        raise InvalidInput("SHEETS_TOO_MANY", f"A shift has at most {MAX_SHEETS} sheets.", field="copies")
    ascending = sorted(persons, key=lambda one: one.person)
    numbers = range(first, first + len(groups) * copies)
    return [
        _deal(master, origin, shift, number, group, ascending)
        for number, group in zip(numbers, groups * copies, strict=True)
    ]


def _deal(master: bytes, origin: str, shift: str, number: int, group: Group, persons: Sequence[SheetPerson]) -> Sheet:
    able = [
        one.person
        for one in persons
        if group.terminal in one.terminals and one.qualifications.issuperset(group.qualifications)
    ]
    words = _lp(*group.qualifications)
    key = SHEET.derive(master, origin, shift, u64be(number), group.terminal, words)
    order = tuple(able[int(position)] for position in _core.shuffle(len(able), key))
    return Sheet(origin=origin, shift=shift, number=number, group=group, persons=order)


def sheet_salt(master: bytes, origin: str, shift: str, number: int) -> bytes:
    """The 32 bytes that hide a sheet behind its hash: whoever knows a small roster could try every order."""
    return SHEET_SALT.derive(master, origin, shift, u64be(number))


def commit_sheet(salt: bytes, sheet: Sheet) -> bytes:
    """`H(LP("draw/v1","commit-sheet",salt32,sheet))`: logged when the sheet is made, printed on its envelope."""
    return sha256(_lp(PROTOCOL, "commit-sheet", salt, sheet.to_bytes()))


class WhySkipped(StrEnum):
    """Why the next person on a sheet was passed over; stable codes. The first two follow from the log."""

    ABSENT = "ABSENT"
    IN_TEAM = "IN_TEAM"
    NOT_THERE = "NOT_THERE"
    BUSY = "BUSY"
    NOT_CLEARED = "NOT_CLEARED"
    RECUSED = "RECUSED"
    HANDLED_SELECTION = "HANDLED_SELECTION"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a sheet as it was worked: a container handed out, or a person passed over.

    Attributes:
        line: 1 and up; after the last person of the sheet the first comes again.
        time: when, in whole seconds.
        order: None where the person was passed over; then `why` says why.
        wave: the wave of the order's slot; None with `order`.
    """

    line: int
    person: Pseudonym
    time: datetime
    order: OrderId | None
    wave: str | None
    why: str | None


def check_lines(
    sheet: Sheet, before: Sequence[Line], lines: Sequence[Line], *, is_absent: Callable[[Pseudonym], bool]
) -> list[tuple[int, str]]:
    """What is wrong with `lines`, which follow `before`, on a sheet: (position in `lines`, one sentence).

    Args:
        is_absent: whether the log says that a person is absent.
    """
    problems: list[tuple[int, str]] = []
    done = [*before]
    for at, line in enumerate(lines):
        problems.extend((at, problem) for problem in _check_line(sheet, done, line, is_absent=is_absent))
        done.append(line)
    return problems


def _check_line(
    sheet: Sheet, done: Sequence[Line], line: Line, *, is_absent: Callable[[Pseudonym], bool]
) -> Iterable[str]:
    if line.line != len(done) + 1:
        yield f"line {line.line} comes where line {len(done) + 1} is due"
        return
    due = sheet.persons[(line.line - 1) % len(sheet.persons)]
    if line.person != due:
        yield f"line {line.line} names another person than the sheet"
    if done and line.time < done[-1].time:
        yield f"line {line.line} is earlier than the line before it"
    if (line.order is None) == (line.why is None) or (line.order is None) != (line.wave is None):
        yield f"line {line.line} either hands out an order of a wave or says why not"
        return
    if line.order is None:
        yield from _check_skipped(done, line, is_absent=is_absent)
        return
    if is_absent(line.person):
        yield f"line {line.line} hands out a container to somebody who is reported absent"
    if any(one.order == line.order and one.person == line.person for one in done):
        yield f"line {line.line} puts one person twice into a team"


def _check_skipped(done: Sequence[Line], line: Line, *, is_absent: Callable[[Pseudonym], bool]) -> Iterable[str]:
    filling = _being_filled(done)
    in_team = filling is not None and any(one.order == filling and one.person == line.person for one in done)
    if line.why == WhySkipped.ABSENT and not is_absent(line.person):
        yield f"line {line.line} passes over as absent somebody who is not reported absent"
    elif line.why == WhySkipped.IN_TEAM and not in_team:
        yield f"line {line.line} passes over as in the team somebody who is not"
    elif line.why not in tuple(WhySkipped):
        yield f"line {line.line} has no known reason"


def _being_filled(done: Sequence[Line]) -> OrderId | None:
    """The order that was handed out last: a team of two takes the next person as well."""
    return next((one.order for one in reversed(done) if one.order is not None), None)
