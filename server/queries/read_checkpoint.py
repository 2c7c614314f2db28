"""The signed checkpoints of a port's log, with the cosignatures that witnesses gave so far."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.engine import Connection

from assign.errors import Corrupt, NotFound
from assign.log.checkpoint import Checkpoint, parse_checkpoint
from assign.log.note import parse_note
from assign.names import Port
from server.storage.cosignatures import find_cosigned
from server.storage.ledger import read_head
from server.storage.schema import cosigned_checkpoint

__all__ = ["read_checkpoint", "read_covering"]


def read_checkpoint(connection: Connection, port: Port) -> bytes:
    """The newest checkpoint, as a note. Raises NotFound (LOG_EMPTY)."""
    edge, note = read_head(connection, port)
    if edge.size == 0:
        raise NotFound("LOG_EMPTY", "This log has no checkpoint yet.")
    cosigned = find_cosigned(connection, port, edge.size)
    return cosigned if cosigned is not None and _is_of(cosigned, note) else note


def _is_of(cosigned: bytes, note: bytes) -> bool:
    # Rows can be edited: what is not the same checkpoint is not passed on.
    try:
        return parse_note(cosigned).text == parse_note(note).text
    except Corrupt:
        return False


def read_covering(connection: Connection, port: Port, index: int) -> tuple[Checkpoint, bytes]:
    """The best checkpoint, with its note, that covers the entry at `index`, which must be in the log.

    The newest that witnesses cosigned, since it proves more; while none of those is large enough, the newest.
    """
    edge, note = read_head(connection, port)
    table = cosigned_checkpoint
    covering = (
        select(table.c.note)
        .where(table.c.port == port, table.c.size > index, table.c.size <= edge.size)
        .order_by(table.c.size.desc())
        .limit(1)
    )
    cosigned = connection.execute(covering).scalar_one_or_none()
    if isinstance(cosigned, bytes):
        try:
            checkpoint = parse_checkpoint(parse_note(cosigned).text)
            if index < checkpoint.size <= edge.size:
                return checkpoint, cosigned
        except Corrupt:  # rows can be edited, and a receipt is checked by whoever gets it
            pass
    return parse_checkpoint(parse_note(note).text), note
