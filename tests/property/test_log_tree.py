"""The tree against pymerkle as oracle, and forged proofs against the verifier."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from assign.errors import Corrupt
from assign.log.merkle import RightEdge, leaf_hash, root_of, verify_consistency, verify_inclusion
from assign.log.tiles import encode_bundle, grow, parse_bundle, prove_consistency, prove_inclusion, root_at

SMALL, LARGE = 66, 3_000
ENTRIES = [b"entry %d" % number for number in range(LARGE)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
TILES = grow(0, LEAVES, lambda level, index, width: b"")

oracle_settings = settings(max_examples=150, deadline=None, database=None)


def read(level: int, index: int, width: int) -> bytes:
    return TILES[level, index][: 32 * width]


@pytest.fixture(scope="module")
def oracle() -> Any:
    tree = InmemoryTree(algorithm="sha256")
    for entry in ENTRIES:
        tree.append_entry(entry)
    return tree


def oracle_path(oracle: Any, index: int, size: int) -> tuple[bytes, ...]:
    """pymerkle counts entries from one, and lists the leaf itself first."""
    leaf, *path = oracle.prove_inclusion(index + 1, size).path
    assert leaf == LEAVES[index]
    return tuple(path)


@cache
def naive(begin: int, end: int) -> bytes:
    return root_of(LEAVES[begin:end])


def naive_consistency(size1: int, begin: int, end: int, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 6962 section 2.1.2, word for word: the oracle has a format of its own here."""
    if size1 == end:
        return [] if whole else [naive(begin, end)]
    half = 1
    while half * 2 < end - begin:
        half *= 2
    middle = begin + half
    if size1 <= middle:
        return [*naive_consistency(size1, begin, middle, whole), naive(middle, end)]
    return [*naive_consistency(size1, middle, end, False), naive(begin, middle)]


def test_all_small_trees(oracle: Any) -> None:
    """Each root, inclusion proof and consistency proof of up to 66 leaves, and none proves anything else."""
    for size in range(1, SMALL + 1):
        root = oracle.get_root(size)
        assert root_at(size, read) == root == naive(0, size)
        for index in range(size):
            proof = prove_inclusion(index, size, read)
            assert proof == oracle_path(oracle, index, size)
            verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=proof, root=root)
        for size1 in range(1, size + 1):
            proof = prove_consistency(size1, size, read)
            assert proof == tuple(naive_consistency(size1, 0, size, True))
            root1 = oracle.get_root(size1)
            verify_consistency(size1=size1, size2=size, root1=root1, root2=root, proof=proof)


@oracle_settings
@given(data=st.data(), size=st.integers(1, LARGE))
def test_large_trees(oracle: Any, data: st.DataObject, size: int) -> None:
    """Any proof in a larger tree is the oracle's."""
    index, size1 = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = oracle.get_root(size)
    assert root_at(size, read) == root
    path = prove_inclusion(index, size, read)
    assert path == oracle_path(oracle, index, size)
    verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=path, root=root)
    proof = prove_consistency(size1, size, read)
    verify_consistency(size1=size1, size2=size, root1=oracle.get_root(size1), root2=root, proof=proof)


@oracle_settings
@given(steps=st.lists(st.integers(0, 400), max_size=8))
def test_growth(oracle: Any, steps: list[int]) -> None:
    """However a log grows, edge, tiles and oracle agree, also after the edge was stored and read back."""
    edge, tiles, size = RightEdge(), dict[tuple[int, int], bytes](), 0

    def read_grown(level: int, index: int, width: int) -> bytes:
        return tiles[level, index][: 32 * width]

    for step in steps:
        leaves = LEAVES[size : size + step]
        tiles.update(grow(size, leaves, read_grown))
        edge = RightEdge.from_bytes(edge.extend(leaves).to_bytes())
        size += len(leaves)
        assert edge.size == size
        if size:
            assert edge.root() == oracle.get_root(size)
            assert root_at(size, read_grown) == edge.root()


numbers = st.integers(-2, SMALL + 2) | st.integers(-1, 2**64)
hashes = st.sampled_from(LEAVES[:SMALL] + [naive(0, size) for size in range(1, SMALL)]) | st.binary(max_size=40)


@settings(max_examples=400, deadline=None, database=None)
@given(data=st.data(), size=st.integers(1, SMALL))
def test_no_other_inclusion_holds(data: st.DataObject, size: int) -> None:
    """A proof with any one part replaced is refused, but for the size, which only the signed root binds."""
    index = data.draw(st.integers(0, size - 1))
    proof = list(prove_inclusion(index, size, read))
    claim: dict[str, Any] = {"index": index, "leaf": LEAVES[index], "proof": proof, "root": naive(0, size)}
    part = data.draw(st.sampled_from(sorted(claim)))
    forged = data.draw({"index": numbers, "proof": st.lists(hashes, max_size=8)}.get(part, hashes))
    if forged != claim[part]:
        with pytest.raises(Corrupt):
            verify_inclusion(size=size, **(claim | {part: forged}))


@settings(max_examples=400, deadline=None, database=None)
@given(data=st.data(), size=st.integers(2, SMALL))
def test_no_other_consistency_holds(data: st.DataObject, size: int) -> None:
    """A proof with a root or any hash of the path replaced is refused."""
    size1 = data.draw(st.integers(1, size - 1))
    proof = list(prove_consistency(size1, size, read))
    claim: dict[str, Any] = {
        "size1": size1,
        "size2": size,
        "root1": naive(0, size1),
        "root2": naive(0, size),
        "proof": proof,
    }
    part = data.draw(st.sampled_from(["root1", "root2", "proof"]))
    forged = data.draw(hashes if part != "proof" else st.lists(hashes, max_size=8))
    if forged != claim[part]:
        with pytest.raises(Corrupt):
            verify_consistency(**(claim | {part: forged}))


@settings(max_examples=200, deadline=None, database=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=256))
def test_bundles_round_trip(entries: list[bytes]) -> None:
    """A bundle gives back its entries, and no other number of them."""
    data = encode_bundle(entries)
    assert parse_bundle(data, width=len(entries)) == entries
    for width in (len(entries) - 1, len(entries) + 1):
        with pytest.raises(Corrupt):
            parse_bundle(data, width=width)
