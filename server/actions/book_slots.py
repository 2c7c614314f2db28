"""Book inspection places for orders."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from assign.encoding import Json, rfc3339
from assign.errors import AssignError, Conflict, Denied, InvalidInput, NotFound
from assign.log.entries import Kind
from assign.names import OrderId, Port, ShiftId
from assign.order import Slot
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.storage.orders import StoredOrder, find_orders, set_slots
from server.storage.shifts import StoredShift, find_shift_at
from server.storage.slots import add_slots, existing_slots
from server.storage.unit import Unit

__all__ = ["book_slots", "check_own_terminal"]


def book_slots(unit: Unit, caller: Caller, port: Port, slots: Sequence[Slot]) -> int:
    """Book all of `slots`, or none; how many.

    Raises Denied (OTHER_TERMINAL); InvalidInput with every wrong row (BATCH_EMPTY, SLOT_TWICE, SLOT_EXISTS,
    ORDER_UNKNOWN, ORDER_BOOKED, SLOT_OTHER_TERMINAL, SLOT_IN_PAST, SLOT_NO_SHIFT, WAVE_FROZEN).
    """
    unit.config(port)
    if not slots:
        raise InvalidInput("BATCH_EMPTY", "Send at least one slot.", field="slots")
    for terminal in {slot.terminal for slot in slots}:
        check_own_terminal(caller, port, terminal)
    placed = _place(unit, port, slots)
    add_slots(unit.connection, port, placed)
    set_slots(unit.connection, port, [(slot.order, slot.slot) for slot in slots])
    rows: list[Json] = [
        {
            "minutes": slot.minutes,
            "order": slot.order,
            "slot": slot.slot,
            "start": rfc3339(slot.start),
            "terminal": slot.terminal,
        }
        for slot in slots
    ]
    unit.record_rows(port, Kind.SLOTS_BOOK, {"by": name_actor(unit, caller, f"ports/{port}")}, "slots", rows)
    return len(slots)


def check_own_terminal(caller: Caller, port: Port, terminal: str) -> None:
    """A terminal's system acts for its own terminals only. Raises Denied (OTHER_TERMINAL)."""
    if f"ports/{port}/terminals/{terminal}" not in caller.terminals:
        raise Denied("OTHER_TERMINAL", "A terminal's system acts for its own terminals only.")


def _place(unit: Unit, port: Port, slots: Sequence[Slot]) -> list[tuple[Slot, ShiftId, datetime]]:
    taken = existing_slots(unit.connection, port, [slot.slot for slot in slots])
    orders = find_orders(unit.connection, port, [slot.order for slot in slots])
    slot_times = Counter(slot.slot for slot in slots)
    order_times = Counter(slot.order for slot in slots)
    shifts: dict[datetime, StoredShift | None] = {}
    placed: list[tuple[Slot, ShiftId, datetime]] = []
    errors: list[AssignError] = []
    for index, slot in enumerate(slots):
        if slot.start not in shifts:
            shifts[slot.start] = find_shift_at(unit.connection, port, slot.start)
        try:
            one = _find_wave(unit, slot, shifts[slot.start])
            if slot.slot in taken or slot_times[slot.slot] > 1:
                raise InvalidInput("SLOT_EXISTS", "This slot is booked already, or twice in the batch.", field="name")
            _check_order(slot, orders, order_times)
            placed.append(one)
        except AssignError as error:
            field = f"slots[{index}].{error.field}"
            errors.append(InvalidInput(error.reason, error.message, field=field))
    if errors:
        first, *others = errors
        raise InvalidInput(first.reason, first.message, field=first.field, also=tuple(others))
    return placed


def _check_order(slot: Slot, orders: dict[OrderId, StoredOrder], times: Counter[OrderId]) -> None:
    stored = orders.get(slot.order)
    if stored is None:
        raise NotFound("ORDER_UNKNOWN", "There is no such order; import it first.", field="order")
    if stored.slot is not None or times[slot.order] > 1:
        raise Conflict("ORDER_BOOKED", "This order has a slot already; cancel that first.", field="order")
    if stored.order.terminal != slot.terminal:
        raise InvalidInput("SLOT_OTHER_TERMINAL", "The order's container stands at another terminal.", field="terminal")


def _find_wave(unit: Unit, slot: Slot, shift: StoredShift | None) -> tuple[Slot, ShiftId, datetime]:
    if slot.start <= unit.now:
        raise InvalidInput("SLOT_IN_PAST", "This start is in the past; book a later one.", field="start_time")
    if shift is None or shift.is_closed:
        raise Conflict("SLOT_NO_SHIFT", "No shift is open at this time; open the shift first.", field="start_time")
    wave_start = shift.calendar.wave_of(slot.start)
    if unit.now >= shift.calendar.freeze_time(wave_start):
        raise Conflict(
            "WAVE_FROZEN",
            "The wave of this start is frozen and never changes; book a later start.",
            field="start_time",
        )
    return slot, shift.name.shift, wave_start
