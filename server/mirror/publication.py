"""How many entries of a log may be read by everybody: up to the opening of the first shift that is still open.

Looked up in the log itself and not in the table of shifts: what is published follows from what is signed.
"""

from __future__ import annotations

import threading

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.engine import Connection

from assign.encoding import lp
from assign.errors import Corrupt
from assign.log.entries import FORMAT, Entry, Kind
from assign.names import Port
from server.mirror.settings import Publish
from server.storage.schema import log_entry

__all__ = ["Publication"]


class Publication:
    """The published part of one port's log. Follows the log as it grows: each entry is looked at once."""

    def __init__(self, port: Port, origin: str, publish: Publish) -> None:
        self._port = port
        self._publish = publish
        self._ranges = [_kind_range(kind, origin) for kind in (Kind.SHIFT_OPEN, Kind.CLOSE)]
        self._seen = 0
        self._open: dict[str, int] = {}
        self._lock = threading.Lock()

    def count(self, connection: Connection, size: int) -> int:
        """How many of the first `size` entries are published: all those before this position. Raises Corrupt."""
        if self._publish is Publish.NONE:
            return 0
        if self._publish is Publish.ALL:
            return size
        with self._lock:
            if size > self._seen:
                self._follow(connection, size)
            return min([size, *self._open.values()])

    def _follow(self, connection: Connection, size: int) -> None:
        column = log_entry.c.data
        kinds: list[ColumnElement[bool]] = [(column >= begin) & (column < end) for begin, end in self._ranges]
        rows = connection.execute(
            select(log_entry.c.position, column)
            .where(log_entry.c.port == self._port, log_entry.c.position >= self._seen, log_entry.c.position < size)
            .where(or_(*kinds))
            .order_by(log_entry.c.position)
        )
        opened = dict(self._open)
        for position, data in rows:
            entry = Entry.from_bytes(bytes(data))
            shift = entry.body.get("shift")
            if not isinstance(shift, str):
                raise Corrupt("ENTRY_BODY", "A shift in the log has no name.")
            if entry.kind is Kind.SHIFT_OPEN:
                opened.setdefault(shift, position)
            else:
                opened.pop(shift, None)
        self._open, self._seen = opened, size


def _kind_range(kind: Kind, origin: str) -> tuple[bytes, bytes]:
    """The bytes between which every entry of this kind and log lies."""
    begin = lp(FORMAT, kind, origin)
    return begin, begin[:-1] + bytes([begin[-1] + 1])  # an origin is text: its last byte is never 255
