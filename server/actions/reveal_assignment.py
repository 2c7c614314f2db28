"""The reveal gate: an inspector reads what he was drawn for; every look is logged before it is answered."""

from __future__ import annotations

from dataclasses import dataclass

from assign.errors import Denied
from assign.log.entries import Kind
from assign.names import AssignmentName, PersonId
from assign.order import Order, Slot
from assign.rules.reveal_window import Reader, RevealRefusal, check_reveal_window
from server.auth.access import Role
from server.auth.identity import Caller
from server.storage.drawn_waves import DrawnWave
from server.storage.outcomes import Outcome
from server.storage.persons import load_person
from server.storage.shifts import find_duty, load_shift
from server.storage.unit import Unit

__all__ = ["Inspection", "Revealed", "list_inspections", "reveal_assignment"]

_MESSAGES = {
    RevealRefusal.ROLE_NOT_INSPECTOR: "Only an inspector reads an assignment, and only his own.",
    RevealRefusal.NOT_OWN_ASSIGNMENT: "Only an inspector reads an assignment, and only his own.",
    RevealRefusal.NOT_ON_DUTY: "You are not on duty in this shift at this moment.",
    RevealRefusal.ABSENT: "You were reported absent in this shift.",
    RevealRefusal.NOT_CLEARED: "Your screening status does not allow this now; ask the security officer.",
    RevealRefusal.REVEAL_TOO_EARLY: "It is too early: ask again from the wave's draw time on.",
    RevealRefusal.REVEAL_TOO_LATE: "It is too late: your duty in this shift is over.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One inspection: its order, its slot and its team."""

    order: Order
    slot: Slot
    team: tuple[PersonId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """What a person was drawn for, and the look that it was.

    Attributes:
        inspections: by start; empty where he was not drawn.
        log_index: position of this look's own entry in the port's log.
    """

    inspections: list[Inspection]
    log_index: int


def reveal_assignment(unit: Unit, caller: Caller, name: AssignmentName) -> Revealed:
    """What the caller was drawn for in a wave.

    Raises Denied with a reason of `RevealRefusal`, NotFound (WAVE_UNKNOWN, SHIFT_UNKNOWN). No refusal depends
    on what was drawn.
    """
    is_own = caller.kind == "person" and caller.id == name.person
    if caller.role is not Role.INSPECTOR or not is_own:
        # Before anything is looked up: whoever asks for another's learns not even whether the wave exists.
        raise _refuse(RevealRefusal.NOT_OWN_ASSIGNMENT)
    wave = unit.services.drawn_waves.find(unit.connection, unit.services.keyring, name.wave)
    rostered = find_duty(unit.connection, name.wave.shift, name.person)
    person = load_person(unit.connection, name.wave.shift.port, name.person)
    refusal = check_reveal_window(
        now=unit.now,
        calendar=load_shift(unit.connection, name.wave.shift).calendar if wave is None else wave.calendar,
        wave_start=name.wave.start,
        is_drawn=wave is not None,
        reader=Reader(
            is_inspector=True,
            is_own=is_own,
            duty=None if rostered is None else (rostered.entry.start, rostered.entry.end),
            absent=rostered is not None and rostered.absent_time is not None,
            screening=person.screening,
        ),
    )
    if refusal is not None or rostered is None or wave is None:
        raise _refuse(refusal or RevealRefusal.NOT_ON_DUTY)
    log_index = unit.record(name.wave.shift.port, Kind.REVEAL, {"person": rostered.pseudonym, "wave": str(name.wave)})
    inspections = list_inspections(wave, wave.outcome(unit.connection, unit.services.keyring), name.person)
    return Revealed(inspections=inspections, log_index=log_index)


def _refuse(refusal: RevealRefusal) -> Denied:
    return Denied(refusal.value, _MESSAGES[refusal])


def list_inspections(wave: DrawnWave, outcome: Outcome, person: PersonId) -> list[Inspection]:
    """The inspections of one person in a drawn wave, by start and order."""
    inspections = [
        Inspection(order=wave.orders[order], slot=wave.slots[order], team=outcome.teams[order])
        for order in outcome.orders_of(person)
    ]
    return sorted(inspections, key=lambda one: (one.slot.start, one.order.order))
