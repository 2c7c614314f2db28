"""Sealed sheets for an outage: random orders of a shift's people, fixed and committed to before anybody needs them.

A sheet is for one terminal and one set of qualifications. Its order is the keyed shuffle of the core under a stream
of its own, so that nobody who lacks the master seed can tell who comes next, and its salted hash is logged when it is
made. `docs/outage.md` says how a shift is worked by hand from it, and how that is reconciled afterwards; the server
and the verifier both use this module.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
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
    "MAX_PLACES",
    "MAX_SHEETS",
    "Group",
    "Line",
    "Sheet",
    "SheetPerson",
    "WhySkipped",
    "Work",
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
MAX_PLACES: Final = 10**6
"""Persons on all sheets of a shift: what a verifier is willing to shuffle again."""
_MAX_NUMBER: Final = 10**6
_MAX_STEPS: Final = 10**7
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
    """The groups of a roster, ascending: at each terminal no qualification, each one, and each person's whole set.

    Raises InvalidInput (SHEETS_TOO_MANY) where there would be more than MAX_SHEETS: a line of a hostile roster names
    thousands of terminals and of qualifications.
    """
    groups: set[Group] = set()
    steps = 0
    for person in persons:
        sets = {(), tuple(sorted(person.qualifications)), *((word,) for word in person.qualifications)}
        steps += len(person.terminals) * len(sets)
        if len(person.terminals) * len(sets) > MAX_SHEETS or steps > _MAX_STEPS:
            raise _too_many()
        groups.update(Group(terminal, words) for terminal in person.terminals for words in sets)
    return sorted(groups)


def _too_many() -> InvalidInput:
    return InvalidInput("SHEETS_TOO_MANY", "A shift cannot have so many sheets; ask for fewer.", field="copies")


def group_for(groups: Iterable[Group], terminal: TerminalCode, needs: Collection[str]) -> Group | None:
    """The group an order is handed out by: at its terminal, with all it needs and as little else as possible."""
    fitting = [one for one in groups if one.terminal == terminal and set(needs) <= set(one.qualifications)]
    return min(fitting, key=lambda one: (len(one.qualifications), one.qualifications), default=None)


def deal_sheets(
    master: bytes,
    origin: str,
    shift: str,
    persons: Sequence[SheetPerson],
    *,
    first: int,
    copies: int,
    places_left: int = MAX_PLACES,
) -> list[Sheet]:
    """`copies` sheets for each group of a roster, numbered from `first`: copy by copy, groups ascending.

    Args:
        master: `M`, 32 bytes. places_left: MAX_PLACES less the persons on all sheets of the shift so far.

    Raises InvalidInput (SHEETS_NOBODY, SHEET_COPIES, SHEETS_TOO_MANY, KEY_LENGTH).
    """
    if not persons:
        raise InvalidInput("SHEETS_NOBODY", "Nobody is on the roster of this shift yet: import it first.")
    if not 1 <= copies <= MAX_COPIES:
        raise InvalidInput("SHEET_COPIES", f"Ask for 1 to {MAX_COPIES} sheets of each kind.", field="copies")
    able = _able(persons)
    places = copies * sum(map(len, able.values()))
    if first + len(able) * copies > MAX_SHEETS or places > places_left:
        raise _too_many()
    numbers = range(first, first + len(able) * copies)
    return [
        _deal(master, origin, shift, number, group, people)
        for number, (group, people) in zip(numbers, [*able.items()] * copies, strict=True)
    ]


def _able(persons: Sequence[SheetPerson]) -> dict[Group, list[Pseudonym]]:
    """Each group, ascending, with its people by pseudonym."""
    able: dict[Group, list[Pseudonym]] = {group: [] for group in groups_of(persons)}
    at: dict[TerminalCode, list[Group]] = {}
    for group in able:
        at.setdefault(group.terminal, []).append(group)
    if sum(len(at[terminal]) for one in persons for terminal in one.terminals) > _MAX_STEPS:
        raise _too_many()
    for one in sorted(persons, key=lambda one: one.person):
        for group in (group for terminal in one.terminals for group in at[terminal]):
            if one.qualifications.issuperset(group.qualifications):
                able[group].append(one.person)
    return able


def _deal(master: bytes, origin: str, shift: str, number: int, group: Group, people: Sequence[Pseudonym]) -> Sheet:
    key = SHEET.derive(master, origin, shift, u64be(number), group.terminal, _lp(*group.qualifications))
    order = tuple(people[int(position)] for position in _core.shuffle(len(people), key))
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


_REASONS: Final = frozenset(WhySkipped)


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


class Work:
    """One sheet as it is worked, line by line.

    Args:
        lines: those of before; nothing is said of them.
    """

    def __init__(self, sheet: Sheet, lines: Iterable[Line] = ()) -> None:
        self._persons = sheet.persons
        self._count = 0
        self._last: datetime | None = None
        self._filling: OrderId | None = None
        self._handed: set[tuple[OrderId, Pseudonym]] = set()
        for line in lines:
            self._take(line)

    def add(self, line: Line, *, is_absent: bool) -> list[str]:
        """Add a line; what is wrong with it, a sentence each.

        Args:
            is_absent: whether the log says by then that its person is absent.
        """
        problems = [*self._problems(line, is_absent=is_absent)]
        self._take(line)
        return problems

    def _take(self, line: Line) -> None:
        self._count += 1
        self._last = line.time
        if line.order is not None:
            self._filling = line.order
            self._handed.add((line.order, line.person))

    def _problems(self, line: Line, *, is_absent: bool) -> Iterator[str]:
        number = self._count + 1
        if line.line != number:
            yield f"line {line.line} comes where line {number} is due"
            return
        if line.person != self._persons[(number - 1) % len(self._persons)]:
            yield f"line {number} names another person than the sheet"
        if self._last is not None and line.time < self._last:
            yield f"line {number} is earlier than the line before it"
        if (line.order is None) == (line.why is None) or (line.order is None) != (line.wave is None):
            yield f"line {number} either hands out an order of a wave or says why not"
        elif line.order is None:
            yield from self._problems_of_skip(line, is_absent=is_absent)
        elif is_absent:
            yield f"line {number} hands out a container to somebody who is reported absent"
        elif (line.order, line.person) in self._handed:
            yield f"line {number} puts one person twice into a team"

    def _problems_of_skip(self, line: Line, *, is_absent: bool) -> Iterator[str]:
        # A team of two takes the next person as well: whoever comes again meanwhile is in it already.
        in_team = self._filling is not None and (self._filling, line.person) in self._handed
        if line.why == WhySkipped.ABSENT and not is_absent:
            yield f"line {line.line} passes over as absent somebody who is not reported absent"
        elif line.why == WhySkipped.IN_TEAM and not in_team:
            yield f"line {line.line} passes over as in the team somebody who is not"
        elif line.why not in _REASONS:
            yield f"line {line.line} has no known reason"
