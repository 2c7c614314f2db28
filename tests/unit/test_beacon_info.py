"""Pins: their schedule, their canonical JSON, and what is no pin."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from beacon_chains import GENESIS, LENGTH_ROUNDS, beacon_of, chain_of

from assign.draw.beacon import Party, beacon_from_json, quicknet, round_at_or_after, time_of_round
from assign.encoding import Json, canonical_json
from assign.errors import Conflict, Corrupt, InvalidInput

_LOCAL = beacon_of(chain_of("a"), chain_of("b"))
_DRAND = quicknet()
_MICROSECOND = timedelta(microseconds=1)


def test_round_one_is_at_genesis() -> None:
    """And everything before genesis waits for it."""
    assert time_of_round(_DRAND, 1) == datetime(2023, 8, 23, 15, 9, 27, tzinfo=UTC)
    for moment in (GENESIS, GENESIS - _MICROSECOND, datetime(1, 1, 1, tzinfo=UTC)):
        assert round_at_or_after(_LOCAL, moment) == 1
    assert _LOCAL.latest_round(GENESIS - _MICROSECOND) == 0
    assert _LOCAL.latest_round(GENESIS) == 1


def test_known_times_of_quicknet() -> None:
    """Published rounds happen when drand's own formula says."""
    assert time_of_round(_DRAND, 1000).timestamp() == 1692803367 + 999 * 3
    assert time_of_round(_DRAND, 32281667) == datetime(2026, 9, 17, 12, 32, 45, tzinfo=UTC)


def test_a_microsecond_decides() -> None:
    """At a round's time it is that round; a microsecond later the next one."""
    moment = GENESIS + timedelta(seconds=30)
    assert round_at_or_after(_LOCAL, moment - _MICROSECOND) == 11
    assert round_at_or_after(_LOCAL, moment) == 11
    assert round_at_or_after(_LOCAL, moment + _MICROSECOND) == 12
    assert _LOCAL.latest_round(moment - _MICROSECOND) == 10
    assert _LOCAL.latest_round(moment) == 11


def test_the_night_the_clock_goes_back_has_no_second_chance() -> None:
    """02:30 exists twice in Rotterdam that night; in UTC the two are an hour of rounds apart."""
    zone = ZoneInfo("Europe/Amsterdam")
    first = datetime(2026, 10, 25, 2, 30, tzinfo=zone)
    second = first.replace(fold=1)
    assert round_at_or_after(_DRAND, second) - round_at_or_after(_DRAND, first) == 1200


def test_a_chain_ends() -> None:
    """Its last round is taken; a moment later there is none."""
    last = time_of_round(_LOCAL, LENGTH_ROUNDS)
    assert round_at_or_after(_LOCAL, last) == LENGTH_ROUNDS
    assert _LOCAL.latest_round(last + timedelta(days=1)) == LENGTH_ROUNDS
    with pytest.raises(Conflict, match="BEACON_CHAIN_ENDED"):
        round_at_or_after(_LOCAL, last + _MICROSECOND)


def test_the_calendar_ends() -> None:
    """The last round before year 10000 has a time; the next one does not exist."""
    last = time_of_round(_DRAND, _DRAND.last_round)
    assert timedelta(0) <= datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - last < timedelta(seconds=3)
    with pytest.raises(Conflict, match="BEACON_CHAIN_ENDED"):
        round_at_or_after(_DRAND, datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))


@pytest.mark.parametrize("round_number", [-1, 0, LENGTH_ROUNDS + 1, 2**64])
def test_a_round_outside_the_chain_has_no_time(round_number: int) -> None:
    """Neither 0 nor one past the end."""
    with pytest.raises(InvalidInput, match="BEACON_ROUND_RANGE"):
        time_of_round(_LOCAL, round_number)


def test_a_naive_time_is_refused() -> None:
    """Nobody guesses a time zone."""
    for ask in (_LOCAL.round_at_or_after, _LOCAL.latest_round):
        with pytest.raises(InvalidInput, match="TIME_NAIVE"):
            ask(datetime(2026, 11, 24))  # noqa: DTZ001 - that is the point


@pytest.mark.parametrize("info", [_LOCAL, _DRAND], ids=["local", "drand"])
def test_a_pin_reads_back(info: Any) -> None:
    """Equal, with the same hash and the same bytes."""
    again = beacon_from_json(info.to_json())
    assert again == info
    assert again.chain_hash == info.chain_hash
    assert again.to_json() == info.to_json()


def _changed(info: Any, **changes: Json) -> bytes:
    value = json.loads(info.to_json())
    for key, new in changes.items():
        if new is None:
            del value[key]
        else:
            value[key] = new
    return canonical_json(value)


@pytest.mark.parametrize(
    "data",
    [
        _changed(_LOCAL, chain_hash="00" * 32),
        _changed(_LOCAL, genesis="2026-11-24T06:00:01Z"),
        _changed(_LOCAL, period_seconds=4),
        _changed(_LOCAL, length_rounds=199),
        _changed(_LOCAL, parties=json.loads(_LOCAL.to_json())["parties"][::-1]),
        _changed(_LOCAL, parties=json.loads(_LOCAL.to_json())["parties"][:1]),
        _changed(_DRAND, genesis="2023-08-23T15:09:28Z"),
        _changed(_DRAND, period_seconds=30),
        _changed(_DRAND, group_hash="00" * 32),
        _changed(_DRAND, beacon_id="default"),
    ],
)
def test_a_pin_that_its_hash_does_not_name_is_refused(data: bytes) -> None:
    """Schedule, keys and parties are all under the chain hash."""
    with pytest.raises(Corrupt, match="BEACON_CHAIN_HASH"):
        beacon_from_json(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        _LOCAL.to_json() + b"\n",
        _LOCAL.to_json().replace(b":3,", b":3.0,"),
        _LOCAL.to_json().replace(b":3,", b": 3,"),
        _LOCAL.to_json().replace(_LOCAL.chain_hash.hex().encode(), _LOCAL.chain_hash.hex().upper().encode()),
        _changed(_LOCAL, period_seconds=True),
        replace(_LOCAL, period_seconds=1).to_json().replace(b'"period_seconds":1', b'"period_seconds":true'),
        replace(_LOCAL, length_rounds=1).to_json().replace(b'"length_rounds":1', b'"length_rounds":true'),
        _changed(_LOCAL, period_seconds="3"),
        _changed(_LOCAL, period_seconds=0),
        _changed(_LOCAL, length_rounds=2**27 + 1),
        _changed(_LOCAL, length_rounds=0),
        _changed(_LOCAL, genesis="2026-11-24T06:00:00+00:00"),
        _changed(_LOCAL, genesis="1969-12-31T23:59:59Z"),
        _changed(_LOCAL, genesis=1),
        _changed(_LOCAL, scheme="local-hash-chain/v2"),
        _changed(_LOCAL, scheme=_DRAND.scheme),
        _changed(_LOCAL, scheme=[]),
        _changed(_LOCAL, scheme=None),
        _changed(_LOCAL, beacon_id="x"),
        _changed(_LOCAL, parties=[]),
        _changed(_LOCAL, parties={"name": "a"}),
        _changed(_LOCAL, parties=["a"]),
        _changed(_LOCAL, parties=[{"name": "a", "anchor": "00"}]),
        _changed(_LOCAL, parties=[{"name": 1, "anchor": "00" * 32}]),
        _changed(_LOCAL, parties=[{"name": "a", "anchor": "00" * 32, "more": 1}]),
        _changed(_LOCAL, parties=[{"name": "a", "anchor": "00" * 32}] * 2),
        _changed(_LOCAL, parties=[{"name": f"p{n}", "anchor": "00" * 32} for n in range(17)]),
        _changed(_DRAND, public_key="00" * 96),
        _changed(_DRAND, public_key=1),
        _changed(_DRAND, beacon_id=1),
        _changed(_DRAND, beacon_id=None),
        _changed(_DRAND, period_seconds=2**32),
    ],
)
def test_what_is_no_pin_is_refused(data: bytes) -> None:
    """Other bytes, types, fields, bounds: Corrupt, never anything else."""
    with pytest.raises(Corrupt):
        beacon_from_json(data)


@pytest.mark.parametrize(
    "genesis",
    [
        datetime(2026, 11, 24),  # noqa: DTZ001 - that is the point
        datetime(2026, 11, 24, tzinfo=timezone(timedelta(hours=1))),
        datetime(2026, 11, 24, microsecond=1, tzinfo=UTC),
        datetime(1969, 12, 31, tzinfo=UTC),
    ],
)
def test_a_genesis_is_utc_in_whole_seconds(genesis: datetime) -> None:
    """One spelling of one moment."""
    with pytest.raises(InvalidInput, match="BEACON_GENESIS"):
        replace(_LOCAL, genesis=genesis)


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "-a", "a\n", "é", "a" * 64])
def test_a_party_has_a_plain_name(name: str) -> None:
    """It is shown, logged and hashed."""
    with pytest.raises(InvalidInput, match="BEACON_PARTY_NAME"):
        Party(name=name, anchor=bytes(32))


def test_an_anchor_has_32_bytes() -> None:
    """Neither more nor less."""
    for size in (0, 31, 33):
        with pytest.raises(InvalidInput, match="BEACON_ANCHOR"):
            Party(name="a", anchor=bytes(size))


def test_a_chain_ends_before_the_calendar() -> None:
    """Every round of a pinned chain has a time."""
    with pytest.raises(InvalidInput, match="BEACON_LENGTH"):
        replace(_LOCAL, period_seconds=2**32 - 1)
