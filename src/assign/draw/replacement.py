"""A drawn person cannot come: the next free one of the order's reserve order takes over, nobody else moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from assign.person import Pseudonym

__all__ = ["Substitution", "choose_substitute"]


class Substitution(NamedTuple):
    """Who takes over and why not somebody earlier.

    Attributes:
        substitute: the first free person of the reserve order; None where nobody is left.
        passed_over: everybody before him, in the reserve order, as (person, reason code).
    """

    substitute: Pseudonym | None
    passed_over: tuple[tuple[Pseudonym, str], ...]


def choose_substitute(reserve: Sequence[Pseudonym], *, unavailable: Mapping[Pseudonym, str]) -> Substitution:
    """The first of `reserve` that is not in `unavailable`.

    Args:
        reserve: the order's reserve order, as `assign.draw.reserves.reserve_order` gives it. It holds
            every eligible person, the drawn ones included.
        unavailable: a reason code for each person who cannot take over (the absent one, his team mate,
            whoever is busy, absent or no longer cleared).
    """
    passed_over: list[tuple[Pseudonym, str]] = []
    for person in reserve:
        why = unavailable.get(person)
        if why is None:
            return Substitution(person, tuple(passed_over))
        passed_over.append((person, why))
    return Substitution(None, tuple(passed_over))
