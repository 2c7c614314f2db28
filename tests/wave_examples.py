"""Small waves for tests: inputs made from a table of who may do what."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from assign.container import ContainerNumber, check_digit
from assign.draw.constrained import ALGORITHM
from assign.draw.inputs import FrozenOrder, FrozenPerson, WaveInputs
from assign.names import OrderId, SlotId, TerminalCode
from assign.person import Pseudonym, Screening
from assign.rules.eligibility import Candidate

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
ORIGIN = "assign.example/NLRTM"
SHIFT = "ports/NLRTM/shifts/A"
WAVE = f"{SHIFT}/waves/20261124T060000Z"


def person(number: int, *, capacity: int = 1) -> FrozenPerson:
    """The person of that number, on duty all day at every terminal."""
    return FrozenPerson(
        capacity=capacity,
        candidate=Candidate(
            person=name(number),
            terminals=frozenset({TerminalCode("RWG")}),
            duty_start=SIX - timedelta(hours=1),
            duty_end=SIX + timedelta(hours=8),
            qualifications=frozenset({"reefer"}),
            absent=False,
            screening=Screening(certificate_until=SIX + timedelta(days=9), signal_open=False, interviewed=True),
            recused_parties=frozenset({"p-9"}),
            cooldown_parties=frozenset(),
            busy=((SIX - timedelta(hours=1), SIX),),
        ),
    )


def name(number: int) -> Pseudonym:
    """The pseudonym of a person."""
    return Pseudonym(f"{number:032x}")


def order(number: int, *, team_size: int = 1, tier: int = 0) -> FrozenOrder:
    """The order of that number."""
    prefix = f"MSKU{number:06d}"
    return FrozenOrder(
        order=order_id(number),
        slot=SlotId(f"s-{number:03d}"),
        container=ContainerNumber(prefix + str(check_digit(prefix))),
        terminal=TerminalCode("RWG"),
        start=SIX,
        minutes=30,
        tier=tier,
        team_size=team_size,
        qualifications=frozenset(),
        parties=frozenset({"p-1"}),
        handled_by=frozenset({name(999)}),
        salt=bytes(32),
    )


def order_id(number: int) -> OrderId:
    """The id of an order."""
    return OrderId(f"o-{number:03d}")


def wave(orders: list[FrozenOrder], persons: list[FrozenPerson]) -> WaveInputs:
    """The wave of these, judged."""
    return WaveInputs.assemble(
        origin=ORIGIN,
        shift=SHIFT,
        wave=WAVE,
        draw_algorithm=ALGORITHM,
        code_version="assign 0",
        min_pool=3,
        orders=orders,
        persons=persons,
    )


def wave_of_table(
    pools: list[set[int]], *, team_sizes: list[int], capacities: list[int], tiers: list[int] | None = None
) -> WaveInputs:
    """A wave in which exactly the persons of `pools[i]` are eligible for order i (the verdicts are set)."""
    orders = [
        order(number, team_size=team, tier=(tiers or [0] * len(pools))[number])
        for number, team in enumerate(team_sizes)
    ]
    persons = [person(number, capacity=capacity) for number, capacity in enumerate(capacities)]
    rows = tuple("".join("+" if number in pool else "R" for number in range(len(persons))) for pool in pools)
    return replace(wave(orders, persons), verdicts=rows)
