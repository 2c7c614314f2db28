"""Approve a replacement: the next free person of the reserve order takes over, and nobody else moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from assign.draw.occupancy import WhyPassedOver
from assign.draw.replacement import Substitution, choose_substitute
from assign.draw.reserves import reserve_order
from assign.encoding import Json
from assign.errors import Conflict, Denied, NotFound
from assign.log.entries import Kind
from assign.names import OrderId, PersonId, Port
from assign.person import Pseudonym
from assign.rules.reveal_window import is_cleared
from assign.rules.separation import check_approver
from server.actions.actor import name_actor
from server.actions.draw_wave import open_inputs
from server.auth.identity import Caller
from server.storage.occupancies import load_occupancy
from server.storage.orders import handlers_of
from server.storage.outcomes import Substituted, load_outcome, seal_context, seal_substitutions
from server.storage.persons import NOT_SCREENED, find_persons
from server.storage.shifts import Rostered, list_roster, load_shift
from server.storage.unit import Unit
from server.storage.waves import StoredReplacement, StoredWave, approve, find_replacement, load_wave, replacements_of

__all__ = ["approve_replacement"]


def approve_replacement(unit: Unit, caller: Caller, port: Port, replacement: str) -> StoredReplacement:
    """Carry out a replacement that somebody else asked for.

    Raises NotFound (REPLACEMENT_UNKNOWN), Conflict (REPLACEMENT_APPROVED, SHIFT_CLOSED), Denied with a
    reason of `SeparationRefusal`.
    """
    stored = find_replacement(unit.connection, port, replacement)
    if stored is None:
        raise NotFound("REPLACEMENT_UNKNOWN", "There is no such replacement.", field="name")
    if stored.approved_by is not None:
        raise Conflict("REPLACEMENT_APPROVED", "This replacement was approved before.", field="name")
    if load_shift(unit.connection, stored.wave.shift).is_closed:
        raise Conflict("SHIFT_CLOSED", "This shift is closed.")
    # The requester is refused before anything is worked out that he could learn from.
    _check(caller, stored, handled_by=set(), gains=None)
    wave = load_wave(unit.connection, stored.wave)
    roster = list_roster(unit.connection, stored.wave.shift)
    substitutions = _substitute(unit, stored, wave, roster)
    _check_orders(unit, caller, stored, substitutions, roster)
    return _carry_out(unit, caller, stored, substitutions, roster)


def _check(caller: Caller, stored: StoredReplacement, *, handled_by: set[PersonId], gains: str | None) -> None:
    refusal = check_approver(
        approver=caller.id,
        requester=stored.requested_by,
        handled_by=handled_by,
        gains=gains,
        loses=stored.absent,
    )
    if refusal is not None:
        raise Denied(refusal.value, "Another person must approve this: segregation of duties.")


def _check_orders(
    unit: Unit,
    caller: Caller,
    stored: StoredReplacement,
    substitutions: dict[OrderId, Substitution],
    roster: list[Rostered],
) -> None:
    persons = {one.pseudonym: one.entry.person for one in roster}
    handlers = handlers_of(unit.connection, stored.port, [*substitutions])
    for order, substitution in substitutions.items():
        gains = None if substitution.substitute is None else persons[substitution.substitute]
        _check(caller, stored, handled_by=handlers[order], gains=gains)


def _substitute(
    unit: Unit, stored: StoredReplacement, wave: StoredWave, roster: list[Rostered]
) -> dict[OrderId, Substitution]:
    """For each order the absent person has, by id: who takes over. Earlier ones count in later ones."""
    keyring = unit.services.keyring
    inputs = open_inputs(unit, wave)
    key = keyring.open(wave.key_sealed or b"", context=seal_context("draw-key", wave.name))
    absent = next(one.pseudonym for one in roster if one.entry.person == stored.absent)
    occupancy = load_occupancy(unit.connection, keyring, wave.name.shift, roster)
    on_word = _not_cleared(unit, stored, roster)
    capacity = {person.candidate.person: person.capacity for person in inputs.persons}
    substitutions: dict[OrderId, Substitution] = {}
    for order in load_outcome(unit.connection, keyring, wave).orders_of(stored.absent):
        reserve = reserve_order(inputs, key, order)
        unavailable = on_word | occupancy.unavailable(
            str(wave.name),
            order,
            leaving=absent,
            capacity={person: capacity[person] for person in reserve},
            absent={one.pseudonym for one in roster if one.absent_time is not None},
        )
        substitutions[order] = choose_substitute(reserve, unavailable=unavailable)
        occupancy.replace(str(wave.name), order, absent=absent, substitute=substitutions[order].substitute)
    return substitutions


def _not_cleared(unit: Unit, stored: StoredReplacement, roster: list[Rostered]) -> dict[Pseudonym, str]:
    """Who is no longer cleared; the log cannot show it, so it is the operator's word."""
    people = find_persons(unit.connection, stored.port, [one.entry.person for one in roster])
    known = {person: people[person].screening for person in people}
    return {
        one.pseudonym: WhyPassedOver.NOT_CLEARED
        for one in roster
        if not is_cleared(unit.now, known.get(one.entry.person, NOT_SCREENED))
    }


def _carry_out(
    unit: Unit,
    caller: Caller,
    stored: StoredReplacement,
    substitutions: dict[OrderId, Substitution],
    roster: list[Rostered],
) -> StoredReplacement:
    persons = {one.pseudonym: one.entry.person for one in roster}
    pseudonyms = {one.entry.person: one.pseudonym for one in roster}
    substituted = [
        Substituted(order=order, substitute=None if one.substitute is None else persons[one.substitute])
        for order, one in substitutions.items()
    ]
    sealed = seal_substitutions(unit.services.keyring, stored.wave, stored.replacement, substituted)
    approved_by, approved_time = PersonId(caller.id), _approved_time(unit, stored)
    approve(unit.connection, stored, approved_by=approved_by, approved_time=approved_time, substitutions_sealed=sealed)
    context = str(stored.wave.shift)
    requester = Caller("person", stored.requested_by, caller.role, frozenset())
    unit.record(
        stored.port,
        Kind.REPLACEMENT_APPROVE,
        {
            "absent": pseudonyms[stored.absent],
            "by": name_actor(unit, caller, context),
            "requested_by": name_actor(unit, requester, context),
            "substitutions": [_to_json(order, one) for order, one in substitutions.items()],
            "wave": str(stored.wave),
        },
    )
    return replace(stored, approved_by=approved_by, approved_time=approved_time, substitutions_sealed=sealed)


def _approved_time(unit: Unit, stored: StoredReplacement) -> datetime:
    """Now; but later than every other of the wave: one substitute may replace another, and the order counts."""
    times = [one.approved_time for one in replacements_of(unit.connection, stored.wave) if one.approved_time]
    return max([unit.now, *(time + timedelta(microseconds=1) for time in times)])


def _to_json(order: OrderId, substitution: Substitution) -> Json:
    return {
        "order": order,
        "passed_over": [{"person": person, "why": why} for person, why in substitution.passed_over],
        "substitute": substitution.substitute,
    }
