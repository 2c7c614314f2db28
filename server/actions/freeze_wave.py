"""Freeze a wave: fix and commit to all inputs, a margin before the beacon value exists."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta

from assign.draw.beacon import beacon_from_json
from assign.draw.commitment import Freeze, commit_inputs, commit_seed
from assign.draw.constrained import ALGORITHM
from assign.draw.inputs import FrozenOrder, FrozenPerson, WaveInputs
from assign.log.entries import Kind
from assign.names import OrderId, PersonId, Port, WaveName
from assign.order import Slot
from assign.person import Person, Pseudonym
from assign.rules.eligibility import Candidate
from server.storage.occupancies import load_occupancy
from server.storage.orders import find_orders, handlers_of, set_slots
from server.storage.outcomes import load_outcome, seal_context
from server.storage.persons import NOT_SCREENED, find_persons, pseudonym_of
from server.storage.secrets import unwrap_seed
from server.storage.shifts import Rostered, StoredShift, list_roster, load_shift
from server.storage.slots import SlotState, set_state, slots_of_wave
from server.storage.unit import Unit
from server.storage.waves import WaveState, change_wave, drawn_since, load_wave

__all__ = ["freeze_wave", "miss_wave"]

_SALT_BYTES = 32


def freeze_wave(unit: Unit, name: WaveName) -> None:
    """Freeze a planned wave; one that is not planned any more is left as it is.

    A wave whose draw time has come is missed instead: inputs fixed after the beacon round could have been
    chosen in the knowledge of its value.
    """
    wave = load_wave(unit.connection, name)
    if wave.state is not WaveState.PLANNED:
        return
    slots = slots_of_wave(unit.connection, name, [SlotState.BOOKED])
    if unit.now >= wave.draw_time:
        miss_wave(unit, name, slots, reason="not-frozen-in-time")
        return
    shift = load_shift(unit.connection, name.shift)
    inputs = _collect(unit, shift, name, slots)
    salt = unit.services.entropy.bytes(_SALT_BYTES)
    seed = unwrap_seed(unit, shift, name, purpose="freeze")
    data = inputs.to_bytes()
    freeze = Freeze(
        origin=inputs.origin,
        wave=str(name),
        seed_commitment=commit_seed(inputs.origin, str(name), seed),
        inputs_commitment=commit_inputs(salt, data),
        chain_hash=beacon_from_json(shift.beacon).chain_hash,
        beacon_round=wave.beacon_round,
    ).to_bytes()
    keyring = unit.services.keyring
    change_wave(
        unit.connection,
        name,
        state=WaveState.FROZEN,
        freeze_index=unit.append(name.shift.port, freeze),
        freeze_data=freeze,
        salt_sealed=keyring.seal(salt, context=seal_context("salt", name)),
        inputs_sealed=keyring.seal(data, context=seal_context("inputs", name)),
        slot_count=len(slots),
        small_pool_count=len(inputs.small_pools()),
    )
    set_state(unit.connection, name.shift.port, [slot.slot for slot in slots], SlotState.FROZEN)


def miss_wave(unit: Unit, name: WaveName, slots: list[Slot], *, reason: str) -> None:
    """Log that a wave will not be drawn, and release its slots: their orders are booked anew."""
    port = name.shift.port
    unit.record(port, Kind.WAVE_MISSED, {"reason": reason, "wave": str(name)})
    set_state(unit.connection, port, [slot.slot for slot in slots], SlotState.LEFT_OVER)
    set_slots(unit.connection, port, [(slot.order, None) for slot in slots])
    change_wave(unit.connection, name, state=WaveState.MISSED, slot_count=len(slots))


def _collect(unit: Unit, shift: StoredShift, name: WaveName, slots: list[Slot]) -> WaveInputs:
    config = unit.config(name.shift.port)
    return WaveInputs.assemble(
        origin=config.origin,
        shift=str(name.shift),
        wave=str(name),
        draw_algorithm=ALGORITHM,
        code_version=unit.services.code_version,
        min_pool=shift.min_pool,
        orders=_freeze_orders(unit, shift, slots),
        persons=_freeze_persons(unit, shift, name),
    )


def _freeze_orders(unit: Unit, shift: StoredShift, slots: list[Slot]) -> list[FrozenOrder]:
    port = shift.name.port
    ids = [slot.order for slot in slots]
    orders = find_orders(unit.connection, port, ids)
    handlers = handlers_of(unit.connection, port, ids)
    pseudonyms: dict[PersonId, Pseudonym] = {
        person: pseudonym_of(unit, person, str(shift.name)) for person in sorted(set().union(*handlers.values()))
    }
    return [
        FrozenOrder(
            order=slot.order,
            slot=slot.slot,
            container=orders[slot.order].order.container,
            terminal=slot.terminal,
            start=slot.start,
            minutes=slot.minutes,
            tier=orders[slot.order].order.tier,
            team_size=orders[slot.order].order.team_size,
            qualifications=orders[slot.order].order.qualifications,
            parties=orders[slot.order].order.parties,
            handled_by=frozenset(pseudonyms[person] for person in handlers[slot.order]),
            salt=orders[slot.order].order.salt,
        )
        for slot in slots
    ]


def _freeze_persons(unit: Unit, shift: StoredShift, name: WaveName) -> list[FrozenPerson]:
    roster = list_roster(unit.connection, shift.name)
    persons = find_persons(unit.connection, name.shift.port, [one.entry.person for one in roster])
    occupancy = load_occupancy(unit.connection, unit.services.keyring, shift.name, roster)
    met = _recently_met(unit, name)
    return [
        _freeze_person(
            one,
            persons.get(one.entry.person),
            occupancy.busy(one.pseudonym, after=name.start),
            frozenset(met.get(one.entry.person, ())),
        )
        for one in roster
    ]


def _freeze_person(
    one: Rostered, person: Person | None, busy: tuple[tuple[datetime, datetime], ...], met: frozenset[str]
) -> FrozenPerson:
    entry = one.entry
    return FrozenPerson(
        capacity=entry.capacity,
        candidate=Candidate(
            person=one.pseudonym,
            terminals=entry.terminals,
            duty_start=entry.start,
            duty_end=entry.end,
            qualifications=entry.qualifications,
            absent=one.absent_time is not None,
            screening=NOT_SCREENED if person is None else person.screening,
            recused_parties=frozenset() if person is None else person.recused_parties,
            cooldown_parties=met,
            busy=busy,
        ),
    )


def _recently_met(unit: Unit, name: WaveName) -> dict[PersonId, set[str]]:
    """The trade parties each person met within the cooldown, in whatever shift."""
    port: Port = name.shift.port
    cooldown = timedelta(hours=unit.config(port).cooldown_hours)
    met: dict[PersonId, set[str]] = defaultdict(set)
    for wave in drawn_since(unit.connection, port, name.start - cooldown):
        outcome = load_outcome(unit.connection, unit.services.keyring, wave)
        parties = _parties(unit, port, [*outcome.teams])
        for order, team in outcome.teams.items():
            for person in team:
                met[person].update(parties[order])
    return met


def _parties(unit: Unit, port: Port, orders: list[OrderId]) -> dict[OrderId, frozenset[str]]:
    return {order: stored.order.parties for order, stored in find_orders(unit.connection, port, orders).items()}
