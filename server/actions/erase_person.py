"""Erase a person: one asks, another one confirms; the key behind his pseudonyms is destroyed, as the log can prove."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sqlalchemy import select
from sqlalchemy.engine import Connection

from assign.encoding import Json
from assign.errors import Conflict, NotFound
from assign.log.entries import Kind
from assign.log.person_keys import commit_opening, key_opening
from assign.names import PersonId, Port
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
from server.privacy.anonymise import anonymise_person, record_register
from server.privacy.key_register import Counted, commit_person_keys, find_pseudonyms, open_person_key
from server.storage.schema import exception_request, handled_selection, person, roster_entry, shift, slot
from server.storage.slots import SlotState
from server.storage.unit import Unit

__all__ = ["Erased", "erase_person", "request_erasure", "subject_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """What an erasure destroyed, as the log of the port that it was asked for has it."""

    log_index: int
    pseudonyms: int
    rows: int


def request_erasure(unit: Unit, caller: Caller, port: Port, name: PersonId, reason: str) -> StoredException:
    """Ask for it. Every key that the log has no commitment of yet is committed to first.

    Raises NotFound (PERSON_UNKNOWN, PORT_UNKNOWN), Conflict (PERSON_ON_DUTY, PERSON_IN_USE).
    """
    key = _key(unit, port, name)
    _check_unused(unit, name)
    commit_person_keys(unit)
    asked = request_exception(
        unit,
        caller,
        port,
        action=ExceptionAction.PERSON_ERASE,
        subject=f"ports/{port}/persons/{name}",
        logged_as=_logged_key(unit, port, key),
        reason=reason,
        context=f"ports/{port}",
    )
    for other in _others(unit, port):
        body: dict[str, Json] = {
            "action": asked.action,
            "by": name_actor(unit, caller, f"ports/{other}"),
            "reason": reason,
            "request": asked.request,
            "time": None,
            "what": _logged_key(unit, other, key),
        }
        unit.record(other, Kind.EXCEPTION_REQUEST, body)
    return asked


def erase_person(
    unit: Unit, caller: Caller, port: Port, request: str, *, counted: Mapping[Port, Counted] = MappingProxyType({})
) -> Erased:
    """Destroy the person's key, and every row that names him. The logs stay as they are, and say that it was done.

    Args:
        counted: what `count_ahead` found; only the entries since then are searched here.

    Raises as `request_erasure`, `load_exception` and `confirm_exception`.
    """
    asked = load_exception(unit, port, request, ExceptionAction.PERSON_ERASE)
    name = PersonId(asked.subject.rpartition("/")[2])
    confirmed = confirm_exception(unit, caller, asked, loses=name)
    key = _key(unit, port, name)
    _check_unused(unit, name)
    # Counted and named before anything is gone.
    ports = (port, *_others(unit, port))
    counts = {one: _count(unit, one, key, counted.get(one, Counted(0, frozenset()))) for one in ports}
    who = {one: who_asked(unit, caller, confirmed, f"ports/{one}") for one in ports}
    registered = _ports_screening(unit, name)
    rows = anonymise_person(unit, name)
    for one in registered:
        record_register(unit, one, str(who[one]["by"]))
    indices = [_record(unit, one, key, {**who[one], "pseudonyms": counts[one], "rows": rows}) for one in ports]
    return Erased(log_index=indices[0], pseudonyms=sum(counts.values()), rows=rows)


def _count(unit: Unit, port: Port, key: bytes, ahead: Counted) -> int:
    return len(ahead.pseudonyms | find_pseudonyms(unit.connection, port, key, start=ahead.size))


def subject_of(connection: Connection, port: Port, request: str) -> PersonId | None:
    """The person whom a request is to erase; None where there is no such request."""
    table = exception_request
    statement = select(table.c.subject).where(
        table.c.port == port, table.c.request == request, table.c.action == ExceptionAction.PERSON_ERASE
    )
    subject = connection.execute(statement).scalar_one_or_none()
    return None if subject is None else PersonId(subject.rpartition("/")[2])


def _record(unit: Unit, port: Port, key: bytes, body: dict[str, Json]) -> int:
    opening = key_opening(key, unit.config(port).origin)
    return unit.record(
        port, Kind.PERSON_ERASED, {**body, "commitment": commit_opening(opening).hex(), "opening": opening.hex()}
    )


def _ports_screening(unit: Unit, name: PersonId) -> list[Port]:
    """The ports whose screening register holds the person."""
    rows = unit.connection.execute(select(person.c.port).where(person.c.person == name)).scalars()
    return [Port(code) for code in rows if code in unit.services.ports]


def _others(unit: Unit, port: Port) -> list[Port]:
    """A person has one key, and pseudonyms in whatever port."""
    return [Port(code) for code in unit.services.ports if code != port]


def _logged_key(unit: Unit, port: Port, key: bytes) -> str:
    return f"personKeys/{commit_opening(key_opening(key, unit.config(port).origin)).hex()}"


def _key(unit: Unit, port: Port, name: PersonId) -> bytes:
    unit.config(port)
    key = open_person_key(unit.connection, unit.services.keyring, name)
    if key is None:
        raise NotFound("PERSON_UNKNOWN", "There is no such person, or none any more.", field="name")
    return key


def _check_unused(unit: Unit, name: PersonId) -> None:
    duty = roster_entry
    on_duty = (
        select(duty.c.shift)
        .join(shift, (shift.c.port == duty.c.port) & (shift.c.shift == duty.c.shift))
        .where(duty.c.person == name, shift.c.closed.is_(False))
        .limit(1)
    )
    if unit.connection.execute(on_duty).first() is not None:
        raise Conflict("PERSON_ON_DUTY", "This person is on the roster of a shift that is not closed.", field="name")
    handled = handled_selection
    waiting = (
        select(handled.c.order)
        .join(slot, (slot.c.port == handled.c.port) & (slot.c.order == handled.c.order))
        .where(handled.c.person == name, slot.c.state.in_([SlotState.BOOKED, SlotState.FROZEN]))
        .limit(1)
    )
    if unit.connection.execute(waiting).first() is not None:
        # Forgotten now, he could not be kept from inspecting what he selected.
        raise Conflict("PERSON_IN_USE", "A container that this person selected still waits for its draw.", field="name")
