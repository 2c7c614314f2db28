"""Rosters: who is on duty in a shift, at which terminals, from when to when, able to do what."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from assign.errors import InvalidInput
from assign.names import PersonId, TerminalCode

__all__ = ["MAX_CAPACITY", "RosterEntry", "find_overlap"]

MAX_CAPACITY = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterEntry:
    """One person's duty in one shift.

    Attributes:
        terminals: SMDG codes of the terminals the person serves; at least one.
        start, end: aware UTC, whole seconds; on duty in `start <= t < end`.
        qualifications: names such as `reefer`, `dangerous-goods`, `dog`, `scan`.
        capacity: inspections the person can be drawn for in one wave, 1 to 100.
    """

    person: PersonId
    terminals: frozenset[TerminalCode]
    start: datetime
    end: datetime
    qualifications: frozenset[str]
    capacity: int

    def __post_init__(self) -> None:
        if not self.terminals:
            raise InvalidInput("ROSTER_TERMINALS", "A roster entry names at least one terminal.")
        if self.start >= self.end:
            raise InvalidInput("ROSTER_TIMES", "A roster entry ends after it starts.")
        if not 1 <= self.capacity <= MAX_CAPACITY:
            raise InvalidInput("ROSTER_CAPACITY", f"Capacity is 1 to {MAX_CAPACITY} inspections a wave.")


def find_overlap(entries: Iterable[RosterEntry]) -> tuple[RosterEntry, RosterEntry] | None:
    """The first two entries of one person whose times overlap, by person and start; None if there are none."""
    ordered = sorted(entries, key=lambda entry: (entry.person, entry.start, entry.end))
    for earlier, later in itertools.pairwise(ordered):
        if earlier.person == later.person and later.start < earlier.end:
            return earlier, later
    return None
