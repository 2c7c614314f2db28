"""Somebody calls in sick."""

from __future__ import annotations

from dataclasses import replace

from assign.errors import Conflict, Denied, NotFound
from assign.log.entries import Kind
from assign.names import PersonId, ShiftName
from server.actions.actor import name_actor
from server.auth.access import Role
from server.auth.identity import Caller
from server.storage.shifts import Rostered, find_duty, load_shift, mark_absent
from server.storage.unit import Unit

__all__ = ["report_absence"]


def report_absence(unit: Unit, caller: Caller, name: ShiftName, person: PersonId, reason: str) -> Rostered:
    """Mark a person absent from now on: in no later freeze, and no reveal.

    Raises Denied (NOT_OWN_ABSENCE), NotFound (ROSTER_ENTRY_UNKNOWN, SHIFT_UNKNOWN), Conflict
    (ALREADY_ABSENT, SHIFT_CLOSED).
    """
    if caller.role is Role.INSPECTOR and caller.id != person:
        raise Denied("NOT_OWN_ABSENCE", "An inspector reports himself only; a roster officer reports others.")
    if load_shift(unit.connection, name).is_closed:
        raise Conflict("SHIFT_CLOSED", f"The shift {name} is closed; its roster can no longer change.")
    rostered = find_duty(unit.connection, name, person)
    if rostered is None:
        raise NotFound("ROSTER_ENTRY_UNKNOWN", "This person is not on the roster of this shift.", field="name")
    if rostered.absent_time is not None:
        raise Conflict("ALREADY_ABSENT", "This person was reported absent before.", field="name")
    mark_absent(unit.connection, name, person, unit.now)
    unit.record(
        name.port,
        Kind.ABSENCE,
        {
            "by": name_actor(unit, caller, str(name)),
            "person": rostered.pseudonym,
            "reason": reason,
            "shift": str(name),
        },
    )
    return replace(rostered, absent_time=unit.now)
