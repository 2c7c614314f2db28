"""The persons' keys and the log: each key is committed to, and every pseudonym in the log is some key's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from assign.encoding import Json
from assign.errors import Corrupt
from assign.log.entries import Entry, Kind
from assign.log.person_keys import commit_opening, key_opening, padded_commitments, padding_count
from assign.names import PersonId, Port
from assign.person import pseudonym
from server.keyring import Keyring
from server.storage.ledger import read_entries, read_head
from server.storage.persons import person_key_context
from server.storage.schema import person_key, person_key_commitment, roster_entry, shift
from server.storage.unit import Unit

__all__ = [
    "Counted",
    "KeyAccount",
    "account_for",
    "commit_person_keys",
    "contexts_of",
    "count_ahead",
    "find_pseudonyms",
    "open_person_key",
]

_AT_ONCE = 1000
_COMMITMENT_BYTES = 32
# In a body every pseudonym is a JSON string of its own, and nothing else in a body has exactly this form.
_PSEUDONYM = re.compile(rb'"([0-9a-f]{32})"')


def open_person_key(connection: Connection, keyring: Keyring, person: PersonId) -> bytes | None:
    """A person's key; None where there is none, or none any more. Raises Corrupt."""
    statement = select(person_key.c.sealed).where(person_key.c.person == person)
    sealed = connection.execute(statement).scalar_one_or_none()
    return None if sealed is None else keyring.open(bytes(sealed), context=person_key_context(person))


def commit_person_keys(unit: Unit) -> int:
    """Log, in every port, a commitment to each key that has none there yet; how many keys that were.

    Many at a time, sorted, and filled up with random values: which new key belongs to which new pseudonym, the log
    does not say.
    """
    committed = 0
    for code in unit.services.ports:
        committed += _commit_in(unit, Port(code))
    return committed


def _commit_in(unit: Unit, port: Port) -> int:
    table = person_key_commitment
    known = select(table.c.person).where(table.c.port == port)
    statement = select(person_key.c.person).where(person_key.c.person.not_in(known)).order_by(person_key.c.person)
    persons = [PersonId(person) for person in unit.connection.execute(statement).scalars()]
    if not persons:
        return 0
    origin = unit.config(port).origin
    commitments: dict[PersonId, bytes] = {}
    for person in persons:
        key = open_person_key(unit.connection, unit.services.keyring, person)
        commitments[person] = commit_opening(key_opening(key or b"", origin))
    unit.connection.execute(
        insert(table),
        [{"port": port, "person": person, "commitment": value} for person, value in commitments.items()],
    )
    padding = [unit.services.entropy.bytes(_COMMITMENT_BYTES) for _ in range(padding_count(len(commitments)))]
    rows: list[Json] = [*padded_commitments([*commitments.values()], padding)]
    for at in range(0, len(rows), _AT_ONCE - _AT_ONCE % 16):
        unit.record(port, Kind.PERSON_KEYS, {"commitments": rows[at : at + _AT_ONCE - _AT_ONCE % 16]})
    return len(persons)


def contexts_of(connection: Connection, port: Port) -> list[str]:
    """The contexts in which people have pseudonyms in a port's log: the port, and each of its shifts."""
    shifts = connection.execute(select(shift.c.shift).where(shift.c.port == port)).scalars()
    return [f"ports/{port}", *(f"ports/{port}/shifts/{name}" for name in shifts)]


def _logged(connection: Connection, port: Port, start: int) -> Iterator[bytes]:
    edge, _ = read_head(connection, port)
    for at in range(start, edge.size, _AT_ONCE):
        yield from read_entries(connection, port, at, min(at + _AT_ONCE, edge.size))


def find_pseudonyms(connection: Connection, port: Port, key: bytes, *, start: int = 0) -> set[str]:
    """The pseudonyms in a port's log, from the entry at `start` on, that a person's key made."""
    own = {pseudonym(key, context).encode() for context in contexts_of(connection, port)}
    found: set[bytes] = set()
    for data in _logged(connection, port, start):
        found |= own.intersection(_PSEUDONYM.findall(data))
    return {one.decode() for one in found}


@dataclass(frozen=True, slots=True)
class Counted:
    """The pseudonyms of one person in the first `size` entries of a port's log."""

    size: int
    pseudonyms: frozenset[str]


def count_ahead(
    connection: Connection, keyring: Keyring, ports: Iterable[Port], person: PersonId
) -> dict[Port, Counted]:
    """Each port's log searched for a person's pseudonyms, beside the writer: a long log would hold up its freezes."""
    key = open_person_key(connection, keyring, person)
    if key is None:
        return {}
    return {
        port: Counted(read_head(connection, port)[0].size, frozenset(find_pseudonyms(connection, port, key)))
        for port in ports
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyAccount:
    """Whose the pseudonyms in a port's log are, in numbers only.

    Attributes:
        pseudonyms: how many different ones the log has. live: how many of them today's keys make.
        erased: how many the erasures on record say that they left nameless.
        keys, committed: how many keys there are, and how many of them the log has a commitment of.
        other_rosters: roster rows whose pseudonym is not the one that the person's key makes.
    """

    port: Port
    pseudonyms: int
    live: int
    erased: int
    keys: int
    committed: int
    other_rosters: int

    @property
    def is_balanced(self) -> bool:
        """Whether every pseudonym is accounted for, once, and every roster row is right."""
        return self.pseudonyms == self.live + self.erased and self.other_rosters == 0


def account_for(connection: Connection, keyring: Keyring, port: Port, origin: str) -> KeyAccount:
    """Recompute every pseudonym of a port's log from the keys that are left; the others were erased, or are wrong."""
    persons = [PersonId(one) for one in connection.execute(select(person_key.c.person)).scalars()]
    keys = {person: open_person_key(connection, keyring, person) or b"" for person in persons}
    contexts = contexts_of(connection, port)
    live = {pseudonym(key, context).encode() for key in keys.values() for context in contexts}
    found: set[bytes] = set()
    logged: set[str] = set()
    erased = 0
    for data in _logged(connection, port, 0):
        found.update(_PSEUDONYM.findall(data))
        entry = _entry_about_keys(data)
        if entry is not None and entry.kind is Kind.PERSON_KEYS:
            logged.update(entry.body["commitments"])
        elif entry is not None:
            erased += entry.body["pseudonyms"]
    committed = sum(commit_opening(key_opening(key, origin)).hex() in logged for key in keys.values())
    return KeyAccount(
        port=port,
        pseudonyms=len(found),
        live=len(found & live),
        erased=erased,
        keys=len(keys),
        committed=committed,
        other_rosters=sum(_is_other(keys, row) for row in _rosters(connection, port)),
    )


def _entry_about_keys(data: bytes) -> Entry | None:
    try:
        entry = Entry.from_bytes(data)
    except Corrupt:  # a freeze
        return None
    return entry if entry.kind in (Kind.PERSON_KEYS, Kind.PERSON_ERASED) else None


def _rosters(connection: Connection, port: Port) -> Iterable[tuple[str, str, str]]:
    table = roster_entry
    statement = select(table.c.shift, table.c.person, table.c.pseudonym).where(table.c.port == port)
    for name, person, alias in connection.execute(statement):
        yield f"ports/{port}/shifts/{name}", person, alias


def _is_other(keys: dict[PersonId, bytes], row: tuple[str, str, str]) -> bool:
    context, person, alias = row
    key = keys.get(PersonId(person))
    return key is None or pseudonym(key, context) != alias
