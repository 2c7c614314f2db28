"""Who looked at the assignments of a wave, and when: told from the log itself, not from a table beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.engine import Connection

from assign.encoding import lp
from assign.log.entries import FORMAT, Entry, Kind
from assign.names import PersonId, WaveName
from assign.person import pseudonym
from server.keyring import Keyring
from server.privacy.key_register import open_person_key
from server.storage.schema import log_entry, person_key
from server.storage.shifts import list_roster
from server.storage.waves import load_wave

__all__ = ["Look", "looks_at"]

_KINDS = (Kind.REVEAL, Kind.READ, Kind.KEY_USE, Kind.SHEETS_PRINT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One entry by which somebody could know something of a wave's outcome.

    Attributes:
        reader: a person's id; a pseudonym that nobody can name any more; `systems/ID`; None for the server itself.
        what: a resource name, or what the key was used for.
    """

    index: int
    time: datetime
    kind: Kind
    reader: str | None
    what: str
    is_before_start: bool


def looks_at(
    connection: Connection,
    keyring: Keyring,
    origin: str,
    wave: WaveName,
    *,
    after: int = -1,
    limit: int | None = None,
    before_start_only: bool = False,
) -> list[Look]:
    """The looks at a wave's outcome in the log beyond position `after`, in its order.

    Raises NotFound (WAVE_UNKNOWN), Corrupt.
    """
    load_wave(connection, wave)
    names = _Names(connection, keyring, wave)
    found: list[Look] = []
    for index, entry in _entries(connection, origin, wave, after):
        is_before = entry.time < wave.start
        if not is_before and before_start_only:
            break  # the log is in the order of its times
        what = _what(entry, wave)
        if what is not None:
            reader = names.of(entry)
            found.append(
                Look(index=index, time=entry.time, kind=entry.kind, reader=reader, what=what, is_before_start=is_before)
            )
        if len(found) == limit:
            break
    return found


def _entries(connection: Connection, origin: str, wave: WaveName, after: int) -> Iterator[tuple[int, Entry]]:
    data = log_entry.c.data
    ranges = []
    for kind in _KINDS:
        begin = lp(FORMAT, kind, origin)
        ranges.append((data >= begin) & (data < begin[:-1] + bytes([begin[-1] + 1])))
    statement = (
        select(log_entry.c.position, data)
        .where(log_entry.c.port == wave.shift.port, log_entry.c.position > after, or_(*ranges))
        .order_by(log_entry.c.position)
    )
    mark = str(wave.shift).encode()
    for position, stored in connection.execute(statement):
        if mark in bytes(stored):
            yield position, Entry.from_bytes(bytes(stored))


def _what(entry: Entry, wave: WaveName) -> str | None:
    """What was looked at, if it concerns the wave."""
    body, name, shift = entry.body, str(wave), str(wave.shift)
    if entry.kind is Kind.REVEAL:
        return f"{name}/assignments/-" if body["wave"] == name else None
    if entry.kind is Kind.READ:
        what = str(body["what"])
        return what if what.startswith((f"{name}/", f"{shift}/sheets/")) else None
    if entry.kind is Kind.KEY_USE:
        return str(body["purpose"]) if body["wave"] in (name, shift) else None
    return f"{shift}/sheets/-" if body["shift"] == shift else None


class _Names:
    """Names readers; the persons' keys are only opened once somebody is not on the roster."""

    def __init__(self, connection: Connection, keyring: Keyring, wave: WaveName) -> None:
        self._connection = connection
        self._keyring = keyring
        self._context = str(wave.shift)
        self._known: dict[str, str] = {one.pseudonym: one.entry.person for one in list_roster(connection, wave.shift)}
        self._has_all = False

    def of(self, entry: Entry) -> str | None:
        """The reader of an entry."""
        alias: str | None = entry.body.get("person", entry.body.get("by"))
        if alias is None or alias in self._known or alias.startswith("systems/"):
            return None if alias is None else self._known.get(alias, alias)
        if not self._has_all:
            self._open_keys()
        return self._known.get(alias, alias)

    def _open_keys(self) -> None:
        self._has_all = True
        for person in self._connection.execute(select(person_key.c.person)).scalars().all():
            key = open_person_key(self._connection, self._keyring, PersonId(person))
            if key is not None:
                self._known[pseudonym(key, self._context)] = person
