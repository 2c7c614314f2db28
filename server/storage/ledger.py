"""A port's log inside a transaction: staged entries become leaves, tiles and a signed checkpoint at its end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.engine import Connection

from assign.draw.commitment import is_freeze
from assign.errors import Corrupt, InvalidInput, Unavailable
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.entries import Entry
from assign.log.merkle import RightEdge, leaf_hash
from assign.log.note import NoteSigner
from assign.log.tiles import MAX_ENTRY_BYTES, grow
from assign.names import Port
from server.storage.schema import log_entry, log_tile, port_log

__all__ = ["Ledger", "last_time", "read_entries", "read_head", "tile_reader"]

_SELECT_TILE = select(log_tile.c.hashes).where(
    log_tile.c.port == bindparam("p"), log_tile.c.level == bindparam("l"), log_tile.c.tile == bindparam("t")
)
_SELECT_HEAD = select(port_log.c.size, port_log.c.edge, port_log.c.checkpoint).where(port_log.c.port == bindparam("p"))
_UPSERT_TILE = text(
    "INSERT INTO log_tile (port, level, tile, hashes) VALUES (:port, :level, :tile, :hashes) "
    "ON CONFLICT (port, level, tile) DO UPDATE SET hashes = excluded.hashes"
)


def tile_reader(connection: Connection, port: Port) -> Callable[[int, int, int], bytes]:
    """A reader of stored hash tiles for `assign.log.tiles`: `(level, tile, width) -> width * 32 bytes`."""

    def read(level: int, tile: int, width: int) -> bytes:
        hashes = connection.execute(_SELECT_TILE, {"p": port, "l": level, "t": tile}).scalar_one_or_none()
        if not isinstance(hashes, bytes):
            raise Corrupt("LOG_TILE_MISSING", "A tile of the log is missing; restore from a backup and audit.")
        return hashes[: width * 32]

    return read


def read_head(connection: Connection, port: Port) -> tuple[RightEdge, bytes]:
    """The right edge and the newest signed checkpoint of a port's log; an empty edge where there is no log."""
    row = connection.execute(_SELECT_HEAD, {"p": port}).one_or_none()
    if row is None:
        return RightEdge(), b""
    is_written_here = isinstance(row.edge, bytes) and isinstance(row.checkpoint, bytes)
    edge = RightEdge.from_bytes(row.edge if is_written_here else b"")
    if edge.size != row.size:
        raise Corrupt("LOG_HEAD", "The log's size and its right edge disagree; restore from a backup and audit.")
    return edge, row.checkpoint


def read_entries(connection: Connection, port: Port, start: int, end: int) -> list[bytes]:
    """The stored entries at positions `start <= i < end`. Raises Corrupt (LOG_GAP) if one is missing."""
    rows = connection.execute(
        select(log_entry.c.data)
        .where(log_entry.c.port == port, log_entry.c.position >= start, log_entry.c.position < end)
        .order_by(log_entry.c.position)
    ).scalars()
    entries = [row for row in rows if isinstance(row, bytes)]
    if len(entries) != end - start:
        raise Corrupt("LOG_GAP", "An entry of the log is missing; restore from a backup and audit.")
    return entries


def last_time(connection: Connection, port: Port) -> datetime | None:
    """The time of the newest entry of a port's log that has one; None where there is none. Raises Corrupt."""
    edge, _ = read_head(connection, port)
    for position in range(edge.size - 1, -1, -1):
        [entry] = read_entries(connection, port, position, position + 1)
        if not is_freeze(entry):
            return Entry.from_bytes(entry).time
    return None


class Ledger:
    """The entries that one transaction adds to one port's log."""

    def __init__(self, connection: Connection, port: Port, origin: str, signer: NoteSigner) -> None:
        self._connection = connection
        self._port = port
        self._origin = origin
        self._signer = signer
        self._edge, _ = read_head(connection, port)
        self._staged: list[bytes] = []

    def append(self, entry: bytes) -> int:
        """Stage an entry; its position in the log, final once the transaction is.

        Raises InvalidInput (ENTRY_TOO_LONG) for more than C2SP tlog-tiles can serve.
        """
        if len(entry) > MAX_ENTRY_BYTES:
            raise InvalidInput("ENTRY_TOO_LONG", f"A log entry has at most {MAX_ENTRY_BYTES} bytes; send less at once.")
        self._staged.append(entry)
        return self._edge.size + len(self._staged) - 1

    @property
    def staged_count(self) -> int:
        """How many entries are staged."""
        return len(self._staged)

    def truncate(self, count: int) -> None:
        """Forget all staged entries but the first `count`: their action was rolled back."""
        del self._staged[count:]

    def flush(self) -> None:
        """Write the staged entries, the tiles they touch and a signed checkpoint over them."""
        if not self._staged:
            return
        size = self._edge.size
        leaves = [leaf_hash(entry) for entry in self._staged]
        self._connection.execute(
            insert(log_entry),
            [{"port": self._port, "position": size + at, "data": entry} for at, entry in enumerate(self._staged)],
        )
        tiles = grow(size, leaves, tile_reader(self._connection, self._port))
        self._connection.execute(
            _UPSERT_TILE,
            [
                {"port": self._port, "level": level, "tile": tile, "hashes": hashes}
                for (level, tile), hashes in tiles.items()
            ],
        )
        self._edge = self._edge.extend(leaves)
        self._write_head(size)
        self._staged.clear()

    def _write_head(self, previous_size: int) -> None:
        checkpoint = Checkpoint(origin=self._origin, size=self._edge.size, root=self._edge.root())
        values = {
            "size": self._edge.size,
            "edge": self._edge.to_bytes(),
            "checkpoint": sign_checkpoint(checkpoint, self._signer),
        }
        if previous_size == 0:
            self._connection.execute(insert(port_log), {"port": self._port, **values})
            return
        # Compare and swap: whoever else appended meanwhile makes this transaction fail, never fork.
        changed = self._connection.execute(
            update(port_log).where(port_log.c.port == self._port, port_log.c.size == previous_size).values(values)
        ).rowcount
        if changed != 1:
            raise Unavailable("LOG_MOVED", "The log was appended to by another process; try again.")
