"""Containers that are selected while the day runs: they join a wave that is still open, or are left over, openly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from assign.container import ContainerNumber
from assign.names import OrderId, SlotId
from assign.order import Slot
from server.demo.cargo import PlannedOrder, make_container_number
from server.demo.choices import Choices
from server.demo.planner import GRID
from server.demo.preparation import book_by_terminal
from server.demo.stage import Stage
from server.demo.workplace import DECLARATIONS, terminal_system

__all__ = ["DOG", "select_urgently"]

# Nobody on the made-up rosters leads a detection dog: an order that needs one cannot be served, and says so.
DOG = "dog"
_MINUTES = 45


async def select_urgently(stage: Stage, next_open: datetime) -> None:
    """Two urgent orders; the first tries for the wave that is frozen already. `next_open` is the one after it."""
    orders = _urgent_orders(stage)
    await stage.client(DECLARATIONS).orders.BatchImportOrders(stage.messages.import_orders(orders, purpose="urgent"))
    stage.orders.update({order.order: order for order in orders})
    await _refuse_frozen(stage, orders[0], next_open - GRID)
    slots = [_slot(order, next_open) for order in orders]
    booked = await book_by_terminal(stage, slots, purpose="urgent")
    stage.promises.keep("an urgent container joins the next open wave", booked == len(slots))
    stage.slots += slots
    stage.screens.moment(stage.clock.now(), "two urgent containers")
    stage.screens.say(
        f"{orders[0].container} and {orders[1].container} at {orders[0].terminal} are selected now. The wave of "
        f"{stage.screens.clock(next_open - GRID)} is frozen and takes nobody in; both join "
        f"{stage.screens.clock(next_open)}. The second needs a detection dog, and nobody on duty has one."
    )


def _urgent_orders(stage: Stage) -> list[PlannedOrder]:
    choices = Choices(stage.day.plan.seed, "urgent")
    taken: set[ContainerNumber] = {order.container for order in stage.day.orders}
    model = choices.pick(stage.day.orders)
    plain = replace(model, tier=0, team_size=1, qualifications=frozenset(), parties=frozenset(), minutes=_MINUTES)
    return [
        replace(plain, order=OrderId("urgent-1"), container=make_container_number(choices, taken)),
        replace(
            plain,
            order=OrderId("urgent-2"),
            container=make_container_number(choices, taken),
            qualifications=frozenset({DOG}),
        ),
    ]


def _slot(order: PlannedOrder, start: datetime) -> Slot:
    return Slot(
        slot=SlotId(f"slot-{order.order}"),
        order=order.order,
        terminal=order.terminal,
        start=start,
        minutes=order.minutes,
    )


async def _refuse_frozen(stage: Stage, order: PlannedOrder, start: datetime) -> None:
    quay = terminal_system(stage.day.plan.port, order.terminal)
    slots: Sequence[Slot] = [_slot(order, start)]
    call = stage.client(quay).slots.BatchBookSlots(stage.messages.book_slots(slots, purpose="frozen"))
    await stage.refused(quay, "books a slot in a frozen wave", call, reasons=("WAVE_FROZEN",), field_part="slots[0]")
