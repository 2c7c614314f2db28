"""Shamir's secret sharing: any `threshold` of the shares give the secret, fewer say nothing about it.

Each byte of the secret is the value at 0 of its own random polynomial of degree `threshold - 1` over GF(2^8)
with the polynomial of AES (x^8 + x^4 + x^3 + x + 1); a share is the values at its own x, then x itself
(Shamir, "How to share a secret", CACM 22, 1979). These are the bytes that HashiCorp Vault's `shamir` package
reads and writes, so that shares outlive this software: any port of it combines them.

Sharing has no integrity of its own: wrong shares give a wrong secret. The caller compares with a commitment.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

from assign.errors import InvalidInput
from server.entropy import Entropy

__all__ = ["MAX_SHARES", "combine", "split", "wipe"]

MAX_SHARES: Final = 255
_REDUCE: Final = 0x11B  # x^8 + x^4 + x^3 + x + 1
_ORDER: Final = 255  # of the multiplicative group


def split(secret: bytes | bytearray, *, threshold: int, count: int, entropy: Entropy) -> list[bytearray]:
    """`count` shares of `secret`, each one byte longer; the caller wipes them.

    Raises InvalidInput (ESCROW_THRESHOLD) unless 2 <= threshold <= count <= 255.
    """
    if not 2 <= threshold <= count <= MAX_SHARES:
        raise InvalidInput("ESCROW_THRESHOLD", "A secret is split 2-of-2 up to 255-of-255; one share is never enough.")
    # coefficients[d] belongs to x^d, one byte for each byte of the secret.
    coefficients = [bytearray(secret)] + [bytearray(entropy.bytes(len(secret))) for _ in range(threshold - 1)]
    shares = []
    for x in range(1, count + 1):
        share = bytearray(len(secret) + 1)
        for coefficient in reversed(coefficients):
            for at, value in enumerate(coefficient):
                share[at] = _times(share[at], x) ^ value  # Horner
        share[-1] = x
        shares.append(share)
    for coefficient in coefficients:
        wipe(coefficient)
    return shares


def combine(shares: Sequence[bytes | bytearray]) -> bytearray:
    """What the shares of `split` were made from; the caller wipes it. Shares that do not belong together
    give a secret that nobody had.

    Raises InvalidInput (ESCROW_SHARES) for none, for shares of different lengths, or for one twice.
    """
    lengths = {len(share) for share in shares}
    places = [share[-1] for share in shares if share]
    if len(lengths) != 1 or lengths.pop() < 2 or len(set(places)) != len(places) or 0 in places:
        raise InvalidInput("ESCROW_SHARES", "These are not different shares of one secret.")
    secret = bytearray(len(shares[0]) - 1)
    for index, share in enumerate(shares):
        weight = _weight(places, index)
        for at in range(len(secret)):
            secret[at] ^= _times(share[at], weight)
    return secret


def wipe(buffer: bytearray) -> None:
    """Overwrite with zeros what Python lets us overwrite; copies that were made of it stay."""
    buffer[:] = bytes(len(buffer))


def _weight(places: list[int], index: int) -> int:
    """Lagrange's coefficient of one share for the value at 0."""
    weight = 1
    for other in itertools.chain(places[:index], places[index + 1 :]):
        weight = _times(weight, _times(other, _inverse(other ^ places[index])))
    return weight


def _times(left: int, right: int) -> int:
    """The product in GF(2^8), without a table and without a branch on the operands."""
    product = 0
    for bit in range(7, -1, -1):
        product = (product << 1) ^ (-(product >> 7) & _REDUCE)
        product ^= -(right >> bit & 1) & left
    return product


def _inverse(value: int) -> int:
    """value^254: the inverse, 0 for 0."""
    result = 1
    for _ in range(_ORDER - 1):
        result = _times(result, value)
    return result
