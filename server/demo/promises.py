"""What the demonstration promises. The first promise that does not hold ends it."""

from __future__ import annotations

from collections import Counter

__all__ = ["BrokenPromise", "Promises"]


class BrokenPromise(Exception):
    """A promise did not hold: which one, and what was seen instead."""

    def __init__(self, promise: str, seen: str) -> None:
        super().__init__(promise, seen)
        self.promise = promise
        self.seen = seen

    def __str__(self) -> str:
        return f"Broken promise: {self.promise}." + (f" Seen: {self.seen}." if self.seen else "")


class Promises:
    """Counts the checks behind each promise, so that the end can say how often each was put to the test."""

    def __init__(self) -> None:
        self._kept: Counter[str] = Counter()

    def keep(self, promise: str, holds: bool, seen: str = "") -> None:
        """Count one check of `promise`. Raises BrokenPromise unless it holds."""
        if not holds:
            raise BrokenPromise(promise, seen)
        self._kept[promise] += 1

    @property
    def kept(self) -> dict[str, int]:
        """How often each promise was checked and held, in the order in which they came up."""
        return dict(self._kept)
