"""Hostile files: whatever the bytes are, the reader answers with Corrupt, soon, or reads a true bundle."""

from __future__ import annotations

import io
import json

from bundle_surgery import join, repair, split
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_day import run_day
from simulated_log import Operator

from assign.draw.inputs import WaveInputs
from assign.encoding import Json, canonical_json, lp, sha256
from assign.errors import Corrupt
from assign.log.entries import Kind
from assign.verify.bundle import read_bundle
from assign.verify.bundle_format import MAGIC
from assign.verify.replay import verify_bundle

BUNDLE = run_day(Operator()).to_bundle()
RECORDS = split(BUNDLE)
NAMES = [name for name, _ in RECORDS]

_json: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abckmnostw_", max_size=8), inner, max_size=4),
    max_leaves=20,
)


def survives(data: bytes) -> None:
    """Read it and verify it: only Corrupt may escape, and only from reading."""
    try:
        bundle = read_bundle(io.BytesIO(data))
    except Corrupt:
        return
    verify_bundle(bundle).to_json()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes(data: bytes) -> None:
    """Noise, alone and behind the magic, with and without a digest that fits."""
    for start in (b"", MAGIC, MAGIC + (8).to_bytes(4, "big") + b"manifest"):
        survives(start + data)
        survives(start + data + sha256(start + data))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(NAMES), st.integers(0, 2**20), st.binary(min_size=1, max_size=12))
def test_splices(name: str, place: int, splice: bytes) -> None:
    """Bytes written into one record, all digests repaired."""
    body = dict(RECORDS)[name]
    position = place % (len(body) + 1)
    changed = body[:position] + splice + body[position + len(splice) :]
    survives(join([(known, changed if known == name else old) for known, old in RECORDS]))
    if name != "manifest":
        survives(repair(BUNDLE, name, changed))


@settings(max_examples=150, deadline=None)
@given(_json)
def test_any_manifest(value: Json) -> None:
    """A manifest of any JSON."""
    survives(join([("manifest", canonical_json(value)), *RECORDS[1:]]))


@settings(max_examples=150, deadline=None)
@given(_json)
def test_any_inputs(value: Json) -> None:
    """Inputs of any JSON, alone and as one field of real ones."""
    for data in (canonical_json(value), *_with_field(value)):
        try:
            WaveInputs.from_bytes(data)
        except Corrupt:
            continue


def _with_field(value: Json) -> list[bytes]:
    real = json.loads(RECORDS[-1][1])
    order, person = real["orders"][0], real["persons"][0]
    places = [(real, key) for key in real] + [(order, key) for key in order] + [(person, key) for key in person]
    made = []
    for holder, key in places:
        kept, holder[key] = holder[key], value
        made.append(canonical_json(real))
        holder[key] = kept
    return made


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(Kind), _json, st.integers(0, 2**64 - 1), st.integers(0, 60))
def test_any_entry(kind: Kind, body: Json, time: int, place: int) -> None:
    """An entry of any body and time in the middle of a log."""
    data = lp("log/v1", kind, "assign.example/NLRTM", time.to_bytes(8, "big"), canonical_json(body))
    entries = dict(RECORDS)["entries"]
    ends = [0]
    while ends[-1] < len(entries):
        ends.append(ends[-1] + 4 + int.from_bytes(entries[ends[-1] : ends[-1] + 4], "big"))
    middle = ends[place]
    survives(repair(BUNDLE, "entries", entries[:middle] + lp(data) + entries[ends[place + 1] :]))
