"""OrderService and SlotService."""

from __future__ import annotations

from assign.errors import Denied
from assign.names import PersonId, SlotId, parse_port_name, parse_terminal_name
from assign.v1 import order_service_pb2 as orders_pb2
from assign.v1 import resources_pb2
from assign.v1 import slot_service_pb2 as slots_pb2
from server.actions.book_slots import book_slots, check_own_terminal
from server.actions.cancel_slot import cancel_slot
from server.actions.import_orders import import_orders
from server.auth.access import Role
from server.auth.identity import Caller
from server.rpc import present
from server.rpc.door import Door, Handlers, handler_of
from server.rpc.paging import next_token, page_of
from server.rpc.translate import check_reason, last_segment, to_order, to_rows, to_slot
from server.storage.orders import list_orders
from server.storage.slots import list_slots
from server.storage.unit import Unit

__all__ = ["Orders"]

_ORDERS = "/assign.v1.OrderService/"
_SLOTS = "/assign.v1.SlotService/"


class Orders:
    """Inspection orders and their slots."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def handlers(self) -> dict[str, Handlers]:
        """Handlers by service and method."""
        door = self._door
        return {
            "assign.v1.OrderService": {
                "BatchImportOrders": handler_of(
                    door, _ORDERS + "BatchImportOrders", orders_pb2.BatchImportOrdersRequest, self.import_orders
                ),
                "ListOrders": handler_of(door, _ORDERS + "ListOrders", orders_pb2.ListOrdersRequest, self.list_orders),
            },
            "assign.v1.SlotService": {
                "BatchBookSlots": handler_of(
                    door, _SLOTS + "BatchBookSlots", slots_pb2.BatchBookSlotsRequest, self.book_slots
                ),
                "CancelSlot": handler_of(door, _SLOTS + "CancelSlot", slots_pb2.CancelSlotRequest, self.cancel_slot),
                "ListSlots": handler_of(door, _SLOTS + "ListSlots", slots_pb2.ListSlotsRequest, self.list_slots),
            },
        }

    async def import_orders(
        self, caller: Caller, request: orders_pb2.BatchImportOrdersRequest
    ) -> orders_pb2.BatchImportOrdersResponse:
        """BatchImportOrders."""
        port = parse_port_name(request.parent, field="parent")
        orders = to_rows(request.orders, "orders", lambda row, field: to_order(row, port, field))

        def action(unit: Unit) -> orders_pb2.BatchImportOrdersResponse:
            return orders_pb2.BatchImportOrdersResponse(imported_count=import_orders(unit, caller, port, orders))

        return await self._door.act_once(caller, _ORDERS + "BatchImportOrders", request, action)

    async def list_orders(self, caller: Caller, request: orders_pb2.ListOrdersRequest) -> orders_pb2.ListOrdersResponse:
        """ListOrders: a selector sees what he selected, and nothing else."""
        port = parse_port_name(request.parent, field="parent")
        listed = f"orders of {request.parent}"
        page = page_of(listed, request.page_size, request.page_token)
        selected_by = PersonId(caller.id) if caller.role is Role.SELECTOR else None
        found = await self._door.reader.run(
            lambda connection: list_orders(connection, port, selected_by=selected_by, after=page.after, limit=page.size)
        )
        last = found[-1].order.order if found else ""
        return orders_pb2.ListOrdersResponse(
            orders=[present.order(port, one) for one in found],
            next_page_token=next_token(listed, page, len(found), last),
        )

    async def book_slots(
        self, caller: Caller, request: slots_pb2.BatchBookSlotsRequest
    ) -> slots_pb2.BatchBookSlotsResponse:
        """BatchBookSlots."""
        port = parse_port_name(request.parent, field="parent")
        slots = to_rows(request.slots, "slots", lambda row, field: to_slot(row, port, field))

        def action(unit: Unit) -> slots_pb2.BatchBookSlotsResponse:
            return slots_pb2.BatchBookSlotsResponse(booked_count=book_slots(unit, caller, port, slots))

        return await self._door.act_once(caller, _SLOTS + "BatchBookSlots", request, action)

    async def cancel_slot(self, caller: Caller, request: slots_pb2.CancelSlotRequest) -> resources_pb2.Slot:
        """CancelSlot."""
        parent, _, _ = request.name.partition("/slots/")
        port = parse_port_name(parent, field="name")
        name = SlotId(last_segment(request.name, f"{parent}/slots", field="name"))
        reason = check_reason(request.reason, field="reason")

        def action(unit: Unit) -> resources_pb2.Slot:
            return present.slot(port, cancel_slot(unit, caller, port, name, reason))

        return await self._door.act_once(caller, _SLOTS + "CancelSlot", request, action)

    async def list_slots(self, caller: Caller, request: slots_pb2.ListSlotsRequest) -> slots_pb2.ListSlotsResponse:
        """ListSlots: a terminal sees its own."""
        port, terminal = parse_terminal_name(request.parent, field="parent")
        if caller.role is Role.TERMINAL_SYSTEM:
            check_own_terminal(caller, port, terminal)
        elif caller.role is not Role.SUPERVISOR:
            raise Denied("ROLE_NOT_ALLOWED", "Your role may not list slots.")
        listed = f"slots of {request.parent}"
        page = page_of(listed, request.page_size, request.page_token)
        found = await self._door.reader.run(
            lambda connection: list_slots(connection, port, terminal, after=page.after, limit=page.size)
        )
        last = found[-1].slot.slot if found else ""
        return slots_pb2.ListSlotsResponse(
            slots=[present.slot(port, one) for one in found],
            next_page_token=next_token(listed, page, len(found), last),
        )
