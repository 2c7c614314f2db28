"""What a witness remembers: for each log the largest tree it cosigned, in one SQLite file.

All that a witness is worth hangs on never forgetting this: every change is one transaction that compares and
swaps, on disk before it is acknowledged, and the file belongs to one key. A rollback journal with
`synchronous=EXTRA` and not a write-ahead log: a commit survives a power cut, several processes over one file
stay right (SQLite before 3.51.3 can damage a write-ahead log that two of them check-point), and nobody asks
a witness for thousands of commits a second.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from assign.errors import Conflict, Corrupt, Unavailable
from assign.log.lines import encode_base64, parse_base64

__all__ = ["Seen", "WitnessState"]

_BUSY_SECONDS = 5.0
_APPLICATION_ID = 0x61776974  # "awit"
_SCHEMA = f"""
PRAGMA application_id = {_APPLICATION_ID};
CREATE TABLE witness (vkey TEXT NOT NULL);
CREATE TABLE seen (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    root TEXT NOT NULL,
    time_seconds INTEGER NOT NULL,
    note BLOB NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The largest tree of a log that was cosigned.

    Attributes:
        root: 32 bytes. time_seconds: of the cosignature, since 1970.
        note: the checkpoint with the signatures of the log and of this witness.
    """

    size: int
    root: bytes
    time_seconds: int
    note: bytes


class WitnessState:
    """The file. Safe to use from several threads, and from several processes over one file.

    Attributes:
        is_new: nothing was ever remembered here.

    Args:
        path: made if it is not there, readable by its owner only. A witness whose file was lost must not go on
            under its old key: it would cosign whatever it is shown first.
        vkey: the key that this file belongs to.

    Raises Conflict (WITNESS_OTHER_KEY), Corrupt (WITNESS_STATE) for another file, Unavailable (WITNESS_STATE).
    """

    def __init__(self, path: Path, *, vkey: str) -> None:
        self.is_new = False
        self._lock = threading.Lock()
        try:
            if not path.exists():
                path.touch(mode=0o600)
            # Transactions are begun by hand: sqlite3's own start too late to compare and swap.
            self._connection = sqlite3.connect(
                path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode = DELETE")
            self._connection.execute("PRAGMA synchronous = EXTRA")
            self._open(vkey)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise Unavailable("WITNESS_STATE", f"Cannot use {path}: {error}.") from None
            raise Corrupt("WITNESS_STATE", f"{path} is not the state of a witness, or is damaged.") from None
        except OSError as error:
            raise Unavailable("WITNESS_STATE", f"Cannot make {path}: {error.strerror}.") from None

    def _open(self, vkey: str) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            if execute("PRAGMA application_id").fetchone()[0] != _APPLICATION_ID:
                if execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    raise sqlite3.DatabaseError("another program's file")
                for statement in _SCHEMA.strip().split(";\n"):
                    execute(statement)
                execute("INSERT INTO witness VALUES (?)", (vkey,))
                self.is_new = True
            owner = execute("SELECT vkey FROM witness").fetchone()
            if owner != (vkey,):
                raise Conflict("WITNESS_OTHER_KEY", "This state belongs to a witness with another key.")
            execute("COMMIT")
        except BaseException:
            execute("ROLLBACK")
            self._connection.close()
            raise

    def seen(self, origin: str) -> Seen | None:
        """What was cosigned last of a log; None: nothing yet. Raises Unavailable (WITNESS_STATE)."""
        with self._lock:
            try:
                return self._select(origin)
            except sqlite3.Error:
                raise _unusable() from None

    def advance(self, origin: str, decide: Callable[[Seen | None], Seen]) -> Seen:
        """Replace what was seen by what `decide` makes of it, durable on return; nobody else does meanwhile.

        What `decide` raises is raised, and nothing changes. Raises Unavailable (WITNESS_STATE) as well.
        """
        with self._lock:
            try:
                self._connection.execute("BEGIN IMMEDIATE")
            except sqlite3.Error:
                raise _unusable() from None
            try:
                before = self._select(origin)
                after = decide(before)
                self._swap(origin, before, after)
                self._connection.execute("COMMIT")
            except sqlite3.Error:
                raise _unusable() from None
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
            return after

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    def _select(self, origin: str) -> Seen | None:
        row = self._connection.execute(
            "SELECT size, root, time_seconds, note FROM seen WHERE origin = ?", (origin,)
        ).fetchone()
        if row is None:
            return None
        return Seen(size=row[0], root=parse_base64(row[1]), time_seconds=row[2], note=row[3])

    def _swap(self, origin: str, before: Seen | None, after: Seen) -> None:
        values: tuple[object, ...] = (after.size, encode_base64(after.root), after.time_seconds, after.note, origin)
        if before is None:
            statement = "INSERT INTO seen (size, root, time_seconds, note, origin) VALUES (?, ?, ?, ?, ?)"
        else:
            statement = (
                "UPDATE seen SET size = ?, root = ?, time_seconds = ?, note = ? "
                "WHERE origin = ? AND size = ? AND root = ? AND size <= ?"
            )
            values = (*values, before.size, encode_base64(before.root), after.size)
        # The transaction holds the lock since before it read; the comparison holds even where a lock would not.
        if self._connection.execute(statement, values).rowcount != 1:
            raise Unavailable("WITNESS_STATE", "Another request came first; try again.")


def _unusable() -> Unavailable:
    return Unavailable("WITNESS_STATE", "The witness cannot use its state now; nothing was cosigned.")
