"""The outcome of one wave: who was drawn for which seat, as canonical bytes whose hash is logged at once.

Format `transcript/v1`, canonical JSON. `teams` runs parallel to the orders of the inputs; an order left
over has an empty team and an entry under `left_over` with the competition that left it so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from assign.encoding import Json, canonical_json
from assign.names import OrderId
from assign.person import Pseudonym

__all__ = ["FORMAT", "LeftOver", "Transcript"]

FORMAT = "transcript/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """An order nobody could be drawn for, with its Hall certificate: these orders compete for these persons."""

    order: OrderId
    orders: tuple[OrderId, ...]
    persons: tuple[Pseudonym, ...]

    def to_json(self) -> Json:
        """Canonical JSON object."""
        return {"order": self.order, "orders": [*self.orders], "persons": [*self.persons]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """The one outcome of a wave."""

    origin: str
    wave: str
    orders: tuple[OrderId, ...]
    teams: tuple[tuple[Pseudonym, ...], ...]
    left_over: tuple[LeftOver, ...]

    def seats(self) -> Iterator[tuple[OrderId, Pseudonym]]:
        """Every served seat as (order, person)."""
        for order, team in zip(self.orders, self.teams, strict=True):
            for person in team:
                yield order, person

    def to_bytes(self) -> bytes:
        """The canonical bytes whose blinded hash is logged at the draw."""
        return canonical_json(
            {
                "format": FORMAT,
                "left_over": [left.to_json() for left in self.left_over],
                "orders": [*self.orders],
                "origin": self.origin,
                "teams": [[*team] for team in self.teams],
                "wave": self.wave,
            }
        )
