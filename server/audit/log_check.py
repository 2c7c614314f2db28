"""One port's log against itself: entries, tiles, right edge, signed checkpoint.

The tree is built anew from the entries, each stored tile compared with the one that came out, and the root with
the one that the log's key signed. What an entry says is handed on only for whoever compares it with the tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from assign.errors import AssignError, Corrupt
from assign.log.checkpoint import Checkpoint, verify_checkpoint
from assign.log.merkle import HASH_BYTES, RightEdge, leaf_hash
from assign.log.note import NoteVerifier
from assign.log.tiles import TILE_WIDTH, edge_at, grow
from assign.names import Port
from server.audit.findings import Code, Findings
from server.audit.rows import key_text
from server.storage.schema import log_entry, log_tile, port_log

__all__ = ["LogCheck", "check_checkpoint", "check_log"]

_AT_ONCE = 4 * TILE_WIDTH
_FULL_TILE = TILE_WIDTH * HASH_BYTES

OnEntry = Callable[[int, bytes], None]


@dataclass(slots=True)
class LogCheck:
    """What is known of one log after its check.

    Attributes:
        edge: recomputed from the entries that were read.
        checkpoint: the signed one, where its signature holds. note: its bytes.
    """

    port: Port
    edge: RightEdge = field(default_factory=RightEdge)
    checkpoint: Checkpoint | None = None
    note: bytes = b""


def check_log(
    connection: Connection, port: Port, verifier: NoteVerifier, findings: Findings, on_entry: OnEntry
) -> LogCheck:
    """Check everything that the store keeps of a port's log; each entry goes to `on_entry`, in order."""
    checked = LogCheck(port)
    head = _read_head(connection, checked, verifier, findings)
    end = head.size if checked.checkpoint is None else checked.checkpoint.size
    tree = _Tree(connection, port, findings)
    for position, data in _entries(connection, port, findings):
        if position != tree.size or position >= end:
            break
        tree.add(leaf_hash(data))
        on_entry(position, data)
    _check_positions(connection, port, tree.size, end, findings)
    tree.finish()
    checked.edge = edge_at(tree.size, tree.read)
    _check_head(head, checked, findings)
    return checked


def _check_positions(connection: Connection, port: Port, read: int, end: int, findings: Findings) -> None:
    def add(code: Code, message: str) -> None:
        findings.add(code, message, table=log_entry.name, row=port, position=read)

    if read < end:
        add(Code.LOG_ENTRY_MISSING, "There is no entry at this position.")
    count = connection.execute(select(func.count()).where(log_entry.c.port == port)).scalar_one()
    if count != end and not (read < end and count < end):
        add(Code.LOG_ENTRY_EXTRA, f"There are {count} entries, and the log has {end}.")


@dataclass(frozen=True, slots=True)
class _Head:
    """A row of `port_log` that is well-typed; without one, that of an empty log."""

    size: int = 0
    edge: bytes = RightEdge().to_bytes()


def _entries(connection: Connection, port: Port, findings: Findings) -> Iterator[tuple[int, bytes]]:
    """Every stored entry by position, those beyond the end as well."""
    after = -1  # what lies before the beginning is counted, and found so
    while True:
        rows = connection.execute(
            select(log_entry.c.position, log_entry.c.data)
            .where(log_entry.c.port == port, log_entry.c.position > after)
            .order_by(log_entry.c.position)
            .limit(_AT_ONCE)
        ).all()
        for row in rows:
            if type(row.position) is not int or not isinstance(row.data, bytes):
                message = "An entry is bytes at a position, and this row is neither."
                findings.add(Code.ROW_UNREADABLE, message, table=log_entry.name, row=key_text((port, row.position)))
                return
            yield row.position, bytes(row.data)
        if len(rows) < _AT_ONCE:
            return
        after = rows[-1].position


class _Tree:
    """The tree that grows from the entries, compared tile by tile with the stored one."""

    def __init__(self, connection: Connection, port: Port, findings: Findings) -> None:
        self.size = 0
        self._connection = connection
        self._port = port
        self._findings = findings
        self._waiting: list[bytes] = []
        # By level, the last tile: all that growing and the right edge need.
        self._border: dict[int, tuple[int, bytes]] = {}
        self._compared = 0

    def add(self, leaf: bytes) -> None:
        self._waiting.append(leaf)
        self.size += 1
        if len(self._waiting) == _AT_ONCE:
            self._grow()

    def read(self, level: int, index: int, width: int) -> bytes:
        last, hashes = self._border[level]
        return hashes[: width * HASH_BYTES] if index == last else b""

    def finish(self) -> None:
        """Compare what is left, and see that there is no tile but those."""
        self._grow()
        for level, (index, hashes) in self._border.items():
            if len(hashes) < _FULL_TILE:
                self._compare(level, index, hashes)
        statement = select(func.count()).select_from(log_tile).where(log_tile.c.port == self._port)
        stored = self._connection.execute(statement).scalar_one()
        if stored != self._compared:
            message = f"There are {stored} tiles, and a tree of {self.size} entries has {self._compared}."
            self._findings.add(Code.LOG_TILE, message, table=log_tile.name, row=self._port)

    def _grow(self) -> None:
        for (level, index), hashes in sorted(grow(self.size - len(self._waiting), self._waiting, self.read).items()):
            self._border[level] = index, hashes
            if len(hashes) == _FULL_TILE:
                self._compare(level, index, hashes)
        self._waiting.clear()

    def _compare(self, level: int, index: int, hashes: bytes) -> None:
        self._compared += 1
        statement = select(log_tile.c.hashes).where(
            log_tile.c.port == self._port, log_tile.c.level == level, log_tile.c.tile == index
        )
        stored = self._connection.execute(statement).scalar_one_or_none()
        if stored == hashes:
            return
        row = f"{self._port} {level} {index}"
        if not isinstance(stored, bytes) or len(stored) != len(hashes):
            self._findings.add(
                Code.LOG_TILE, "This tile is missing, or has another length.", table=log_tile.name, row=row
            )
            return
        first = next(
            at for at in range(0, len(hashes), HASH_BYTES) if stored[at:][:HASH_BYTES] != hashes[at:][:HASH_BYTES]
        )
        if level:
            self._findings.add(
                Code.LOG_TILE, "This tile does not follow from those below.", table=log_tile.name, row=row
            )
        else:
            self._findings.add(
                Code.LOG_ENTRY_CHANGED,
                "The entry does not have the hash that is in its tile: one of them was changed.",
                table=log_entry.name,
                row=self._port,
                position=index * TILE_WIDTH + first // HASH_BYTES,
            )


def check_checkpoint(note: bytes, origin: str, verifier: NoteVerifier) -> Checkpoint:
    """The checkpoint in `note`, signed by the log's key for this origin. Raises Corrupt."""
    checkpoint = verify_checkpoint(note, [verifier])
    if checkpoint.origin != origin:
        raise Corrupt("ORIGIN_MISMATCH", f"This is a checkpoint of {checkpoint.origin}, not of {origin}.")
    return checkpoint


def _read_head(connection: Connection, checked: LogCheck, verifier: NoteVerifier, findings: Findings) -> _Head:
    """The head's row, with its checkpoint checked by itself."""
    statement = select(port_log.c.size, port_log.c.edge, port_log.c.checkpoint).where(port_log.c.port == checked.port)
    row = connection.execute(statement).one_or_none()
    if row is None:
        return _Head()
    if type(row.size) is not int or not isinstance(row.edge, bytes) or not isinstance(row.checkpoint, bytes):
        message = "This software never wrote what is in the head of the log."
        findings.add(Code.ROW_UNREADABLE, message, table=port_log.name, row=checked.port)
        return _Head()
    checked.note = row.checkpoint
    try:
        checked.checkpoint = check_checkpoint(checked.note, verifier.name, verifier)
    except AssignError as error:
        message = f"The checkpoint does not hold: {error.message}"
        findings.add(Code.LOG_CHECKPOINT, message, table=port_log.name, row=checked.port)
    return _Head(row.size, row.edge)


def _check_head(head: _Head, checked: LogCheck, findings: Findings) -> None:
    def add(code: Code, message: str) -> None:
        findings.add(code, message, table=port_log.name, row=checked.port)

    edge, checkpoint = checked.edge, checked.checkpoint
    if head.size != edge.size:
        add(Code.LOG_HEAD, f"The size is said to be {head.size}, and the entries are {edge.size}.")
    if head.edge != edge.to_bytes():
        add(Code.LOG_HEAD, "The right edge is not the one that the entries have.")
    if checkpoint is not None and (checkpoint.size, checkpoint.root) != (edge.size, edge.root()):
        add(Code.LOG_CHECKPOINT, "The entries do not have the size and the root that the log signed.")
