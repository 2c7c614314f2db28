"""Store inspection orders from the declaration system."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from assign.encoding import Json
from assign.errors import AssignError, InvalidInput
from assign.log.entries import Kind
from assign.names import Port
from assign.order import Order, order_digest
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.storage.orders import add_orders, existing_orders
from server.storage.secrets import order_salt
from server.storage.unit import Unit

__all__ = ["import_orders"]


def import_orders(unit: Unit, caller: Caller, port: Port, orders: Sequence[Order]) -> int:
    """Store all of `orders`, or none; how many. Each order's digest is logged at once, under a salt made here.

    Raises InvalidInput (BATCH_EMPTY, ORDER_TWICE, ORDER_EXISTS, UNKNOWN_TERMINAL).
    """
    config = unit.config(port)
    if not orders:
        raise InvalidInput("BATCH_EMPTY", "Send at least one order.", field="orders")
    known = existing_orders(unit.connection, port, [order.order for order in orders])
    times = Counter(order.order for order in orders)
    errors: list[AssignError] = []
    for index, order in enumerate(orders):
        if times[order.order] > 1:
            errors.append(_row_error(index, "name", "ORDER_TWICE", "This order is in the batch twice."))
        elif order.order in known:
            errors.append(_row_error(index, "name", "ORDER_EXISTS", "This order was imported before."))
        if order.terminal not in config.terminals:
            message = f"{order.terminal} is not a terminal of {port} here."
            errors.append(_row_error(index, "terminal", "UNKNOWN_TERMINAL", message))
    if errors:
        first, *others = errors
        raise InvalidInput(first.reason, first.message, field=first.field, also=tuple(others))
    keyring = unit.services.keyring
    orders = [replace(order, salt=order_salt(keyring, port, order.order, order.selected_by)) for order in orders]
    add_orders(unit.connection, port, orders)
    by = name_actor(unit, caller, f"ports/{port}")
    rows: list[Json] = [{"digest": _digest(order), "order": order.order} for order in orders]
    unit.record_rows(port, Kind.ORDERS_IMPORT, {"by": by}, "orders", rows)
    return len(orders)


def _row_error(index: int, field: str, reason: str, message: str) -> InvalidInput:
    return InvalidInput(reason, message, field=f"orders[{index}].{field}")


def _digest(order: Order) -> str:
    return order_digest(
        salt=order.salt,
        order=order.order,
        container=order.container,
        terminal=order.terminal,
        tier=order.tier,
        team_size=order.team_size,
        qualifications=order.qualifications,
        parties=order.parties,
    ).hex()
