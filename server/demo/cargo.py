"""Orders from declarations: container numbers, what the goods need, who selected them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType

from assign.container import ContainerNumber, check_digit, has_ambiguous_check_digit, parse_container_number
from assign.names import OrderId, PersonId, TerminalCode
from server.demo.choices import Choices
from server.demo.declarations import TIER_CRITICAL, Declaration

__all__ = ["DANGEROUS_GOODS", "REEFER", "PlannedOrder", "make_container_number", "make_orders", "needs_of_chapter"]

REEFER, DANGEROUS_GOODS = "reefer", "dangerous-goods"

# Chapters of the Harmonized System: food that travels cold; chemicals, explosives and the like.
_COLD_CHAIN = frozenset(f"{chapter:02d}" for chapter in (*range(2, 9), *range(16, 22)))
_DANGEROUS = frozenset({"28", "29", "36", "38"})
_MINUTES = MappingProxyType({"": 45, REEFER: 60, DANGEROUS_GOODS: 75})
_PERCENT_TEAM_OF_TWO = MappingProxyType({"": 12, REEFER: 15, DANGEROUS_GOODS: 35})
# Owner codes that spell what they are. The box belongs to nobody.
_OWNERS = ("DEMU", "DMOU", "EXAU", "FAKU", "MOCU", "TSTU")
_SERIALS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOrder:
    """An order before it is sent in. Fields as in `assign.order.Order`."""

    order: OrderId
    container: ContainerNumber
    terminal: TerminalCode
    tier: int
    team_size: int
    qualifications: frozenset[str]
    parties: frozenset[str]
    selected_by: PersonId
    minutes: int


def needs_of_chapter(chapter: str) -> str:
    """The qualification that goods of a chapter need, "" for none."""
    if chapter in _COLD_CHAIN:
        return REEFER
    return DANGEROUS_GOODS if chapter in _DANGEROUS else ""


def make_container_number(choices: Choices, taken: set[ContainerNumber]) -> ContainerNumber:
    """A container number not in `taken`, with a check digit that ISO 6346 advises (remainder not 10)."""
    while True:
        prefix = f"{choices.pick(_OWNERS)}{choices.below(_SERIALS):06d}"
        number = parse_container_number(f"{prefix}{check_digit(prefix)}")
        if number not in taken and not has_ambiguous_check_digit(number):
            taken.add(number)
            return number


def make_orders(
    declarations: Sequence[Declaration],
    *,
    selectors: Sequence[PersonId],
    terminals: Sequence[TerminalCode],
    seed: int,
) -> list[PlannedOrder]:
    """One order a declaration; the terminals get equal shares."""
    containers, desk, teams = (Choices(seed, purpose) for purpose in ("containers", "selectors", "teams"))
    quays = Choices(seed, "terminals").shuffled([terminals[at % len(terminals)] for at in range(len(declarations))])
    taken: set[ContainerNumber] = set()
    orders = []
    for declaration, terminal in zip(declarations, quays, strict=True):
        need = needs_of_chapter(declaration.chapter)
        is_team = teams.happens(_PERCENT_TEAM_OF_TWO[need]) or declaration.tier == TIER_CRITICAL
        order = PlannedOrder(
            order=declaration.order,
            container=make_container_number(containers, taken),
            terminal=terminal,
            tier=declaration.tier,
            team_size=2 if is_team else 1,
            qualifications=frozenset({need} - {""}),
            parties=declaration.parties,
            selected_by=desk.pick(selectors),
            minutes=_MINUTES[need],
        )
        orders.append(order)
    return orders
