"""Where randomness comes from. Nothing else in the server asks for it, so that a test can replay a run."""

from __future__ import annotations

import os
from typing import Protocol

__all__ = ["Entropy", "SystemEntropy"]


class Entropy(Protocol):
    """A source of random bytes that nobody can predict."""

    def bytes(self, count: int) -> bytes:
        """`count` fresh bytes."""
        ...


class SystemEntropy:
    """The operating system's generator (getrandom on Linux); waits until it is seeded, never falls back."""

    def bytes(self, count: int) -> bytes:
        """`count` fresh bytes."""
        return os.urandom(count)
