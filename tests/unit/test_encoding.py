"""The canonical bytes: published values, and every other spelling refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest

from assign.encoding import (
    canonical_json,
    lp,
    parse_canonical_json,
    parse_lp,
    parse_rfc3339,
    rfc3339,
    sha256,
    u64be,
)
from assign.errors import Corrupt, InvalidInput


def test_lp_by_hand() -> None:
    """A 4-byte big-endian length before each field; text as UTF-8."""
    assert lp("ab", b"", "é") == bytes.fromhex("00000002616200000000") + b"\0\0\0\x02\xc3\xa9"
    assert lp() == b""
    assert parse_lp(lp("ab", b"", "é")) == [b"ab", b"", "é".encode()]


@pytest.mark.parametrize(
    "data", [b"\0", b"\0\0\0", b"\0\0\0\x01", b"\0\0\0\x02a", b"\xff\xff\xff\xff", lp(b"a") + b"\0"]
)
def test_lp_cut_short(data: bytes) -> None:
    """Lengths are believed only as far as there are bytes."""
    with pytest.raises(Corrupt, match="LP_TRUNCATED"):
        parse_lp(data)


def test_lp_of_too_many_fields() -> None:
    """A reader says how many it takes."""
    assert len(parse_lp(lp(*[b""] * 64))) == 64
    with pytest.raises(Corrupt, match="LP_TOO_MANY_FIELDS"):
        parse_lp(lp(*[b""] * 65))
    with pytest.raises(Corrupt, match="LP_TOO_MANY_FIELDS"):
        parse_lp(lp(b"", b""), max_fields=1)


def test_sha256_of_abc() -> None:
    """FIPS 180-4's example."""
    assert sha256(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_u64be() -> None:
    """Eight bytes, or none."""
    assert u64be(0) == bytes(8)
    assert u64be(2**64 - 1) == b"\xff" * 8
    for value in (-1, 2**64):
        with pytest.raises(InvalidInput, match="INTEGER_OUT_OF_RANGE"):
            u64be(value)


def test_canonical_json_by_hand() -> None:
    """RFC 8785: sorted keys, no spaces, the shortest escapes, UTF-8."""
    value: Any = {"b": [1, True, None, -5], "a": '\u20ac$\x0f\nA\'B"\\\\"/', "": {}}
    expected = '{"":{},"a":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/","b":[1,true,null,-5]}'
    assert canonical_json(value) == expected.encode()
    assert parse_canonical_json(expected.encode()) == value


class _Word(StrEnum):
    ONE = "one"


def test_canonical_json_of_words() -> None:
    """Enumerations of texts are texts."""
    assert canonical_json([_Word.ONE]) == b'["one"]'


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (1.0, "JSON_TYPE"),
        (float("nan"), "JSON_TYPE"),
        (b"x", "JSON_TYPE"),
        ((1,), "JSON_TYPE"),
        ({1}, "JSON_TYPE"),
        ({"a": {"b": [object()]}}, "JSON_TYPE"),
        (2**53, "JSON_INTEGER"),
        (-(2**53), "JSON_INTEGER"),
        ({1: 2}, "JSON_KEY"),
        ({"é": 2}, "JSON_KEY"),
        ("\ud800", "JSON_TEXT"),
    ],
)
def test_values_without_canonical_json(value: Any, reason: str) -> None:
    """No floats, no other types, no numbers that JavaScript would round."""
    with pytest.raises(InvalidInput, match=reason):
        canonical_json(value)


def test_depth_of_canonical_json() -> None:
    """Thirty-two levels of nesting, no more, both ways."""
    deep: Any = 0
    for _ in range(32):
        deep = [deep]
    assert parse_canonical_json(canonical_json(deep)) == deep
    with pytest.raises(InvalidInput, match="JSON_TOO_DEEP"):
        canonical_json([deep])
    with pytest.raises(Corrupt, match="JSON_MALFORMED"):
        parse_canonical_json(b"[" + canonical_json(deep) + b"]")
    with pytest.raises(Corrupt, match="JSON_MALFORMED"):
        parse_canonical_json(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nothing",
        b"\xff",
        b"\xef\xbb\xbf1",
        b"1.0",
        b"1e3",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"9007199254740992",
        b"9" * 5000,
        b"[1,]",
        b'{"a":1,}',
        b'"\\ud800"',
        b'{"\\u00e9":1}',
        b"1 2",
    ],
)
def test_bytes_that_are_no_canonical_json(data: bytes) -> None:
    """Whatever a lenient parser might make of them."""
    with pytest.raises(Corrupt, match="JSON_MALFORMED"):
        parse_canonical_json(data)


@pytest.mark.parametrize(
    "data",
    [
        b" 1",
        b"1\n",
        b"[1, 2]",
        b"-0",
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'"\\u0041"',
        b'"\\/"',
        b'"\\u000a"',
        b'"\\u000F"',
    ],
)
def test_other_spellings_of_json(data: bytes) -> None:
    """One value, one spelling; a repeated key has none."""
    with pytest.raises(Corrupt, match="JSON_NOT_CANONICAL"):
        parse_canonical_json(data)


def test_times_are_written_in_utc() -> None:
    """Whole seconds, four digits of year, a Z."""
    moment = datetime(2026, 11, 24, 7, 0, 5, tzinfo=timezone(timedelta(hours=1)))
    assert rfc3339(moment) == "2026-11-24T06:00:05Z"
    assert rfc3339(datetime(1, 2, 3, tzinfo=UTC)) == "0001-02-03T00:00:00Z"
    assert parse_rfc3339("2026-11-24T06:00:05Z") == moment
    assert parse_rfc3339("0001-02-03T00:00:00Z").tzinfo is UTC


def test_times_that_are_never_written() -> None:
    """Nothing is rounded, and nothing is guessed."""
    with pytest.raises(InvalidInput, match="TIME_NAIVE"):
        rfc3339(datetime(2026, 11, 24))  # noqa: DTZ001 - that is the point
    with pytest.raises(InvalidInput, match="TIME_FRACTION"):
        rfc3339(datetime(2026, 11, 24, 6, 0, 0, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-24T06:00:00",
        "2026-11-24T06:00:00+00:00",
        "2026-11-24T06:00:00.0Z",
        "2026-11-24T06:00:00z",
        "2026-11-24t06:00:00Z",
        "2026-11-24 06:00:00Z",
        "2026-11-24T6:00:00Z",
        "2026-11-24T06:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T23:59:60Z",
        "2026-02-29T00:00:00Z",
        "20261124T060000Z",
        "2026-W48-2T06:00:00Z",
        "0001-01-01T00:00:00+23:00",
        None,
        7,
    ],
)
def test_other_spellings_of_a_time(text: Any) -> None:
    """A moment has one spelling, leap seconds none."""
    with pytest.raises(Corrupt, match="TIME_MALFORMED"):
        parse_rfc3339(text)
