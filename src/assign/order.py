"""Inspection orders and the slots booked for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from assign.container import ContainerNumber
from assign.encoding import canonical_json, lp, sha256
from assign.errors import InvalidInput
from assign.names import OrderId, PersonId, SlotId, TerminalCode

__all__ = ["MAX_MINUTES", "MAX_TIER", "Order", "Slot", "check_qualification", "order_digest"]

MAX_TIER = 9
MAX_MINUTES = 24 * 60
_MAX_WORD = 63


def check_qualification(text: str, *, field: str = "") -> str:
    """`text` as the name of a qualification: lower-case letters, digits and hyphens. Raises InvalidInput."""
    plain = text.replace("-", "")
    if not (plain.isascii() and plain.isalnum() and text == text.lower() and len(text) <= _MAX_WORD):
        raise InvalidInput(
            "QUALIFICATION_FORM",
            "A qualification is a lower-case word such as reefer or dangerous-goods.",
            field=field,
        )
    return text


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One container to be inspected.

    Attributes:
        tier: 0 is served first; up to 9. The class of the reason, never the risk details.
        team_size: 1, or 2 different persons.
        parties: trade parties as opaque ids, for recusal and cooldown.
        selected_by: who selected the container; never inspects it.
        salt: 32 random bytes that keep the order's digest in the log from being guessed.
    """

    order: OrderId
    container: ContainerNumber
    terminal: TerminalCode
    tier: int
    team_size: int
    qualifications: frozenset[str]
    parties: frozenset[str]
    selected_by: PersonId
    salt: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.tier <= MAX_TIER:
            raise InvalidInput("ORDER_TIER", f"A tier is 0 to {MAX_TIER}; 0 is served first.")
        if self.team_size not in (1, 2):
            raise InvalidInput("ORDER_TEAM_SIZE", "A team has 1 or 2 persons.")


def order_digest(
    *,
    salt: bytes,
    order: OrderId,
    container: ContainerNumber,
    terminal: TerminalCode,
    tier: int,
    team_size: int,
    qualifications: frozenset[str],
    parties: frozenset[str],
) -> bytes:
    """32 bytes that commit to an order when it arrives: SHA-256 over `LP("order/v1", salt, canonical JSON)`.

    The verifier recomputes it from the opened inputs, so that an order cannot change on its way to the draw.
    """
    body = canonical_json(
        {
            "container": container,
            "order": order,
            "parties": [*sorted(parties)],
            "qualifications": [*sorted(qualifications)],
            "team_size": team_size,
            "terminal": terminal,
            "tier": tier,
        }
    )
    return sha256(lp("order/v1", salt, body))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """An order's inspection place and start, booked by the terminal scheduling system.

    Attributes:
        start: aware UTC, whole seconds.
        minutes: expected duration, an input fixed at the freeze.
    """

    slot: SlotId
    order: OrderId
    terminal: TerminalCode
    start: datetime
    minutes: int

    def __post_init__(self) -> None:
        if not 1 <= self.minutes <= MAX_MINUTES:
            raise InvalidInput("SLOT_MINUTES", "An inspection's expected duration is 1 minute to 24 hours.")

    @property
    def end(self) -> datetime:
        """When the inspection is expected to be over."""
        return self.start + timedelta(minutes=self.minutes)
