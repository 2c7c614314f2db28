"""Limits that must fit each other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from assign.errors import InvalidInput
from assign.log.entries import Entry, Kind
from assign.log.tiles import MAX_ENTRY_BYTES
from assign.names import Port, ShiftId, ShiftName, WaveName
from assign.wave import MAX_WAVES, Calendar

_START = datetime(2026, 11, 24, tzinfo=UTC)


def _calendar(waves: int) -> Calendar:
    end = _START + timedelta(seconds=waves)
    return Calendar(start=_START, end=end, step_seconds=1, lead_seconds=1, margin_seconds=1)


def test_every_shift_that_may_be_opened_can_be_closed() -> None:
    """The salts of the longest calendar under the longest name fit into the one entry that opens them."""
    name = ShiftName(Port("NLRTM"), ShiftId("x" * 63))
    salts = [
        {"salt": bytes(32).hex(), "wave": str(WaveName(name, start))} for start in _calendar(MAX_WAVES).wave_starts()
    ]
    entry = Entry(
        kind=Kind.CLOSE,
        origin="o" * 200,
        time=_START,
        body={"master": bytes(32).hex(), "salts": salts, "shift": str(name)},
    )
    assert len(entry.to_bytes()) <= MAX_ENTRY_BYTES


def test_a_longer_calendar_is_refused() -> None:
    """One wave more than that is no calendar."""
    with pytest.raises(InvalidInput, match="SHIFT_WAVES"):
        _calendar(MAX_WAVES + 1)
