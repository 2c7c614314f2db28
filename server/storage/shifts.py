"""Statements on shifts and rosters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import bindparam, exists, insert, select, update
from sqlalchemy.engine import Connection, RowMapping

from assign.errors import NotFound
from assign.names import PersonId, Port, ShiftId, ShiftName
from assign.person import Pseudonym
from assign.roster import RosterEntry
from assign.wave import Calendar
from server.storage.schema import roster_entry, shift, wave
from server.storage.waves import WaveState

__all__ = [
    "Rostered",
    "StoredShift",
    "add_roster",
    "add_shift",
    "find_duty",
    "find_shift_at",
    "list_roster",
    "load_shift",
    "mark_absent",
    "mark_closed",
    "next_closing",
    "open_shifts",
    "overlapping_duties",
    "overlapping_shift",
]

_CHUNK = 500
# Built once: on the way of every reveal, building a statement costs more than running it.
_SELECT_DUTY = select(roster_entry).where(
    roster_entry.c.port == bindparam("p"),
    roster_entry.c.shift == bindparam("s"),
    roster_entry.c.person == bindparam("i"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredShift:
    """A shift as stored; `master_sealed` opens only under the key-encryption key."""

    name: ShiftName
    calendar: Calendar
    close_time: datetime
    min_pool: int
    beacon: bytes
    commitment: bytes
    master_sealed: bytes
    is_closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Rostered:
    """A roster entry with what the store knows beside it."""

    entry: RosterEntry
    pseudonym: Pseudonym
    absent_time: datetime | None


def _to_shift(row: RowMapping) -> StoredShift:
    return StoredShift(
        name=ShiftName(row["port"], row["shift"]),
        calendar=Calendar(
            start=row["start"],
            end=row["end"],
            step_seconds=row["step_seconds"],
            lead_seconds=row["lead_seconds"],
            margin_seconds=row["margin_seconds"],
        ),
        close_time=row["close_time"],
        min_pool=row["min_pool"],
        beacon=row["beacon"],
        commitment=row["commitment"],
        master_sealed=row["master_sealed"],
        is_closed=row["closed"],
    )


def load_shift(connection: Connection, name: ShiftName) -> StoredShift:
    """One shift. Raises NotFound (SHIFT_UNKNOWN)."""
    row = (
        connection.execute(select(shift).where(shift.c.port == name.port, shift.c.shift == name.shift))
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound("SHIFT_UNKNOWN", f"There is no shift {name}; open it first.")
    return _to_shift(row)


def find_shift_at(connection: Connection, port: Port, moment: datetime) -> StoredShift | None:
    """The shift of `port` that is on at `moment`."""
    statement = select(shift).where(shift.c.port == port, shift.c.start <= moment, shift.c.end > moment)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _to_shift(row)


def overlapping_shift(connection: Connection, port: Port, start: datetime, end: datetime) -> ShiftId | None:
    """A shift of `port` that overlaps `start <= t < end`; shifts of a port never overlap."""
    statement = select(shift.c.shift).where(shift.c.port == port, shift.c.start < end, shift.c.end > start).limit(1)
    return connection.execute(statement).scalar_one_or_none()


def open_shifts(connection: Connection, port: Port) -> list[StoredShift]:
    """The shifts of `port` that are not closed, by start."""
    statement = select(shift).where(shift.c.port == port, shift.c.closed.is_(False)).order_by(shift.c.start)
    return [_to_shift(row) for row in connection.execute(statement).mappings()]


def next_closing(connection: Connection, port: Port, *, besides: Collection[object]) -> StoredShift | None:
    """The shift of `port` that is to be closed next, `besides` those; one that waits for a draw is not."""
    waiting = wave.c.state.in_([WaveState.PLANNED, WaveState.FROZEN])
    statement = (
        select(shift)
        .where(
            shift.c.port == port,
            shift.c.closed.is_(False),
            ~exists().where(wave.c.port == shift.c.port, wave.c.shift == shift.c.shift, waiting),
        )
        .order_by(shift.c.close_time)
        .limit(len(besides) + 1)
    )
    found = map(_to_shift, connection.execute(statement).mappings())
    return next((one for one in found if one.name not in besides), None)


def add_shift(connection: Connection, stored: StoredShift) -> None:
    """Store a new shift."""
    calendar = stored.calendar
    connection.execute(
        insert(shift),
        {
            "port": stored.name.port,
            "shift": stored.name.shift,
            "start": calendar.start,
            "end": calendar.end,
            "step_seconds": calendar.step_seconds,
            "lead_seconds": calendar.lead_seconds,
            "margin_seconds": calendar.margin_seconds,
            "close_time": stored.close_time,
            "min_pool": stored.min_pool,
            "beacon": stored.beacon,
            "commitment": stored.commitment,
            "master_sealed": stored.master_sealed,
            "closed": stored.is_closed,
        },
    )


def mark_closed(connection: Connection, name: ShiftName) -> None:
    """The shift is over and opened."""
    connection.execute(update(shift).where(shift.c.port == name.port, shift.c.shift == name.shift).values(closed=True))


def _to_rostered(row: RowMapping) -> Rostered:
    return Rostered(
        entry=RosterEntry(
            person=row["person"],
            terminals=row["terminals"],
            start=row["start"],
            end=row["end"],
            qualifications=row["qualifications"],
            capacity=row["capacity"],
        ),
        pseudonym=row["pseudonym"],
        absent_time=row["absent_time"],
    )


def list_roster(connection: Connection, name: ShiftName) -> list[Rostered]:
    """Everyone on the roster of a shift, by person id."""
    statement = (
        select(roster_entry)
        .where(roster_entry.c.port == name.port, roster_entry.c.shift == name.shift)
        .order_by(roster_entry.c.person)
    )
    return [_to_rostered(row) for row in connection.execute(statement).mappings()]


def find_duty(connection: Connection, name: ShiftName, person: PersonId) -> Rostered | None:
    """A person's entry in the roster of a shift."""
    values = {"p": name.port, "s": name.shift, "i": person}
    row = connection.execute(_SELECT_DUTY, values).mappings().one_or_none()
    return None if row is None else _to_rostered(row)


def overlapping_duties(
    connection: Connection, persons: Sequence[PersonId], start: datetime, end: datetime
) -> list[RosterEntry]:
    """Duties of `persons`, in whatever port, that overlap `start <= t < end`."""
    found: list[RosterEntry] = []
    for at in range(0, len(persons), _CHUNK):
        chunk = persons[at : at + _CHUNK]
        statement = select(roster_entry).where(
            roster_entry.c.person.in_(chunk), roster_entry.c.start < end, roster_entry.c.end > start
        )
        found.extend(_to_rostered(row).entry for row in connection.execute(statement).mappings())
    return found


def add_roster(connection: Connection, name: ShiftName, rostered: Sequence[Rostered]) -> None:
    """Store new roster entries."""
    connection.execute(
        insert(roster_entry),
        [
            {
                "port": name.port,
                "shift": name.shift,
                "person": one.entry.person,
                "pseudonym": one.pseudonym,
                "terminals": one.entry.terminals,
                "start": one.entry.start,
                "end": one.entry.end,
                "qualifications": one.entry.qualifications,
                "capacity": one.entry.capacity,
                "absent_time": one.absent_time,
            }
            for one in rostered
        ],
    )


def mark_absent(connection: Connection, name: ShiftName, person: PersonId, moment: datetime) -> None:
    """The person was reported absent at `moment`."""
    connection.execute(
        update(roster_entry)
        .where(
            roster_entry.c.port == name.port,
            roster_entry.c.shift == name.shift,
            roster_entry.c.person == person,
            roster_entry.c.absent_time.is_(None),
        )
        .values(absent_time=moment)
    )
