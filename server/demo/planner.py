"""The terminals' planning of the day: a start for every order, where enough people will be free.

The planner knows the rosters, not the draw. It counts, for every terminal and quarter of an hour, how many
people are at work, and books where the people left would be enough whoever was drawn before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from assign.names import PersonId, ShiftId, SlotId, TerminalCode
from assign.order import Slot
from assign.person import Person
from assign.roster import RosterEntry
from server.demo.cargo import PlannedOrder
from server.demo.choices import Choices
from server.demo.people import DayShift, is_cleared

__all__ = ["BRIEFING", "GRID", "plan_slots"]

GRID = timedelta(minutes=15)
# A shift begins with a briefing: whoever is drawn for the first inspections reads it on duty, before they start.
BRIEFING = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class _Start:
    shift: ShiftId
    moment: datetime


def plan_slots(
    orders: Sequence[PlannedOrder],
    rosters: Mapping[ShiftId, Sequence[RosterEntry]],
    shifts: Sequence[DayShift],
    *,
    persons: Sequence[Person],
    min_pool: int,
    seed: int,
) -> list[Slot]:
    """A slot for every order, on the quarter of an hour and within one shift, by start and order.

    Hard orders (teams of two, qualifications) are placed first. Where no start leaves `min_pool` people
    beyond the team, the best start there is gets the order.
    """
    board = _Board(rosters, persons, day_end=shifts[-1].end)
    choices = Choices(seed, "slots")
    shuffled = choices.shuffled(orders)
    slots = []
    for order in sorted(shuffled, key=lambda one: (-one.team_size, -len(one.qualifications))):
        starts = choices.shuffled(_starts(order, shifts))
        start = board.choose(order, starts, wanted=order.team_size + min_pool)
        board.book(order, start)
        slot = Slot(
            slot=SlotId(f"slot-{order.order}"),
            order=order.order,
            terminal=order.terminal,
            start=start.moment,
            minutes=order.minutes,
        )
        slots.append(slot)
    return sorted(slots, key=lambda one: (one.start, one.order))


def _starts(order: PlannedOrder, shifts: Sequence[DayShift]) -> list[_Start]:
    starts = []
    for shift in shifts:
        first, last = shift.start + BRIEFING, shift.end - timedelta(minutes=order.minutes)
        starts += [_Start(shift.shift, first + GRID * step) for step in range((last - first) // GRID + 1)]
    return starts


class _Board:
    """Who could work where, and how many are at work at each terminal at each time."""

    def __init__(
        self, rosters: Mapping[ShiftId, Sequence[RosterEntry]], persons: Sequence[Person], *, day_end: datetime
    ) -> None:
        self._persons = {person.person: person for person in persons}
        self._rosters = {
            shift: [entry for entry in entries if is_cleared(self._persons[entry.person], day_end)]
            for shift, entries in rosters.items()
        }
        self._at_work: Counter[tuple[TerminalCode, datetime]] = Counter()

    def choose(self, order: PlannedOrder, starts: Sequence[_Start], *, wanted: int) -> _Start:
        """The first start that surely leaves `wanted` people, or the one that leaves most."""
        best, best_left = starts[0], -len(self._persons)
        for start in starts:
            left = self._surely_free(order, start)
            if left >= wanted:
                return start
            if left > best_left:
                best, best_left = start, left
        return best

    def book(self, order: PlannedOrder, start: _Start) -> None:
        """Count the order's team as at work."""
        for moment in _quarters(start.moment, order.minutes):
            self._at_work[order.terminal, moment] += order.team_size

    def _surely_free(self, order: PlannedOrder, start: _Start) -> int:
        """How many who could take the order are free then, if those at work were all such people."""
        able = [entry for entry in self._rosters[start.shift] if self._can_take(entry, order)]
        serving: Counter[TerminalCode] = Counter()
        for entry in able:
            serving.update(entry.terminals)
        busy = 0
        for terminal, count in serving.items():
            peak = max(self._at_work[terminal, moment] for moment in _quarters(start.moment, order.minutes))
            busy += min(peak, count)
        return len(able) - busy

    def _can_take(self, entry: RosterEntry, order: PlannedOrder) -> bool:
        return (
            order.terminal in entry.terminals
            and order.qualifications <= entry.qualifications
            and not self._recused(entry.person) & order.parties
        )

    def _recused(self, person: PersonId) -> frozenset[str]:
        return self._persons[person].recused_parties


def _quarters(start: datetime, minutes: int) -> list[datetime]:
    return [start + GRID * step for step in range(-(-timedelta(minutes=minutes) // GRID))]
