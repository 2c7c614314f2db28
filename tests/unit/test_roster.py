"""Rosters: what an entry may be, and overlapping duties of one person."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assign.errors import InvalidInput
from assign.names import PersonId, TerminalCode
from assign.roster import RosterEntry, find_overlap

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)


def entry(person: str = "i-1", start: int = 0, end: int = 8, **changes: Any) -> RosterEntry:
    """A duty from `start` to `end` hours after six."""
    facts: dict[str, Any] = {
        "person": PersonId(person),
        "terminals": frozenset({TerminalCode("RWG")}),
        "start": SIX + timedelta(hours=start),
        "end": SIX + timedelta(hours=end),
        "qualifications": frozenset(),
        "capacity": 1,
    }
    return RosterEntry(**(facts | changes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"terminals": frozenset()}, "ROSTER_TERMINALS"),
        ({"end": 0}, "ROSTER_TIMES"),
        ({"end": -1}, "ROSTER_TIMES"),
        ({"capacity": 0}, "ROSTER_CAPACITY"),
        ({"capacity": 101}, "ROSTER_CAPACITY"),
    ],
)
def test_entries_that_cannot_be(changes: dict[str, Any], reason: str) -> None:
    """Each with its reason."""
    with pytest.raises(InvalidInput, match=reason):
        entry(**changes)


def test_duties_that_touch_do_not_overlap() -> None:
    """A duty ends before its end."""
    assert find_overlap([entry(start=8, end=16), entry(start=0, end=8)]) is None


def test_overlap_of_one_person_is_found() -> None:
    """In whatever order they come, the earlier one first."""
    early, late = entry(start=0, end=8), entry(start=7, end=15)
    assert find_overlap([late, entry("i-2", 0, 8), early]) == (early, late)


def test_long_duty_overlaps_one_within() -> None:
    """The end counts, not the next start."""
    outer, inner = entry(start=0, end=12), entry(start=3, end=4)
    assert find_overlap([inner, outer]) == (outer, inner)


def test_different_persons_never_overlap() -> None:
    """They are two."""
    assert find_overlap([entry("i-1"), entry("i-2")]) is None
    assert find_overlap([]) is None
