"""Round arithmetic is exact for every schedule and every moment of the calendar."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import assume, given
from hypothesis import strategies as st

from assign.draw.beacon import BeaconInfo, quicknet, round_at_or_after, time_of_round
from assign.errors import Conflict

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CALENDAR_SECONDS = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // timedelta(seconds=1)
_QUICKNET = quicknet()

_zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_moments = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001 - hypothesis adds the zone
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001 - hypothesis adds the zone
    timezones=_zones,
)


@st.composite
def _pins(draw: st.DrawFn) -> BeaconInfo:
    seconds = draw(st.integers(0, _CALENDAR_SECONDS - 1))
    period_seconds = draw(st.one_of(st.sampled_from([1, 3, 30, 86400]), st.integers(1, 2**32 - 1)))
    return replace(_QUICKNET, genesis=_EPOCH + timedelta(seconds=seconds), period_seconds=period_seconds)


@given(_pins(), _moments)
def test_the_first_round_at_or_after_is_the_first(info: BeaconInfo, moment: datetime) -> None:
    """It is not before the moment, and the round before it is."""
    try:
        round_number = round_at_or_after(info, moment)
    except Conflict:
        assert moment > time_of_round(info, info.last_round)
        return
    assert time_of_round(info, round_number) >= moment
    if round_number > 1:
        assert time_of_round(info, round_number - 1) < moment


@given(_pins(), _moments)
def test_the_latest_round_is_the_latest(info: BeaconInfo, moment: datetime) -> None:
    """It is not after the moment, and the round after it is."""
    round_number = info.latest_round(moment)
    if round_number:
        assert time_of_round(info, round_number) <= moment
    if round_number < info.last_round:
        assert time_of_round(info, round_number + 1) > moment


@given(_pins(), st.data())
def test_a_round_is_found_at_its_own_time(info: BeaconInfo, data: st.DataObject) -> None:
    """Time and round are inverse to each other, to the microsecond."""
    round_number = data.draw(st.integers(1, info.last_round))
    moment = time_of_round(info, round_number)
    assert moment.utcoffset() == timedelta(0)
    assert (moment - info.genesis) / timedelta(seconds=1) == (round_number - 1) * info.period_seconds
    assert round_at_or_after(info, moment) == round_number == info.latest_round(moment)
    assume(round_number > 1)
    earlier = moment - timedelta(microseconds=1)
    assert round_at_or_after(info, earlier) == round_number == info.latest_round(earlier) + 1
