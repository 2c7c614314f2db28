"""Keystream, bounded integers and shuffle in plain Python: the part of the specification the draw rests on.

ChaCha20 is RFC 8439; bounded integers are Lemire's unbiased ones (arXiv 1805.10941).
"""

from __future__ import annotations

__all__ = ["NONCE_PLAIN", "Stream", "keystream", "nonce", "permute", "shuffle"]

NONCE_PLAIN = bytes(12)


def nonce(tag: bytes, index: int = 0) -> bytes:
    """The 12-byte nonce of a stream: a 4-byte tag, then `index` as 8 bytes little-endian."""
    return tag + index.to_bytes(8, "little")


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & 0xFFFFFFFF


def _quarter_round(x: list[int], a: int, b: int, c: int, d: int) -> None:
    for p, q, r, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        x[p] = (x[p] + x[q]) & 0xFFFFFFFF
        x[r] = _rotate(x[r] ^ x[p], bits)


def _block(key: bytes, nonce: bytes, counter: int) -> bytes:
    """One ChaCha20 block, RFC 8439 section 2.3."""
    parts = b"expand 32-byte k" + key + counter.to_bytes(4, "little") + nonce
    start = [int.from_bytes(parts[i : i + 4], "little") for i in range(0, 64, 4)]
    x = list(start)
    for _ in range(10):
        for column in range(4):
            _quarter_round(x, column, column + 4, column + 8, column + 12)
        for diagonal in range(4):
            _quarter_round(x, diagonal, 4 + (diagonal + 1) % 4, 8 + (diagonal + 2) % 4, 12 + (diagonal + 3) % 4)
    return b"".join(((x[i] + start[i]) & 0xFFFFFFFF).to_bytes(4, "little") for i in range(16))


class Stream:
    """Keystream of one key and nonce, read front to back as little-endian words."""

    def __init__(self, key: bytes, nonce: bytes) -> None:
        self._key, self._nonce, self._counter, self._bytes = key, nonce, 0, b""

    def read(self, length: int) -> bytes:
        """The next `length` bytes."""
        while len(self._bytes) < length:
            self._bytes += _block(self._key, self._nonce, self._counter)
            self._counter += 1
        taken, self._bytes = self._bytes[:length], self._bytes[length:]
        return taken

    def below(self, bound: int, bits: int = 32) -> int:
        """A uniform integer in 0 .. bound-1 from words of `bits` bits (Lemire's method)."""
        rejected = 2**bits % bound
        while True:
            product = int.from_bytes(self.read(bits // 8), "little") * bound
            if product % 2**bits >= rejected:
                return product >> bits


def keystream(key: bytes, length: int) -> bytes:
    """The first `length` bytes of ChaCha20 under `key`, nonce 0, counter 0."""
    return Stream(key, NONCE_PLAIN).read(length)


def permute(items: list[int], stream: Stream, bits: int) -> list[int]:
    """Fisher-Yates from the last place down, in place."""
    for last in range(len(items) - 1, 0, -1):
        other = stream.below(last + 1, bits)
        items[last], items[other] = items[other], items[last]
    return items


def shuffle(n: int, key: bytes) -> list[int]:
    """A uniform permutation of 0 .. n-1, from 64-bit words of `keystream(key, ...)`."""
    return permute(list(range(n)), Stream(key, NONCE_PLAIN), 64)
