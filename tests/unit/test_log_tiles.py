"""Tiles: geometry and paths as tlog-tiles has them, growth and proofs against a naive tree."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache

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
from assign.log.tiles import (
    MAX_ENTRY_BYTES,
    BundleId,
    TileId,
    edge_at,
    encode_bundle,
    grow,
    parse_bundle,
    parse_tile_path,
    prove_consistency,
    prove_inclusion,
    root_at,
    tile_width,
    tiles_written,
)

MOST = 1_100
LEAVES = [leaf_hash(b"%d" % number) for number in range(MOST)]


class Table:
    """What a database keeps: (level, index) to the hashes so far. Counts reads."""

    def __init__(self) -> None:
        self.tiles: dict[tuple[int, int], bytes] = {}
        self.reads: list[tuple[int, int]] = []

    def read(self, level: int, index: int, width: int) -> bytes:
        self.reads.append((level, index))
        return self.tiles[level, index][: 32 * width]

    def append(self, size: int, leaves: list[bytes]) -> None:
        self.tiles |= grow(size, leaves, self.read)


def filled(leaves: list[bytes]) -> Table:
    table = Table()
    table.append(0, leaves)
    return table


@cache
def naive_root(begin: int, end: int) -> bytes:
    """MTH of RFC 6962 section 2.1, word for word."""
    if end - begin == 1:
        return LEAVES[begin]
    half = 1
    while half * 2 < end - begin:
        half *= 2
    return node_hash(naive_root(begin, begin + half), naive_root(begin + half, end))


def test_widths_of_the_published_example() -> None:
    """The tree of 70,000 and the tree of 256 leaves that tlog-tiles describes."""
    tiles = list(tiles_written(size1=0, size2=70_000))
    assert [tile.width for tile in tiles if tile.level == 0] == [256] * 273 + [112]
    assert [tile.width for tile in tiles if tile.level == 1] == [256, 17]
    assert [tile.width for tile in tiles if tile.level == 2] == [1]
    assert list(tiles_written(size1=0, size2=256)) == [TileId(0, 0), TileId(1, 0, 1)]
    assert tile_width(level=0, index=273, size=70_000) == 112
    assert tile_width(level=0, index=274, size=70_000) == 0
    assert tile_width(level=3, index=0, size=70_000) == 0


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (TileId(0, 1234067, 12), "tile/0/x001/x234/067.p/12"),
        (TileId(0, 1234067), "tile/0/x001/x234/067"),
        (TileId(63, 0, 1), "tile/63/000.p/1"),
        (TileId(1, 999, 255), "tile/1/999.p/255"),
        (TileId(1, 1000), "tile/1/x001/000"),
        (BundleId(5), "tile/entries/005"),
        (BundleId(1_000_000, 7), "tile/entries/x001/x000/000.p/7"),
        (BundleId(MAX_SIZE >> 8), "tile/entries/x036/x028/x797/x018/x963/967"),
    ],
)
def test_paths(tile: TileId | BundleId, path: str) -> None:
    """A path is written as published and read back."""
    assert tile.path() == path
    assert parse_tile_path(path) == tile


@pytest.mark.parametrize(
    "path",
    """
    |tile|tile/|tile/0|tile/0/|tile//000|/tile/0/000|tile/0/000/|tile/64/000|tile/00/000|tile/-1/000
    tile/+1/000|tile/0/0|tile/0/00|tile/0/0000|tile/0/x000/001|tile/0/001/002|tile/0/x001/x002
    tile/0/1000|tile/0/x01/000|tile/0/xx01/000|tile/0/000.p|tile/0/000.p/|tile/0/000.p/0
    tile/0/000.p/256|tile/0/000.p/01|tile/0/000.p/-1|tile/0/000.p/1/2|tile/0/000.p/x1|tile/0/.p/1
    tile/0/000p/1|tile/0/x001.p/5|tile/0/\u0660\u0660\u0660|tile/\u0660/000|tile/0/x999/x999/x999/x999/x999/999
    tile/entries|tile/entries/|tile/entries/0|tile/entries/0/000|tile/data/000|entries/000|TILE/0/000
    tile/0/x036/x028/x797/x018/x963/968|tile/0/000\n|tile/0/000?|tile/0/../000|tile/entries/000.p/256
    """.replace("\n    ", "|").split("|"),
)
def test_wrong_paths(path: str) -> None:
    """Anything but the one canonical spelling is refused, so nothing is cached twice or escapes a folder."""
    with pytest.raises(InvalidInput) as caught:
        parse_tile_path(path)
    assert caught.value.reason == "TILE_PATH"


@pytest.mark.parametrize("numbers", [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 2**55, 1), (0, 0, 0), (0, 0, 257)])
def test_tiles_out_of_range(numbers: tuple[int, int, int]) -> None:
    """A tile that no tree has is not named."""
    with pytest.raises(InvalidInput, match="TILE_RANGE"):
        TileId(*numbers)
    if numbers[0] == 0:
        with pytest.raises(InvalidInput, match="TILE_RANGE"):
            BundleId(*numbers[1:])


def test_every_size_matches_a_naive_tree() -> None:
    """Growing leaf by leaf to 1,100, every root and edge, and proofs to and from each size hold."""
    table, edge, chance = Table(), RightEdge(), random.Random(1)
    assert root_at(0, table.read) == EMPTY_ROOT
    for size in range(1, MOST + 1):
        table.append(size - 1, LEAVES[size - 1 : size])
        edge = edge.append(LEAVES[size - 1])
        root = naive_root(0, size)
        assert edge.root() == root == root_at(size, table.read)
        assert edge_at(size, table.read) == edge
        for index in {0, size - 1, chance.randrange(size)}:
            proof = prove_inclusion(index, size, table.read)
            verify_inclusion(index=index, size=size, leaf=LEAVES[index], proof=proof, root=root)
        for size1 in {1, size, chance.randint(1, size)}:
            proof = prove_consistency(size1, size, table.read)
            verify_consistency(size1=size1, size2=size, root1=naive_root(0, size1), root2=root, proof=proof)
    assert table.tiles == filled(LEAVES).tiles


def test_proofs_of_any_earlier_size_come_from_the_grown_tiles() -> None:
    """Tiles that grew since still prove what an old checkpoint said."""
    table = filled(LEAVES)
    for size in range(1, MOST + 1, 13):
        assert root_at(size, table.read) == naive_root(0, size)
        proof = prove_inclusion(size // 2, size, table.read)
        verify_inclusion(index=size // 2, size=size, leaf=LEAVES[size // 2], proof=proof, root=naive_root(0, size))


@pytest.mark.parametrize("seed", range(20))
def test_batches_of_any_width_give_the_same_tiles(seed: int) -> None:
    """How the leaves are batched leaves no trace, and exactly the tiles of `tiles_written` are written."""
    chance, table, size = random.Random(seed), Table(), 0
    while size < MOST:
        step = min(MOST - size, chance.choice([0, 1, 2, 7, 100, 255, 256, 257, 600]))
        changed = grow(size, LEAVES[size : size + step], table.read)
        written = {(tile.level, tile.index): tile.width for tile in tiles_written(size1=size, size2=size + step)}
        assert {place: len(content) // 32 for place, content in changed.items()} == written
        table.tiles |= changed
        size += step
    assert table.tiles == filled(LEAVES).tiles


def test_three_levels() -> None:
    """Past 65,536 leaves a third level begins, and proofs still hold."""
    leaves = [leaf_hash(b"%d" % number) for number in range(66_000)]
    table, edge = filled(leaves), RightEdge().extend(leaves)
    assert table.tiles[2, 0] == root_of(leaves[:65_536])
    assert edge_at(66_000, table.read) == edge
    for index in (0, 65_535, 65_536, 65_999):
        table.reads.clear()
        proof = prove_inclusion(index, 66_000, table.read)
        verify_inclusion(index=index, size=66_000, leaf=leaves[index], proof=proof, root=edge.root())
        assert len(table.reads) == len(set(table.reads)) <= 5
    for size1 in (1, 255, 65_535, 65_536, 65_537):
        proof, root1 = prove_consistency(size1, 66_000, table.read), root_of(leaves[:size1])
        verify_consistency(size1=size1, size2=66_000, root1=root1, root2=edge.root(), proof=proof)


def endless(level: int, index: int, width: int) -> bytes:
    """Tiles of a tree of any size, all of whose nodes of a row are one and the same hash."""
    row = leaf_hash(b"")
    for _ in range(8 * level):
        row = node_hash(row, row)
    return row * width


@pytest.mark.parametrize("size", [2**40 - 1, 2**63 - 1, 2**63 - 2**20])
def test_reads_are_logarithmic(size: int) -> None:
    """A proof in a tree of 2^63-1 leaves reads no more than two tiles a level."""
    reads: list[tuple[int, int]] = []

    def read(level: int, index: int, width: int) -> bytes:
        reads.append((level, index))
        return endless(level, index, width)

    root = root_at(size, read)
    for index in (0, 2**39, size // 3, size - 1):
        reads.clear()
        proof = prove_inclusion(index, size, read)
        verify_inclusion(index=index, size=size, leaf=leaf_hash(b""), proof=proof, root=root)
        assert len(reads) <= 2 * 8
    size1 = size // 3
    reads.clear()
    proof = prove_consistency(size1, size, read)
    assert len(reads) <= 2 * 8
    verify_consistency(size1=size1, size2=size, root1=root_at(size1, read), root2=root, proof=proof)


@pytest.mark.parametrize("content", [b"", bytes(31), bytes(32 * 200)])
def test_reader_that_returns_another_length(content: bytes) -> None:
    """A tile cut short or too long is damage, not something to hash."""

    def read(level: int, index: int, width: int) -> bytes:
        return content

    with pytest.raises(Corrupt, match="TILE_LENGTH"):
        root_at(100, read)
    with pytest.raises(Corrupt, match="TILE_LENGTH"):
        grow(100, LEAVES[:1], read)


def test_refused_questions() -> None:
    """Sizes and indices that no tree has, and a proof from nothing."""
    table = filled(LEAVES[:10])
    refused: list[tuple[Callable[[], object], str]] = [
        (lambda: prove_inclusion(10, 10, table.read), "PROOF_INDEX"),
        (lambda: prove_inclusion(-1, 10, table.read), "PROOF_INDEX"),
        (lambda: prove_inclusion(0, 0, table.read), "PROOF_INDEX"),
        (lambda: prove_consistency(0, 10, table.read), "PROOF_SIZES"),
        (lambda: prove_consistency(5, 4, table.read), "TREE_SIZES"),
        (lambda: prove_consistency(5, MAX_SIZE + 1, table.read), "TREE_SIZES"),
        (lambda: root_at(-1, table.read), "TREE_SIZES"),
        (lambda: grow(MAX_SIZE, LEAVES[:1], table.read), "TREE_SIZES"),
        (lambda: grow(0, [b"short"], table.read), "HASH_LENGTH"),
        (lambda: list(tiles_written(size1=2, size2=1)), "TREE_SIZES"),
    ]
    for question, reason in refused:
        with pytest.raises(InvalidInput) as caught:
            question()
        assert caught.value.reason == reason


def test_bundles() -> None:
    """Entries of any length up to the last one, 1 to 256 of them, come back."""
    for entries in ([b""], [b"a", b"", b"bc"], [b"x" * MAX_ENTRY_BYTES] * 2, [b"%d" % n for n in range(256)]):
        assert parse_bundle(encode_bundle(entries), width=len(entries)) == entries
    assert encode_bundle([b"ab", b""]) == b"\x00\x02ab\x00\x00"
    for wrong in ([], [b""] * 257):
        with pytest.raises(InvalidInput, match="BUNDLE_WIDTH"):
            encode_bundle(wrong)
    with pytest.raises(InvalidInput, match="ENTRY_TOO_LONG"):
        encode_bundle([bytes(MAX_ENTRY_BYTES + 1)])


@pytest.mark.parametrize(
    ("data", "width"),
    [
        (b"", 1),
        (b"\x00", 1),
        (b"\x00\x02a", 1),
        (b"\x00\x01a\x00", 1),
        (b"\x00\x01a\x00", 2),
        (b"\x00\x01a", 2),
        (b"\x00\x01a\x00\x01b", 1),
        (b"\x00\x01a", 0),
        (b"", 0),
        (b"\x00\x00" * 257, 257),
    ],
)
def test_wrong_bundles(data: bytes, width: int) -> None:
    """A bundle cut short, too long, or of another number of entries is refused."""
    with pytest.raises(Corrupt, match="BUNDLE_MALFORMED"):
        parse_bundle(data, width=width)
