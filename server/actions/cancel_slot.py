"""Cancel a slot before its wave is frozen."""

from __future__ import annotations

from dataclasses import replace

from assign.errors import Conflict, NotFound
from assign.log.entries import Kind
from assign.names import Port, SlotId
from server.actions.actor import name_actor
from server.actions.book_slots import check_own_terminal
from server.auth.identity import Caller
from server.storage.orders import set_slots
from server.storage.shifts import load_shift
from server.storage.slots import SlotState, StoredSlot, find_slot, set_state
from server.storage.unit import Unit

__all__ = ["cancel_slot"]


def cancel_slot(unit: Unit, caller: Caller, port: Port, name: SlotId, reason: str) -> StoredSlot:
    """Cancel a booked slot; its order can be booked again.

    Raises NotFound (SLOT_UNKNOWN), Denied (OTHER_TERMINAL), Conflict (SLOT_NOT_BOOKED, WAVE_FROZEN).
    """
    unit.config(port)
    stored = find_slot(unit.connection, port, name)
    if stored is None:
        raise NotFound("SLOT_UNKNOWN", "There is no such slot.", field="name")
    check_own_terminal(caller, port, stored.slot.terminal)
    calendar = load_shift(unit.connection, stored.wave.shift).calendar
    if stored.state in (SlotState.CANCELLED, SlotState.LEFT_OVER):
        raise Conflict("SLOT_NOT_BOOKED", "This slot is not booked any more.", field="name")
    if stored.state is not SlotState.BOOKED or unit.now >= calendar.freeze_time(stored.wave.start):
        raise Conflict("WAVE_FROZEN", "The wave of this slot is frozen and never changes.", field="name")
    set_state(unit.connection, port, [name], SlotState.CANCELLED)
    set_slots(unit.connection, port, [(stored.slot.order, None)])
    body = {"by": name_actor(unit, caller, f"ports/{port}"), "reason": reason, "slot": str(name)}
    unit.record(port, Kind.SLOT_CANCEL, {**body})
    return replace(stored, state=SlotState.CANCELLED)
