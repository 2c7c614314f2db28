"""Statements on inspection orders, and on who handled their selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection, RowMapping

from assign.names import OrderId, PersonId, Port, SlotId
from assign.order import Order
from server.storage.schema import handled_selection, inspection_order

__all__ = [
    "StoredOrder",
    "add_orders",
    "existing_orders",
    "find_orders",
    "handlers_of",
    "list_orders",
    "set_slots",
]

_CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredOrder:
    """An order and the slot it is booked into, if any."""

    order: Order
    slot: SlotId | None


def _to_order(row: RowMapping) -> StoredOrder:
    return StoredOrder(
        order=Order(
            order=row["order"],
            container=row["container"],
            terminal=row["terminal"],
            tier=row["tier"],
            team_size=row["team_size"],
            qualifications=row["qualifications"],
            parties=row["parties"],
            selected_by=row["selected_by"],
            salt=row["salt"],
        ),
        slot=row["slot"],
    )


def find_orders(connection: Connection, port: Port, orders: Sequence[OrderId]) -> dict[OrderId, StoredOrder]:
    """Those of `orders` that exist."""
    found: dict[OrderId, StoredOrder] = {}
    table = inspection_order
    for at in range(0, len(orders), _CHUNK):
        chunk = orders[at : at + _CHUNK]
        rows = connection.execute(select(table).where(table.c.port == port, table.c.order.in_(chunk))).mappings()
        found.update((row["order"], _to_order(row)) for row in rows)
    return found


def existing_orders(connection: Connection, port: Port, orders: Sequence[OrderId]) -> set[OrderId]:
    """Which of `orders` exist."""
    found: set[OrderId] = set()
    column = inspection_order.c.order
    for at in range(0, len(orders), _CHUNK):
        chunk = orders[at : at + _CHUNK]
        statement = select(column).where(inspection_order.c.port == port, column.in_(chunk))
        found.update(connection.execute(statement).scalars())
    return found


def add_orders(connection: Connection, port: Port, orders: Sequence[Order]) -> None:
    """Store new orders; whoever selected one has handled its selection for ever."""
    connection.execute(
        insert(inspection_order),
        [
            {
                "port": port,
                "order": order.order,
                "container": order.container,
                "terminal": order.terminal,
                "tier": order.tier,
                "team_size": order.team_size,
                "qualifications": order.qualifications,
                "parties": order.parties,
                "selected_by": order.selected_by,
                "salt": order.salt,
                "slot": None,
            }
            for order in orders
        ],
    )
    connection.execute(
        insert(handled_selection),
        [{"port": port, "order": order.order, "person": order.selected_by} for order in orders],
    )


def set_slots(connection: Connection, port: Port, slots: Sequence[tuple[OrderId, SlotId | None]]) -> None:
    """Book each order into its slot, or out of it (None)."""
    for order, slot in slots:
        connection.execute(
            update(inspection_order)
            .where(inspection_order.c.port == port, inspection_order.c.order == order)
            .values(slot=slot)
        )


def handlers_of(connection: Connection, port: Port, orders: Sequence[OrderId]) -> dict[OrderId, set[PersonId]]:
    """Who handled the selection of each of `orders`, over all history."""
    found: dict[OrderId, set[PersonId]] = {order: set() for order in orders}
    table = handled_selection
    for at in range(0, len(orders), _CHUNK):
        chunk = orders[at : at + _CHUNK]
        statement = select(table.c.order, table.c.person).where(table.c.port == port, table.c.order.in_(chunk))
        for order, person in connection.execute(statement):
            found[order].add(person)
    return found


def list_orders(
    connection: Connection, port: Port, *, selected_by: PersonId | None, after: str, limit: int
) -> list[StoredOrder]:
    """Orders with an id beyond `after`, by id; only those one person selected where `selected_by` is given."""
    table = inspection_order
    statement = select(table).where(table.c.port == port, table.c.order > after).order_by(table.c.order).limit(limit)
    if selected_by is not None:
        statement = statement.where(table.c.selected_by == selected_by)
    return [_to_order(row) for row in connection.execute(statement).mappings()]
