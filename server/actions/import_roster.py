"""Add people to a shift's roster."""

from __future__ import annotations

from collections.abc import Sequence

from assign.encoding import Json, rfc3339
from assign.errors import AssignError, Conflict, InvalidInput
from assign.log.entries import Kind
from assign.names import PersonId, ShiftName
from assign.roster import RosterEntry
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.storage.persons import pseudonym_of
from server.storage.shifts import Rostered, StoredShift, add_roster, list_roster, load_shift, overlapping_duties
from server.storage.unit import Unit

__all__ = ["import_roster"]


def import_roster(unit: Unit, caller: Caller, name: ShiftName, entries: Sequence[RosterEntry]) -> int:
    """Store all of `entries`, or none; how many.

    Raises InvalidInput (BATCH_EMPTY, ROSTER_OUTSIDE_SHIFT, ROSTER_OVERLAP, ROSTER_TWICE), NotFound
    (SHIFT_UNKNOWN), Conflict (SHIFT_CLOSED).
    """
    stored = load_shift(unit.connection, name)
    if stored.is_closed:
        raise Conflict("SHIFT_CLOSED", f"The shift {name} is closed; its roster can no longer change.")
    if not entries:
        raise InvalidInput("BATCH_EMPTY", "Send at least one roster entry.", field="entries")
    errors = _check_rows(unit, stored, entries)
    if errors:
        first, *others = errors
        raise InvalidInput(first.reason, first.message, field=first.field, also=tuple(others))
    rostered = [
        Rostered(entry=entry, pseudonym=pseudonym_of(unit, entry.person, str(name)), absent_time=None)
        for entry in entries
    ]
    add_roster(unit.connection, name, rostered)
    # By pseudonym: the order of the batch would say who is who.
    rows = [_to_json(one) for one in sorted(rostered, key=lambda one: one.pseudonym)]
    body: dict[str, Json] = {"by": name_actor(unit, caller, str(name)), "shift": str(name)}
    unit.record_rows(name.port, Kind.ROSTER_IMPORT, body, "entries", rows)
    return len(entries)


def _check_rows(unit: Unit, stored: StoredShift, entries: Sequence[RosterEntry]) -> list[AssignError]:
    errors: list[AssignError] = []
    on_roster = {one.entry.person for one in list_roster(unit.connection, stored.name)}
    others = _other_duties(unit, entries)
    for index, entry in enumerate(entries):
        if entry.person in on_roster:
            errors.append(_row_error(index, "person", "ROSTER_TWICE", "This person is on the shift's roster already."))
        elif any(other.start < entry.end and entry.start < other.end for other in others[entry.person]):
            errors.append(
                _row_error(index, "start_time", "ROSTER_OVERLAP", "This duty overlaps another duty of the same person.")
            )
        on_roster.add(entry.person)
        if not (entry.start < stored.calendar.end and stored.calendar.start < entry.end):
            errors.append(
                _row_error(index, "start_time", "ROSTER_OUTSIDE_SHIFT", "This duty does not overlap the shift.")
            )
    return errors


def _other_duties(unit: Unit, entries: Sequence[RosterEntry]) -> dict[PersonId, list[RosterEntry]]:
    """What these people have to do already at about these times, in whatever shift and port."""
    start, end = min(entry.start for entry in entries), max(entry.end for entry in entries)
    found: dict[PersonId, list[RosterEntry]] = {entry.person: [] for entry in entries}
    for other in overlapping_duties(unit.connection, sorted(found), start, end):
        found[other.person].append(other)
    return found


def _row_error(index: int, field: str, reason: str, message: str) -> InvalidInput:
    return InvalidInput(reason, message, field=f"entries[{index}].{field}")


def _to_json(one: Rostered) -> Json:
    return {
        "capacity": one.entry.capacity,
        "end": rfc3339(one.entry.end),
        "person": one.pseudonym,
        "qualifications": [*sorted(one.entry.qualifications)],
        "start": rfc3339(one.entry.start),
        "terminals": [*sorted(one.entry.terminals)],
    }
