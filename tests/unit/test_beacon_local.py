"""The local beacon: its specification byte for byte, and everything that its verifier refuses."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from beacon_chains import LENGTH_ROUNDS, beacon_of, chain_of, evidence_of

from assign.draw import beacon_local
from assign.draw.beacon import (
    ChainCommitment,
    LocalBeacon,
    LocalVerifier,
    Party,
    beacon_value,
    combine_commitments,
    verify_evidence,
    verify_rounds,
)
from assign.encoding import lp, parse_rfc3339
from assign.errors import Corrupt, InvalidInput
from server.beacons.chain_state import grow_chain

_VECTOR: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/beacon-local-v1.json").read_text())
_A, _B = chain_of("a"), chain_of("b")
_INFO = beacon_of(_A, _B)


def _fields(*fields: bytes) -> bytes:
    return b"".join(len(field).to_bytes(4, "big") + field for field in fields)


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _chain_from_the_page(name: str, period: int, genesis: int, length: int, secret: bytes) -> list[bytes]:
    """x[0] .. x[length], written from the specification with nothing of the project."""
    terms = _fields(b"beacon/v1", b"chain", name.encode(), _number(period), _number(genesis), _number(length))
    context = hashlib.sha256(terms).digest()
    elements = [secret]
    for round_number in range(length, 0, -1):
        step = _fields(b"beacon/v1", b"step", context, _number(round_number), elements[-1])
        elements.append(hashlib.sha256(step).digest())
    return elements[::-1]


def test_the_frozen_vector_follows_from_the_specification() -> None:
    """A second implementation, made from the text alone, gives the vector's bytes."""
    schedule = (_VECTOR["period_seconds"], _VECTOR["genesis_unix"], _VECTOR["length_rounds"])
    chains = [_chain_from_the_page(p["name"], *schedule, bytes.fromhex(p["secret"])) for p in _VECTOR["parties"]]
    assert [chain[0].hex() for chain in chains] == [party["anchor"] for party in _VECTOR["parties"]]
    named = [f for p, c in zip(_VECTOR["parties"], chains, strict=True) for f in (p["name"].encode(), c[0])]
    pinned = _fields(b"beacon/v1", b"local", *map(_number, schedule), *named)
    assert hashlib.sha256(pinned).hexdigest() == _VECTOR["chain_hash"]
    for round_ in _VECTOR["rounds"]:
        evidence = _fields(*(chain[round_["round"]] for chain in chains))
        assert evidence.hex() == round_["evidence"]
        assert hashlib.sha256(evidence).hexdigest() == round_["value"]


def test_the_project_gives_the_frozen_vector() -> None:
    """Chains, pin, evidence and values stay what they were, for ever."""
    chains = [
        grow_chain(
            name=party["name"],
            period_seconds=_VECTOR["period_seconds"],
            genesis=parse_rfc3339(_VECTOR["genesis"]),
            length_rounds=_VECTOR["length_rounds"],
            secret=bytes.fromhex(party["secret"]),
        )
        for party in _VECTOR["parties"]
    ]
    info = beacon_of(*chains)
    assert info.genesis_unix == _VECTOR["genesis_unix"]
    assert [party.anchor.hex() for party in info.parties] == [party["anchor"] for party in _VECTOR["parties"]]
    assert info.chain_hash.hex() == _VECTOR["chain_hash"]
    for round_ in _VECTOR["rounds"]:
        evidence = bytes.fromhex(round_["evidence"])
        assert evidence_of(round_["round"], *chains) == evidence
        verify_evidence(info, round_["round"], evidence)
        assert beacon_value(evidence).hex() == round_["value"]


def test_every_round_verifies_in_any_order() -> None:
    """Up, down and jumping: one verifier, all rounds."""
    verifier = LocalVerifier(_INFO)
    for round_number in [*range(1, 201), *range(200, 0, -1), 150, 3, 199, 100, 1, 200]:
        verifier.verify(round_number, evidence_of(round_number, _A, _B))


@pytest.mark.parametrize("known_round", [0, 10, 200])
@pytest.mark.parametrize("claimed_round", [1, 9, 10, 11, 12, 199])
def test_the_evidence_of_another_round_is_refused(known_round: int, claimed_round: int) -> None:
    """Whatever was verified before, on either side."""
    verifier = LocalVerifier(_INFO)
    if known_round:
        verifier.verify(known_round, evidence_of(known_round, _A, _B))
    for shift in (-1, 1):
        if claimed_round + shift >= 1:
            with pytest.raises(Corrupt, match=r"BEACON_PARTY_FORGED.*party a "):
                verifier.verify(claimed_round, evidence_of(claimed_round + shift, _A, _B))
    verifier.verify(claimed_round, evidence_of(claimed_round, _A, _B))


def test_a_lie_is_not_remembered() -> None:
    """After a forged later round, honest rounds still verify and the forged one still does not."""
    verifier = LocalVerifier(_INFO)
    forged = lp(bytes(32), _B.element(100))
    for _ in range(2):
        with pytest.raises(Corrupt, match="BEACON_PARTY_FORGED"):
            verifier.verify(100, forged)
    verifier.verify(50, evidence_of(50, _A, _B))
    verifier.verify(150, evidence_of(150, _A, _B))


@pytest.mark.parametrize(
    "evidence",
    [
        b"",
        lp(_A.element(7)),
        lp(_A.element(7), _B.element(7), b""),
        lp(_A.element(7), _B.element(7)) + b"\0",
        lp(_A.element(7), _B.element(7))[:-1],
        lp(_A.element(7), _B.element(7)[:-1]),
        lp(_A.element(7) + b"\0", _B.element(7)),
        _A.element(7) + _B.element(7),
    ],
)
def test_malformed_evidence_is_refused(evidence: bytes) -> None:
    """Exactly two fields of 32 bytes, nothing before, between or after."""
    with pytest.raises(Corrupt, match="BEACON_EVIDENCE_MALFORMED"):
        verify_evidence(_INFO, 7, evidence)


def test_a_short_element_is_not_padded() -> None:
    """An element whose last byte is zero may not be given without it."""
    chain = chain_of("a", secret=b"\1" * 31 + b"\0")
    verifier = LocalVerifier(beacon_of(chain))
    with pytest.raises(Corrupt, match="BEACON_EVIDENCE_MALFORMED"):
        verifier.verify_party(0, LENGTH_ROUNDS, b"\1" * 31)
    verifier.verify_party(0, LENGTH_ROUNDS, b"\1" * 31 + b"\0")


def test_the_order_of_the_parties_is_part_of_the_evidence() -> None:
    """Swapped elements, and a swapped pin, are refused."""
    with pytest.raises(Corrupt, match="party a "):
        verify_evidence(_INFO, 7, evidence_of(7, _B, _A))
    with pytest.raises(Corrupt, match="party b "):
        verify_evidence(beacon_of(_B, _A), 7, evidence_of(7, _A, _B))


@pytest.mark.parametrize("round_number", [-1, 0, LENGTH_ROUNDS + 1, 2**64])
def test_a_round_outside_the_chain_proves_nothing(round_number: int) -> None:
    """The anchors themselves, round 0, are no evidence."""
    anchors = lp(*(party.anchor for party in _INFO.parties))
    with pytest.raises(Corrupt, match="BEACON_ROUND_RANGE"):
        verify_evidence(_INFO, round_number, anchors)
    with pytest.raises(Corrupt, match="BEACON_ROUND_RANGE"):
        LocalVerifier(_INFO).verify_party(0, round_number, _INFO.parties[0].anchor)


def test_a_party_that_copies_an_anchor_can_never_open_it() -> None:
    """Two names are two secrets: the victim's elements do not open the copy."""
    copied = Party(name="copycat", anchor=_A.commitment.party.anchor)
    info = LocalBeacon(
        period_seconds=_INFO.period_seconds,
        genesis=_INFO.genesis,
        length_rounds=_INFO.length_rounds,
        parties=(_A.commitment.party, copied),
    )
    with pytest.raises(Corrupt, match="party copycat "):
        verify_evidence(info, 7, evidence_of(7, _A, _A))


def test_a_year_is_verified_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rounds cost one hash a round and party; going back costs the nearer way."""
    walked = 0
    walk = beacon_local.walk

    def counting_walk(context: bytes, element: bytes, *, from_round: int, to_round: int) -> bytes:
        nonlocal walked
        walked += from_round - to_round
        return walk(context, element, from_round=from_round, to_round=to_round)

    evidences = [(n, evidence_of(n, _A, _B)) for n in [*range(200, 0, -1), 77, 77]]
    monkeypatch.setattr(beacon_local, "walk", counting_walk)
    verify_rounds(_INFO, evidences)
    assert walked == 2 * LENGTH_ROUNDS
    verifier = LocalVerifier(_INFO)
    verifier.verify(200, dict(evidences)[200])
    walked = 0
    verifier.verify(199, dict(evidences)[199])
    verifier.verify(1, dict(evidences)[1])
    verifier.verify(200, dict(evidences)[200])
    assert walked == 2 * 2


def test_a_batch_names_the_first_bad_round() -> None:
    """In order of rounds, whatever the order of the input; repeats with other evidence included."""
    good = [(n, evidence_of(n, _A, _B)) for n in (9, 5, 30)]
    with pytest.raises(Corrupt, match="round 5 "):
        verify_rounds(_INFO, [*good, (30, evidence_of(31, _A, _B)), (5, evidence_of(6, _A, _B))])


def test_commitments_combine_only_on_one_schedule() -> None:
    """The same parties under other terms are no beacon together."""
    shorter = chain_of("b", length_rounds=199)
    with pytest.raises(InvalidInput, match="BEACON_SCHEDULES_DIFFER"):
        beacon_of(_A, shorter)
    with pytest.raises(InvalidInput, match="BEACON_SCHEDULES_DIFFER"):
        combine_commitments([])
    with pytest.raises(InvalidInput, match="BEACON_PARTIES"):
        beacon_of(_A, _A)


def test_a_commitment_reads_back_exactly() -> None:
    """Round trip, and nothing near it."""
    data = _A.commitment.to_json()
    assert ChainCommitment.from_json(data) == _A.commitment
    for old, new in [
        (b'"a"', b'"A"'),
        (b'"name":"a",', b""),
        (b"200", b"0"),
        (b"200", b"true"),
        (b"200", b"200.0"),
        (b"06:00:00Z", b"06:00:00+00:00"),
        (b'"a"', b"null"),
    ]:
        assert old in data
        with pytest.raises(Corrupt):
            ChainCommitment.from_json(data.replace(old, new, 1))
