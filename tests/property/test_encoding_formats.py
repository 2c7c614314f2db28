"""Both canonical formats are injective, and reading undoes writing, for whatever values there are."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given, settings
from hypothesis import strategies as st

from assign.encoding import Json, canonical_json, lp, parse_canonical_json, parse_lp, parse_rfc3339, rfc3339
from assign.errors import Corrupt
from assign.log.entries import Entry, Kind, microseconds, moment_of

_fields = st.lists(st.binary(max_size=40), max_size=8)
_texts = st.text(st.characters(codec="utf-8"), max_size=20)
_values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | _texts,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner, max_size=5)
    ),
    max_leaves=25,
)
_seconds = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(microsecond=0))


@settings(deadline=None)
@given(_fields)
def test_lp_is_read_back(fields: list[bytes]) -> None:
    """Whatever the fields hold."""
    assert parse_lp(lp(*fields)) == fields


@settings(deadline=None)
@given(_fields, _fields)
def test_lp_of_different_fields_differs(one: list[bytes], other: list[bytes]) -> None:
    """Moving a byte from one field to the next changes the bytes."""
    assert (lp(*one) == lp(*other)) == (one == other)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_lp_reads_only_what_it_writes(data: bytes) -> None:
    """Any bytes are refused, or are those of the fields read from them."""
    with suppress(Corrupt):
        assert lp(*parse_lp(data)) == data


@settings(deadline=None)
@given(_values)
def test_json_is_read_back(value: Json) -> None:
    """And is what any JSON parser reads."""
    data = canonical_json(value)
    assert parse_canonical_json(data) == value
    assert json.loads(data) == value


@settings(deadline=None)
@given(_values)
def test_json_has_one_spelling(value: Json) -> None:
    """Another spelling of the same value is refused."""
    canonical = canonical_json(value)
    for other in (
        json.dumps(value).encode(),
        json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "replace"),
    ):
        if other != canonical:
            try:
                parse_canonical_json(other)
            except Corrupt:
                continue
            raise AssertionError(other)


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace")))
def test_json_reads_only_what_it_writes(data: bytes) -> None:
    """Any bytes."""
    with suppress(Corrupt):
        assert canonical_json(parse_canonical_json(data)) == data


@settings(deadline=None)
@given(_seconds, st.integers(-14 * 60, 14 * 60))
def test_times_are_read_back_from_any_zone(moment: datetime, minutes: int) -> None:
    """One moment, one text; texts sort as moments do."""
    assert parse_rfc3339(rfc3339(moment)) == moment
    if 2 < moment.year < 9998:
        assert rfc3339(moment.astimezone(timezone(timedelta(minutes=minutes)))) == rfc3339(moment)


@settings(deadline=None)
@given(_seconds, _seconds)
def test_times_sort_as_their_texts(one: datetime, other: datetime) -> None:
    """Sorting by bytes is sorting by time."""
    assert (rfc3339(one) < rfc3339(other)) == (one < other)


@settings(deadline=None)
@given(st.text(max_size=25))
def test_times_have_one_text(text: str) -> None:
    """Any text is refused, or is what would be written."""
    with suppress(Corrupt):
        assert rfc3339(parse_rfc3339(text)) == text


@settings(deadline=None)
@given(
    st.sampled_from(Kind),
    _texts,
    st.integers(0, 253_402_214_400_000_000),
    st.dictionaries(st.text(st.characters(max_codepoint=127)), _values, max_size=5),
)
def test_entries_are_read_back(kind: Kind, origin: str, time: int, body: dict[str, Json]) -> None:
    """Of every kind, time and body."""
    entry = Entry(kind=kind, origin=origin, time=moment_of(time), body=body)
    assert Entry.from_bytes(entry.to_bytes()) == entry
    assert microseconds(entry.time) == time
