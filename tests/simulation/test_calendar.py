"""The conductor over simulated time: freezes, draws and closes at their times, whatever happens around them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from simulation.whole_service import APPROVER, PORT, SUPERVISOR, Beacon, Service, duty, inspector, open_small_shift, utc
from sqlalchemy import update

from assign.errors import Conflict, Denied
from assign.names import PersonId, WaveName
from assign.verify.findings import Attention
from server.actions.approve_replacement import approve_replacement
from server.actions.request_replacement import request_replacement
from server.storage.outcomes import load_outcome
from server.storage.schema import wave
from server.storage.waves import WaveState

_START = utc(2026, 11, 24, 6)
_SHIFT = _START + timedelta(hours=2)
_STEP = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)
_PEOPLE = [f"i-{number}" for number in range(1, 7)]


def _service(tmp_path: Path, *, days: float = 2, **settings: int) -> Service:
    beacon = Beacon(_START - timedelta(hours=1), days=days)
    tmp_path.mkdir(exist_ok=True)
    return Service(tmp_path / "assign.db", start=_START, beacon=beacon, seed=1, settings=settings)


def test_each_step_comes_at_its_time(tmp_path: Path) -> None:
    """Nothing happens a microsecond early, and everything has happened on time."""

    async def play() -> None:
        async with _service(tmp_path).running() as service:
            name = await open_small_shift(service, start=_SHIFT, waves=1, people=_PEOPLE)
            await service.order_at([_SHIFT])
            [planned] = await service.waves(name)
            instant = timedelta(microseconds=1)
            for moment, before, after in (
                (planned.freeze_time, WaveState.PLANNED, WaveState.FROZEN),
                (planned.draw_time, WaveState.FROZEN, WaveState.DRAWN),
            ):
                await service.advance(moment - instant)
                assert await service.states(name) == [before]
                await service.advance(moment)
                assert await service.states(name) == [after]
            await service.advance(_SHIFT + _STEP + timedelta(minutes=10))
            report = await service.verify()
            assert (report.findings, report.draws_replayed) == ((), 1)

    asyncio.run(play())


def test_waves_wait_for_a_silent_beacon_and_are_drawn_in_order(tmp_path: Path) -> None:
    """No substitute source: later waves freeze on time, and every wave is drawn with its own round, in order."""

    async def play() -> None:
        async with _service(tmp_path).running() as service:
            name = await open_small_shift(service, start=_SHIFT, waves=4, people=_PEOPLE)
            await service.order_at([_SHIFT + index * _STEP for index in range(4)])
            service.beacon.is_down = True
            await service.advance(_SHIFT + 2 * _STEP)
            waves = await service.waves(name)
            assert [one.state for one in waves] == [WaveState.FROZEN] * 4
            service.beacon.is_down = False
            await service.until(name, WaveState.DRAWN)
            waves = await service.waves(name)
            drawn = [one.draw_index or 0 for one in waves]
            assert drawn == sorted(drawn)
            assert len({one.beacon_round for one in waves}) == 4
            await service.advance(_SHIFT + 5 * _STEP)
            report = await service.verify()
            assert (report.findings, report.draws_replayed) == ((), 4)
            assert Attention.DRAW_LATE in {one.code for one in report.attention}

    asyncio.run(play())


def test_a_long_silence_of_the_beacon_stops_no_freeze(tmp_path: Path) -> None:
    """However many waves wait to be drawn, the next is still frozen on its time, and none is missed."""

    async def play() -> None:
        async with _service(tmp_path, wave_step_seconds=60, lead_seconds=60, freeze_margin_seconds=30).running() as (
            service
        ):
            end = _SHIFT + 100 * _MINUTE
            name = await service.open("A", _SHIFT, end)
            service.beacon.is_down = True
            await service.advance(end)
            assert set(await service.states(name)) == {WaveState.FROZEN}
            service.beacon.is_down = False
            await service.until(name, WaveState.DRAWN)

    asyncio.run(play())


def test_a_wave_that_cannot_be_drawn_holds_up_nothing_else(tmp_path: Path) -> None:
    """Its sealed inputs are damaged: the later waves are drawn, and the next shift is drawn and closed."""

    async def play() -> None:
        async with _service(tmp_path).running() as service:
            name = await open_small_shift(service, start=_SHIFT, waves=2, people=_PEOPLE)
            other = await service.open("B", _SHIFT + 4 * _STEP, _SHIFT + 6 * _STEP)
            first, _ = await service.waves(name)
            await service.advance(first.freeze_time)
            await service.act(
                lambda unit: unit.connection.execute(
                    update(wave).where(wave.c.start == first.name.start).values(inputs_sealed=b"\x01" + bytes(60))
                )
            )
            await service.advance(_SHIFT + 8 * _STEP)
            assert await service.states(name) == [WaveState.FROZEN, WaveState.DRAWN]
            assert await service.states(other) == [WaveState.DRAWN] * 2
            report = await service.verify()
            assert {shift.name: shift.is_closed for shift in report.shifts} == {str(name): False, str(other): True}

    asyncio.run(play())


def test_an_unforeseen_failure_does_not_end_the_calendar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in one step is said, put aside, and the other steps go on."""

    async def play() -> None:
        async with _service(tmp_path).running() as service:
            name = await open_small_shift(service, start=_SHIFT, waves=2, people=_PEOPLE)
            first, second = await service.waves(name)

            async def fetch(round_number: int) -> bytes:
                if round_number == first.beacon_round:
                    raise RuntimeError("a bug")
                return await Beacon.fetch(service.beacon, round_number)

            monkeypatch.setattr(service.beacon, "fetch", fetch)
            await service.advance(second.draw_time)
            assert await service.states(name) == [WaveState.FROZEN, WaveState.DRAWN]

    asyncio.run(play())


def test_a_stop_over_the_freeze_time_misses_the_wave(tmp_path: Path) -> None:
    """The wave is logged as missed, its order can be booked again, and the verifier says so and accepts it."""

    async def play() -> None:
        service = _service(tmp_path)
        async with service.running():
            name = await open_small_shift(service, start=_SHIFT, waves=3, people=_PEOPLE)
            [slot] = await service.order_at([_SHIFT])
            first, second, _ = await service.waves(name)
        service.clock.jump(second.freeze_time - _MINUTE)
        async with service.running():
            await service.advance(second.freeze_time - _MINUTE)
            assert (await service.wave(first.name)).state is WaveState.MISSED
            order = service.new_order()
            again = service.new_slot(order, second.name.start)
            await service.book([type(slot)(
                slot=again.slot, order=slot.order, terminal=slot.terminal, start=second.name.start, minutes=15
            )])  # fmt: skip
            await service.advance(_SHIFT + 4 * _STEP)
            report = await service.verify()
            assert (report.findings, report.draws_replayed) == ((), 2)
            assert Attention.WAVE_MISSED in {one.code for one in report.attention}

    asyncio.run(play())


def test_a_stop_between_freeze_and_draw_changes_nothing(tmp_path: Path) -> None:
    """The same wave, stopped and started again at every point, or never stopped, has the same outcome."""

    async def play(directory: Path, *, stops: bool) -> list[tuple[str, ...]]:
        service = _service(directory)
        async with service.running():
            name = await open_small_shift(service, start=_SHIFT, waves=1, people=_PEOPLE)
            await service.order_at([_SHIFT] * 3)
            [wave] = await service.waves(name)
            await service.advance(wave.freeze_time)
            if not stops:
                await service.advance(wave.draw_time)
        async with service.running():
            await service.advance(wave.draw_time)
        async with service.running():
            await service.advance(_SHIFT)
            stored = await service.wave(wave.name)
            outcome = await service.reader.run(
                lambda connection: load_outcome(connection, service.services.keyring, stored)
            )
            return [(order, *team) for order, team in sorted(outcome.teams.items())]

    stopped = asyncio.run(play(tmp_path / "stopped", stops=True))
    straight = asyncio.run(play(tmp_path / "straight", stops=False))
    assert stopped == straight
    assert len(stopped) == 3


def test_replacements_count_in_the_order_of_their_approval(tmp_path: Path) -> None:
    """One substitute after another, approved in the same instant: the last one has the order, always."""

    async def play(directory: Path) -> None:
        async with _service(directory).running() as service:
            name = await open_small_shift(service, start=_SHIFT, waves=1, people=_PEOPLE)
            await service.order_at([_SHIFT])
            first = WaveName(name, _SHIFT)
            await service.advance(_SHIFT)
            for _ in range(4):
                [person] = [one for one in _PEOPLE if await service.reveal(first, PersonId(one))]
                await service.replace(first, PersonId(person))
            await service.advance(_SHIFT + 3 * _STEP)
            report = await service.verify()
            assert report.findings == ()

    for number in range(3):
        asyncio.run(play(tmp_path / str(number)))


def test_who_gains_or_loses_by_a_replacement_does_not_approve_it(tmp_path: Path) -> None:
    """Judged per person, whatever the role: the absent one, the substitute and who asked are refused."""

    async def play() -> None:
        async with _service(tmp_path).running() as service:
            people = _PEOPLE[:2]
            name = await open_small_shift(service, start=_SHIFT, waves=1, people=people)
            await service.order_at([_SHIFT])
            first = WaveName(name, _SHIFT)
            await service.advance(_SHIFT)
            [absent] = [one for one in people if await service.reveal(first, PersonId(one))]
            [substitute] = [one for one in people if one != absent]
            asked = await service.act(
                lambda unit: request_replacement(unit, SUPERVISOR, first, PersonId(absent), "sick")
            )
            for approver, reason in (
                (SUPERVISOR, "APPROVER_IS_REQUESTER"),
                (inspector(absent), "APPROVER_LOSES"),
                (inspector(substitute), "APPROVER_GAINS"),
            ):
                with pytest.raises(Denied, match=reason):
                    await service.act(
                        lambda unit, approver=approver: approve_replacement(  # type: ignore[misc]
                            unit, approver, PORT, asked.replacement
                        )
                    )
            await service.act(lambda unit: approve_replacement(unit, APPROVER, PORT, asked.replacement))
            [now] = [one for one in people if await service.reveal(first, PersonId(one))]
            assert now == substitute

    asyncio.run(play())


def test_another_beacon_is_not_taken_while_a_shift_is_open(tmp_path: Path) -> None:
    """A server whose pin was changed under an open shift does not start: that would be a second outcome."""

    async def play() -> None:
        service = _service(tmp_path)
        async with service.running():
            await open_small_shift(service, start=_SHIFT, waves=1, people=_PEOPLE)
        changed = Beacon(_START - timedelta(hours=2), days=2)
        other = Service(tmp_path / "assign.db", start=_START, beacon=changed, seed=2)
        with pytest.raises(Conflict, match="BEACON_CHANGED"):
            async with other.running():
                pass
        async with service.running():
            await service.advance(_SHIFT + 3 * _STEP)
            assert (await service.verify()).findings == ()
        async with other.running():
            pass

    asyncio.run(play())


def test_a_clock_that_is_set_back_neither_repeats_nor_opens_anything_early(tmp_path: Path) -> None:
    """The log's times never go back; the wave that was drawn stays drawn; a later wave still waits for its time."""

    async def play() -> None:
        async with _service(tmp_path).running() as service:
            name = await open_small_shift(service, start=_SHIFT, waves=3, people=_PEOPLE)
            await service.order_at([_SHIFT, _SHIFT + _STEP])
            first, second, _ = await service.waves(name)
            await service.advance(first.draw_time)
            service.clock.jump(_START)
            person = PersonId(_PEOPLE[0])
            await service.reveal(first.name, person)
            with pytest.raises(Denied, match="REVEAL_TOO_EARLY"):
                await service.reveal(second.name, person)
            assert await service.states(name) == [WaveState.DRAWN, WaveState.PLANNED, WaveState.PLANNED]
            await service.advance(_SHIFT + 5 * _STEP)
            report = await service.verify()
            assert (report.findings, report.draws_replayed) == ((), 3)

    asyncio.run(play())


def test_a_clock_set_back_while_the_server_was_down(tmp_path: Path) -> None:
    """The last time in the log counts after a restart, too."""

    async def play() -> None:
        service = _service(tmp_path)
        async with service.running():
            name = await open_small_shift(service, start=_SHIFT, waves=1, people=_PEOPLE)
            first = WaveName(name, _SHIFT)
            await service.advance(_SHIFT - _STEP)
        service.clock.jump(_START - timedelta(hours=9))
        async with service.running():
            await service.reveal(first, PersonId(_PEOPLE[0]))
            assert (await service.verify()).findings == ()

    asyncio.run(play())


def test_people_who_come_later_are_on_duty_for_the_waves_they_cover(tmp_path: Path) -> None:
    """A duty that covers the second wave alone is drawn for that one alone."""

    async def play() -> None:
        async with _service(tmp_path).running() as service:
            name = await service.open("A", _SHIFT, _SHIFT + 2 * _STEP)
            await service.clear(["early", "late"], until=_SHIFT + timedelta(days=9))
            middle, end = _SHIFT + _STEP, _SHIFT + 2 * _STEP
            await service.roster(name, [duty("early", _SHIFT - _STEP, middle), duty("late", middle, end)])
            slots = await service.order_at([_SHIFT, middle])
            await service.advance(end)
            for slot, person in zip(slots, ("early", "late"), strict=True):
                stored = await service.wave(WaveName(name, slot.start))
                outcome = await service.reader.run(
                    lambda connection, stored=stored: load_outcome(  # type: ignore[misc]
                        connection, service.services.keyring, stored
                    )
                )
                assert outcome.teams == {slot.order: (person,)}

    asyncio.run(play())
