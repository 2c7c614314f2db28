"""Statements on cosigned checkpoints, and how far a freeze is covered by them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select, update
from sqlalchemy.engine import Connection

from assign.errors import Corrupt
from assign.log.cosignature import Policy, cosigned_at
from assign.log.note import Signature, add_signatures, parse_note
from assign.names import Port
from server.storage.schema import cosigned_checkpoint

__all__ = ["add_cosignatures", "count_witnesses", "find_cosigned", "list_cosigned", "read_cosigned"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_AT_ONCE = 1000


def find_cosigned(connection: Connection, port: Port, size: int) -> bytes | None:
    """The checkpoint of that size with the cosignatures so far; None: it has none."""
    table = cosigned_checkpoint
    found = connection.execute(select(table.c.note).where(table.c.port == port, table.c.size == size))
    note = found.scalar_one_or_none()
    return None if note is None else bytes(note)


def add_cosignatures(
    connection: Connection, port: Port, size: int, note: bytes, cosignatures: Sequence[Signature]
) -> None:
    """Merge verified cosignatures (one or more) on the checkpoint `note` into what is stored of its size.

    Raises Corrupt (CHECKPOINT_FORKED) where another checkpoint of that size was cosigned before.
    """
    stored = find_cosigned(connection, port, size)
    if stored is not None and parse_note(stored).text != parse_note(note).text:
        raise Corrupt("CHECKPOINT_FORKED", f"Another checkpoint of {size} entries was cosigned before.")
    merged = add_signatures(stored or note, *cosignatures)
    first = min(_EPOCH + cosigned_at(item.value) * _SECOND for item in cosignatures)
    table = cosigned_checkpoint
    here = (table.c.port == port) & (table.c.size == size)
    if stored is None:
        connection.execute(insert(table), {"port": port, "size": size, "first_time": first, "note": merged})
        return
    connection.execute(update(table).where(here).values(note=merged))
    connection.execute(update(table).where(here, table.c.first_time > first).values(first_time=first))


def count_witnesses(connection: Connection, port: Port, policy: Policy, *, index: int, before: datetime) -> int:
    """How many witnesses cosigned one checkpoint that covers the entry at `index`, in whole seconds before `before`.

    The most that any one checkpoint has, and no more than the quorum is looked for. Every signature is verified
    anew: rows can be edited.
    """
    table = cosigned_checkpoint
    statement = (
        select(table.c.note)
        .where(table.c.port == port, table.c.size > index, table.c.first_time < before)
        .order_by(table.c.size)
    )
    # A cosignature of second t was made before t + 1: only those of a whole second before count.
    before_seconds = (before - _EPOCH) // _SECOND
    anyone = replace(policy, quorum=0)
    best = 0
    for note in connection.execute(statement).scalars():
        try:
            witnessed = anyone.verify(bytes(note), before_seconds=before_seconds)
        except Corrupt:
            continue
        if witnessed.checkpoint.size > index:
            best = max(best, len(witnessed.cosignatures))
        if best >= policy.quorum:
            break
    return best


def list_cosigned(connection: Connection, port: Port) -> list[int]:
    """The sizes that were cosigned, ascending."""
    table = cosigned_checkpoint
    return [*connection.execute(select(table.c.size).where(table.c.port == port).order_by(table.c.size)).scalars()]


def read_cosigned(
    connection: Connection, port: Port, *, up_to: int, wanted: Sequence[tuple[int, datetime]] | None = None
) -> Iterator[bytes]:
    """Cosigned checkpoints of at most `up_to` entries, by size.

    Args:
        wanted: `(index, before)`, ascending: only those that cover some such entry and were cosigned before that
            time, and the largest of all; None: every one.
    """
    windows, before = iter(wanted or ()), _EPOCH
    index, until = next(windows, (up_to, _EPOCH))
    last: bytes | None = None
    for size, first_time, note in _pages(connection, port, up_to):
        while index < size:
            before = max(before, until)
            index, until = next(windows, (up_to, _EPOCH))
        is_wanted = wanted is None or first_time < before
        last = None if is_wanted else note
        if is_wanted:
            yield note
    if last is not None:
        yield last


def _pages(connection: Connection, port: Port, up_to: int) -> Iterator[tuple[int, datetime, bytes]]:
    table = cosigned_checkpoint
    after = -1
    while True:
        rows = connection.execute(
            select(table.c.size, table.c.first_time, table.c.note)
            .where(table.c.port == port, table.c.size > after, table.c.size <= up_to)
            .order_by(table.c.size)
            .limit(_AT_ONCE)
        ).all()
        yield from ((row.size, row.first_time, bytes(row.note)) for row in rows)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].size
