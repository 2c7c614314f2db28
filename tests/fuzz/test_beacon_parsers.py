"""Bytes from outside never raise anything but the project's own errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from beacon_chains import beacon_of, chain_of, evidence_of
from hypothesis import given, settings
from hypothesis import strategies as st

from assign.draw.beacon import BeaconInfo, ChainCommitment, beacon_from_json, quicknet, verify_evidence
from assign.encoding import canonical_json
from assign.errors import AssignError, Corrupt
from server.beacons.chain_state import read_state, write_state

_CHAIN = chain_of("a", length_rounds=60)
_LOCAL = beacon_of(_CHAIN, chain_of("b", length_rounds=60))
_PINS: list[BeaconInfo] = [_LOCAL, quicknet()]
_SIGNATURE = bytes.fromhex(
    "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"
)

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abz_", max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _mutations(data: bytes) -> st.SearchStrategy[bytes]:
    """`data` with a stretch replaced by other bytes."""

    def mutate(start: int, length: int, replacement: bytes) -> bytes:
        return data[:start] + replacement + data[start + length :]

    return st.builds(mutate, st.integers(0, len(data)), st.integers(0, 40), st.binary(max_size=40))


def _only_own_errors(read: Any, data: Any) -> None:
    try:
        value = read(data)
    except AssignError:
        return
    # Whatever is accepted is exactly what would have been written.
    assert value.to_json() == data


@given(st.one_of(st.binary(max_size=300), *(_mutations(pin.to_json()) for pin in _PINS)))
def test_pins(data: bytes) -> None:
    """Garbage and near misses."""
    _only_own_errors(beacon_from_json, data)


@given(st.sampled_from(_PINS), st.data())
def test_pins_of_other_types(pin: BeaconInfo, data: st.DataObject) -> None:
    """Well-formed canonical JSON with a field of any type."""
    value = json.loads(pin.to_json())
    value[data.draw(st.sampled_from(sorted(value)))] = data.draw(_values)
    _only_own_errors(beacon_from_json, canonical_json(value))


@given(st.one_of(st.binary(max_size=200), _mutations(_CHAIN.commitment.to_json())))
def test_commitments(data: bytes) -> None:
    """Garbage and near misses."""
    _only_own_errors(ChainCommitment.from_json, data)


@given(_values, st.sampled_from(["anchor", "genesis", "length_rounds", "name", "period_seconds"]))
def test_commitments_of_other_types(value: Any, field: str) -> None:
    """Well-formed canonical JSON with a field of any type."""
    terms = json.loads(_CHAIN.commitment.to_json())
    terms[field] = value
    _only_own_errors(ChainCommitment.from_json, canonical_json(terms))


@given(st.sampled_from(_PINS), st.integers(-5, 2**65), st.one_of(st.binary(max_size=120), _mutations(_SIGNATURE)))
def test_evidence(info: BeaconInfo, round_number: int, evidence: bytes) -> None:
    """It is refused as Corrupt, unless it is the one signature."""
    try:
        verify_evidence(info, round_number, evidence)
    except Corrupt:
        return
    assert (round_number, evidence) == (1000, _SIGNATURE)


@given(_mutations(evidence_of(30, _CHAIN, chain_of("b", length_rounds=60))))
def test_local_evidence(evidence: bytes) -> None:
    """Near misses of an honest round."""
    try:
        verify_evidence(_LOCAL, 30, evidence)
    except Corrupt:
        return
    assert evidence == evidence_of(30, _CHAIN, chain_of("b", length_rounds=60))


@settings(deadline=None)
@given(st.data())
def test_chain_files(tmp_path_factory: Any, data: st.DataObject) -> None:
    """A file with any stretch changed is refused."""
    path: Path = tmp_path_factory.mktemp("chain") / "state"
    write_state(path, _CHAIN)
    honest = path.read_bytes()
    path.write_bytes(data.draw(st.one_of(st.binary(max_size=100), _mutations(honest))))
    try:
        assert read_state(path) == _CHAIN
    except Corrupt:
        return
    assert path.read_bytes() == honest
