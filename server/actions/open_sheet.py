"""Open a sealed sheet: one person says when and why, another one confirms it, and each look at it is logged."""

from __future__ import annotations

from datetime import datetime, timedelta

from assign.draw.sheets import Sheet
from assign.encoding import rfc3339
from assign.errors import Conflict, Denied, InvalidInput
from assign.log.entries import Kind
from assign.names import Port, ShiftName, parse_shift_name
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.outage.exceptions import (
    ExceptionAction,
    StoredException,
    confirm_exception,
    load_exception,
    request_exception,
    who_asked,
)
from server.outage.sheet_store import StoredSheet, list_sheets, load_sheet, mark_open, open_sealed
from server.storage.shifts import load_shift
from server.storage.unit import Unit

__all__ = ["open_sheet", "read_sheet", "request_sheet_opening"]

_SECOND = timedelta(seconds=1)


def request_sheet_opening(
    unit: Unit, caller: Caller, shift: ShiftName, number: int, *, reason: str, claimed: datetime | None
) -> StoredException:
    """Say that a sheet was opened, or has to be; a second person must confirm it.

    Args:
        claimed: when its envelope was opened, whole seconds; None: now.

    Raises NotFound (SHEET_UNKNOWN, SHIFT_UNKNOWN), Conflict (SHEET_VOID, SHEET_OPENED, SHEET_NOT_NEXT, SHIFT_CLOSED),
    InvalidInput (SHEET_OPEN_TIME).
    """
    stored = load_sheet(unit.connection, shift, number)
    _check(unit, stored)
    moment = unit.now.replace(microsecond=0) if claimed is None else claimed
    calendar = load_shift(unit.connection, shift).calendar
    if not calendar.freeze_time(calendar.start) <= moment <= unit.now:
        raise InvalidInput(
            "SHEET_OPEN_TIME",
            "A sheet is opened between the first freeze of its shift and now.",
            field="open_time",
        )
    return request_exception(
        unit,
        caller,
        shift.port,
        action=ExceptionAction.SHEET_OPEN,
        subject=stored.name,
        logged_as=stored.name,
        reason=reason,
        context=str(shift),
        claimed_time=moment,
    )


def open_sheet(unit: Unit, caller: Caller, port: Port, request: str) -> StoredSheet:
    """Confirm that a sheet was opened. Raises as `request_sheet_opening`, `load_exception`, `confirm_exception`."""
    asked = load_exception(unit, port, request, ExceptionAction.SHEET_OPEN)
    text, _, number = asked.subject.rpartition("/sheets/")
    shift, _ = parse_shift_name(text)
    stored = load_sheet(unit.connection, shift, int(number))
    # The requester is told nothing that he could not ask for himself.
    confirmed = confirm_exception(unit, caller, asked)
    _check(unit, stored)
    moment = asked.claimed_time or unit.now.replace(microsecond=0)
    mark_open(unit.connection, stored, moment)
    unit.record(
        port,
        Kind.SHEET_OPEN,
        {
            **who_asked(unit, caller, confirmed, str(shift)),
            "opened": rfc3339(moment),
            "sheet": stored.number,
            "shift": str(shift),
        },
    )
    return load_sheet(unit.connection, shift, stored.number)


def _check(unit: Unit, stored: StoredSheet) -> None:
    if load_shift(unit.connection, stored.shift).is_closed:
        raise Conflict("SHIFT_CLOSED", f"The shift {stored.shift} is closed.")
    if stored.is_void:
        raise Conflict("SHEET_VOID", "Other sheets took the place of this one; destroy it unopened.", field="name")
    if stored.open_time is not None:
        raise Conflict("SHEET_OPENED", "This sheet was opened before.", field="name")
    # Whoever could take any envelope of the pile could open them until he liked one.
    earlier = next(
        one
        for one in list_sheets(unit.connection, stored.shift)
        if one.group == stored.group and not one.is_void and one.open_time is None
    )
    if earlier.number != stored.number:
        raise Conflict("SHEET_NOT_NEXT", f"Sheet {earlier.number} of this kind comes first.", field="name")


def read_sheet(unit: Unit, caller: Caller, shift: ShiftName, number: int) -> tuple[Sheet, int]:
    """The order on an opened sheet, and the position of this look's entry. Raises Denied (SHEET_SEALED), NotFound."""
    stored = load_sheet(unit.connection, shift, number)
    if stored.open_time is None:
        raise Denied("SHEET_SEALED", "This sheet is sealed; two persons open it, with a reason.")
    by = name_actor(unit, caller, str(shift))
    log_index = unit.record(shift.port, Kind.READ, {"by": by, "what": stored.name})
    return open_sealed(unit.services.keyring, stored)[1], log_index
