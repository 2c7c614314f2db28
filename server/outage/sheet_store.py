"""Statements on sealed sheets and on the lines that were worked from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select, update
from sqlalchemy.engine import Connection, RowMapping

from assign.draw.sheets import Group, Line, Sheet
from assign.encoding import lp, parse_lp
from assign.errors import Corrupt, NotFound
from assign.names import OrderId, Port, ShiftName, WaveName, parse_wave_name
from assign.person import Pseudonym
from server.keyring import Keyring
from server.storage.schema import manual_line, outage_sheet

__all__ = [
    "StoredSheet",
    "add_lines",
    "add_sheets",
    "handed_out",
    "lines_of",
    "list_sheets",
    "load_sheet",
    "mark_open",
    "mark_void",
    "open_sealed",
    "sheet_count",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSheet:
    """A sheet as stored; `sealed` opens only under the key-encryption key.

    Attributes:
        open_time: when its envelope was opened, as two persons say; None: it was not.
    """

    shift: ShiftName
    number: int
    group: Group
    person_count: int
    commitment: bytes
    sealed: bytes
    is_void: bool
    open_time: datetime | None

    @property
    def name(self) -> str:
        """The sheet's resource name."""
        return f"{self.shift}/sheets/{self.number}"


def _context(name: ShiftName, number: int) -> bytes:
    return lp("outage-sheet", str(name), str(number))


def add_sheets(
    connection: Connection, keyring: Keyring, name: ShiftName, sheets: Sequence[tuple[Sheet, bytes, bytes]]
) -> None:
    """Store new sheets, each with its salt and commitment; order and salt are sealed."""
    connection.execute(
        insert(outage_sheet),
        [
            {
                "port": name.port,
                "shift": name.shift,
                "sheet": sheet.number,
                "terminal": sheet.group.terminal,
                "qualifications": frozenset(sheet.group.qualifications),
                "person_count": len(sheet.persons),
                "commitment": commitment,
                "sealed": keyring.seal(lp(salt, sheet.to_bytes()), context=_context(name, sheet.number)),
                "void": False,
                "open_time": None,
            }
            for sheet, salt, commitment in sheets
        ],
    )


def _to_sheet(row: RowMapping) -> StoredSheet:
    return StoredSheet(
        shift=ShiftName(row["port"], row["shift"]),
        number=row["sheet"],
        group=Group(row["terminal"], tuple(sorted(row["qualifications"]))),
        person_count=row["person_count"],
        commitment=row["commitment"],
        sealed=row["sealed"],
        is_void=row["void"],
        open_time=row["open_time"],
    )


def load_sheet(connection: Connection, name: ShiftName, number: int) -> StoredSheet:
    """One sheet. Raises NotFound (SHEET_UNKNOWN)."""
    table = outage_sheet
    statement = select(table).where(table.c.port == name.port, table.c.shift == name.shift, table.c.sheet == number)
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound("SHEET_UNKNOWN", f"There is no sheet {number} in {name}.", field="name")
    return _to_sheet(row)


def list_sheets(
    connection: Connection, name: ShiftName, *, after: int = 0, limit: int | None = None
) -> list[StoredSheet]:
    """The sheets of a shift with a number beyond `after`, by number."""
    table = outage_sheet
    statement = (
        select(table)
        .where(table.c.port == name.port, table.c.shift == name.shift, table.c.sheet > after)
        .order_by(table.c.sheet)
        .limit(limit)
    )
    return [_to_sheet(row) for row in connection.execute(statement).mappings()]


def sheet_count(connection: Connection, name: ShiftName) -> int:
    """How many sheets a shift has, void ones included."""
    table = outage_sheet
    statement = select(func.count()).where(table.c.port == name.port, table.c.shift == name.shift)
    return connection.execute(statement).scalar_one()


def open_sealed(keyring: Keyring, stored: StoredSheet) -> tuple[bytes, Sheet]:
    """The salt and the order of a sheet. Raises Corrupt."""
    fields = parse_lp(keyring.open(stored.sealed, context=_context(stored.shift, stored.number)))
    if len(fields) != 2:
        raise Corrupt("SHEET_MALFORMED", "A stored sheet does not have the form this software writes.")
    return fields[0], Sheet.from_bytes(fields[1])


def mark_void(connection: Connection, name: ShiftName) -> None:
    """No unopened sheet of the shift can be opened any more: others take their place."""
    table = outage_sheet
    connection.execute(
        update(table)
        .where(table.c.port == name.port, table.c.shift == name.shift, table.c.open_time.is_(None))
        .values(void=True)
    )


def mark_open(connection: Connection, stored: StoredSheet, moment: datetime) -> None:
    """The sheet's envelope was opened at `moment`."""
    table = outage_sheet
    connection.execute(
        update(table)
        .where(table.c.port == stored.shift.port, table.c.shift == stored.shift.shift, table.c.sheet == stored.number)
        .values(open_time=moment)
    )


def add_lines(connection: Connection, stored: StoredSheet, lines: Sequence[Line]) -> None:
    """Store lines that were worked from a sheet."""
    connection.execute(
        insert(manual_line),
        [
            {
                "port": stored.shift.port,
                "shift": stored.shift.shift,
                "sheet": stored.number,
                "line": line.line,
                "pseudonym": line.person,
                "time": line.time,
                "order": line.order,
                "wave_start": None if line.wave is None else parse_wave_name(line.wave).start,
                "why": line.why,
            }
            for line in lines
        ],
    )


def _to_line(row: RowMapping) -> Line:
    shift = ShiftName(row["port"], row["shift"])
    return Line(
        line=row["line"],
        person=Pseudonym(row["pseudonym"]),
        time=row["time"],
        order=row["order"],
        wave=None if row["wave_start"] is None else str(WaveName(shift, row["wave_start"])),
        why=row["why"],
    )


def lines_of(connection: Connection, stored: StoredSheet) -> list[Line]:
    """The lines that were worked from a sheet so far, in order."""
    table = manual_line
    statement = (
        select(table)
        .where(table.c.port == stored.shift.port, table.c.shift == stored.shift.shift, table.c.sheet == stored.number)
        .order_by(table.c.line)
    )
    return [_to_line(row) for row in connection.execute(statement).mappings()]


def handed_out(connection: Connection, port: Port, wave: WaveName) -> dict[OrderId, list[Pseudonym]]:
    """Who was handed each order of a wave, by hand."""
    table = manual_line
    statement = (
        select(table.c.order, table.c.pseudonym)
        .where(table.c.port == port, table.c.shift == wave.shift.shift, table.c.wave_start == wave.start)
        .order_by(table.c.sheet, table.c.line)
    )
    found: dict[OrderId, list[Pseudonym]] = {}
    for order, person in connection.execute(statement):
        found.setdefault(order, []).append(person)
    return found
