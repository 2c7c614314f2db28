"""What was handed out by hand is typed in, line by line: it must follow the sheet, and fall into the outage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from assign.draw.sheets import Line, Sheet, Work, group_for
from assign.encoding import Json, rfc3339
from assign.errors import AssignError, Conflict, InvalidInput
from assign.log.entries import Kind
from assign.names import PersonId, ShiftName, SlotId, WaveName
from assign.person import Pseudonym
from assign.wave import Calendar
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.outage.sheet_store import StoredSheet, add_lines, handed_out, lines_of, list_sheets, load_sheet, open_sealed
from server.storage.orders import StoredOrder, find_orders, set_slots
from server.storage.shifts import list_roster, load_shift
from server.storage.slots import SlotState, StoredSlot, find_slot, set_state
from server.storage.unit import Unit
from server.storage.waves import WaveState, load_wave

__all__ = ["TypedLine", "import_manual_assignments"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedLine:
    """A line as it was typed in: a slot whose container was handed out, or why the person was passed over."""

    line: int
    person: PersonId
    time: datetime
    slot: SlotId | None
    why: str | None


def import_manual_assignments(
    unit: Unit, caller: Caller, shift: ShiftName, number: int, typed: Sequence[TypedLine]
) -> int:
    """Store all lines, or none; how many.

    Raises InvalidInput with every wrong line (LINES_EMPTY, PERSON_NOT_ON_ROSTER, SLOT_UNKNOWN, SHEET_OTHER_GROUP,
    LINE_OUTSIDE_OUTAGE, ORDER_BOOKED, ORDER_ASSIGNED, WAVE_NOT_MANUAL, SHEET_LINES), Conflict (SHEET_SEALED,
    SHIFT_CLOSED), NotFound.
    """
    stored = load_sheet(unit.connection, shift, number)
    calendar = _calendar(unit, stored)
    if not typed:
        raise InvalidInput("LINES_EMPTY", "Send at least one line.", field="lines")
    reader = _Lines(unit, stored, calendar)
    lines: list[Line] = []
    errors: list[AssignError] = []
    for at, one in enumerate(typed):
        try:
            lines.append(reader.read(one))
        except AssignError as error:
            errors.append(InvalidInput(error.reason, error.message, field=f"lines[{at}].{error.field}"))
    _refuse(errors)
    _refuse(_check_sheet(reader, unit, stored, lines))
    add_lines(unit.connection, stored, lines)
    slots = [one.slot for one in typed if one.slot is not None]
    set_state(unit.connection, shift.port, slots, SlotState.ASSIGNED_BY_HAND)
    orders = [line.order for line in lines if line.order is not None]
    set_slots(unit.connection, shift.port, list(zip(orders, slots, strict=True)))
    body: dict[str, Json] = {"by": name_actor(unit, caller, str(shift)), "sheet": number, "shift": str(shift)}
    unit.record_rows(shift.port, Kind.MANUAL_ASSIGNMENT, body, "lines", [_to_json(line) for line in lines])
    return len(lines)


def _calendar(unit: Unit, stored: StoredSheet) -> Calendar:
    shift = load_shift(unit.connection, stored.shift)
    if shift.is_closed:
        raise Conflict("SHIFT_CLOSED", "This shift is closed.")
    if stored.open_time is None:
        raise Conflict("SHEET_SEALED", "This sheet is sealed; two persons open it, with a reason.", field="parent")
    return shift.calendar


def _refuse(errors: list[AssignError]) -> None:
    if errors:
        first, *others = errors
        raise InvalidInput(first.reason, first.message, field=first.field, also=tuple(others))


def _check_sheet(reader: _Lines, unit: Unit, stored: StoredSheet, lines: Sequence[Line]) -> list[AssignError]:
    work = Work(reader.sheet, lines_of(unit.connection, stored))
    return [
        InvalidInput("SHEET_LINES", f"This does not follow the sheet: {text}.", field=f"lines[{at}]")
        for at, line in enumerate(lines)
        for text in work.add(line, is_absent=line.person in reader.absent)
    ]


class _Lines:
    """Reads typed lines of one sheet, in order."""

    def __init__(self, unit: Unit, stored: StoredSheet, calendar: Calendar) -> None:
        roster = list_roster(unit.connection, stored.shift)
        self.sheet: Sheet = open_sealed(unit.services.keyring, stored)[1]
        self.absent = {one.pseudonym for one in roster if one.absent_time is not None}
        self._unit = unit
        self._stored = stored
        self._calendar = calendar
        self._pseudonyms = {one.entry.person: one.pseudonym for one in roster}
        self._groups = {one.group for one in list_sheets(unit.connection, stored.shift) if not one.is_void}
        self._teams: dict[SlotId, int] = {}

    def read(self, typed: TypedLine) -> Line:
        """One line. Raises AssignError naming its field."""
        person = self._pseudonyms.get(typed.person)
        if person is None:
            raise InvalidInput("PERSON_NOT_ON_ROSTER", "This person is not on the roster.", field="person")
        if not (self._stored.open_time or typed.time) <= typed.time <= self._unit.now:
            raise InvalidInput(
                "LINE_OUTSIDE_OUTAGE",
                "A line is worked after its sheet was opened, and before now.",
                field="assign_time",
            )
        if typed.slot is None:
            return Line(line=typed.line, person=person, time=typed.time, order=None, wave=None, why=typed.why)
        return self._read_order(typed, typed.slot, person)

    def _read_order(self, typed: TypedLine, slot: SlotId, person: Pseudonym) -> Line:
        port = self._stored.shift.port
        stored = find_slot(self._unit.connection, port, slot)
        if stored is None or stored.wave.shift != self._stored.shift:
            raise InvalidInput("SLOT_UNKNOWN", "There is no such slot in this shift.", field="slot")
        order = find_orders(self._unit.connection, port, [stored.slot.order])[stored.slot.order]
        self._check_wave(stored.wave, typed.time)
        self._check_free(stored, order)
        wanted = group_for(self._groups, order.order.terminal, order.order.qualifications)
        if wanted != self._stored.group:
            raise InvalidInput("SHEET_OTHER_GROUP", "This container is handed out from another sheet.", field="slot")
        return Line(
            line=typed.line,
            person=person,
            time=typed.time,
            order=stored.slot.order,
            wave=str(stored.wave),
            why=typed.why,
        )

    def _check_wave(self, wave: WaveName, time: datetime) -> None:
        if load_wave(self._unit.connection, wave).state is not WaveState.MANUAL:
            raise InvalidInput("WAVE_NOT_MANUAL", "The wave of this slot is not worked by hand.", field="slot")
        end = wave.start + timedelta(seconds=self._calendar.step_seconds)
        if not self._calendar.draw_time(wave.start) <= time < end:
            raise InvalidInput(
                "LINE_OUTSIDE_OUTAGE",
                "A container is handed out between its wave's draw time and the wave's end.",
                field="assign_time",
            )

    def _check_free(self, stored: StoredSlot, order: StoredOrder) -> None:
        """The order is not booked elsewhere, and its team is not complete."""
        slot = stored.slot
        if order.slot not in (None, slot.slot) or stored.state is SlotState.CANCELLED:
            raise InvalidInput("ORDER_BOOKED", "This order has another slot by now.", field="slot")
        if slot.slot not in self._teams:
            teams = handed_out(self._unit.connection, self._stored.shift.port, stored.wave)
            self._teams[slot.slot] = len(teams.get(slot.order, ()))
        if self._teams[slot.slot] >= order.order.team_size:
            raise InvalidInput("ORDER_ASSIGNED", "The team of this order is complete.", field="slot")
        self._teams[slot.slot] += 1


def _to_json(line: Line) -> Json:
    return {
        "line": line.line,
        "order": line.order,
        "person": line.person,
        "time": rfc3339(line.time),
        "wave": line.wave,
        "why": line.why,
    }
