"""An entry and what proves it offline: a receipt (C2SP tlog-proof) under a signed checkpoint of the log."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.engine import Connection

from assign.errors import Corrupt, Denied, InvalidInput
from assign.log.entries import Entry, Kind
from assign.log.proof import Receipt
from assign.log.tiles import prove_inclusion
from assign.names import PersonId, Port, parse_wave_name
from assign.person import pseudonym
from server.keyring import Keyring
from server.queries.read_checkpoint import read_covering
from server.storage.ledger import read_entries, read_head, tile_reader
from server.storage.persons import person_key_context
from server.storage.schema import person_key

__all__ = ["Receipted", "read_own_receipt", "read_receipt"]

_NOT_OWN = "An inspector gets the receipts of his own looks at assignments, and no other entry's."


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipted:
    """An entry of a port's log with its receipt.

    Attributes:
        entry: its bytes, as stored.
        proof: the `.tlog-proof` text.
        tree_size: entries under the receipt's checkpoint.
    """

    index: int
    entry: bytes
    proof: bytes
    tree_size: int


def read_receipt(connection: Connection, port: Port, index: int) -> Receipted:
    """The receipt of the entry at `index`, under the newest cosigned checkpoint that covers it, else the newest.

    Raises InvalidInput (INDEX_RANGE), Corrupt for a damaged store.
    """
    edge, _ = read_head(connection, port)
    if not 0 <= index < edge.size:
        raise InvalidInput("INDEX_RANGE", f"The log has {edge.size} entries, counted from 0.", field="index")
    (entry,) = read_entries(connection, port, index, index + 1)
    checkpoint, note = read_covering(connection, port, index)
    path = prove_inclusion(index, checkpoint.size, tile_reader(connection, port))
    return Receipted(index=index, entry=entry, proof=Receipt(index, path, note).encode(), tree_size=checkpoint.size)


def read_own_receipt(connection: Connection, keyring: Keyring, port: Port, index: int, person: PersonId) -> Receipted:
    """`read_receipt`, if the entry is a look of `person` at his own assignment.

    Raises Denied (NOT_OWN_ENTRY) for every other entry and for one that is not there, all alike.
    """
    try:
        found = read_receipt(connection, port, index)
    except InvalidInput:
        raise Denied("NOT_OWN_ENTRY", _NOT_OWN) from None
    if not _is_look_of(connection, keyring, found.entry, person):
        raise Denied("NOT_OWN_ENTRY", _NOT_OWN)
    return found


def _is_look_of(connection: Connection, keyring: Keyring, data: bytes, person: PersonId) -> bool:
    try:
        entry = Entry.from_bytes(data)
    except Corrupt:  # a freeze, which is nobody's
        return False
    if entry.kind is not Kind.REVEAL:
        return False
    sealed = connection.execute(select(person_key.c.sealed).where(person_key.c.person == person)).scalar_one_or_none()
    if sealed is None:
        return False
    key = keyring.open(bytes(sealed), context=person_key_context(person))
    wave = parse_wave_name(entry.body["wave"])
    return bool(entry.body["person"] == pseudonym(key, str(wave.shift)))
