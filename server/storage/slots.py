"""Statements on slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection, RowMapping

from assign.names import Port, ShiftId, ShiftName, SlotId, TerminalCode, WaveName
from assign.order import Slot
from server.storage.schema import slot

__all__ = [
    "SlotState",
    "StoredSlot",
    "add_slots",
    "count_booked",
    "existing_slots",
    "find_slot",
    "list_slots",
    "set_state",
    "slots_of_wave",
]

_CHUNK = 500


class SlotState(IntEnum):
    """A slot's state; the numbers of `assign.v1.Slot.State`."""

    BOOKED = 1
    CANCELLED = 2
    FROZEN = 3
    DRAWN = 4
    LEFT_OVER = 5
    ASSIGNED_BY_HAND = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSlot:
    """A slot, its state and the wave its start falls in."""

    slot: Slot
    state: SlotState
    wave: WaveName


def _to_slot(row: RowMapping) -> StoredSlot:
    return StoredSlot(
        slot=Slot(
            slot=row["slot"],
            order=row["order"],
            terminal=row["terminal"],
            start=row["start"],
            minutes=row["minutes"],
        ),
        state=SlotState(row["state"]),
        wave=WaveName(ShiftName(row["port"], row["shift"]), row["wave_start"]),
    )


def find_slot(connection: Connection, port: Port, name: SlotId) -> StoredSlot | None:
    """One slot."""
    row = connection.execute(select(slot).where(slot.c.port == port, slot.c.slot == name)).mappings().one_or_none()
    return None if row is None else _to_slot(row)


def existing_slots(connection: Connection, port: Port, names: Sequence[SlotId]) -> set[SlotId]:
    """Which of `names` exist."""
    found: set[SlotId] = set()
    for at in range(0, len(names), _CHUNK):
        statement = select(slot.c.slot).where(slot.c.port == port, slot.c.slot.in_(names[at : at + _CHUNK]))
        found.update(connection.execute(statement).scalars())
    return found


def add_slots(connection: Connection, port: Port, slots: Sequence[tuple[Slot, ShiftId, datetime]]) -> None:
    """Store new slots, each with its shift and the start of its wave."""
    connection.execute(
        insert(slot),
        [
            {
                "port": port,
                "slot": one.slot,
                "order": one.order,
                "terminal": one.terminal,
                "start": one.start,
                "minutes": one.minutes,
                "shift": shift,
                "wave_start": wave_start,
                "state": SlotState.BOOKED,
            }
            for one, shift, wave_start in slots
        ],
    )


def slots_of_wave(connection: Connection, wave: WaveName, states: Sequence[SlotState]) -> list[Slot]:
    """The slots of a wave in one of `states`, by order id."""
    statement = (
        select(slot)
        .where(slot.c.port == wave.shift.port, slot.c.wave_start == wave.start, slot.c.state.in_(states))
        .order_by(slot.c.order)
    )
    return [_to_slot(row).slot for row in connection.execute(statement).mappings()]


def count_booked(connection: Connection, wave: WaveName) -> int:
    """How many slots of a wave are booked."""
    statement = (
        select(func.count())
        .select_from(slot)
        .where(slot.c.port == wave.shift.port, slot.c.wave_start == wave.start, slot.c.state == SlotState.BOOKED)
    )
    return connection.execute(statement).scalar_one()


def set_state(connection: Connection, port: Port, names: Sequence[SlotId], state: SlotState) -> None:
    """Put slots into a state."""
    for at in range(0, len(names), _CHUNK):
        chunk = names[at : at + _CHUNK]
        connection.execute(update(slot).where(slot.c.port == port, slot.c.slot.in_(chunk)).values(state=state))


def list_slots(
    connection: Connection, port: Port, terminal: TerminalCode, *, after: str, limit: int
) -> list[StoredSlot]:
    """Slots of a terminal with an id beyond `after`, by id."""
    statement = (
        select(slot)
        .where(slot.c.port == port, slot.c.terminal == terminal, slot.c.slot > after)
        .order_by(slot.c.slot)
        .limit(limit)
    )
    return [_to_slot(row) for row in connection.execute(statement).mappings()]
