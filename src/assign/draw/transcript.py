"""The outcome of one wave: who was drawn for which seat, as canonical bytes whose hash is logged at once.

Format `transcript/v1`, canonical JSON. `teams` runs parallel to the orders of the inputs; an order left
over has an empty team and stands under `left_over` with the competition that left it so. Orders with the
same competition share one item: a crowded wave would otherwise repeat it for each of them.
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
    """An order nobody could be drawn for, with its Hall certificate (`assign.draw.hall`).

    Attributes:
        competing: the served orders that compete with it for `persons`, sorted.
        persons: everybody whom it, and they, could still turn to, sorted; all have what they can take.
    """

    order: OrderId
    competing: tuple[OrderId, ...]
    persons: tuple[Pseudonym, ...]


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
                "left_over": self._competitions(),
                "orders": [*self.orders],
                "origin": self.origin,
                "teams": [[*team] for team in self.teams],
                "wave": self.wave,
            }
        )

    def _competitions(self) -> list[Json]:
        """`left_over` with the orders of one competition together, in the order of the first of each."""
        together: dict[tuple[tuple[OrderId, ...], tuple[Pseudonym, ...]], list[Json]] = {}
        for left in self.left_over:
            together.setdefault((left.competing, left.persons), []).append(left.order)
        return [
            {"competing": [*competing], "left_over": orders, "persons": [*persons]}
            for (competing, persons), orders in together.items()
        ]
