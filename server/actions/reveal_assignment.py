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
from server.storage.orders import find_orders
from server.storage.outcomes import Outcome, load_outcome
from server.storage.persons import NOT_SCREENED, load_person
from server.storage.shifts import find_duty, load_shift
from server.storage.slots import SlotState, slots_of_wave
from server.storage.unit import Unit
from server.storage.waves import StoredWave, WaveState, load_wave

__all__ = ["Inspection", "list_inspections", "reveal_assignment"]

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


def reveal_assignment(unit: Unit, caller: Caller, name: AssignmentName) -> list[Inspection]:
    """What the caller was drawn for in a wave, by start; empty where he was not drawn.

    Raises Denied with a reason of `RevealRefusal`, NotFound (WAVE_UNKNOWN, SHIFT_UNKNOWN). No refusal depends
    on what was drawn.
    """
    is_own = caller.kind == "person" and caller.id == name.person
    if caller.role is not Role.INSPECTOR or not is_own:
        # Before anything is looked up: whoever asks for another's learns not even whether the wave exists.
        raise _refuse(RevealRefusal.NOT_OWN_ASSIGNMENT)
    shift = load_shift(unit.connection, name.wave.shift)
    wave = load_wave(unit.connection, name.wave)
    rostered = find_duty(unit.connection, name.wave.shift, name.person)
    person = load_person(unit.connection, name.wave.shift.port, name.person)
    refusal = check_reveal_window(
        now=unit.now,
        calendar=shift.calendar,
        wave_start=wave.name.start,
        is_drawn=wave.state is WaveState.DRAWN,
        reader=Reader(
            is_inspector=True,
            is_own=is_own,
            duty=None if rostered is None else (rostered.entry.start, rostered.entry.end),
            absent=rostered is not None and rostered.absent_time is not None,
            screening=NOT_SCREENED if person is None else person.screening,
        ),
    )
    if refusal is not None or rostered is None:
        raise _refuse(refusal or RevealRefusal.NOT_ON_DUTY)
    unit.record(name.wave.shift.port, Kind.REVEAL, {"person": rostered.pseudonym, "wave": str(name.wave)})
    outcome = load_outcome(unit.connection, unit.services.keyring, wave)
    return list_inspections(unit, wave, outcome, name.person)


def _refuse(refusal: RevealRefusal) -> Denied:
    return Denied(refusal.value, _MESSAGES[refusal])


def list_inspections(unit: Unit, wave: StoredWave, outcome: Outcome, person: PersonId) -> list[Inspection]:
    """The inspections of one person in a drawn wave, by start and order."""
    mine = outcome.orders_of(person)
    slots = {slot.order: slot for slot in slots_of_wave(unit.connection, wave.name, [SlotState.DRAWN])}
    orders = find_orders(unit.connection, wave.name.shift.port, mine)
    inspections = [
        Inspection(order=orders[order].order, slot=slots[order], team=outcome.teams[order]) for order in mine
    ]
    return sorted(inspections, key=lambda one: (one.slot.start, one.order.order))
