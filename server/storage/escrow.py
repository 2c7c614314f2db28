"""Statements on escrowed shares: age files, each of which its custodian alone can open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.engine import Connection

from assign.encoding import lp
from assign.errors import NotFound
from assign.log.entries import FORMAT, Entry, Kind
from assign.names import Port, ShiftId, ShiftName
from server.storage.schema import escrow_key_share, escrow_share, log_entry, shift

__all__ = [
    "StoredShare",
    "add_shares",
    "escrowed_keys",
    "escrowed_shifts",
    "find_key_shares",
    "logged_commitment",
    "replace_key_shares",
    "replace_master",
    "shares_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredShare:
    """One custodian's share of a shift's master seed, or of a key file.

    Attributes:
        number: 1 to the number of custodians. data: an armored age file.
    """

    number: int
    recipient: str
    data: bytes


def add_shares(connection: Connection, name: ShiftName, shares: Sequence[StoredShare]) -> None:
    """Store the shares of a shift that is being opened."""
    connection.execute(
        insert(escrow_share),
        [
            {
                "port": name.port,
                "shift": name.shift,
                "number": share.number,
                "recipient": share.recipient,
                "data": share.data,
            }
            for share in shares
        ],
    )


def shares_of(connection: Connection, name: ShiftName) -> list[StoredShare]:
    """The shares of a shift by number; none where it was opened without escrow."""
    table = escrow_share
    rows = connection.execute(
        select(table.c.number, table.c.recipient, table.c.data)
        .where(table.c.port == name.port, table.c.shift == name.shift)
        .order_by(table.c.number)
    )
    return [StoredShare(number=row.number, recipient=row.recipient, data=bytes(row.data)) for row in rows]


def escrowed_shifts(connection: Connection) -> list[ShiftName]:
    """Every shift with shares, by name."""
    table = escrow_share
    rows = connection.execute(select(table.c.port, table.c.shift).distinct().order_by(table.c.port, table.c.shift))
    return [ShiftName(Port(row.port), ShiftId(row.shift)) for row in rows]


def find_key_shares(connection: Connection, key_id: str) -> tuple[int, list[StoredShare]]:
    """The threshold and the shares of a key file by number; 0 and none where it was never split."""
    table = escrow_key_share
    rows = connection.execute(select(table).where(table.c.key_id == key_id).order_by(table.c.number)).all()
    shares = [StoredShare(number=row.number, recipient=row.recipient, data=bytes(row.data)) for row in rows]
    return (rows[0].threshold if rows else 0), shares


def replace_key_shares(connection: Connection, key_id: str, threshold: int, shares: Sequence[StoredShare]) -> None:
    """Store the shares of a key file instead of those that were there."""
    table = escrow_key_share
    connection.execute(delete(table).where(table.c.key_id == key_id))
    connection.execute(
        insert(table),
        [
            {
                "key_id": key_id,
                "number": share.number,
                "threshold": threshold,
                "recipient": share.recipient,
                "data": share.data,
            }
            for share in shares
        ],
    )


def escrowed_keys(connection: Connection) -> list[str]:
    """The id of every key file with shares, sorted."""
    table = escrow_key_share
    return [*connection.execute(select(table.c.key_id).distinct().order_by(table.c.key_id)).scalars()]


def replace_master(connection: Connection, name: ShiftName, master_sealed: bytes) -> None:
    """Store a recovered master seed, sealed under the key of today."""
    connection.execute(
        update(shift).where(shift.c.port == name.port, shift.c.shift == name.shift).values(master_sealed=master_sealed)
    )


def logged_commitment(connection: Connection, name: ShiftName, origin: str) -> bytes:
    """The master seed's commitment as it stands in the log since the shift opened: 32 bytes.

    The log is asked and not the table of shifts: rows can be rewritten. Raises NotFound (SHIFT_NOT_LOGGED).
    """
    begin = lp(FORMAT, Kind.SHIFT_OPEN, origin)
    end = begin[:-1] + bytes([begin[-1] + 1])  # an origin is text: its last byte is never 255
    entries = connection.execute(
        select(log_entry.c.data)
        .where(log_entry.c.port == name.port, log_entry.c.data >= begin, log_entry.c.data < end)
        .order_by(log_entry.c.position)
    ).scalars()
    for data in entries:
        body = Entry.from_bytes(bytes(data)).body
        if body.get("shift") == str(name):
            return bytes.fromhex(body["commit_master"])
    raise NotFound("SHIFT_NOT_LOGGED", f"The log {origin} has no opening of {name}.")
