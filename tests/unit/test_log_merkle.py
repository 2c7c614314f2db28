"""Merkle tree: the published vectors, the right edge, and each reason for refusing a proof."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from assign.errors import Corrupt, InvalidInput
from assign.log.merkle import (
    EMPTY_ROOT,
    MAX_SIZE,
    RightEdge,
    leaf_hash,
    node_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)

VECTORS = Path(__file__).parents[1] / "vectors" / "merkle-proofs.json"
CASES: dict[str, dict[str, Any]] = json.loads(VECTORS.read_text())["cases"]

LEAVES = [leaf_hash(b"%d" % number) for number in range(7)]
PAIRS = [node_hash(LEAVES[at], LEAVES[at + 1]) for at in (0, 2, 4)]
LEFT, RIGHT = node_hash(PAIRS[0], PAIRS[1]), node_hash(PAIRS[2], LEAVES[6])
ROOT = node_hash(LEFT, RIGHT)


def decode(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def check(name: str, case: dict[str, Any]) -> None:
    proof = [decode(item) for item in case["proof"] or []]
    if name.startswith("inclusion"):
        verify_inclusion(
            index=case["leafIdx"],
            size=case["treeSize"],
            leaf=decode(case["leafHash"]),
            proof=proof,
            root=decode(case["root"]),
        )
    else:
        verify_consistency(
            size1=case["size1"],
            size2=case["size2"],
            root1=decode(case["root1"]),
            root2=decode(case["root2"]),
            proof=proof,
        )


def test_there_are_as_many_vectors_as_were_published() -> None:
    """A vector file that lost its cases would pass in silence."""
    assert len(CASES) == 196
    assert sum(not case["wantErr"] for case in CASES.values()) == 12


@pytest.mark.parametrize("name", CASES)
def test_published_proof(name: str) -> None:
    """Each case of transparency-dev/merkle comes out as it wants."""
    if CASES[name]["wantErr"]:
        with pytest.raises(Corrupt):
            check(name, CASES[name])
    else:
        check(name, CASES[name])


def test_hashes_are_those_of_rfc_6962() -> None:
    """The two prefixes keep a leaf from being taken for a node."""
    assert hashlib.sha256(b"").digest() == EMPTY_ROOT
    assert leaf_hash(b"entry") == hashlib.sha256(b"\x00entry").digest()
    assert node_hash(b"L" * 32, b"R" * 32) == hashlib.sha256(b"\x01" + b"L" * 32 + b"R" * 32).digest()
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_root_of_seven_leaves_by_hand() -> None:
    """The tree of seven leaves, drawn out in RFC 6962 section 2.1.3."""
    assert root_of(LEAVES) == ROOT
    assert root_of([]) == EMPTY_ROOT
    assert root_of(LEAVES[:1]) == LEAVES[0]


def test_proofs_by_hand() -> None:
    """The audit paths and consistency proofs that RFC 6962 section 2.1.3 lists for seven leaves."""
    verify_inclusion(index=0, size=7, leaf=LEAVES[0], proof=[LEAVES[1], PAIRS[1], RIGHT], root=ROOT)
    verify_inclusion(index=3, size=7, leaf=LEAVES[3], proof=[LEAVES[2], PAIRS[0], RIGHT], root=ROOT)
    verify_inclusion(index=4, size=7, leaf=LEAVES[4], proof=[LEAVES[5], LEAVES[6], LEFT], root=ROOT)
    verify_inclusion(index=6, size=7, leaf=LEAVES[6], proof=[PAIRS[2], LEFT], root=ROOT)
    roots = {size: root_of(LEAVES[:size]) for size in (3, 4, 6)}
    proof3 = [LEAVES[2], LEAVES[3], PAIRS[0], RIGHT]
    verify_consistency(size1=3, size2=7, root1=roots[3], root2=ROOT, proof=proof3)
    verify_consistency(size1=4, size2=7, root1=roots[4], root2=ROOT, proof=[RIGHT])
    verify_consistency(size1=6, size2=7, root1=roots[6], root2=ROOT, proof=[PAIRS[2], LEAVES[6], LEFT])


INCLUSION: dict[str, Any] = {
    "index": 3,
    "size": 7,
    "leaf": LEAVES[3],
    "proof": [LEAVES[2], PAIRS[0], RIGHT],
    "root": ROOT,
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"index": 7}, "INCLUSION_INDEX"),
        ({"index": -1}, "INCLUSION_INDEX"),
        ({"index": 0, "size": 0}, "INCLUSION_INDEX"),
        ({"size": MAX_SIZE + 1}, "INCLUSION_INDEX"),
        ({"leaf": LEAVES[3] + b"\x00"}, "HASH_LENGTH"),
        ({"root": b""}, "HASH_LENGTH"),
        ({"proof": [LEAVES[2][:31], PAIRS[0], RIGHT]}, "HASH_LENGTH"),
        ({"proof": [LEAVES[2], PAIRS[0]]}, "PROOF_LENGTH"),
        ({"proof": [LEAVES[2], PAIRS[0], RIGHT, RIGHT]}, "PROOF_LENGTH"),
        ({"size": MAX_SIZE}, "PROOF_LENGTH"),
        ({"index": 2}, "ROOT_MISMATCH"),
        ({"leaf": LEAVES[2]}, "ROOT_MISMATCH"),
        ({"root": LEFT}, "ROOT_MISMATCH"),
    ],
)
def test_inclusion_refusals(change: dict[str, Any], reason: str) -> None:
    """Each way in which an inclusion proof fails has its reason."""
    with pytest.raises(Corrupt) as caught:
        verify_inclusion(**(INCLUSION | change))
    assert caught.value.reason == reason


CONSISTENCY: dict[str, Any] = {
    "size1": 3,
    "size2": 7,
    "root1": root_of(LEAVES[:3]),
    "root2": ROOT,
    "proof": [LEAVES[2], LEAVES[3], PAIRS[0], RIGHT],
}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"size1": 0}, "CONSISTENCY_SIZES"),
        ({"size1": 0, "root1": EMPTY_ROOT, "proof": []}, "CONSISTENCY_SIZES"),
        ({"size1": 0, "size2": 0, "root1": EMPTY_ROOT, "root2": EMPTY_ROOT, "proof": []}, "CONSISTENCY_SIZES"),
        ({"size1": 8}, "CONSISTENCY_SIZES"),
        ({"size1": -1}, "CONSISTENCY_SIZES"),
        ({"size2": MAX_SIZE + 1}, "CONSISTENCY_SIZES"),
        ({"root1": ROOT[:31]}, "HASH_LENGTH"),
        ({"root2": ROOT + b"\x00"}, "HASH_LENGTH"),
        ({"proof": [LEAVES[2], b"", PAIRS[0], RIGHT]}, "HASH_LENGTH"),
        ({"proof": []}, "PROOF_LENGTH"),
        ({"proof": [LEAVES[3], PAIRS[0], RIGHT]}, "PROOF_LENGTH"),
        ({"size1": 7, "root1": ROOT}, "PROOF_LENGTH"),
        ({"size1": 7, "root1": LEFT, "proof": []}, "ROOT_MISMATCH"),
        ({"root1": LEFT}, "ROOT_MISMATCH"),
        ({"root2": LEFT}, "ROOT_MISMATCH"),
        ({"proof": [LEAVES[3], LEAVES[2], PAIRS[0], RIGHT]}, "ROOT_MISMATCH"),
    ],
)
def test_consistency_refusals(change: dict[str, Any], reason: str) -> None:
    """Each way in which a consistency proof fails has its reason."""
    with pytest.raises(Corrupt) as caught:
        verify_consistency(**(CONSISTENCY | change))
    assert caught.value.reason == reason


def test_right_edge_is_a_value() -> None:
    """An append that is given up leaves the edge before it untouched."""
    before = RightEdge().extend(LEAVES[:6])
    after = before.append(LEAVES[6])
    assert (before.size, before.root()) == (6, root_of(LEAVES[:6]))
    assert (after.size, after.root()) == (7, ROOT)
    assert after.peaks == (LEFT, PAIRS[2], LEAVES[6])


def test_right_edge_bytes() -> None:
    """The stored form is the size and one hash for each of its set bits, and nothing else is read."""
    edge = RightEdge().extend(LEAVES)
    data = edge.to_bytes()
    assert data == (7).to_bytes(8, "big") + LEFT + PAIRS[2] + LEAVES[6]
    assert RightEdge.from_bytes(data) == edge
    assert RightEdge.from_bytes(bytes(8)) == RightEdge()
    for wrong in (b"", data[:-1], data + b"\x00", data[:7], data[:-32], data + LEFT, b"\xff" * 8 + LEFT * 64):
        with pytest.raises(Corrupt) as caught:
            RightEdge.from_bytes(wrong)
        assert caught.value.reason == "EDGE_MALFORMED"


@pytest.mark.parametrize(
    ("size", "peaks", "reason"),
    [
        (-1, (), "EDGE_SIZE"),
        (MAX_SIZE + 1, (LEFT,), "EDGE_SIZE"),
        (3, (LEFT,), "EDGE_PEAKS"),
        (1, (LEFT[:31],), "HASH_LENGTH"),
    ],
)
def test_right_edge_refusals(size: int, peaks: tuple[bytes, ...], reason: str) -> None:
    """An edge that cannot be one is not built."""
    with pytest.raises(InvalidInput) as caught:
        RightEdge(size, peaks)
    assert caught.value.reason == reason


def test_append_refusals() -> None:
    """A leaf hash of another length and a tree beyond the last size are refused."""
    with pytest.raises(InvalidInput, match="HASH_LENGTH"):
        RightEdge().append(b"an entry instead of its hash")
    with pytest.raises(InvalidInput, match="HASH_LENGTH"):
        RightEdge().extend([LEFT, b"this one would disappear under a node"])
    with pytest.raises(InvalidInput, match="EDGE_SIZE"):
        RightEdge(MAX_SIZE, (LEFT,) * 63).append(LEFT)
