"""Entropy that anyone can predict: for tests alone."""

from __future__ import annotations

import hashlib

from assign.encoding import lp, u64be


class SeededEntropy:
    """SHAKE-256 of a seed and a counter: equal seeds give equal bytes, call by call."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._calls = 0

    def bytes(self, count: int) -> bytes:
        """The next `count` bytes."""
        self._calls += 1
        return hashlib.shake_256(lp("test entropy", u64be(self._seed), u64be(self._calls))).digest(count)
