"""Make the sealed sheets of a shift: an order of its people for every kind of container, before anybody needs one."""

from __future__ import annotations

from collections.abc import Sequence

from assign.draw.sheets import MAX_PLACES, Sheet, SheetPerson, commit_sheet, deal_sheets, sheet_salt
from assign.encoding import Json
from assign.errors import Conflict
from assign.log.entries import Kind
from assign.names import ShiftName
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.outage.sheet_store import StoredSheet, add_sheets, list_sheets, mark_void, open_sealed, sheet_count
from server.storage.secrets import open_master
from server.storage.shifts import list_roster, load_shift
from server.storage.unit import Unit

__all__ = ["DEFAULT_COPIES", "commit_sheets"]

DEFAULT_COPIES = 3


def commit_sheets(unit: Unit, caller: Caller, name: ShiftName, copies: int) -> list[StoredSheet]:
    """Make and log `copies` sheets of each kind for the roster as it is; unopened earlier sheets become void.

    Raises NotFound (SHIFT_UNKNOWN), Conflict (SHIFT_CLOSED, SHEETS_CURRENT), InvalidInput (SHEETS_NOBODY,
    SHEET_COPIES, SHEETS_TOO_MANY).
    """
    shift = load_shift(unit.connection, name)
    if shift.is_closed:
        raise Conflict("SHIFT_CLOSED", f"The shift {name} is closed.")
    persons = [
        SheetPerson(person=one.pseudonym, terminals=one.entry.terminals, qualifications=one.entry.qualifications)
        for one in list_roster(unit.connection, name)
    ]
    origin = unit.config(name.port).origin
    first = sheet_count(unit.connection, name) + 1
    master = open_master(unit, shift)
    left = MAX_PLACES - sum(one.person_count for one in list_sheets(unit.connection, name))
    sheets = deal_sheets(master, origin, str(name), persons, first=first, copies=copies, places_left=left)
    # Whoever could make sheets again at will could do so until he liked one.
    if not _has_changed(unit, name, sheets):
        raise Conflict("SHEETS_CURRENT", "The roster has not changed since the last sheets: they still hold.")
    unit.record(name.port, Kind.KEY_USE, {"purpose": "sheets", "wave": str(name)})
    mark_void(unit.connection, name)
    salted = [(sheet, sheet_salt(master, origin, str(name), sheet.number)) for sheet in sheets]
    committed = [(sheet, salt, commit_sheet(salt, sheet)) for sheet, salt in salted]
    add_sheets(unit.connection, unit.services.keyring, name, committed)
    body: dict[str, Json] = {
        "by": name_actor(unit, caller, str(name)),
        "copies": copies,
        "first": first,
        "shift": str(name),
    }
    rows = [_to_json(sheet, commitment) for sheet, _, commitment in committed]
    unit.record_rows(name.port, Kind.SHEETS_COMMIT, body, "sheets", rows)
    return list_sheets(unit.connection, name, after=first - 1)


def _has_changed(unit: Unit, name: ShiftName, sheets: Sequence[Sheet]) -> bool:
    """Whether the newest sheets are for other groups, or other people, than these."""
    earlier = [one for one in list_sheets(unit.connection, name) if not one.is_void]
    if not earlier:
        return True
    known: dict[object, frozenset[str]] = {}
    for stored in earlier:
        _, sheet = open_sealed(unit.services.keyring, stored)
        known[sheet.group] = frozenset(sheet.persons)
    return known != {sheet.group: frozenset(sheet.persons) for sheet in sheets}


def _to_json(sheet: Sheet, commitment: bytes) -> Json:
    return {
        "hash": commitment.hex(),
        "persons": len(sheet.persons),
        "qualifications": [*sheet.group.qualifications],
        "sheet": sheet.number,
        "terminal": sheet.group.terminal,
    }
