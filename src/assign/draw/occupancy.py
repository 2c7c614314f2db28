"""Who has which inspections in one shift, as the log tells it up to some entry.

One account of it serves the freeze (`busy`), the replacement (`unavailable`) and the verifier, which
rebuilds it from the log. A person has an inspection from the draw, or from the approval that makes him
the substitute, until he is replaced or the slot is cancelled.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from assign.names import OrderId
from assign.person import Pseudonym

__all__ = ["Inspection", "Occupancy", "WhyPassedOver"]


class WhyPassedOver(StrEnum):
    """Why somebody earlier in the reserve order does not take over; stable codes.

    All but the last two follow from the log; those rest on facts that only the operator has.
    """

    REPLACED = "REPLACED"
    IN_TEAM = "IN_TEAM"
    ABSENT = "ABSENT"
    FULL = "FULL"
    BUSY = "BUSY"
    NOT_CLEARED = "NOT_CLEARED"
    RECUSED = "RECUSED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One order's inspection after the draw. Times are aware UTC; it takes `start <= t < end`."""

    wave: str
    order: OrderId
    start: datetime
    end: datetime


class Occupancy:
    """The inspections of one shift. Changes are applied in the order of the log's entries."""

    def __init__(self) -> None:
        self._inspections: dict[OrderId, Inspection] = {}
        self._teams: dict[OrderId, list[Pseudonym]] = {}
        self._replaced: dict[OrderId, set[Pseudonym]] = {}
        self._orders_of: dict[Pseudonym, dict[OrderId, Inspection]] = {}

    def draw(self, inspection: Inspection, team: Iterable[Pseudonym]) -> None:
        """`team` was drawn for a slot that is not cancelled."""
        self.cancel(inspection.order)
        self._inspections[inspection.order] = inspection
        self._teams[inspection.order] = []
        self._replaced[inspection.order] = set()
        for person in team:
            self._give(inspection.order, person)

    def replace(self, order: OrderId, absent: Pseudonym, substitute: Pseudonym | None) -> None:
        """`absent` no longer has the order, `substitute` (None: nobody) has. Does nothing for an unknown order."""
        if order in self._inspections:
            self._take(order, absent)
            self._replaced[order].add(absent)
            if substitute is not None:
                self._give(order, substitute)

    def cancel(self, order: OrderId) -> None:
        """The order's slot was cancelled: its team is free. Does nothing for an order without inspection."""
        for person in self._teams.pop(order, []):
            self._orders_of[person].pop(order, None)
        self._inspections.pop(order, None)
        self._replaced.pop(order, None)

    def team_of(self, order: OrderId) -> tuple[Pseudonym, ...]:
        """Who has the order now."""
        return tuple(self._teams.get(order, ()))

    def busy(self, person: Pseudonym, *, after: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """`(start, end)` of each inspection the person has that ends later than `after`, sorted."""
        inspections = self._orders_of.get(person, {}).values()
        return tuple(sorted((item.start, item.end) for item in inspections if item.end > after))

    def unavailable(
        self, order: OrderId, *, capacity: Mapping[Pseudonym, int], absent: Collection[Pseudonym]
    ) -> dict[Pseudonym, str]:
        """Who cannot take over `order` and why, as far as the log tells.

        Args:
            capacity: of everybody who might, as in the wave's inputs.
            absent: reported absent in the log of the shift.
        """
        found = {person: self._why_not(order, person, most, absent) for person, most in capacity.items()}
        return {person: why for person, why in found.items() if why is not None}

    def _why_not(
        self, order: OrderId, person: Pseudonym, capacity: int, absent: Collection[Pseudonym]
    ) -> WhyPassedOver | None:
        this = self._inspections.get(order)
        if person in self._replaced.get(order, ()):
            return WhyPassedOver.REPLACED
        if person in self._teams.get(order, ()):
            return WhyPassedOver.IN_TEAM
        if person in absent:
            return WhyPassedOver.ABSENT
        if this is None:
            return None
        others = self._orders_of.get(person, {}).values()
        if sum(other.wave == this.wave for other in others) >= capacity:
            return WhyPassedOver.FULL
        # Within one wave the capacity says how many at the same time; between waves nobody is in two places.
        if any(o.wave != this.wave and o.start < this.end and this.start < o.end for o in others):
            return WhyPassedOver.BUSY
        return None

    def _give(self, order: OrderId, person: Pseudonym) -> None:
        self._teams[order].append(person)
        self._orders_of.setdefault(person, {})[order] = self._inspections[order]

    def _take(self, order: OrderId, person: Pseudonym) -> None:
        if person in self._teams[order]:
            self._teams[order].remove(person)
            del self._orders_of[person][order]
