"""Take the sealed sheets of a shift out of the store to print them; the log says that somebody could have looked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from assign.draw.sheets import Sheet, commit_sheet
from assign.encoding import Json
from assign.errors import Conflict, Corrupt
from assign.log.entries import Kind
from assign.names import PersonId, ShiftName
from server.outage.sheet_store import list_sheets, open_sealed
from server.storage.shifts import list_roster, load_shift
from server.storage.unit import Unit

__all__ = ["PrintedSheet", "print_sheets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedSheet:
    """A sheet with the names that a shift leader knows its people by."""

    sheet: Sheet
    salt: bytes
    commitment: bytes
    persons: tuple[PersonId, ...]


def print_sheets(unit: Unit, name: ShiftName, *, only: Collection[int] = ()) -> list[PrintedSheet]:
    """The sheets that can still be opened, `only` those if any are named.

    Raises Conflict (SHEETS_NONE, SHIFT_CLOSED), NotFound (SHIFT_UNKNOWN), Corrupt (SHEET_CHANGED).
    """
    if load_shift(unit.connection, name).is_closed:
        raise Conflict("SHIFT_CLOSED", f"The shift {name} is closed.")
    persons = {one.pseudonym: one.entry.person for one in list_roster(unit.connection, name)}
    printed: list[PrintedSheet] = []
    for stored in list_sheets(unit.connection, name):
        if stored.is_void or stored.open_time is not None or (only and stored.number not in only):
            continue
        salt, sheet = open_sealed(unit.services.keyring, stored)
        if commit_sheet(salt, sheet) != stored.commitment:
            raise Corrupt("SHEET_CHANGED", f"Sheet {stored.number} is not the one that was committed to.")
        names = tuple(persons[person] for person in sheet.persons)
        printed.append(PrintedSheet(sheet=sheet, salt=salt, commitment=stored.commitment, persons=names))
    if not printed:
        raise Conflict("SHEETS_NONE", f"{name} has no sealed sheets; make them with `assign outage commit`.")
    numbers: list[Json] = [one.sheet.number for one in printed]
    unit.record(name.port, Kind.SHEETS_PRINT, {"sheets": numbers, "shift": str(name)})
    return printed
