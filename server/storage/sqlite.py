"""SQLite as the embedded store: one writer connection with full durability, readers beside it (WAL)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool, StaticPool

from assign.errors import InvalidInput, Unavailable

__all__ = ["begin_immediate", "open_readers", "open_writer", "store_errors", "store_exists"]

_BUSY_SECONDS = 10


def _check_url(url: str) -> None:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise InvalidInput("STORE_URL", "The store is a file: sqlite:////absolute/path/assign.db.", field="store")


def _connect_hook(engine: Engine, pragmas: list[str]) -> None:
    @event.listens_for(engine, "connect")
    def _set_up(connection: sqlite3.Connection, _record: Any) -> None:
        # pysqlite's own transactions start too late and lose updates in silence: we say BEGIN ourselves.
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")


def store_exists(url: str) -> bool:
    """Whether there is a file at `url`. Raises InvalidInput (STORE_URL)."""
    _check_url(url)
    return Path(str(make_url(url).database)).exists()


@contextmanager
def store_errors() -> Iterator[None]:
    """What SQLite says of a store that it cannot use, as Unavailable (STORE_UNAVAILABLE)."""
    try:
        yield
    except DBAPIError as error:
        raise Unavailable("STORE_UNAVAILABLE", f"The store cannot be used: {error.orig}.") from None


def open_writer(url: str) -> Engine:
    """The engine of the one connection that writes and checkpoints the write-ahead log."""
    _check_url(url)
    engine = create_engine(
        url, poolclass=StaticPool, connect_args={"check_same_thread": False, "timeout": _BUSY_SECONDS}
    )
    _connect_hook(engine, ["journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"])
    return engine


def open_readers(url: str) -> Engine:
    """The engine of the connections that only read; they never checkpoint (a bug before SQLite 3.51.3)."""
    _check_url(url)
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=4,
        connect_args={"check_same_thread": False, "timeout": _BUSY_SECONDS},
    )
    _connect_hook(engine, ["wal_autocheckpoint=0", "query_only=ON"])
    return engine


def begin_immediate(connection: Connection) -> None:
    """Take the write lock now: a transaction that reads first and locks later can lose an update."""
    connection.execute(text("BEGIN IMMEDIATE"))
