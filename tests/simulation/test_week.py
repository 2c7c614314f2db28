"""A week of shifts, and the two nights on which the clocks change, in one process: what must hold after every day."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from simulation.whole_service import PORT, TERMINALS, Beacon, Service, duty
from sqlalchemy.engine import Connection

from assign.draw.commitment import Freeze, is_freeze
from assign.names import OrderId, PersonId, ShiftName
from assign.order import Order, Slot
from server.storage.ledger import read_entries, read_head
from server.storage.outcomes import load_drawn, load_outcome
from server.storage.shifts import list_roster
from server.storage.slots import SlotState, slots_of_wave
from server.storage.waves import WaveState, waves_of

_AMSTERDAM = ZoneInfo("Europe/Amsterdam")
_STEP = timedelta(minutes=15)
_LEAD = timedelta(minutes=15)
_PLACE = timedelta(minutes=5)
_PEOPLE_A_SHIFT = 12
_ORDERS_A_SHIFT = 26
_SELECTORS = ("s-1", "s-2", "i-003", "i-017", "i-029")  # three of them are on rosters as well


@dataclass
class _Inspection:
    """What somebody was to do."""

    order: OrderId
    start: datetime
    end: datetime
    wave: str


@dataclass
class _Week:
    """The players, and what was promised to them."""

    service: Service
    chance: random.Random
    selected_by: dict[str, str] = field(default_factory=dict)
    shifts: list[ShiftName] = field(default_factory=list)
    replaced: int = 0
    cancelled: int = 0
    left_over: int = 0
    inspections: int = 0


def _local(day: date, hour: int) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=_AMSTERDAM).astimezone(UTC)


def _shifts(day: date) -> list[tuple[str, datetime, datetime]]:
    """Early, late and night of one day, by the clock on the wall; the night ends on the next day."""
    hours = (("A", 6, 0, 14), ("B", 14, 0, 22), ("C", 22, 1, 6))
    return [
        (f"{day}-{letter}", _local(day, start), _local(day + timedelta(days=over), end))
        for letter, start, over, end in hours
    ]


async def _play_shift(week: _Week, shift: str, start: datetime, end: datetime, people: Sequence[str]) -> None:
    service, chance = week.service, week.chance
    await service.advance(start - timedelta(hours=1))
    name = await service.open(shift, start, end)
    week.shifts.append(name)
    await service.clear(people, until=end + timedelta(days=30))
    hour = timedelta(hours=1)
    await service.roster(
        name,
        [
            duty(
                one,
                start - hour / 2,
                end + hour / 4,
                terminals=chance.sample(TERMINALS, 3),
                capacity=1 + (index % 5 == 0),
                qualifications=["reefer"] if index % 2 else [],
            )
            for index, one in enumerate(people)
        ],
    )
    slots = await _book(week, start, end)
    await service.report_absent(name, PersonId(people[0]))
    for slot in chance.sample(slots, 2):
        await service.cancel(slot.slot)
        week.cancelled += 1
    # The next shift opens an hour before this one ends.
    for wave_start in [start + index * _STEP for index in range(2, (end - start) // _STEP - 3, 7)]:
        await service.advance(wave_start - _LEAD)
        await _look_and_replace(week, name, wave_start, people[1:])


async def _book(week: _Week, start: datetime, end: datetime) -> list[Slot]:
    chance, service = week.chance, week.service
    orders: list[Order] = [
        service.new_order(
            terminal=chance.choice(TERMINALS),
            selected_by=chance.choice(_SELECTORS),
            team_size=2 if chance.random() < 0.2 else 1,
            tier=chance.randrange(3),
            qualifications=["reefer"] if chance.random() < 0.3 else [],
            parties=[f"p-{chance.randrange(20)}"],
        )
        for _ in range(_ORDERS_A_SHIFT)
    ]
    week.selected_by.update({order.order: order.selected_by for order in orders})
    first = _STEP * 2
    places = (end - start - first) // _PLACE
    starts = [start + first + _PLACE * chance.randrange(places) for _ in orders]
    slots = [
        service.new_slot(order, at, minutes=chance.choice((15, 30, 45)))
        for order, at in zip(orders, starts, strict=True)
    ]
    await service.order(orders)
    await service.book(slots)
    return slots


async def _look_and_replace(week: _Week, name: ShiftName, start: datetime, people: Sequence[str]) -> None:
    """Everybody looks; one of those who were drawn does not come."""
    [wave] = [one for one in await week.service.waves(name) if one.name.start == start]
    drawn = [one for one in people if await week.service.reveal(wave.name, PersonId(one))]
    if drawn:
        await week.service.replace(wave.name, PersonId(week.chance.choice(drawn)))
        week.replaced += 1


async def _check(week: _Week) -> None:
    """The bundle of everything so far verifies, and everything that is open was replayed."""
    report = await week.service.verify()
    assert report.findings == ()
    assert report.draws_replayed == sum(shift.calendar_waves for shift in report.shifts if shift.is_closed)


def _check_outcomes(connection: Connection, week: _Week) -> None:
    todo: dict[PersonId, list[_Inspection]] = defaultdict(list)
    capacity: dict[tuple[str, PersonId], int] = {}
    week.left_over = week.inspections = 0
    for name in week.shifts:
        capacity |= {(str(name), one.entry.person): one.entry.capacity for one in list_roster(connection, name)}
        absent = {one.entry.person for one in list_roster(connection, name) if one.absent_time is not None}
        for wave in waves_of(connection, name):
            if wave.state is not WaveState.DRAWN:
                continue
            slots = {slot.order: slot for slot in slots_of_wave(connection, wave.name, [SlotState.DRAWN])}
            week.left_over += wave.left_over_count
            drawn = load_drawn(week.service.services.keyring, wave)
            now = load_outcome(connection, week.service.services.keyring, wave)
            assert set(drawn.teams) == set(slots)
            for order, team in now.teams.items():
                assert len(set(team)) == len(team)
                assert week.selected_by[order] not in team
                assert not absent & set(team)
                for person in team:
                    todo[person].append(_Inspection(order, slots[order].start, slots[order].end, str(wave.name)))
                    week.inspections += 1
    for person, inspections in todo.items():
        _check_person(person, inspections, capacity)
    _check_freezes(connection)


def _check_person(person: PersonId, todo: list[_Inspection], capacity: dict[tuple[str, PersonId], int]) -> None:
    waves: dict[str, list[_Inspection]] = defaultdict(list)
    for one in todo:
        waves[one.wave].append(one)
    for wave, inspections in waves.items():
        shift = wave.partition("/waves/")[0]
        assert len(inspections) <= capacity[shift, person]
    for one in todo:
        for other in todo:
            if one.wave != other.wave:
                assert other.end <= one.start or one.end <= other.start, f"{person} is in two places"


def _check_freezes(connection: Connection) -> None:
    edge, _ = read_head(connection, PORT)
    entries = read_entries(connection, PORT, 0, edge.size)
    frozen = [Freeze.from_bytes(entry).wave for entry in entries if is_freeze(entry)]
    assert len(frozen) == len(set(frozen))


async def _play(
    store: Path, first: date, days: int, *, seed: int, check: bool, which: slice = slice(None)
) -> tuple[_Week, bytes]:
    """Play the shifts of some days, or `which` of them."""
    start = _local(first, 4)
    beacon = Beacon(start - timedelta(hours=2), days=days + 2)
    service = Service(store, start=start, beacon=beacon, seed=seed)
    week = _Week(service, random.Random(seed))
    everybody = [f"i-{number:03}" for number in range(4 * _PEOPLE_A_SHIFT)]
    async with service.running():
        shifts = [one for number in range(days) for one in _shifts(first + timedelta(days=number))][which]
        for index, (shift, begins, ends) in enumerate(shifts):
            at = index % 4 * _PEOPLE_A_SHIFT
            await _play_shift(week, shift, begins, ends, everybody[at : at + _PEOPLE_A_SHIFT])
            if check and index % 3 == 2:
                await _check(week)
        await service.advance(shifts[-1][2] + timedelta(minutes=11))
        if check:
            await _check(week)
            await service.reader.run(lambda connection: _check_outcomes(connection, week))
            assert all([set(await service.states(name)) == {WaveState.DRAWN} for name in week.shifts])
        edge, _ = await service.reader.run(lambda connection: read_head(connection, PORT))
        return week, edge.root()


@pytest.mark.slow
def test_a_week_of_shifts(tmp_path: Path) -> None:
    """21 shifts with absences, cancellations and replacements: every bundle verifies, and nobody is in two places."""
    week, _ = asyncio.run(_play(tmp_path / "assign.db", date(2026, 11, 23), 7, seed=5, check=True))
    assert len(week.shifts) == 21
    assert week.inspections > 400
    assert (week.cancelled, week.replaced > 20) == (42, True)


def test_the_same_seed_gives_the_same_log(tmp_path: Path) -> None:
    """One shift played twice has one root, byte for byte; with another seed it has another."""
    roots = [
        asyncio.run(_play(tmp_path / f"{number}.db", date(2026, 11, 23), 1, seed=seed, check=False, which=slice(1)))[1]
        for number, seed in enumerate((3, 3, 4))
    ]
    assert roots[0] == roots[1] != roots[2]


@pytest.mark.parametrize(
    ("first", "hours"), [(date(2026, 3, 28), 7), (date(2026, 10, 24), 9)], ids=["spring", "autumn"]
)
def test_the_night_the_clocks_change(tmp_path: Path, first: date, hours: int) -> None:
    """The night shift is an hour shorter or longer; no wave is lost, none is doubled, and all three shifts verify."""
    week, _ = asyncio.run(_play(tmp_path / "assign.db", first, 2, seed=6, check=True, which=slice(1, 4)))
    night = week.shifts[1]
    assert night.shift == f"{first}-C"
    service = week.service

    async def look() -> list[datetime]:
        async with service.running():
            return [wave.name.start for name in week.shifts for wave in await service.waves(name)]

    starts = asyncio.run(look())
    begins, ends = _local(first, 22), _local(first + timedelta(days=1), 6)
    assert ends - begins == timedelta(hours=hours)
    assert sum(begins <= start < ends for start in starts) == hours * 4
    assert {later - earlier for earlier, later in itertools.pairwise(starts)} == {_STEP}
