"""The fast part of the audit, before a server takes a single call: is each log whole at its end?

Logarithmic in the size of the log. The rest is for `assign audit`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.engine import Connection

from assign.errors import Corrupt
from assign.log.merkle import RightEdge, leaf_hash
from assign.log.note import NoteVerifier
from assign.log.tiles import TILE_WIDTH, edge_at, tile_width
from assign.names import Port
from server.audit.log_check import check_checkpoint
from server.storage.ledger import read_entries, read_head, tile_reader
from server.storage.schema import log_entry
from server.storage.sqlite import store_errors

__all__ = ["check_ends"]


def check_ends(connection: Connection, verifiers: Mapping[Port, NoteVerifier]) -> None:
    """Every log's end fits together: edge, tiles, last entry, signed checkpoint.

    Raises Corrupt naming the port: LOG_HEAD, LOG_TILE_MISSING, LOG_GAP, TILE_LENGTH, EDGE_MALFORMED,
    LOG_EDGE, LOG_ENTRY_CHANGED, LOG_ENTRY_EXTRA, LOG_CHECKPOINT; Unavailable (STORE_UNAVAILABLE).
    """
    for port, verifier in verifiers.items():
        try:
            with store_errors():
                _check_end(connection, port, verifier)
        except Corrupt as error:
            raise Corrupt(error.reason, f"The log of {port} is damaged, nothing is served: {error.message}") from None


def _check_end(connection: Connection, port: Port, verifier: NoteVerifier) -> None:
    edge, note = read_head(connection, port)
    beyond = select(log_entry.c.position).where(log_entry.c.port == port, log_entry.c.position >= edge.size).limit(1)
    if connection.execute(beyond).first() is not None:
        raise Corrupt("LOG_ENTRY_EXTRA", f"There are entries beyond the {edge.size} of the log; audit the store.")
    if edge.size == 0:
        return
    read_tile = tile_reader(connection, port)
    if edge_at(edge.size, read_tile) != edge:
        raise Corrupt("LOG_EDGE", "The right edge is not the one that the tiles have; audit the store.")
    _check_last(connection, port, edge)
    try:
        checkpoint = check_checkpoint(note, verifier.name, verifier)
    except Corrupt as error:
        raise Corrupt("LOG_CHECKPOINT", f"Its checkpoint does not hold: {error.message}") from None
    if (checkpoint.size, checkpoint.root) != (edge.size, edge.root()):
        raise Corrupt("LOG_CHECKPOINT", "Its checkpoint is not of this size and root; audit the store.")


def _check_last(connection: Connection, port: Port, edge: RightEdge) -> None:
    last = edge.size - 1
    (entry,) = read_entries(connection, port, last, edge.size)
    index = last // TILE_WIDTH
    width = tile_width(level=0, index=index, size=edge.size)
    if tile_reader(connection, port)(0, index, width)[-len(leaf_hash(entry)) :] != leaf_hash(entry):
        raise Corrupt("LOG_ENTRY_CHANGED", "The last entry does not have the hash in its tile; audit the store.")
