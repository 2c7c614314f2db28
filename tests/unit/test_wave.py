"""The calendar of waves, over both nights when clocks change in Rotterdam."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from assign.errors import InvalidInput
from assign.wave import MAX_WAVES, Calendar

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def calendar(start: datetime = SIX, **changes: Any) -> Calendar:
    """Eight hours of waves of a quarter."""
    terms: dict[str, Any] = {
        "start": start,
        "end": start + timedelta(hours=8),
        "step_seconds": 900,
        "lead_seconds": 900,
        "margin_seconds": 60,
    }
    return Calendar(**(terms | changes))


def test_waves_of_a_shift() -> None:
    """A wave starts at every step before the end."""
    starts = calendar().wave_starts()
    assert (len(starts), starts[0], starts[-1]) == (32, SIX, SIX + timedelta(hours=7, minutes=45))
    assert calendar().wave_count == 32
    assert [calendar().wave_start(index) for index in range(32)] == starts


def test_last_wave_may_be_short() -> None:
    """A shift that is no whole number of steps long ends with a shorter wave."""
    short = calendar(end=SIX + timedelta(minutes=31))
    assert short.wave_count == 3
    assert short.wave_of(SIX + timedelta(minutes=30, seconds=59)) == SIX + timedelta(minutes=30)


@pytest.mark.parametrize(("minutes", "wave"), [(0, 0), (14, 0), (15, 15), (29.99, 15), (465, 465), (479, 465)])
def test_wave_of_a_start(minutes: float, wave: int) -> None:
    """Each start belongs to exactly one wave."""
    assert calendar().wave_of(SIX + timedelta(minutes=minutes)) == SIX + timedelta(minutes=wave)


@pytest.mark.parametrize("minutes", [-1, 480, 481])
def test_start_outside_the_shift(minutes: int) -> None:
    """The end is outside."""
    with pytest.raises(InvalidInput, match="SLOT_OUTSIDE_SHIFT"):
        calendar().wave_of(SIX + timedelta(minutes=minutes))


def test_times_of_a_wave() -> None:
    """Freeze, then draw, then start."""
    assert calendar().draw_time(SIX) == SIX - timedelta(minutes=15)
    assert calendar().freeze_time(SIX) == SIX - timedelta(minutes=16)


@pytest.mark.parametrize(
    ("minutes", "count"), [(-60, 0), (0, 0), (0.01, 1), (15, 1), (15.01, 2), (465, 31), (465.5, 32), (9999, 32)]
)
def test_waves_before_a_moment(minutes: float, count: int) -> None:
    """Counted without listing them, as the list says."""
    moment = SIX + timedelta(minutes=minutes)
    assert calendar().waves_before(moment) == count == sum(start < moment for start in calendar().wave_starts())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"end": SIX}, "SHIFT_TIMES"),
        ({"step_seconds": 0}, "SHIFT_SECONDS"),
        ({"lead_seconds": 0}, "SHIFT_SECONDS"),
        ({"margin_seconds": -1}, "SHIFT_SECONDS"),
        ({"step_seconds": 1}, "SHIFT_WAVES"),
    ],
)
def test_calendars_that_cannot_be(changes: dict[str, Any], reason: str) -> None:
    """Each with its reason."""
    with pytest.raises(InvalidInput, match=reason):
        calendar(**changes)


def test_most_waves_a_shift_has() -> None:
    """The limit itself is allowed."""
    assert calendar(end=SIX + timedelta(seconds=MAX_WAVES), step_seconds=1).wave_count == MAX_WAVES


@pytest.mark.parametrize(
    ("night", "hours"),
    [
        (datetime(2026, 3, 28, 22, tzinfo=AMSTERDAM), 7),  # clocks jump from 2 to 3: seven hours until 6
        (datetime(2026, 10, 24, 22, tzinfo=AMSTERDAM), 9),  # clocks fall from 3 to 2: nine hours until 6
    ],
)
def test_nights_when_clocks_change(night: datetime, hours: int) -> None:
    """From 22:00 to 06:00 on the wall there are seven or nine hours: every wave is there, once, a quarter apart."""
    morning = datetime(night.year, night.month, night.day + 1, 6, tzinfo=AMSTERDAM)
    shift = calendar(night.astimezone(UTC), end=morning.astimezone(UTC))
    starts = shift.wave_starts()
    assert len(starts) == 4 * hours == len(set(starts))
    assert {later - earlier for earlier, later in pairwise(starts)} == {timedelta(minutes=15)}
    assert all(shift.wave_of(start.astimezone(AMSTERDAM).astimezone(UTC)) == start for start in starts)


def test_doubled_hour_has_two_waves_of_each_name_on_the_wall() -> None:
    """02:15 happens twice in October: two moments, two waves."""
    shift = calendar(datetime(2026, 10, 24, 20, tzinfo=UTC), end=datetime(2026, 10, 25, 5, tzinfo=UTC))
    twice = [datetime(2026, 10, 25, 2, 15, tzinfo=AMSTERDAM, fold=fold).astimezone(UTC) for fold in (0, 1)]
    assert twice[1] - twice[0] == timedelta(hours=1)
    assert [shift.wave_of(moment) for moment in twice] == twice
