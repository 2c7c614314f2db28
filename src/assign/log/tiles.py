"""The tree stored in tiles, 256 hashes each (C2SP tlog-tiles): geometry, growth, proofs from tiles.

A tile at level L holds up to 256 consecutive nodes of tree height 8 * L, 32 bytes each. A store needs one
table, (level, index) → up to 8,192 bytes; `grow` says what to write, and every prover reads through

    read_tile(level, index, width) -> the first `width` hashes of that tile, exactly 32 * width bytes

A stored tile may have grown since, so a reader slices: `blob[: 32 * width]`. Only tiles that a tree of the
size at hand must have are ever asked for, in number logarithmic in that size. A reader that returns another
length raises Corrupt TILE_LENGTH here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from assign.errors import Corrupt, InvalidInput
from assign.log.merkle import HASH_BYTES, MAX_SIZE, RightEdge, join_peaks, node_hash

__all__ = [
    "MAX_ENTRY_BYTES",
    "TILE_WIDTH",
    "BundleId",
    "ReadTile",
    "TileId",
    "edge_at",
    "encode_bundle",
    "grow",
    "parse_bundle",
    "parse_tile_path",
    "prove_consistency",
    "prove_inclusion",
    "root_at",
    "tile_width",
    "tiles_written",
]

ReadTile = Callable[[int, int, int], bytes]

TILE_WIDTH = 256
MAX_ENTRY_BYTES = 2**16 - 1

_HEIGHT = 8
_MAX_LEVEL = 63
_MAX_INDEX = MAX_SIZE >> _HEIGHT
_TILE_BYTES = TILE_WIDTH * HASH_BYTES
_LENGTH_BYTES = 2


@dataclass(frozen=True, slots=True)
class TileId:
    """One tile of the tree: `level` 0..63, `index` within the level, `width` 1..256 (256: a full tile).

    Raises InvalidInput TILE_RANGE for numbers outside that.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        _check_range(self.level, self.index, self.width)

    def path(self) -> str:
        """`tile/<L>/<N>[.p/<W>]`: `tile/0/x001/x234/067.p/12`."""
        return f"tile/{self.level}/{_index_path(self.index, self.width)}"


@dataclass(frozen=True, slots=True)
class BundleId:
    """One bundle of entries: those of level-0 tile `index`, the first `width` (1..256) of them.

    Raises InvalidInput TILE_RANGE for numbers outside that.
    """

    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        _check_range(0, self.index, self.width)

    def path(self) -> str:
        """`tile/entries/<N>[.p/<W>]`."""
        return f"tile/entries/{_index_path(self.index, self.width)}"


def parse_tile_path(path: str) -> TileId | BundleId:
    """The tile or bundle that `path` (relative to the log's prefix) names, in its one canonical form.

    Raises InvalidInput TILE_PATH.
    """
    parts = path.split("/")
    numbers = parts[2:]
    width = TILE_WIDTH
    if len(numbers) > 1 and numbers[-2].endswith(".p"):
        width = _small_number(numbers.pop())
        numbers[-1] = numbers[-1].removesuffix(".p")
    digits = "".join(number.removeprefix("x") for number in numbers)
    index = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= 18 else -1
    tile: TileId | BundleId | None = None
    try:
        if path.startswith("tile/entries/"):
            tile = BundleId(index, width)
        elif len(parts) > 1:
            tile = TileId(_small_number(parts[1]), index, width)
    except InvalidInput:
        pass
    # Writing it again decides about everything else: the prefix, the `x`s, zeros, a `.p/256`.
    if tile is None or tile.path() != path:
        raise InvalidInput("TILE_PATH", "Not the path of a tile: tile/<L>/<N>[.p/<W>] or tile/entries/…")
    return tile


def tile_width(*, level: int, index: int, size: int) -> int:
    """How many hashes, 0 to 256, tile `index` of `level` has in a tree of `size` leaves."""
    return max(0, min(TILE_WIDTH, (size >> _HEIGHT * level) - index * TILE_WIDTH))


def tiles_written(*, size1: int, size2: int) -> Iterator[TileId]:
    """Every tile, as wide as at `size2`, that differs or is new there, level by level.

    These are what a log serves for a checkpoint of `size2` after one of `size1`. Raises InvalidInput
    TREE_SIZES unless 0 ≤ size1 ≤ size2 ≤ MAX_SIZE.
    """
    _check_sizes(size1, size2)
    level = 0
    while (first := size1 >> _HEIGHT * level) < (end := size2 >> _HEIGHT * level):
        for index in range(first // TILE_WIDTH, (end - 1) // TILE_WIDTH + 1):
            yield TileId(level, index, tile_width(level=level, index=index, size=size2))
        level += 1


def grow(size: int, leaves: Sequence[bytes], read_tile: ReadTile) -> dict[tuple[int, int], bytes]:
    """The new full contents of every tile that appending `leaves` to a tree of `size` leaves changes.

    `leaves` are leaf hashes of 32 bytes. The result maps (level, tile index) to 32 to 8,192 bytes, for the
    tiles of `tiles_written`. Reads at most one partial tile a level. Raises InvalidInput TREE_SIZES or
    HASH_LENGTH, Corrupt TILE_LENGTH.
    """
    _check_sizes(size, size + len(leaves))
    if any(len(leaf) != HASH_BYTES for leaf in leaves):
        raise InvalidInput("HASH_LENGTH", f"A leaf hash has {HASH_BYTES} bytes.")
    changed: dict[tuple[int, int], bytes] = {}
    level, nodes = 0, b"".join(leaves)
    while nodes:
        index, width = divmod(size >> _HEIGHT * level, TILE_WIDTH)
        if width:
            nodes = _read(read_tile, level, index, width) + nodes
        parents: list[bytes] = []
        for at in range(0, len(nodes), _TILE_BYTES):
            content = changed[level, index] = nodes[at : at + _TILE_BYTES]
            if len(content) == _TILE_BYTES:
                parents.append(_perfect_root(content))
            index += 1
        level, nodes = level + 1, b"".join(parents)
    return changed


def edge_at(size: int, read_tile: ReadTile) -> RightEdge:
    """The right edge of the tree of `size` leaves. Raises InvalidInput TREE_SIZES, Corrupt TILE_LENGTH."""
    _check_sizes(0, size)
    return RightEdge(size, tuple(_Reader(size, read_tile).peaks(0, size)))


def root_at(size: int, read_tile: ReadTile) -> bytes:
    """The root, 32 bytes, of the tree of `size` leaves. Raises as `edge_at`."""
    return edge_at(size, read_tile).root()


def prove_inclusion(index: int, size: int, read_tile: ReadTile) -> tuple[bytes, ...]:
    """The inclusion proof (RFC 6962 section 2.1.1) of leaf `index` in the tree of `size` leaves.

    Siblings of 32 bytes, the leaf's first. Raises InvalidInput PROOF_INDEX or TREE_SIZES, Corrupt
    TILE_LENGTH.
    """
    _check_sizes(0, size)
    if not 0 <= index < size:
        raise InvalidInput("PROOF_INDEX", "There is no such entry in a tree of this size yet.")
    begin, end = 0, size
    siblings: list[tuple[int, int]] = []
    while end - begin > 1:
        middle = _split(begin, end)
        if index < middle:
            siblings.append((middle, end))
            end = middle
        else:
            siblings.append((begin, middle))
            begin = middle
    reader = _Reader(size, read_tile)
    return tuple(reader.root(*sibling) for sibling in reversed(siblings))


def prove_consistency(size1: int, size2: int, read_tile: ReadTile) -> tuple[bytes, ...]:
    """The consistency proof (RFC 6962 section 2.1.2) from `size1` (1 or more) to `size2` leaves.

    Hashes of 32 bytes, none when the sizes are equal. Raises InvalidInput PROOF_SIZES or TREE_SIZES,
    Corrupt TILE_LENGTH.
    """
    _check_sizes(size1, size2)
    if size1 == 0:
        raise InvalidInput("PROOF_SIZES", "Every tree extends the empty one: there is nothing to prove.")
    begin, end = 0, size2
    subtrees: list[tuple[int, int]] = []
    while end != size1:
        middle = _split(begin, end)
        if size1 <= middle:
            subtrees.append((middle, end))
            end = middle
        else:
            subtrees.append((begin, middle))
            begin = middle
    if begin:  # otherwise what is left is the old tree itself, whose root the verifier has
        subtrees.append((begin, end))
    reader = _Reader(size2, read_tile)
    return tuple(reader.root(*subtree) for subtree in reversed(subtrees))


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """`entries`, 1 to 256 of at most 65,535 bytes, each behind its length as 2 bytes big-endian.

    Raises InvalidInput BUNDLE_WIDTH or ENTRY_TOO_LONG.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise InvalidInput("BUNDLE_WIDTH", f"A bundle has 1 to {TILE_WIDTH} entries.")
    parts: list[bytes] = []
    for entry in entries:
        if len(entry) > MAX_ENTRY_BYTES:
            raise InvalidInput("ENTRY_TOO_LONG", f"A log entry has at most {MAX_ENTRY_BYTES} bytes.")
        parts.append(len(entry).to_bytes(_LENGTH_BYTES, "big"))
        parts.append(entry)
    return b"".join(parts)


def parse_bundle(data: bytes, *, width: int) -> list[bytes]:
    """The `width` (1..256) entries of `encode_bundle` output. Raises Corrupt BUNDLE_MALFORMED for other bytes."""
    entries: list[bytes] = []
    position = 0
    while position < len(data) and len(entries) < width:
        body = position + _LENGTH_BYTES
        position = body + int.from_bytes(data[position:body], "big")
        entries.append(data[body:position])
    # `position` is past the end when the last length or entry was cut short.
    if position != len(data) or len(entries) != width or not 1 <= width <= TILE_WIDTH:
        raise Corrupt("BUNDLE_MALFORMED", f"Not a bundle of exactly {width} entries.")
    return entries


class _Reader:
    """Subtree roots of the tree of `size` leaves, each tile read once."""

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        self._size = size
        self._read_tile = read_tile
        self._tiles: dict[tuple[int, int], bytes] = {}

    def root(self, begin: int, end: int) -> bytes:
        """The Merkle tree hash of leaves begin..end, a subtree that the recursion of RFC 6962 meets."""
        return join_peaks(self.peaks(begin, end))

    def peaks(self, begin: int, end: int) -> Iterator[bytes]:
        """The roots of the perfect subtrees that leaves begin..end split into, the largest first."""
        while begin < end:
            height = (end - begin).bit_length() - 1
            yield self._node(height, begin >> height)
            begin += 1 << height

    def _node(self, height: int, index: int) -> bytes:
        """The node `index` of row `height`, whose leaves are all there."""
        level, rise = divmod(height, _HEIGHT)
        tile, start = divmod(index << rise, TILE_WIDTH)
        content = self._tiles.get((level, tile))
        if content is None:
            width = tile_width(level=level, index=tile, size=self._size)
            content = self._tiles[level, tile] = _read(self._read_tile, level, tile, width)
        return _inner_node(content[start * HASH_BYTES : (start + (1 << rise)) * HASH_BYTES])


def _read(read_tile: ReadTile, level: int, index: int, width: int) -> bytes:
    content = read_tile(level, index, width)
    if len(content) != width * HASH_BYTES:
        raise Corrupt("TILE_LENGTH", f"Tile {index} of level {level} does not have {width} hashes.")
    return content


# Proofs near each other share most of their inner nodes, and computing those is nearly all that a proof
# costs. Keyed by content, so nothing can go stale; at most 4 KiB a key.
@lru_cache(maxsize=2048)
def _inner_node(nodes: bytes) -> bytes:
    """`_perfect_root` of up to half a tile."""
    return _perfect_root(nodes)


def _perfect_root(nodes: bytes) -> bytes:
    """The root over 1, 2, 4, … or 256 concatenated hashes."""
    while len(nodes) > HASH_BYTES:
        nodes = b"".join(
            [
                node_hash(nodes[at : at + HASH_BYTES], nodes[at + HASH_BYTES : at + 2 * HASH_BYTES])
                for at in range(0, len(nodes), 2 * HASH_BYTES)
            ]
        )
    return nodes


def _split(begin: int, end: int) -> int:
    """Where RFC 6962 splits a run of two or more: the largest power of two under it."""
    return begin + (1 << (end - begin - 1).bit_length() - 1)


def _index_path(index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def _small_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 3 else -1


def _check_range(level: int, index: int, width: int) -> None:
    if not (0 <= level <= _MAX_LEVEL and 0 <= index <= _MAX_INDEX and 1 <= width <= TILE_WIDTH):
        raise InvalidInput("TILE_RANGE", "A tile has a level of 0..63, an index and a width of 1..256.")


def _check_sizes(size1: int, size2: int) -> None:
    if not 0 <= size1 <= size2 <= MAX_SIZE:
        raise InvalidInput("TREE_SIZES", f"Tree sizes run from 0 to {MAX_SIZE} and never shrink.")
