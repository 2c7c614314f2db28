"""The Merkle tree of RFC 6962 section 2.1 and RFC 9162 section 2.1: hashes, roots and proof checks.

Pure functions over bytes. Every hash is 32 bytes of SHA-256; a *size* counts leaves, an *index* is the
zero-based place of one. What is being verified is evidence, so a bad proof raises Corrupt; what this
process hands in itself (a leaf hash to append) raises InvalidInput.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assign.encoding import u64be
from assign.errors import AssignError, Corrupt, InvalidInput

__all__ = [
    "EMPTY_ROOT",
    "HASH_BYTES",
    "MAX_PATH",
    "MAX_SIZE",
    "RightEdge",
    "join_peaks",
    "leaf_hash",
    "node_hash",
    "root_of",
    "verify_consistency",
    "verify_inclusion",
]

HASH_BYTES = 32
MAX_SIZE = 2**63 - 1  # what other implementations hold in a signed 64-bit integer
MAX_PATH = 63  # hashes in the longest proof of a tree of MAX_SIZE leaves
EMPTY_ROOT = hashlib.sha256(b"").digest()

_SIZE_BYTES = 8


def leaf_hash(entry: bytes) -> bytes:
    """SHA-256 of 0x00 ‖ `entry` (RFC 6962 section 2.1): 32 bytes."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256 of 0x01 ‖ `left` ‖ `right` (RFC 6962 section 2.1): 32 bytes, of two of 32 bytes each."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class RightEdge:
    """All that appending needs to know of a tree: the roots of the perfect subtrees it splits into.

    A value: `append` and `extend` return the edge of the grown tree and leave this one as it was, so
    an append whose commit failed is undone by forgetting it.

    Attributes:
        size: leaves in the tree, 0 to MAX_SIZE.
        peaks: one 32-byte root for each set bit of `size`, the largest subtree (leftmost leaves) first.

    Raises InvalidInput EDGE_SIZE, EDGE_PEAKS or HASH_LENGTH when built from anything else.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.size <= MAX_SIZE:
            raise InvalidInput("EDGE_SIZE", f"A tree has 0 to {MAX_SIZE} leaves.")
        if len(self.peaks) != self.size.bit_count():
            raise InvalidInput("EDGE_PEAKS", "A right edge has one peak for each set bit of its size.")
        _check_lengths(InvalidInput, self.peaks)

    def append(self, leaf: bytes) -> RightEdge:
        """The edge after one more leaf hash (32 bytes). Raises InvalidInput HASH_LENGTH, EDGE_SIZE."""
        return self.extend((leaf,))

    def extend(self, leaves: Iterable[bytes]) -> RightEdge:
        """The edge after `leaves`, hashes of 32 bytes. Raises InvalidInput HASH_LENGTH, EDGE_SIZE."""
        peaks, size = list(self.peaks), self.size
        for leaf in leaves:
            _check_lengths(InvalidInput, (leaf,))
            node, carry = leaf, size
            # Adding one to `size` carries through its trailing ones: each carry joins two equal subtrees.
            while carry & 1:
                node = node_hash(peaks.pop(), node)
                carry >>= 1
            peaks.append(node)
            size += 1
        return RightEdge(size, tuple(peaks))

    def root(self) -> bytes:
        """The Merkle tree hash (RFC 6962 section 2.1): 32 bytes; EMPTY_ROOT of an empty tree."""
        return join_peaks(self.peaks) if self.peaks else EMPTY_ROOT

    def to_bytes(self) -> bytes:
        """`size` as 8 bytes big-endian, then the peaks: 8 bytes and 32 for each set bit of `size`."""
        return u64be(self.size) + b"".join(self.peaks)

    @classmethod
    def from_bytes(cls, data: bytes) -> RightEdge:
        """The edge of `to_bytes` output. Raises Corrupt EDGE_MALFORMED for any other bytes."""
        size = int.from_bytes(data[:_SIZE_BYTES], "big")
        if size > MAX_SIZE or len(data) != _SIZE_BYTES + HASH_BYTES * size.bit_count():
            raise Corrupt("EDGE_MALFORMED", "These bytes are not the right edge of a Merkle tree.")
        return cls(size, tuple(data[at : at + HASH_BYTES] for at in range(_SIZE_BYTES, len(data), HASH_BYTES)))


def join_peaks(peaks: Iterable[bytes]) -> bytes:
    """The root over the perfect subtrees with these roots (one or more, the largest, leftmost, first)."""
    *left, node = peaks
    for peak in reversed(left):
        node = node_hash(peak, node)
    return node


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The Merkle tree hash over leaf hashes of 32 bytes each. Raises InvalidInput HASH_LENGTH."""
    return RightEdge().extend(leaves).root()


def verify_inclusion(*, index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Checks that the leaf hash `leaf` is at `index` of the tree of `size` leaves with this `root`.

    `proof` holds the siblings from the leaf up, as in RFC 6962 section 2.1.1 (RFC 9162 section 2.1.3.2
    checks it). A root does not bind its size: take both from one signed checkpoint. Raises Corrupt:
    INCLUSION_INDEX, HASH_LENGTH, PROOF_LENGTH or ROOT_MISMATCH.
    """
    if not 0 <= index < size <= MAX_SIZE:
        raise Corrupt("INCLUSION_INDEX", "The entry's index is not inside a tree of this size.")
    _check_lengths(Corrupt, (leaf, root, *proof))
    inner, border = _turns(index, size - 1)
    if len(proof) != inner + border:
        raise Corrupt("PROOF_LENGTH", f"An inclusion proof here has {inner + border} hashes.")
    node = leaf
    for level, sibling in enumerate(proof):
        pair = (sibling, node) if _is_left(index, level, inner) else (node, sibling)
        node = node_hash(*pair)
    _check_root(node, root)


def verify_consistency(*, size1: int, size2: int, root1: bytes, root2: bytes, proof: Sequence[bytes]) -> None:
    """Checks that the tree of `size2` leaves with `root2` only appends to that of `size1` with `root1`.

    `proof` is as in RFC 6962 section 2.1.2 (RFC 9162 section 2.1.4.2 checks it). From size 0 there is
    nothing to prove, so such a proof is refused. A root does not bind its size: take each pair from one
    signed checkpoint. Raises Corrupt: CONSISTENCY_SIZES, HASH_LENGTH,
    PROOF_LENGTH or ROOT_MISMATCH.
    """
    if not 0 < size1 <= size2 <= MAX_SIZE:
        raise Corrupt("CONSISTENCY_SIZES", "A consistency proof leads from a size of 1 or more to no less.")
    if size1 == size2:
        # Nothing is hashed, the two claims are only compared: the published vectors want even roots that are
        # not 32 bytes long to be equal here.
        if proof:
            raise Corrupt("PROOF_LENGTH", "Between equal sizes there is nothing to prove.")
        _check_root(root1, root2)
        return
    _check_lengths(Corrupt, (root1, root2, *proof))
    # The walk starts at the last subtree of the old tree that is perfect: `skipped` levels up, its index
    # there is `start`. Only the leftmost one (start 0) is the old root itself and not in the proof.
    skipped = (size1 & -size1).bit_length() - 1
    start, last = (size1 - 1) >> skipped, (size2 - 1) >> skipped
    inner, border = _turns(start, last)
    given = 1 if start else 0
    if len(proof) != given + inner + border:
        raise Corrupt("PROOF_LENGTH", f"A consistency proof here has {given + inner + border} hashes.")
    old = new = proof[0] if given else root1
    for level, sibling in enumerate(proof[given:]):
        if _is_left(start, level, inner):
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
    _check_root(old, root1)
    _check_root(new, root2)


def _turns(index: int, last: int) -> tuple[int, int]:
    """How many siblings a node at `index` of a row ending at `last` has below and along the right border.

    Up to where the paths of `index` and `last` meet, every level has a sibling (left or right by the bit
    of `index`); above it both run along the border, where only a set bit means one, always a left one.
    """
    inner = (index ^ last).bit_length()
    return inner, (index >> inner).bit_count()


def _is_left(index: int, level: int, inner: int) -> bool:
    return level >= inner or (index >> level) & 1 == 1


def _check_lengths(error: type[AssignError], hashes: Iterable[bytes]) -> None:
    for item in hashes:
        if len(item) != HASH_BYTES:
            raise error("HASH_LENGTH", f"A Merkle tree hash has {HASH_BYTES} bytes.")


def _check_root(computed: bytes, root: bytes) -> None:
    if computed != root:
        raise Corrupt("ROOT_MISMATCH", "The proof does not lead to this root hash: altered or forged.")
