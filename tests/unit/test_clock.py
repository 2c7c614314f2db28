"""The clocks: never early, the same for all processes, and plain about being simulated."""

from __future__ import annotations

import asyncio
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from assign.errors import AlreadyExists, Corrupt, InvalidInput, NotFound, Unavailable
from server.clock import Clock, ClockFile, ManualClock, SteeredClock, SystemClock

_START = datetime(2026, 11, 24, 6, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_NAIVE = datetime(2026, 11, 24)  # noqa: DTZ001 - that is the point


def test_each_clock_says_what_it_is(tmp_path: Path) -> None:
    """So that simulated time never passes for real time."""
    ClockFile.create(tmp_path / "clock", _START).close()
    clocks: list[Clock] = [SystemClock(), SteeredClock(tmp_path / "clock"), ManualClock(_START)]
    assert [clock.name for clock in clocks] == ["system", "steered", "manual"]
    assert all(clock.now().utcoffset() == timedelta(0) for clock in clocks)


def test_the_system_clock_sleeps_until_then() -> None:
    """Not shorter; a past moment not at all."""
    clock = SystemClock()

    async def sleep() -> None:
        moment = clock.now() + timedelta(milliseconds=30)
        await clock.sleep_until(moment)
        assert clock.now() >= moment
        await clock.sleep_until(_START - timedelta(days=9999))

    asyncio.run(sleep())


def test_the_system_clock_survives_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """If the wall clock is set back while it sleeps, it sleeps on."""
    clock = SystemClock()
    times = [_START, _START + 2 * _SECOND, _START - _SECOND, _START + 3 * _SECOND]
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(SystemClock, "now", lambda self: times.pop(0))
    monkeypatch.setattr(asyncio, "sleep", sleep)
    asyncio.run(clock.sleep_until(_START + 3 * _SECOND))
    assert slept == [1.0, 1.0, 1.0]


def test_a_steered_clock_follows_its_file(tmp_path: Path) -> None:
    """In this process and in another."""
    path = tmp_path / "clock"
    with ClockFile.create(path, _START) as file:
        clock = SteeredClock(path)
        assert clock.now() == file.now() == _START
        file.advance_to(_START + timedelta(microseconds=1))
        assert clock.now() == _START + timedelta(microseconds=1)
        steer = (
            "import sys; from pathlib import Path; from datetime import *; from server.clock import ClockFile;"
            "ClockFile.open(Path(sys.argv[1])).advance_to(datetime(2030, 1, 1, tzinfo=UTC))"
        )
        environment = {"PYTHONPATH": ":".join(sys.path)}
        subprocess.run([sys.executable, "-c", steer, str(path)], check=True, env=environment)
        assert clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
        clock.close()


def test_the_file_is_8_bytes_of_its_owner(tmp_path: Path) -> None:
    """Microseconds since 1970, signed, little-endian."""
    path = tmp_path / "clock"
    ClockFile.create(path, datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)).close()
    assert path.read_bytes() == b"\xff" * 8
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_steering_only_advances(tmp_path: Path) -> None:
    """Unless a jump is asked for."""
    with ClockFile.create(tmp_path / "clock", _START) as file:
        file.advance_to(_START)
        with pytest.raises(InvalidInput, match="CLOCK_BACKWARDS"):
            file.advance_to(_START - timedelta(microseconds=1))
        file.advance_to(datetime(2026, 11, 24, 7, 0, 1, tzinfo=timezone(timedelta(hours=1))))
        assert file.now() == _START + _SECOND
        file.jump(_START - _SECOND)
        assert file.now() == _START - _SECOND


def test_a_clock_file_is_made_once_and_read_strictly(tmp_path: Path) -> None:
    """Existing, missing, short, long, absurd and unreadable files."""
    path = tmp_path / "clock"
    ClockFile.create(path, _START).close()
    with pytest.raises(AlreadyExists, match="CLOCK_FILE_EXISTS"):
        ClockFile.create(path, _START)
    with pytest.raises(NotFound, match="CLOCK_FILE_MISSING"):
        SteeredClock(tmp_path / "none")
    for data in (b"", bytes(7), bytes(9), b"\xff" * 7 + b"\x7f", bytes(7) + b"\x80"):
        path.write_bytes(data)
        with pytest.raises(Corrupt, match="CLOCK_FILE_MALFORMED"):
            SteeredClock(path)
    with pytest.raises(Unavailable, match="CLOCK_FILE_UNREADABLE"):
        SteeredClock(tmp_path)
    with pytest.raises(Unavailable, match="CLOCK_FILE_UNREADABLE"):
        ClockFile.create(tmp_path / "none" / "clock", _START)


def test_a_steered_sleeper_wakes_when_the_file_says_so(tmp_path: Path) -> None:
    """Not a microsecond of simulated time earlier."""

    async def sleep() -> None:
        with ClockFile.create(tmp_path / "clock", _START) as file:
            clock = SteeredClock(tmp_path / "clock")
            sleeper = asyncio.create_task(clock.sleep_until(_START + _SECOND))
            file.advance_to(_START + _SECOND - timedelta(microseconds=1))
            await asyncio.sleep(0.02)
            assert not sleeper.done()
            file.advance_to(_START + _SECOND)
            await asyncio.wait_for(sleeper, 5)

    asyncio.run(sleep())


def test_a_manual_clock_wakes_exactly_who_is_due() -> None:
    """In the same turn of the loop, without polling."""

    async def sleep() -> None:
        clock = ManualClock(_START)
        sleepers = [asyncio.create_task(clock.sleep_until(_START + n * _SECOND)) for n in range(4)]
        await asyncio.sleep(0)
        clock.advance_to(_START + 2 * _SECOND)
        clock.advance_to(_START + 2 * _SECOND)
        await asyncio.gather(*sleepers[:3])
        assert not sleepers[3].done()
        sleepers[3].cancel()
        await asyncio.wait(sleepers)
        clock.advance_to(_START + 9 * _SECOND)

    asyncio.run(sleep())


def test_a_manual_clock_set_back_before_the_sleeper_runs_lets_it_sleep_on() -> None:
    """What counts is the time when the sleeper gets its turn."""

    async def sleep() -> None:
        clock = ManualClock(_START)
        sleeper = asyncio.create_task(clock.sleep_until(_START + _SECOND))
        await asyncio.sleep(0)
        clock.advance_to(_START + _SECOND)
        clock.jump(_START)
        for _ in range(3):
            await asyncio.sleep(0)
        assert not sleeper.done()
        clock.advance_to(_START + _SECOND)
        await sleeper

    asyncio.run(sleep())


def test_a_manual_clock_only_advances() -> None:
    """Unless a jump is asked for; other zones are the same time."""
    clock = ManualClock(datetime(2026, 11, 24, 7, tzinfo=timezone(timedelta(hours=1))))
    assert clock.now() == _START
    with pytest.raises(InvalidInput, match="CLOCK_BACKWARDS"):
        clock.advance_to(_START - _SECOND)
    clock.jump(_START - _SECOND)
    assert clock.now() == _START - _SECOND


def test_naive_times_are_refused_everywhere(tmp_path: Path) -> None:
    """Nobody guesses a time zone."""
    with ClockFile.create(tmp_path / "clock", _START) as file:
        clocks: list[Clock] = [SystemClock(), SteeredClock(tmp_path / "clock"), ManualClock(_START)]
        for clock in clocks:
            with pytest.raises(InvalidInput, match="TIME_NAIVE"):
                asyncio.run(clock.sleep_until(_NAIVE))
        for call in (file.advance_to, file.jump, ManualClock, ManualClock(_START).advance_to):
            with pytest.raises(InvalidInput, match="TIME_NAIVE"):
                call(_NAIVE)
    with pytest.raises(InvalidInput, match="TIME_NAIVE"):
        ClockFile.create(tmp_path / "other", _NAIVE)
