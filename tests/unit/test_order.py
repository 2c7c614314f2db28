"""Orders and slots: what they may be, and the digest that fixes an order when it arrives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assign.container import ContainerNumber
from assign.encoding import canonical_json, lp, sha256
from assign.errors import InvalidInput
from assign.names import OrderId, PersonId, SlotId, TerminalCode
from assign.order import Order, Slot, check_qualification, order_digest

FACTS: dict[str, Any] = {
    "order": OrderId("o-1"),
    "container": ContainerNumber("CSQU3054383"),
    "terminal": TerminalCode("RWG"),
    "tier": 1,
    "team_size": 2,
    "qualifications": frozenset({"reefer", "dog"}),
    "parties": frozenset({"p-2", "p-1"}),
    "salt": bytes(32),
}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"tier": -1}, "ORDER_TIER"),
        ({"tier": 10}, "ORDER_TIER"),
        ({"team_size": 0}, "ORDER_TEAM_SIZE"),
        ({"team_size": 3}, "ORDER_TEAM_SIZE"),
    ],
)
def test_orders_that_cannot_be(changes: dict[str, Any], reason: str) -> None:
    """Each with its reason."""
    with pytest.raises(InvalidInput, match=reason):
        Order(**(FACTS | {"selected_by": PersonId("s-1")} | changes))


def test_digest_is_what_the_page_says() -> None:
    """`H(LP("order/v1", salt, J))`, sets as sorted lists."""
    body = canonical_json(
        {
            "container": "CSQU3054383",
            "order": "o-1",
            "parties": ["p-1", "p-2"],
            "qualifications": ["dog", "reefer"],
            "team_size": 2,
            "terminal": "RWG",
            "tier": 1,
        }
    )
    assert order_digest(**FACTS) == sha256(lp("order/v1", bytes(32), body))


@pytest.mark.parametrize(
    "change",
    [
        {"order": "o-2"},
        {"container": "MSKU0000006"},
        {"terminal": "ECT"},
        {"tier": 0},
        {"team_size": 1},
        {"qualifications": frozenset({"dog"})},
        {"parties": frozenset()},
        {"salt": b"\1" * 32},
    ],
)
def test_digest_covers_every_fact(change: dict[str, Any]) -> None:
    """Nothing about an order can change on its way to the draw."""
    assert order_digest(**(FACTS | change)) != order_digest(**FACTS)


@pytest.mark.parametrize("text", ["reefer", "dangerous-goods", "scan2", "x" * 63])
def test_qualifications_that_are_taken(text: str) -> None:
    """Lower-case words."""
    assert check_qualification(text) == text


@pytest.mark.parametrize("text", ["", "-", "Reefer", "dangerous goods", "x" * 64, "é", "a_b"])
def test_qualifications_that_are_refused(text: str) -> None:
    """Names are compared byte by byte: one spelling each."""
    with pytest.raises(InvalidInput, match="QUALIFICATION_FORM"):
        check_qualification(text, field="qualifications[0]")


def slot(minutes: int) -> Slot:
    """A slot at six."""
    start = datetime(2026, 11, 24, 6, tzinfo=UTC)
    return Slot(slot=SlotId("s"), order=OrderId("o"), terminal=TerminalCode("RWG"), start=start, minutes=minutes)


@pytest.mark.parametrize("minutes", [0, -5, 24 * 60 + 1])
def test_slot_of_impossible_length(minutes: int) -> None:
    """One minute to a day."""
    with pytest.raises(InvalidInput, match="SLOT_MINUTES"):
        slot(minutes)


def test_slot_ends_after_its_minutes() -> None:
    """The end follows."""
    assert slot(90).end - slot(90).start == timedelta(minutes=90)
