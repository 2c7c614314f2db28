"""What a port's log says, entry by entry, about everything that the tables keep as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from assign.draw.commitment import Freeze, is_freeze
from assign.encoding import parse_rfc3339
from assign.errors import AssignError, Corrupt
from assign.log.entries import Entry, Kind
from assign.names import Port, ShiftName, WaveName, parse_shift_name, parse_wave_name
from assign.verify.bodies import check_body
from assign.wave import Calendar
from server.audit.findings import Code, Findings
from server.audit.forgotten import Forgotten
from server.storage.schema import log_entry

__all__ = ["Act", "Book", "Logged", "ShiftBook", "SlotBook", "WaveBook"]

_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Logged:
    """An entry and its place."""

    position: int
    entry: Entry


@dataclass(slots=True)
class WaveBook:
    """What is logged of a wave; requests and approvals of replacements by the absent person's pseudonym."""

    name: WaveName
    freeze: tuple[int, Freeze] | None = None
    draw: Logged | None = None
    is_missed: bool = False
    is_manual: bool = False
    requests: dict[str, Logged] = field(default_factory=dict)
    approvals: dict[str, Logged] = field(default_factory=dict)

    def approved_times(self) -> dict[str, datetime]:
        """When each replacement was approved: in the order of the log, a microsecond apart in the same instant."""
        times: dict[str, datetime] = {}
        for absent, logged in self.approvals.items():
            times[absent] = max([logged.entry.time, *(one + _MICROSECOND for one in times.values())])
        return times


@dataclass(slots=True)
class ShiftBook:
    """What is logged of a shift: roster lines and absences by pseudonym, waves by start."""

    name: ShiftName
    opened: Logged
    calendar: Calendar
    roster: dict[str, dict[str, Any]] = field(default_factory=dict)
    absent: dict[str, datetime] = field(default_factory=dict)
    waves: dict[datetime, WaveBook] = field(default_factory=dict)
    closed: Logged | None = None


@dataclass(slots=True)
class SlotBook:
    """A booking."""

    order: str
    terminal: str
    start: datetime
    minutes: int
    wave: WaveBook
    is_cancelled: bool = False
    is_by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Act:
    """That somebody did something under a request id.

    Attributes:
        by: a pseudonym in `context`, or `systems/ID`.
    """

    kind: Kind
    time: datetime
    by: str
    context: str
    position: int


class Book:
    """One port's log, read from the beginning.

    Attributes:
        actors: every (pseudonym, its context) that the log names, with the position of the first naming.
        persons_import: the latest import of screening status, or what was left of it after an erasure.
        forgotten: what may be missing from the tables.
    """

    def __init__(self, port: Port, origin: str, findings: Findings) -> None:
        self.port = port
        self.origin = origin
        self.shifts: dict[str, ShiftBook] = {}
        self.orders: dict[str, str] = {}
        self.slots: dict[str, SlotBook] = {}
        self.slot_of: dict[str, str] = {}
        self.acts: list[Act] = []
        self.actors: dict[tuple[str, str], int] = {}
        self.persons_import: Logged | None = None
        self.forgotten = Forgotten()
        self._findings = findings
        self._readers: dict[Kind, Callable[[Logged], str | None]] = {
            Kind.PERSONS_IMPORT: self._read_persons,
            Kind.SHIFT_OPEN: self._read_shift_open,
            Kind.ROSTER_IMPORT: self._read_roster,
            Kind.ABSENCE: self._read_absence,
            Kind.ORDERS_IMPORT: self._read_orders,
            Kind.SLOTS_BOOK: self._read_slots,
            Kind.SLOT_CANCEL: self._read_cancel,
            Kind.REPLACEMENT_REQUEST: self._read_request,
            Kind.REPLACEMENT_APPROVE: self._read_approval,
            Kind.SHEETS_COMMIT: lambda logged: str(self._shift(logged.entry.body["shift"]).name),
            Kind.SHEET_OPEN: lambda logged: str(self._shift(logged.entry.body["shift"]).name),
            Kind.EXCEPTION_REQUEST: self._read_exception,
            Kind.WAVE_MANUAL: self._read_manual,
            Kind.MANUAL_ASSIGNMENT: self._read_by_hand,
            Kind.PERSON_ERASED: self._read_erased,
        }

    def read(self, position: int, data: bytes) -> None:
        """Take in the entry at `position`; what cannot be understood is a finding."""
        try:
            if is_freeze(data):
                freeze = Freeze.from_bytes(data)
                self._check_origin(freeze.origin)
                self._wave(freeze.wave).freeze = position, freeze
                return
            entry = Entry.from_bytes(data)
            self._check_origin(entry.origin)
            check_body(entry)
            self._read_entry(Logged(position, entry))
        except AssignError as error:
            self._findings.add(
                Code.ENTRY_MALFORMED, error.message, table=log_entry.name, row=self.port, position=position
            )

    def _check_origin(self, origin: str) -> None:
        if origin != self.origin:
            raise Corrupt("ENTRY_OTHER_LOG", "This entry belongs to another log.")

    def _read_entry(self, logged: Logged) -> None:
        entry = logged.entry
        reader = self._readers.get(entry.kind)
        if reader is not None:
            context = reader(logged) or f"ports/{self.port}"
            self._name(entry.body["by"], context, logged.position)
            if entry.body.get("count") == 0:  # what is left of the register, which nobody sent
                return
            self.acts.append(Act(entry.kind, entry.time, entry.body["by"], context, logged.position))
        elif entry.kind is Kind.REFUSAL:
            self._name(entry.body["by"], f"ports/{self.port}", logged.position)
        elif entry.kind is Kind.READ:
            self._name(entry.body["by"], _shift_of(entry.body["what"]), logged.position)
        elif entry.kind is Kind.REVEAL:
            self._name(entry.body["person"], _shift_of(entry.body["wave"]), logged.position)
        elif entry.kind is Kind.DRAW:
            self._wave(entry.body["wave"]).draw = logged
        elif entry.kind is Kind.WAVE_MISSED:
            self._wave(entry.body["wave"]).is_missed = True
        elif entry.kind is Kind.CLOSE:
            self._shift(entry.body["shift"]).closed = logged
        elif entry.kind is Kind.RETENTION:
            self.forgotten.read_retention(entry)

    def _name(self, actor: str, context: str, position: int) -> None:
        if not actor.startswith("systems/") and actor != "unknown":
            self.actors.setdefault((actor, context), position)

    def _read_persons(self, logged: Logged) -> None:
        self.persons_import = logged

    def _read_shift_open(self, logged: Logged) -> str:
        body = logged.entry.body
        name, _ = parse_shift_name(body["shift"])
        terms = body["calendar"]
        calendar = Calendar(
            start=parse_rfc3339(terms["start"]),
            end=parse_rfc3339(terms["end"]),
            step_seconds=terms["step_seconds"],
            lead_seconds=terms["lead_seconds"],
            margin_seconds=terms["margin_seconds"],
        )
        if name.port != self.port or str(name) in self.shifts:
            raise Corrupt("SHIFT_OPENED", "This shift is another port's, or was opened before.")
        book = ShiftBook(name, logged, calendar)
        book.waves = {start: WaveBook(WaveName(name, start)) for start in calendar.wave_starts()}
        self.shifts[str(name)] = book
        return str(name)

    def _read_roster(self, logged: Logged) -> str:
        book = self._shift(logged.entry.body["shift"])
        book.roster.update((line["person"], line) for line in logged.entry.body["entries"])
        return str(book.name)

    def _read_absence(self, logged: Logged) -> str:
        book = self._shift(logged.entry.body["shift"])
        book.absent.setdefault(logged.entry.body["person"], logged.entry.time)
        return str(book.name)

    def _read_orders(self, logged: Logged) -> None:
        self.orders.update((one["order"], one["digest"]) for one in logged.entry.body["orders"])

    def _read_slots(self, logged: Logged) -> None:
        for line in logged.entry.body["slots"]:
            start = parse_rfc3339(line["start"])
            self.slots[line["slot"]] = SlotBook(
                order=line["order"],
                terminal=line["terminal"],
                start=start,
                minutes=line["minutes"],
                wave=self._wave_at(start),
            )
            self.slot_of[line["order"]] = line["slot"]

    def _read_cancel(self, logged: Logged) -> None:
        slot = self.slots.get(logged.entry.body["slot"])
        if slot is None:
            raise Corrupt("SLOT_UNKNOWN", "This slot was never booked.")
        slot.is_cancelled = True

    def _read_request(self, logged: Logged) -> str:
        wave = self._wave(logged.entry.body["wave"])
        wave.requests[logged.entry.body["absent"]] = logged
        return str(wave.name.shift)

    def _read_approval(self, logged: Logged) -> str:
        wave = self._wave(logged.entry.body["wave"])
        wave.approvals[logged.entry.body["absent"]] = logged
        return str(wave.name.shift)

    def _read_exception(self, logged: Logged) -> str | None:
        body = logged.entry.body
        return None if body["action"] == "person-erase" else _shift_of(body["what"])

    def _read_manual(self, logged: Logged) -> str:
        wave = self._wave(logged.entry.body["wave"])
        wave.is_manual = True
        return str(wave.name.shift)

    def _read_by_hand(self, logged: Logged) -> str:
        for line in logged.entry.body["lines"]:
            if line["order"] is None:
                continue
            found = [
                name
                for name, slot in self.slots.items()
                if slot.order == line["order"] and str(slot.wave.name) == line["wave"] and not slot.is_cancelled
            ]
            if not found:
                raise Corrupt("SLOT_UNKNOWN", "An order was handed out that has no slot in this wave.")
            self.slots[found[-1]].is_by_hand = True
            self.slot_of[line["order"]] = found[-1]
        return str(self._shift(logged.entry.body["shift"]).name)

    def _read_erased(self, logged: Logged) -> None:
        self.forgotten.erasures.append(logged.entry.time)

    def _shift(self, name: str) -> ShiftBook:
        book = self.shifts.get(name)
        if book is None:
            raise Corrupt("SHIFT_UNKNOWN", "This entry is about a shift that was never opened.")
        return book

    def _wave(self, name: str) -> WaveBook:
        wave = parse_wave_name(name)
        book = self._shift(str(wave.shift)).waves.get(wave.start)
        if book is None:
            raise Corrupt("WAVE_UNKNOWN", "This entry is about a wave that is in no calendar.")
        return book

    def _wave_at(self, start: datetime) -> WaveBook:
        # The newest shifts are the likeliest; a port's calendars never overlap.
        for book in reversed(self.shifts.values()):
            if book.calendar.start <= start < book.calendar.end:
                return book.waves[book.calendar.wave_of(start)]
        raise Corrupt("SLOT_NO_SHIFT", "This slot starts in no shift's calendar.")


def _shift_of(name: str) -> str:
    """The shift in the name of anything below it: a wave, or its assignments."""
    return "/".join(name.split("/")[:4])
