"""The people of the day: rosters, screening status, ties with trade parties, sick calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from assign.names import PersonId, ShiftId, TerminalCode
from assign.person import Person, Screening
from assign.roster import RosterEntry
from server.demo.cargo import DANGEROUS_GOODS, REEFER, PlannedOrder
from server.demo.choices import Choices

__all__ = ["DayShift", "SickCall", "is_cleared", "make_people", "make_rosters", "make_sick_calls"]

_PERCENT_TWO_TERMINALS = 40
_PERCENT_RECUSED = 8
_PEOPLE_A_NOT_CLEARED = 26
_MIN_PERCENT_QUALIFIED = 60
_MINUTES_BEFORE_SHIFT = 25
_YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class DayShift:
    """A shift, aware UTC, `start <= t < end`."""

    shift: ShiftId
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class SickCall:
    """Somebody calls in sick at `moment`; he is in no pool that is frozen later."""

    shift: ShiftId
    person: PersonId
    moment: datetime


def make_rosters(
    shifts: Sequence[DayShift],
    orders: Sequence[PlannedOrder],
    *,
    terminals: Sequence[TerminalCode],
    count: int,
    seed: int,
) -> dict[ShiftId, tuple[RosterEntry, ...]]:
    """`count` people over the shifts, each with a home terminal and some with the one beside it.

    A roster office trains for what its port gets: the more orders need a qualification, the more people
    have it, at least 60 of 100.
    """
    ids = Choices(seed, "people").shuffled([PersonId(f"i-{number:04d}") for number in range(1, count + 1)])
    choices = Choices(seed, "rosters")
    rosters = {}
    for index, shift in enumerate(shifts):
        crew = ids[index :: len(shifts)]
        entries = []
        for home, terminal in enumerate(terminals):
            team = crew[home :: len(terminals)]
            beside = terminals[(home + 1) % len(terminals)]
            entries += _team_entries(choices, team, shift, terminal, beside, orders)
        rosters[shift.shift] = tuple(sorted(entries, key=lambda entry: entry.person))
    return rosters


def _team_entries(
    choices: Choices,
    team: Sequence[PersonId],
    shift: DayShift,
    home: TerminalCode,
    beside: TerminalCode,
    orders: Sequence[PlannedOrder],
) -> list[RosterEntry]:
    skilled = {name: _qualified(choices, team, name, orders) for name in (REEFER, DANGEROUS_GOODS)}
    movers = set(choices.sample(team, len(team) * _PERCENT_TWO_TERMINALS // 100))
    return [
        RosterEntry(
            person=person,
            terminals=frozenset({home, beside} if person in movers else {home}),
            start=shift.start,
            end=shift.end,
            qualifications=frozenset(name for name, people in skilled.items() if person in people),
            capacity=1,
        )
        for person in team
    ]


def _qualified(choices: Choices, team: Sequence[PersonId], name: str, orders: Sequence[PlannedOrder]) -> set[PersonId]:
    needed_percent = 100 * sum(name in order.qualifications for order in orders) // len(orders)
    percent = min(100, _MIN_PERCENT_QUALIFIED + needed_percent)
    return set(choices.sample(team, -(-len(team) * percent // 100)))


def make_people(
    entries: Sequence[RosterEntry], orders: Sequence[PlannedOrder], *, day_end: datetime, seed: int
) -> list[Person]:
    """Screening status and recusals of everybody on a roster, by id.

    A few are not cleared, in turn: certificate expired, none at all, an open signal, no interview.
    """
    choices = Choices(seed, "screening")
    cleared = Screening(certificate_until=day_end + _YEAR, signal_open=False, interviewed=True)
    not_cleared = (
        replace(cleared, certificate_until=day_end - timedelta(days=30)),
        replace(cleared, signal_open=True),
        replace(cleared, interviewed=False),
        replace(cleared, certificate_until=None),
    )
    unlucky = choices.sample(sorted(entry.person for entry in entries), len(entries) // _PEOPLE_A_NOT_CLEARED)
    screening = {person: not_cleared[index % len(not_cleared)] for index, person in enumerate(unlucky)}
    people = []
    for entry in sorted(entries, key=lambda one: one.person):
        near = sorted({party for order in orders if order.terminal in entry.terminals for party in order.parties})
        ties = choices.sample(near, 1 + choices.below(2)) if choices.happens(_PERCENT_RECUSED) else []
        status = screening.get(entry.person, cleared)
        people.append(Person(person=entry.person, screening=status, recused_parties=frozenset(ties)))
    return people


def make_sick_calls(
    shifts: Sequence[DayShift],
    rosters: Mapping[ShiftId, Sequence[RosterEntry]],
    persons: Sequence[Person],
    *,
    count: int,
    seed: int,
) -> tuple[SickCall, ...]:
    """`count` people who call in before their shift's first freeze, spread over the shifts."""
    choices = Choices(seed, "sick")
    cleared = {person.person for person in persons if is_cleared(person, shifts[-1].end)}
    calls = []
    taken: set[PersonId] = set()
    for index in range(count):
        shift = shifts[index % len(shifts)]
        well = [one.person for one in rosters[shift.shift] if one.person in cleared and one.person not in taken]
        person = choices.pick(well)
        taken.add(person)
        calls.append(SickCall(shift.shift, person, shift.start - timedelta(minutes=_MINUTES_BEFORE_SHIFT)))
    return tuple(sorted(calls, key=lambda call: (call.moment, call.person)))


def is_cleared(person: Person, day_end: datetime) -> bool:
    """Whether the made-up person's screening allows him to be drawn until `day_end`."""
    status = person.screening
    until = status.certificate_until
    return status.interviewed and not status.signal_open and until is not None and day_end < until
