"""Store the screening status and the ties of people who may be drawn."""

from __future__ import annotations

from collections.abc import Sequence

from assign.errors import InvalidInput
from assign.log.entries import Kind
from assign.names import Port
from assign.person import Person
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.storage.persons import digest_register, save_persons
from server.storage.secrets import persons_salt
from server.storage.unit import Unit

__all__ = ["import_persons"]


def import_persons(unit: Unit, caller: Caller, port: Port, persons: Sequence[Person]) -> int:
    """Replace the status of `persons`; how many. Raises InvalidInput (PERSON_TWICE, BATCH_EMPTY)."""
    unit.config(port)
    if not persons:
        raise InvalidInput("BATCH_EMPTY", "Send at least one person.", field="persons")
    seen: set[str] = set()
    for index, person in enumerate(persons):
        if person.person in seen:
            raise InvalidInput(
                "PERSON_TWICE", "This person is in the batch twice; send each once.", field=f"persons[{index}].name"
            )
        seen.add(person.person)
    save_persons(unit.connection, port, persons)
    salt = persons_salt(unit.services.keyring, port, unit.now)
    unit.record(
        port,
        Kind.PERSONS_IMPORT,
        {
            "by": name_actor(unit, caller, f"ports/{port}"),
            "count": len(persons),
            "digest": digest_register(unit.connection, port, salt).hex(),
        },
    )
    return len(persons)
