"""Log entries: their bytes, and every other sequence of bytes refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from assign.draw.commitment import Freeze, is_freeze
from assign.encoding import lp, u64be
from assign.errors import Corrupt, InvalidInput
from assign.log.entries import Entry, Kind, microseconds, moment_of
from assign.log.merkle import leaf_hash

ORIGIN = "assign.example/NLRTM"
NOON = datetime(2026, 11, 24, 12, 0, 0, 7, tzinfo=UTC)
FREEZE = Freeze(
    origin=ORIGIN,
    wave="ports/NLRTM/shifts/A/waves/20261124T060000Z",
    seed_commitment=b"C" * 32,
    inputs_commitment=b"I" * 32,
    chain_hash=b"H" * 32,
    beacon_round=7,
)


def test_entry_by_hand() -> None:
    """`LP("log/v1",kind,origin,u64be(t),body)`."""
    entry = Entry(kind=Kind.ACCESS_FILE, origin=ORIGIN, time=NOON, body={"digest": "00"})
    data = lp("log/v1", "access-file", ORIGIN, u64be(microseconds(NOON)), b'{"digest":"00"}')
    assert entry.to_bytes() == data
    assert Entry.from_bytes(data) == entry


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_written_and_read(kind: Kind) -> None:
    """And none is taken for a freeze."""
    data = Entry(kind=kind, origin=ORIGIN, time=NOON, body={}).to_bytes()
    assert Entry.from_bytes(data).kind is kind
    assert not is_freeze(data)


def _entry(**fields: bytes) -> bytes:
    parts = {"format": b"log/v1", "kind": b"read", "origin": b"o", "time": u64be(5), "body": b"{}"} | fields
    return lp(*parts.values())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "ENTRY_MALFORMED"),
        (b"x", "LP_TRUNCATED"),
        (lp(b"log/v1"), "ENTRY_MALFORMED"),
        (_entry() + lp(b""), "LP_TOO_MANY_FIELDS"),
        (_entry(format=b"log/v2"), "ENTRY_MALFORMED"),
        (_entry(kind=b"gossip"), "ENTRY_MALFORMED"),
        (_entry(kind=b"\xff"), "ENTRY_MALFORMED"),
        (_entry(origin=b"\xff"), "ENTRY_MALFORMED"),
        (_entry(time=b"5"), "ENTRY_MALFORMED"),
        (_entry(time=b"\xff" * 8), "ENTRY_TIME"),
        (_entry(body=b""), "JSON_MALFORMED"),
        (_entry(body=b"[]"), "ENTRY_MALFORMED"),
        (_entry(body=b"{ }"), "JSON_NOT_CANONICAL"),
    ],
)
def test_bytes_that_are_no_entry(data: bytes, reason: str) -> None:
    """Each with its reason."""
    with pytest.raises(Corrupt) as caught:
        Entry.from_bytes(data)
    assert caught.value.reason == reason


def test_body_must_be_canonical() -> None:
    """A float has no place in a log."""
    with pytest.raises(InvalidInput, match="JSON_TYPE"):
        Entry(kind=Kind.READ, origin=ORIGIN, time=NOON, body={"x": 0.5}).to_bytes()


def test_times_are_whole_microseconds_since_1970() -> None:
    """Both ways, within the calendar."""
    assert moment_of(0) == datetime(1970, 1, 1, tzinfo=UTC)
    assert moment_of(microseconds(NOON)) == NOON
    assert microseconds(NOON + timedelta(seconds=1)) - microseconds(NOON) == 10**6
    last = microseconds(datetime(9999, 12, 31, tzinfo=UTC))
    assert moment_of(last).year == 9999
    for outside in (-1, last + 1, 2**64 - 1):
        with pytest.raises(Corrupt, match="ENTRY_TIME"):
            moment_of(outside)


def test_freeze_by_hand() -> None:
    """`LP("draw/v1","freeze",origin,wave,C,CI,chain_hash,u64be(R))`; its leaf is RFC 6962's."""
    data = lp("draw/v1", "freeze", ORIGIN, FREEZE.wave, b"C" * 32, b"I" * 32, b"H" * 32, u64be(7))
    assert FREEZE.to_bytes() == data
    assert Freeze.from_bytes(data) == FREEZE
    assert FREEZE.leaf() == leaf_hash(data)
    assert is_freeze(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        lp("draw/v1", "freeze"),
        FREEZE.to_bytes() + lp(b""),
        FREEZE.to_bytes()[:-1],
        lp("draw/v1", "thaw", ORIGIN, "w", b"C" * 32, b"I" * 32, b"H" * 32, u64be(7)),
        lp("draw/v1", "freeze", ORIGIN, "w", b"C" * 31, b"I" * 32, b"H" * 32, u64be(7)),
        lp("draw/v1", "freeze", ORIGIN, "w", b"C" * 32, b"I" * 33, b"H" * 32, u64be(7)),
        lp("draw/v1", "freeze", ORIGIN, "w", b"C" * 32, b"I" * 32, b"", u64be(7)),
        lp("draw/v1", "freeze", ORIGIN, "w", b"C" * 32, b"I" * 32, b"H" * 32, b"7"),
        lp("draw/v1", "freeze", ORIGIN, b"\xff", b"C" * 32, b"I" * 32, b"H" * 32, u64be(7)),
    ],
)
def test_bytes_that_are_no_freeze(data: bytes) -> None:
    """Only Corrupt escapes."""
    with pytest.raises(Corrupt):
        Freeze.from_bytes(data)
