"""Every row that names a person, removed or made nameless; the log is not touched.

What other rows refer to gets a random stand-in, another one in every place, so that nothing links the places.
"""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Connection

from assign.errors import Corrupt
from assign.log.entries import Kind
from assign.names import PersonId, Port, ShiftId, ShiftName, WaveName
from server.storage.outcomes import Outcome, Substituted, load_drawn, load_substituted, seal_outcome, seal_substitutions
from server.storage.persons import digest_register
from server.storage.requests import answer_context
from server.storage.schema import (
    exception_request,
    handled_selection,
    inspection_order,
    person,
    person_key,
    person_key_commitment,
    replacement,
    request,
    roster_entry,
)
from server.storage.secrets import persons_salt
from server.storage.unit import Unit
from server.storage.waves import change_wave, replacements_of, waves_of

__all__ = ["anonymise_person", "overwrite_deleted", "record_register", "stand_in"]

_STAND_IN_BYTES = 8


def stand_in(unit: Unit) -> PersonId:
    """A name that means nobody."""
    return PersonId(f"erased-{unit.services.entropy.bytes(_STAND_IN_BYTES).hex()}")


def anonymise_person(unit: Unit, name: PersonId) -> int:
    """Remove a person from every table; how many rows that changed. The shifts he served in must be closed."""
    overwrite_deleted(unit.connection)
    changed = _forget_outcomes(unit, name)
    changed += _forget_selections(unit, name)
    changed += _forget_exceptions(unit, name)
    changed += _forget_answers(unit, name)
    for table in (roster_entry, person, person_key, person_key_commitment):
        changed += unit.connection.execute(delete(table).where(table.c.person == name)).rowcount
    # What is kept at hand has the names of before.
    unit.services.drawn_waves.forget()
    return changed


def overwrite_deleted(connection: Connection) -> None:
    """What is deleted from here on leaves no trace in the free pages of the store."""
    """SQLite leaves what was deleted in the free pages of its file, unless told otherwise."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete=ON")


def _forget_outcomes(unit: Unit, name: PersonId) -> int:
    table = roster_entry
    rows = unit.connection.execute(select(table.c.port, table.c.shift).where(table.c.person == name)).all()
    return sum(_forget_in_shift(unit, ShiftName(Port(row.port), ShiftId(row.shift)), name) for row in rows) + (
        _forget_approvals(unit, name)
    )


def _forget_in_shift(unit: Unit, shift: ShiftName, name: PersonId) -> int:
    keyring, changed = unit.services.keyring, 0
    for wave in waves_of(unit.connection, shift):
        # One stand-in a wave: a replacement refers to whom it replaced.
        other = stand_in(unit)
        if wave.outcome_sealed is not None:
            drawn = load_drawn(keyring, wave)
            if drawn.orders_of(name):
                sealed = seal_outcome(keyring, wave.name, _renamed(drawn, name, other))
                change_wave(unit.connection, wave.name, outcome_sealed=sealed)
                changed += 1
        changed += _forget_substitutions(unit, wave.name, name, other)
    return changed


def _renamed(outcome: Outcome, name: PersonId, other: PersonId) -> Outcome:
    teams = {order: tuple(other if one == name else one for one in team) for order, team in outcome.teams.items()}
    return Outcome(teams=teams)


def _forget_substitutions(unit: Unit, wave: WaveName, name: PersonId, other: PersonId) -> int:
    keyring, table, changed = unit.services.keyring, replacement, 0
    for stored in replacements_of(unit.connection, wave):
        substituted = load_substituted(keyring, stored)
        values: dict[str, object] = {}
        if any(one.substitute == name for one in substituted):
            renamed = [
                Substituted(order=one.order, substitute=other if one.substitute == name else one.substitute)
                for one in substituted
            ]
            values["substitutions_sealed"] = seal_substitutions(keyring, wave, stored.replacement, renamed)
        if stored.absent == name:
            values["absent"] = other
        if values:
            here = (table.c.port == stored.port) & (table.c.replacement == stored.replacement)
            unit.connection.execute(update(table).where(here).values(**values))
            changed += 1
    return changed


def _forget_approvals(unit: Unit, name: PersonId) -> int:
    changed = 0
    for column in (replacement.c.requested_by, replacement.c.approved_by):
        statement = update(replacement).where(column == name).values({column.name: stand_in(unit)})
        changed += unit.connection.execute(statement).rowcount
    return changed


def _forget_selections(unit: Unit, name: PersonId) -> int:
    table, changed = handled_selection, 0
    rows = unit.connection.execute(select(table.c.port, table.c.order).where(table.c.person == name)).all()
    for row in rows:
        other = stand_in(unit)
        here = (table.c.port == row.port) & (table.c.order == row.order) & (table.c.person == name)
        changed += unit.connection.execute(update(table).where(here).values(person=other)).rowcount
        selected = inspection_order
        same = (selected.c.port == row.port) & (selected.c.order == row.order) & (selected.c.selected_by == name)
        changed += unit.connection.execute(update(selected).where(same).values(selected_by=other)).rowcount
    return changed


def _forget_exceptions(unit: Unit, name: PersonId) -> int:
    table, changed = exception_request, 0
    for column in (table.c.requested_by, table.c.approved_by):
        statement = update(table).where(column == name).values({column.name: stand_in(unit)})
        changed += unit.connection.execute(statement).rowcount
    subject = update(table).where(table.c.subject.like(f"ports/%/persons/{_escaped(name)}", escape="\\"))
    changed += unit.connection.execute(subject.values(subject="erased")).rowcount
    return changed


def _escaped(name: str) -> str:
    return name.replace("_", "\\_")


def _forget_answers(unit: Unit, name: PersonId) -> int:
    """Answers that are kept for repetition: his own, and those that name him."""
    table = request
    changed = unit.connection.execute(delete(table).where(table.c.caller == f"persons/{name}")).rowcount
    wanted = f"/{name}".encode()
    for row in unit.connection.execute(select(table)).all():
        context = answer_context(row.caller, row.request_id, row.digest)
        try:
            is_about_him = wanted in unit.services.keyring.open(bytes(row.response), context=context)
        except Corrupt:  # under another key, or written by hand: good for nobody
            is_about_him = True
        if is_about_him:
            here = (table.c.caller == row.caller) & (table.c.request_id == row.request_id)
            changed += unit.connection.execute(delete(table).where(here)).rowcount
    return changed


def record_register(unit: Unit, port: Port, by: str) -> None:
    """Log what the screening register of a port is now that rows are gone: an import of nobody."""
    salt = persons_salt(unit.services.keyring, port, unit.now)
    digest = digest_register(unit.connection, port, salt).hex()
    unit.record(port, Kind.PERSONS_IMPORT, {"by": by, "count": 0, "digest": digest})
