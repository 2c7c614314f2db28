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


_Key = tuple[str, OrderId]


class WhyPassedOver(StrEnum):
    """Why somebody earlier in the reserve order does not take over; stable codes.

    The first three follow from the log; the last two rest on facts that only the operator has.
    """

    ABSENT = "ABSENT"
    IN_TEAM = "IN_TEAM"
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
    """The inspections of one shift. Changes are applied in the order of the log's entries.

    An inspection is known by its wave and order: an order may be drawn again after its slot was cancelled.
    """

    def __init__(self) -> None:
        self._inspections: dict[_Key, Inspection] = {}
        self._teams: dict[_Key, list[Pseudonym]] = {}
        self._replaced: dict[str, set[Pseudonym]] = {}
        self._has: dict[Pseudonym, dict[_Key, Inspection]] = {}

    def draw(self, inspection: Inspection, team: Iterable[Pseudonym]) -> None:
        """`team` was drawn for a slot that is not cancelled."""
        key = (inspection.wave, inspection.order)
        self._inspections[key] = inspection
        self._teams[key] = []
        for person in team:
            self._give(key, person)

    def replace(self, wave: str, order: OrderId, *, absent: Pseudonym, substitute: Pseudonym | None) -> None:
        """`absent` no longer has the inspection, `substitute` (None: nobody) has. He cannot come to the wave."""
        key = (wave, order)
        self._replaced.setdefault(wave, set()).add(absent)
        if key in self._inspections:
            self._take(key, absent)
            if substitute is not None:
                self._give(key, substitute)

    def cancel(self, wave: str, order: OrderId) -> None:
        """The slot was cancelled: its team is free. Nothing if the inspection is not known."""
        key = (wave, order)
        for person in self.team_of(wave, order):
            self._take(key, person)
        self._teams.pop(key, None)
        self._inspections.pop(key, None)

    def team_of(self, wave: str, order: OrderId) -> tuple[Pseudonym, ...]:
        """Who has the inspection now."""
        return tuple(self._teams.get((wave, order), ()))

    def orders_of(self, wave: str, person: Pseudonym) -> tuple[OrderId, ...]:
        """What the person has in one wave, sorted."""
        return tuple(sorted(order for name, order in self._has.get(person, {}) if name == wave))

    def busy(self, person: Pseudonym, *, after: datetime) -> tuple[tuple[datetime, datetime], ...]:
        """`(start, end)` of each inspection the person has that ends later than `after`, sorted, each once."""
        inspections = self._has.get(person, {}).values()
        return tuple(sorted({(item.start, item.end) for item in inspections if item.end > after}))

    def all_busy(self, *, after: datetime) -> dict[Pseudonym, frozenset[tuple[datetime, datetime]]]:
        """`busy` of everybody who is."""
        times = {person: frozenset(self.busy(person, after=after)) for person in self._has}
        return {person: busy for person, busy in times.items() if busy}

    def unavailable(
        self,
        wave: str,
        order: OrderId,
        *,
        leaving: Pseudonym,
        capacity: Mapping[Pseudonym, int],
        absent: Collection[Pseudonym],
    ) -> dict[Pseudonym, str]:
        """Who cannot take over from `leaving` and why, as far as the log tells.

        Args:
            capacity: of everybody who might take over, as in the wave's inputs; the answer is about these.
            absent: reported absent in the log of the shift; asked for each of them, so best a set.
        """
        away = self._replaced.get(wave, set()) | {leaving}
        found: dict[Pseudonym, str] = {}
        for person, most in capacity.items():
            why = WhyPassedOver.ABSENT if person in away or person in absent else None
            why = why or self._why_not((wave, order), person, most)
            if why is not None:
                found[person] = why
        return found

    def _why_not(self, key: _Key, person: Pseudonym, capacity: int) -> WhyPassedOver | None:
        if person in self._teams.get(key, ()):
            return WhyPassedOver.IN_TEAM
        this, others = self._inspections.get(key), self._has.get(person, {}).values()
        if this is None or not others:
            return None
        if sum(other.wave == this.wave for other in others) >= capacity:
            return WhyPassedOver.BUSY
        # Within one wave the capacity says how many at the same time; between waves nobody is in two places.
        if any(o.wave != this.wave and o.start < this.end and this.start < o.end for o in others):
            return WhyPassedOver.BUSY
        return None

    def _give(self, key: _Key, person: Pseudonym) -> None:
        self._teams[key].append(person)
        self._has.setdefault(person, {})[key] = self._inspections[key]

    def _take(self, key: _Key, person: Pseudonym) -> None:
        if person in self._teams[key]:
            self._teams[key].remove(person)
            del self._has[person][key]
