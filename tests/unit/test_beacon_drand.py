"""drand's quicknet: published rounds verify, and nothing that is nearly a signature does."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from py_arkworks_bls12381 import G1Point, G2Point, Scalar

from assign.draw.beacon import DrandBeacon, beacon_value, quicknet, verify_evidence, verify_rounds
from assign.encoding import sha256, u64be
from assign.errors import Corrupt, InvalidInput

_VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/drand-quicknet.json").read_text())
_ROUNDS = [(r["round"], bytes.fromhex(r["signature"]), r["randomness"]) for r in _VECTORS["rounds"]]
_ROUND, _SIGNATURE, _ = _ROUNDS[0]
_QUICKNET = quicknet()
_MODULUS = int("1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab", 16)


def _flagged(x: int, flags: int) -> bytes:
    data = bytearray(x.to_bytes(48, "big"))
    data[0] |= flags
    return bytes(data)


def test_the_pin_is_the_published_chain() -> None:
    """Key, schedule and scheme as published; the chain hash follows from them."""
    chain = _VECTORS["chain"]
    assert _QUICKNET.public_key.hex() == chain["public_key"]
    assert _QUICKNET.scheme == chain["scheme"]
    assert _QUICKNET.period_seconds == chain["period_seconds"]
    assert _QUICKNET.genesis_unix == chain["genesis_unix"]
    assert _QUICKNET.chain_hash.hex() == chain["hash"]


@pytest.mark.parametrize(("round_number", "signature", "randomness"), _ROUNDS)
def test_published_rounds_verify(round_number: int, signature: bytes, randomness: str) -> None:
    """The signature is accepted and its hash is the published randomness."""
    verify_evidence(_QUICKNET, round_number, signature)
    assert beacon_value(signature).hex() == randomness


def test_a_batch_of_rounds_verifies() -> None:
    """In any order."""
    verify_rounds(_QUICKNET, [(number, signature) for number, signature, _ in reversed(_ROUNDS)])


@pytest.mark.parametrize("round_number", [_ROUND - 1, _ROUND + 1, 657413, 2**32 + _ROUND])
def test_a_signature_of_another_round_is_refused(round_number: int) -> None:
    """A valid signature proves its own round alone."""
    with pytest.raises(Corrupt, match="BEACON_SIGNATURE_FORGED"):
        verify_evidence(_QUICKNET, round_number, _SIGNATURE)


@pytest.mark.parametrize("round_number", [-1, 0, 2**63, 2**64])
def test_a_round_that_never_happens_is_refused(round_number: int) -> None:
    """Before the first and after the end of the calendar."""
    with pytest.raises(Corrupt, match="BEACON_ROUND_RANGE"):
        verify_evidence(_QUICKNET, round_number, _SIGNATURE)


def test_another_chain_is_refused() -> None:
    """Signatures under another key do not verify under this one, nor the other way round."""
    secret = Scalar(20261124)
    other = replace(_QUICKNET, public_key=(G2Point() * secret).to_compressed_bytes())
    tag = _VECTORS["chain"]["dst"].encode()
    signed = (G1Point.hash_to_curve(sha256(u64be(_ROUND)), tag) * secret).to_compressed_bytes()
    verify_evidence(other, _ROUND, signed)
    assert other.chain_hash != _QUICKNET.chain_hash
    for info, signature in ((_QUICKNET, signed), (other, _SIGNATURE)):
        with pytest.raises(Corrupt, match="BEACON_SIGNATURE_FORGED"):
            verify_evidence(info, _ROUND, signature)


def test_another_hash_to_curve_suite_is_refused() -> None:
    """The domain separation tag of G2 signatures, which an early drand scheme used on G1, does not pass."""
    secret = Scalar(7)
    info = replace(_QUICKNET, public_key=(G2Point() * secret).to_compressed_bytes())
    tag = b"BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_NUL_"
    signed = (G1Point.hash_to_curve(sha256(u64be(_ROUND)), tag) * secret).to_compressed_bytes()
    with pytest.raises(Corrupt, match="BEACON_SIGNATURE_FORGED"):
        verify_evidence(info, _ROUND, signed)


@pytest.mark.parametrize(
    "point",
    [-G1Point.from_compressed_bytes(_SIGNATURE), G1Point(), G1Point.from_compressed_bytes(_SIGNATURE) * Scalar(2)],
)
def test_other_points_of_the_group_are_refused(point: G1Point) -> None:
    """The negated and the doubled signature, the generator."""
    with pytest.raises(Corrupt, match="BEACON_SIGNATURE_FORGED"):
        verify_evidence(_QUICKNET, _ROUND, point.to_compressed_bytes())


@pytest.mark.parametrize(
    "signature",
    [
        pytest.param(b"", id="empty"),
        pytest.param(_SIGNATURE[:-1], id="truncated"),
        pytest.param(_SIGNATURE + b"\0", id="a byte more"),
        pytest.param(G1Point.from_compressed_bytes(_SIGNATURE).to_xy_bytes_be(), id="uncompressed"),
        pytest.param(bytes([_SIGNATURE[0] & 0x7F]) + _SIGNATURE[1:], id="compression flag missing"),
        pytest.param(_flagged(0, 0xC0), id="infinity"),
        pytest.param(_flagged(0, 0xE0), id="infinity with a sign"),
        pytest.param(_flagged(1, 0xC0), id="infinity with a coordinate"),
        pytest.param(_flagged(_MODULUS, 0x80), id="coordinate equal to the modulus"),
        pytest.param(_flagged(_MODULUS + 4, 0x80), id="coordinate above the modulus"),
        pytest.param(_flagged(1, 0x80), id="not on the curve"),
        pytest.param(_flagged(4, 0x80), id="outside the subgroup"),
        pytest.param(_flagged(0, 0x80), id="of order three"),
    ],
)
def test_what_encodes_no_signature_is_refused(signature: bytes) -> None:
    """One encoding a point, and only points of the subgroup of prime order."""
    with pytest.raises(Corrupt, match="BEACON_EVIDENCE_MALFORMED"):
        verify_evidence(_QUICKNET, _ROUND, signature)


@pytest.mark.parametrize("x", [0, 4])
def test_the_subgroup_examples_are_points_of_the_curve(x: int) -> None:
    """So that the test above is about the subgroup, not about the curve."""
    assert not G1Point.from_compressed_bytes_unchecked(_flagged(x, 0x80)).is_in_subgroup()


@pytest.mark.parametrize("bit", [*range(0, 384, 29), 383])
def test_a_flipped_bit_is_refused(bit: int) -> None:
    """Wherever it is."""
    flipped = (int.from_bytes(_SIGNATURE, "big") ^ (1 << bit)).to_bytes(48, "big")
    with pytest.raises(Corrupt):
        verify_evidence(_QUICKNET, _ROUND, flipped)


@pytest.mark.parametrize(
    "public_key",
    [
        b"",
        _QUICKNET.public_key[:-1],
        G2Point.identity().to_compressed_bytes(),
        b"\xc0" + bytes(94) + b"\1",
        bytes(96),
        b"\xa0" + bytes(94) + b"\1",
        _SIGNATURE + _SIGNATURE,
    ],
)
def test_a_key_that_is_none_is_not_pinned(public_key: bytes) -> None:
    """Under the key at infinity everything would be signed."""
    with pytest.raises(InvalidInput, match="BEACON_PUBLIC_KEY"):
        replace(_QUICKNET, public_key=public_key)


def test_a_key_outside_the_subgroup_is_not_pinned() -> None:
    """A point of the curve that is not in the group of prime order."""
    stray = b"\x80" + bytes(94) + b"\x02"
    assert not G2Point.from_compressed_bytes_unchecked(stray).is_in_subgroup()
    with pytest.raises(InvalidInput, match="BEACON_PUBLIC_KEY"):
        replace(_QUICKNET, public_key=stray)


def test_the_default_chain_leaves_its_id_out_of_its_hash() -> None:
    """As drand computes it: an id was added to the hash only when there came to be several chains."""
    default = replace(_QUICKNET, beacon_id="default")
    parts = (3).to_bytes(4, "big") + u64be(1692803367) + default.public_key + default.group_hash
    assert default.chain_hash == sha256(parts)


@pytest.mark.parametrize("changes", [{"group_hash": bytes(31)}, {"beacon_id": ""}, {"beacon_id": "a b"}])
def test_a_malformed_pin_is_not_made(changes: dict[str, Any]) -> None:
    """Group hash and id."""
    with pytest.raises(InvalidInput):
        replace(_QUICKNET, **changes)
    assert isinstance(_QUICKNET, DrandBeacon)
