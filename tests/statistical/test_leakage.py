"""Before the reveal nothing tells who will be drawn: not a reply, an entry, a row's size, nor the time something takes.

A thousand waves of the whole service: twice 500, in two services that differ in nothing but their secrets, so that the
hidden outcomes differ at the same positions. In every wave one inspector asks too early, before the draw; asks again
after it while his screening forbids it (the refusal that is given when the outcome is already stored); and has a
replacement requested for him.

Sizes are compared exactly, position by position. Times are compared by rank, between waves in which he is drawn and
waves in which he is not. Which waves those are follows from seeds alone. So if the software's time does not depend on
the outcome, the labels are independent of the times whatever the machine does meanwhile, and every assignment of
labels to times within a run is equally likely: the rank sum has its exact null distribution, noise or no noise. Its
tails are lighter than the normal's (ranks are drawn without replacement), and |z| > 5.5 has probability 3.8e-8 there;
for the three actions together, a false alarm has less than 1.2e-7.

Power, with 500 against 500: 99 % against an effect with P(drawn takes longer) = 0.5 + (5.5 + 2.33) · 0.0183 = 0.64,
which is a shift by half a standard deviation of one measurement, whatever that is on the machine: some percents of the
time of a refusal. `test_the_comparison_of_times_has_its_power` plants such effects.
"""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from simulation import whole_service
from simulation.whole_service import (
    PORT,
    SECURITY,
    SUPERVISOR,
    Beacon,
    Service,
    duty,
    inspector,
    utc,
)
from sqlalchemy import Engine, LargeBinary, event

from assign.errors import Denied
from assign.names import AssignmentName, PersonId, ShiftName, WaveName
from assign.person import Person, Screening
from server import conductor
from server.actions.draw_wave import draw_wave
from server.actions.import_persons import import_persons
from server.actions.record_refusal import record_refusal
from server.actions.request_replacement import request_replacement
from server.actions.reveal_assignment import reveal_assignment
from server.rpc import present
from server.rpc.status import to_status
from server.storage.ledger import read_entries, read_head
from server.storage.outcomes import load_drawn
from server.storage.schema import metadata
from server.storage.sqlite import open_writer
from server.storage.unit import Unit
from server.storage.waves import load_wave

_START = utc(2026, 11, 24, 6)
_STEP = timedelta(minutes=1)
_BREAK = timedelta(minutes=10)
_SHIFTS, _WAVES = 25, 20
_SUBJECT = PersonId("i-1")
# Ids of different lengths: a size must not tell whose is in the outcome.
_PEOPLE = (_SUBJECT, "i-22222222", "i-333", "i-4444444444444444")
_METHOD = "/assign.v1.RevealService/RevealAssignment"
_MAX_Z = 5.5
_HASHES = re.compile(rb"[0-9a-f]{32,}")


@dataclass
class Run:
    """What an observer of the network, the log and the database saw in one service, and what was hidden from him.

    Attributes:
        drawn: by wave, whether the subject was drawn.
        replies: sizes of the replies to the subject and about him, by wave.
        rows: sizes of all stored values, by table, after each draw.
        times: CPU time of each action in nanoseconds, by wave.
        entries: the whole log, in which what must differ (hashes, pseudonyms, ids) is blotted out.
    """

    drawn: list[bool] = field(default_factory=list)
    replies: list[tuple[bytes, ...]] = field(default_factory=list)
    rows: list[tuple[tuple[int, ...], ...]] = field(default_factory=list)
    times: dict[str, list[int]] = field(default_factory=lambda: {"early": [], "draw": [], "refused": []})
    entries: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)


class Observed:
    """Plays one service and watches it."""

    def __init__(self, store: Path, *, seed: int) -> None:
        beacon = Beacon(_START - timedelta(hours=6), days=1)
        settings = {
            "wave_step_seconds": 60,
            "lead_seconds": 60,
            "freeze_margin_seconds": 30,
            "cooldown_hours": 0,
            "embargo_seconds": 60,
        }
        self.service = Service(store, start=_START, beacon=beacon, seed=seed, settings=settings)
        self.run = Run()

    async def play(self) -> Run:
        """All shifts, one after another."""
        async with self.service.running():
            await self.service.clear(_PEOPLE, until=utc(2027, 9, 1))
            for shift in range(_SHIFTS):
                start = _START + (shift + 1) * (_WAVES * _STEP + _BREAK)
                await self.service.advance(start - _BREAK / 2)
                end = start + _WAVES * _STEP
                name = await self.service.open(f"S{shift:02}", start, end)
                entries = [duty(person, start - _BREAK / 2, end + _BREAK / 4) for person in _PEOPLE]
                await self.service.roster(name, entries)
                starts = [start + index * _STEP for index in range(_WAVES)]
                await self.service.order_at([one for one in starts for _ in range(2)], minutes=1)
                for one in starts:
                    await self._watch(WaveName(name, one))
            self.run.entries, self.run.sizes = await self.service.act(self._log)
        return self.run

    async def _watch(self, wave: WaveName) -> None:
        draw_time = wave.start - _STEP
        await self.service.advance(draw_time - timedelta(seconds=5))
        early = await self.service.act(lambda unit: self._refused(unit, wave, "early"))
        await self.service.advance(draw_time + timedelta(seconds=5))
        after = await self.service.act(lambda unit: self._ask_uncleared(unit, wave))
        self.run.replies.append((early, *after))
        await self.service.act(lambda unit: self._look(unit, wave))

    def _timed(self, action: str, call: Callable[[], object]) -> None:
        start = time.thread_time_ns()
        try:
            call()
        finally:
            self.run.times[action].append(time.thread_time_ns() - start)

    def draw(self, unit: Unit, name: WaveName, evidence: bytes) -> None:
        """As the conductor draws, with a watch in the hand."""
        self._timed("draw", lambda: draw_wave(unit, name, evidence))

    def _refused(self, unit: Unit, wave: WaveName, action: str) -> bytes:
        """Ask for the assignment and be refused, as at the door; the status that goes over the network."""
        with pytest.raises(Denied) as denied:
            self._timed(action, lambda: reveal_assignment(unit, inspector(_SUBJECT), AssignmentName(wave, _SUBJECT)))
        record_refusal(unit, inspector(_SUBJECT), wave.shift.port, _METHOD, denied.value.reason)
        status = to_status(denied.value)
        return repr((status.code, status.details, status.trailing_metadata)).encode()

    def _ask_uncleared(self, unit: Unit, wave: WaveName) -> tuple[bytes, bytes]:
        _screen(unit, wave.shift, signal_open=True)
        refused = self._refused(unit, wave, "refused")
        _screen(unit, wave.shift, signal_open=False)
        requested = request_replacement(unit, SUPERVISOR, wave, _SUBJECT, "no-show")
        reply = present.replacement(requested).SerializeToString(deterministic=True)
        return refused, reply.replace(requested.replacement.encode(), b"r-")

    def _look(self, unit: Unit, wave: WaveName) -> None:
        stored = load_wave(unit.connection, wave)
        drawn = load_drawn(unit.services.keyring, stored)
        self.run.drawn.append(bool(drawn.orders_of(_SUBJECT)))
        self.run.rows.append(tuple(_row_sizes(unit, wave, table) for table in ("wave", "replacement")))

    def _log(self, unit: Unit) -> tuple[list[bytes], list[int]]:
        edge, _ = read_head(unit.connection, PORT)
        entries = [*read_entries(unit.connection, PORT, 0, edge.size)]
        return [_blot(data) for data in entries], [len(data) for data in entries]


def _screen(unit: Unit, name: ShiftName, *, signal_open: bool) -> None:
    screening = Screening(certificate_until=utc(2027, 9, 1), signal_open=signal_open, interviewed=True)
    import_persons(
        unit, SECURITY, name.port, [Person(person=_SUBJECT, screening=screening, recused_parties=frozenset())]
    )


def _row_sizes(unit: Unit, wave: WaveName, table: str) -> tuple[int, ...]:
    """The length of every stored value of a wave; of numbers, which take as much room as they are large, the value."""
    columns = metadata.tables[table].columns
    start = "start" if table == "wave" else "wave_start"
    moment = int(wave.start.timestamp()) * 1_000_000
    asked = ", ".join(
        f"length({column.name!r})".replace("'", '"')
        if isinstance(column.type, LargeBinary) or column.type.python_type is str
        else f'"{column.name}"'
        for column in columns
    )
    rows = unit.connection.exec_driver_sql(f'SELECT {asked} FROM "{table}" WHERE "{start}" = ?', (moment,)).all()
    assert len(rows) == 1
    return tuple(rows[0])


def _blot(data: bytes) -> bytes:
    """The entry without what must differ between two services: hashes, pseudonyms, and the raw hashes of a freeze."""
    if data.startswith(b"\x00\x00\x00\x07draw/v1"):
        return data[:40] + bytes([len(data) % 256])
    return _HASHES.sub(lambda found: b"#" * len(found[0]), data)


def rank_z(drawn: Sequence[bool], times: Sequence[float]) -> float:
    """How far the rank sum of the drawn is from what chance gives, in standard deviations (ties share their rank)."""
    order = sorted(range(len(times)), key=times.__getitem__)
    ranks = [0.0] * len(times)
    first = 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and times[order[last + 1]] == times[order[first]]:
            last += 1
        for place in order[first : last + 1]:
            ranks[place] = (first + last) / 2 + 1
        first = last + 1
    mean = sum(ranks) / len(ranks)
    spread = sum((rank - mean) ** 2 for rank in ranks) / (len(ranks) - 1)
    count = sum(drawn)
    variance = spread * count * (len(ranks) - count) / len(ranks)
    found = sum(rank for rank, is_drawn in zip(ranks, drawn, strict=True) if is_drawn)
    return (found - count * mean) / math.sqrt(variance)


def _together(runs: Sequence[Run], action: str) -> float:
    """The combined z of both runs: each is ranked in itself, since one may have met a busier machine."""
    return sum(rank_z(run.drawn, run.times[action]) for run in runs) / math.sqrt(len(runs))


def _open_fast(url: str) -> Engine:
    """The writer, which does not wait for the disk: six commits a wave would take most of the time."""
    engine = open_writer(url)
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = OFF"))
    return engine


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two services, 500 waves each, with other secrets."""
    made = []
    for seed in (1, 2):
        observed = Observed(tmp_path_factory.mktemp("leakage") / "assign.db", seed=seed)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(conductor, "draw_wave", observed.draw)
            patch.setattr(whole_service, "open_writer", _open_fast)
            made.append(asyncio.run(observed.play()))
    return made


def test_observer_sees_a_thousand_waves_with_other_outcomes(runs: list[Run]) -> None:
    """The comparisons mean something: at half of the positions the outcomes differ, and each is drawn half the time."""
    first, second = runs
    assert len(first.drawn) == len(second.drawn) == _SHIFTS * _WAVES
    differ = sum(one != other for one, other in zip(first.drawn, second.drawn, strict=True))
    assert 180 < differ < 320
    assert all(180 < sum(run.drawn) < 320 for run in runs)


def test_observer_of_the_network_cannot_tell_who_will_be_drawn(runs: list[Run]) -> None:
    """Early askers and replacement requests get the same bytes in both worlds, whoever is drawn."""
    first, second = runs
    assert first.replies == second.replies
    refusals = {(early, after) for run in runs for early, after, _ in run.replies}
    assert len(refusals) == 1
    assert {len(reply) for run in runs for _, _, reply in run.replies} == {len(first.replies[0][2])}


def test_observer_of_the_log_cannot_tell_who_will_be_drawn(runs: list[Run]) -> None:
    """Both logs have the same entries, at the same times and of the same sizes, but for hashes and pseudonyms."""
    first, second = runs
    assert len(first.entries) > 8 * _SHIFTS * _WAVES
    assert first.sizes == second.sizes
    assert first.entries == second.entries


def test_observer_of_the_database_cannot_tell_who_will_be_drawn(runs: list[Run]) -> None:
    """Every stored value of every wave, sealed or not, has the same size in both worlds, although ids have not."""
    first, second = runs
    assert first.rows == second.rows


@pytest.mark.parametrize("action", ["early", "draw", "refused"])
def test_observer_with_a_clock_cannot_tell_who_will_be_drawn(runs: list[Run], action: str) -> None:
    """Drawn or not, an early refusal, a later refusal and the draw itself take equally long, by rank."""
    assert all(len(run.times[action]) == _SHIFTS * _WAVES for run in runs)
    assert abs(_together(runs, action)) < _MAX_Z


def test_the_comparison_of_times_has_its_power() -> None:
    """Half a standard deviation, planted, is beyond the bound; nothing, or a machine that slows down, is within it."""
    source = random.Random(1)
    drawn = [source.random() < 0.5 for _ in range(1000)]
    noise = [source.lognormvariate(0, 0.1) * (1 + place / 1000) for place in range(1000)]
    quiet = [source.lognormvariate(0, 0.1) for _ in range(1000)]
    assert abs(rank_z(drawn, noise)) < 4
    assert abs(rank_z(drawn, quiet)) < 4
    assert rank_z(drawn, [value * (1.06 if late else 1) for value, late in zip(quiet, drawn, strict=True)]) > _MAX_Z
    assert rank_z([True] * 5 + [False] * 5, [*range(10)]) < -2
