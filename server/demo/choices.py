"""Repeatable choices for made-up data. Never used for a draw.

The same seed gives the same day on every machine and every Python: the standard library's `shuffle`
and `choice` may change between releases, so numbers come from SHA-256 in counter mode. Whoever knows the
seed knows the data, which is the point here, and why nothing secret may ever come from this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from assign.encoding import lp, sha256, u64be

__all__ = ["Choices"]

T = TypeVar("T")

_WORD_BYTES = 8
_WORD_RANGE = 2 ** (8 * _WORD_BYTES)


class Choices:
    """A stream of choices named by a seed and a purpose; two purposes do not disturb each other."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._name = lp("demo/v1", str(seed), purpose)
        self._counter = 0

    def _word(self) -> int:
        block = sha256(self._name + u64be(self._counter))
        self._counter += 1
        return int.from_bytes(block[:_WORD_BYTES], "big")

    def below(self, bound: int) -> int:
        """A whole number 0 to `bound - 1`, each equally likely."""
        limit = _WORD_RANGE - _WORD_RANGE % bound
        while (word := self._word()) >= limit:
            pass
        return word % bound

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`."""
        return items[self.below(len(items))]

    def happens(self, percent: int) -> bool:
        """True in `percent` of 100 cases."""
        return self.below(100) < percent

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """`items` in a new order (Fisher-Yates)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """`count` different positions of `items`, or all of them where there are fewer."""
        return self.shuffled(items)[:count]
