"""Statements on persons and their keys."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.engine import Connection, RowMapping

from assign.encoding import Json, canonical_json, lp, rfc3339, sha256
from assign.names import PersonId, Port
from assign.person import PERSON_KEY_BYTES, Person, Pseudonym, Screening, pseudonym
from server.storage import schema
from server.storage.unit import Unit

__all__ = [
    "NOT_SCREENED",
    "digest_register",
    "find_persons",
    "load_person",
    "person_key_context",
    "pseudonym_of",
    "save_persons",
]

# Nobody is drawn on the strength of a status that nobody reported.
NOT_SCREENED = Screening(certificate_until=None, signal_open=False, interviewed=False)
_CHUNK = 500
_SELECT_PERSON = select(schema.person).where(
    schema.person.c.port == bindparam("p"), schema.person.c.person == bindparam("i")
)


def _to_person(row: RowMapping) -> Person:
    return Person(
        person=row["person"],
        screening=Screening(
            certificate_until=row["certificate_until"],
            signal_open=row["signal_open"],
            interviewed=row["interviewed"],
        ),
        recused_parties=row["recused_parties"],
    )


def find_persons(connection: Connection, port: Port, persons: Sequence[PersonId]) -> dict[PersonId, Person]:
    """Those of `persons` whose status is known."""
    found: dict[PersonId, Person] = {}
    table = schema.person
    for at in range(0, len(persons), _CHUNK):
        chunk = persons[at : at + _CHUNK]
        rows = connection.execute(select(table).where(table.c.port == port, table.c.person.in_(chunk))).mappings()
        found.update((row["person"], _to_person(row)) for row in rows)
    return found


def load_person(connection: Connection, port: Port, person: PersonId) -> Person:
    """One person; not screened where no status was reported."""
    row = connection.execute(_SELECT_PERSON, {"p": port, "i": person}).mappings().one_or_none()
    if row is None:
        return Person(person=person, screening=NOT_SCREENED, recused_parties=frozenset())
    return _to_person(row)


def save_persons(connection: Connection, port: Port, persons: Sequence[Person]) -> None:
    """Store the status of `persons`, replacing what was known."""
    table = schema.person
    for at in range(0, len(persons), _CHUNK):
        chunk = [person.person for person in persons[at : at + _CHUNK]]
        connection.execute(delete(table).where(table.c.port == port, table.c.person.in_(chunk)))
    connection.execute(
        insert(table),
        [
            {
                "port": port,
                "person": person.person,
                "certificate_until": person.screening.certificate_until,
                "signal_open": person.screening.signal_open,
                "interviewed": person.screening.interviewed,
                "recused_parties": person.recused_parties,
            }
            for person in persons
        ],
    )


def digest_register(connection: Connection, port: Port, salt: bytes) -> bytes:
    """What the log holds of a port's whole screening register after each import: 32 bytes.

    Over everybody and not over the batch, so that a row which was changed, added, taken out or set back in the
    database since is found.
    """
    table = schema.person
    rows = connection.execute(select(table).where(table.c.port == port).order_by(table.c.person)).mappings()
    return sha256(lp("persons/v1", salt, canonical_json([_to_json(_to_person(row)) for row in rows])))


def _to_json(person: Person) -> Json:
    until = person.screening.certificate_until
    return {
        "certificate_until": None if until is None else rfc3339(until),
        "interviewed": person.screening.interviewed,
        "person": person.person,
        "recused_parties": [*sorted(person.recused_parties)],
        "signal_open": person.screening.signal_open,
    }


def person_key_context(person: PersonId) -> bytes:
    """What a person's sealed key is bound to."""
    return lp("person-key", person)


def pseudonym_of(unit: Unit, person: PersonId, context: str) -> Pseudonym:
    """The person's pseudonym in `context`, under the person's own key, made when first needed."""
    table = schema.person_key
    seal_context = person_key_context(person)
    sealed = unit.connection.execute(select(table.c.sealed).where(table.c.person == person)).scalar_one_or_none()
    if sealed is None:
        key = unit.services.entropy.bytes(PERSON_KEY_BYTES)
        sealed = unit.services.keyring.seal(key, context=seal_context)
        unit.connection.execute(insert(table), {"person": person, "sealed": sealed})
    else:
        key = unit.services.keyring.open(sealed, context=seal_context)
    return pseudonym(key, context)
