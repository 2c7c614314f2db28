"""Checks manual mode: sheets follow from the master seed, two persons confirm each exception, lines follow a sheet.

What an entry shows at once is checked as it is read. What the sheets say is checked when the shift is closed, for then
the master seed is open, and every sheet can be made again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from assign.draw.inputs import FrozenOrder, WaveInputs
from assign.draw.sheets import (
    MAX_PLACES,
    Group,
    Line,
    Sheet,
    SheetPerson,
    WhySkipped,
    Work,
    commit_sheet,
    deal_sheets,
    group_for,
    sheet_salt,
)
from assign.encoding import parse_rfc3339
from assign.errors import AssignError
from assign.log.entries import Entry, Kind
from assign.log.person_keys import commit_opening
from assign.names import OrderId, TerminalCode
from assign.person import Pseudonym
from assign.rules.separation import check_inspector
from assign.verify.findings import Attention, Code, Findings
from assign.verify.shift import Booking, Shift, Wave

__all__ = ["Exceptions", "Outages"]

_LARGEST_TEAM = 2
_SYSTEMS = "systems/"


class Exceptions:
    """What takes two persons: each request is confirmed once, by somebody else; and the keys that were destroyed so."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._requests: dict[str, tuple[str, str, str]] = {}
        self._commitments: set[str] = set()

    def request(self, entry: Entry) -> None:
        """One person asks."""
        body = entry.body
        self._requests[body["request"]] = (body["action"], body["what"], body["by"])

    def confirm(self, index: int, entry: Entry, *, action: str, what: str) -> None:
        """Another one confirms what was asked for."""
        body = entry.body
        asked = self._requests.pop(body["request"], None)
        if asked != (action, what, body["requested_by"]):
            self._findings.add(Code.EXCEPTION_NOT_REQUESTED, f"{what} was confirmed, but not asked for so.", index)
        if body["by"] == body["requested_by"] or body["by"].startswith(_SYSTEMS):
            self._findings.add(Code.EXCEPTION_SELF_CONFIRMED, f"No second person confirmed {what}.", index)

    def commit_keys(self, entry: Entry) -> None:
        """Keys of persons came into use."""
        self._commitments.update(entry.body["commitments"])

    def erase_key(self, index: int, entry: Entry) -> None:
        """A key was destroyed: it must be one that the log has known since it came into use."""
        body = entry.body
        commitment = body["commitment"]
        self.confirm(index, entry, action="person-erase", what=f"personKeys/{commitment}")
        if commit_opening(bytes.fromhex(body["opening"])).hex() != commitment:
            self._findings.add(Code.ERASURE_OPENING, "The opening is not that of the key that was erased.", index)
        if commitment not in self._commitments:
            self._findings.add(
                Code.ERASURE_UNKNOWN, "The key that was erased is none that came into use, or was erased before.", index
            )
        self._commitments.discard(commitment)
        self._findings.note(
            Attention.PERSON_ERASED, f"A person's key was erased; pseudonyms of it: {body['pseudonyms']}.", index
        )


_Row = tuple[int, str, tuple[str, ...], int, str]
_GroupKey = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Batch:
    """Sheets made at one time; `rows` (number, terminal, qualifications, persons, hash) as logged."""

    index: int
    first: int
    copies: int
    rows: list[_Row]


@dataclass(frozen=True, slots=True)
class _Worked:
    """Lines of one sheet in one entry; `groups` are the kinds of sheets that could be opened by then."""

    index: int
    time: datetime
    sheet: int
    lines: tuple[Line, ...]
    groups: frozenset[_GroupKey]


@dataclass(slots=True)
class _Book:
    """One shift's sheets, as far as the log tells.

    Attributes:
        groups: of every sheet by its number. sealed: the numbers of those that can still be opened, by group.
        frozen: what is known of the orders of waves that were frozen, by wave.
    """

    batches: list[_Batch] = field(default_factory=list)
    groups: dict[int, _GroupKey] = field(default_factory=dict)
    sealed: dict[_GroupKey, list[int]] = field(default_factory=dict)
    opened: dict[int, datetime] = field(default_factory=dict)
    worked: list[_Worked] = field(default_factory=list)
    frozen: dict[str, dict[OrderId, FrozenOrder]] = field(default_factory=dict)
    known: frozenset[_GroupKey] | None = None

    def groups_now(self) -> frozenset[_GroupKey]:
        """The kinds of sheets that are sealed or open."""
        if self.known is None:
            self.known = frozenset((*self.sealed, *(self.groups[number] for number in self.opened)))
        return self.known


class Outages:
    """Takes in the entries of manual mode; `close` each shift once its master seed is open."""

    def __init__(self, origin: str, findings: Findings, exceptions: Exceptions) -> None:
        self.handed_out: set[OrderId] = set()
        self._origin = origin
        self._findings = findings
        self._exceptions = exceptions
        self._books: dict[str, _Book] = {}

    def _book(self, shift: Shift) -> _Book:
        return self._books.setdefault(str(shift.name), _Book())

    def read(self, index: int, shift: Shift, entry: Entry) -> None:
        """An entry about the sheets of an open shift."""
        match entry.kind:
            case Kind.SHEETS_COMMIT:
                self.commit(index, shift, entry)
            case Kind.SHEET_OPEN:
                self.open(index, shift, entry)
            case Kind.MANUAL_ASSIGNMENT:
                self.work(index, shift, entry)

    def commit(self, index: int, shift: Shift, entry: Entry) -> None:
        """Sheets were made. A batch that needs several entries has the same `first` in each."""
        book, body = self._book(shift), entry.body
        rows = [
            (row["sheet"], row["terminal"], tuple(row["qualifications"]), row["persons"], row["hash"])
            for row in body["sheets"]
        ]
        batches = book.batches
        if not batches or batches[-1].first != body["first"]:
            if batches:
                self._note(Attention.SHEETS_AGAIN, f"{shift.name}: sheets were made again.", index)
            if body["first"] != len(book.groups) + 1:
                self._add(Code.SHEETS_MISMATCH, f"{shift.name}: the numbers of the sheets do not go on.", index)
            book.sealed.clear()
            batches.append(_Batch(index, body["first"], body["copies"], []))
        batches[-1].rows.extend(rows)
        for number, terminal, words, _, _ in rows:
            if number not in book.groups:
                book.groups[number] = (terminal, words)
                book.sealed.setdefault((terminal, words), []).append(number)
        book.known = None

    def open(self, index: int, shift: Shift, entry: Entry) -> None:
        """Two persons say that a sheet was opened."""
        book, body = self._book(shift), entry.body
        number, opened = body["sheet"], parse_rfc3339(body["opened"])
        name = f"{shift.name}/sheets/{number}"
        self._exceptions.confirm(index, entry, action="sheet-open", what=name)
        if number in book.opened:
            self._add(Code.SHEET_OPENED_TWICE, f"{name} was opened before.", index)
            return
        sealed = book.sealed.get(book.groups.get(number, ("", ())), [])
        if number not in sealed:
            self._add(Code.SHEET_UNKNOWN, f"{name} was never made, or is void.", index)
            return
        if sealed[0] != number:
            self._add(Code.SHEET_NOT_NEXT, f"{name} was opened, and sheet {sealed[0]} of its kind comes first.", index)
        sealed.remove(number)
        book.known = None
        if not shift.calendar.freeze_time(shift.calendar.start) <= opened <= entry.time:
            self._add(Code.SHEET_OPEN_TIME, f"{name} cannot have been opened at {body['opened']}.", index)
        book.opened[number] = opened
        self._note(Attention.SHEET_OPENED, f"{name} was opened ({body['reason']}).", index)

    def manual(self, index: int, shift: Shift, wave: Wave, entry: Entry) -> None:
        """Two persons say that a wave is worked by hand."""
        self._exceptions.confirm(index, entry, action="wave-manual", what=wave.name)
        if wave.manual_index is not None:
            self._add(Code.MANUAL_TWICE, f"{wave.name} was declared manual before.", index)
            return
        if wave.drawn is not None:
            self._add(Code.MANUAL_DRAWN, f"{wave.name} was drawn, then declared manual.", index)
        is_waiting = wave.freeze is not None and entry.time >= wave.start
        if wave.drawn is None and wave.missed_index is None and not is_waiting:
            self._add(Code.MANUAL_EARLY, f"{wave.name} was neither missed nor waiting at its start.", index)
        wave.manual_index = index
        self._note(Attention.WAVE_MANUAL, f"{wave.name} was worked by hand ({entry.body['reason']}).", index)

    def work(self, index: int, shift: Shift, entry: Entry) -> None:
        """What was handed out from a sheet."""
        book, body = self._book(shift), entry.body
        lines = tuple(
            Line(
                line=row["line"],
                person=Pseudonym(row["person"]),
                time=parse_rfc3339(row["time"]),
                order=None if row["order"] is None else OrderId(row["order"]),
                wave=row["wave"],
                why=row["why"],
            )
            for row in body["lines"]
        )
        self.handed_out.update(line.order for line in lines if line.order is not None)
        if body["sheet"] not in book.opened:
            self._add(Code.MANUAL_LINES, f"Sheet {body['sheet']} of {shift.name} is not open.", index)
            return
        book.worked.append(_Worked(index, entry.time, body["sheet"], lines, book.groups_now()))

    def keep_inputs(self, shift: Shift, wave: Wave, inputs: WaveInputs) -> None:
        """A wave that was frozen and then worked by hand: what its orders need is known from its inputs."""
        self._book(shift).frozen[wave.name] = {order.order: order for order in inputs.orders}

    def close(self, shift: Shift, master: bytes) -> None:
        """Check the shift's sheets against its master seed, and what was handed out against the sheets."""
        book = self._books.pop(str(shift.name), None)
        if book is None:
            return
        sheets: dict[int, Sheet] = {}
        places = MAX_PLACES
        for batch in book.batches:
            made = self._deal(shift, batch, master, places)
            places -= sum(len(sheet.persons) for sheet in made)
            sheets.update((sheet.number, sheet) for sheet in made)
            if not made:
                break  # one finding is enough, and later ones would cost as much as somebody likes
        _Reconciliation(shift, book, sheets, self._findings).check()

    def _deal(self, shift: Shift, batch: _Batch, master: bytes, places: int) -> list[Sheet]:
        """The sheets of a batch, made again; none where they are not the logged ones."""
        persons = [
            SheetPerson(
                person=person,
                terminals=frozenset(map(TerminalCode, line.terminals)),
                qualifications=line.qualifications,
            )
            for person, line in shift.roster.items()
            if line.index < batch.index
        ]
        name = str(shift.name)
        try:
            sheets = deal_sheets(
                master, self._origin, name, persons, first=batch.first, copies=batch.copies, places_left=places
            )
        except AssignError as error:
            self._add(Code.SHEETS_MISMATCH, f"{name}: these sheets cannot be made: {error.message}", batch.index)
            return []
        made = [
            (
                sheet.number,
                sheet.group.terminal,
                sheet.group.qualifications,
                len(sheet.persons),
                commit_sheet(sheet_salt(master, self._origin, name, sheet.number), sheet).hex(),
            )
            for sheet in sheets
        ]
        if made == batch.rows:
            return sheets
        self._add(Code.SHEETS_MISMATCH, f"{name}: the logged sheets are not those of its seed and roster.", batch.index)
        return []

    def _add(self, code: Code, message: str, index: int) -> None:
        self._findings.add(code, message, index)

    def _note(self, code: Attention, message: str, index: int) -> None:
        self._findings.note(code, message, index)


class _Reconciliation:
    """Compares what was handed out in one shift with its sheets, its waves and its orders."""

    def __init__(self, shift: Shift, book: _Book, sheets: Mapping[int, Sheet], findings: Findings) -> None:
        self._shift = shift
        self._book = book
        self._sheets = sheets
        self._findings = findings
        self._work: dict[int, Work] = {}
        self._teams: Counter[OrderId] = Counter()
        self._bookings: dict[str, dict[OrderId, Booking]] = {}
        self._kinds: dict[tuple[frozenset[_GroupKey], TerminalCode, frozenset[str]], Group | None] = {}

    def check(self) -> None:
        for worked in self._book.worked:
            sheet = self._sheets.get(worked.sheet)
            if sheet is None:
                continue  # that the sheets are not the logged ones is a finding already
            work = self._work.setdefault(worked.sheet, Work(sheet))
            for line in worked.lines:
                is_absent = self._shift.absent.get(line.person, worked.index) < worked.index
                for problem in work.add(line, is_absent=is_absent):
                    self._findings.add(Code.MANUAL_LINES, f"{sheet.name}: {problem}.", worked.index)
                self._check_line(sheet, worked, line)
        for wave in self._shift.waves.values():
            if wave.manual_index is not None:
                self._note_left(wave)

    def _check_line(self, sheet: Sheet, worked: _Worked, line: Line) -> None:
        where = f"{sheet.name}, line {line.line}"
        if not self._book.opened[worked.sheet] <= line.time <= worked.time:
            self._findings.add(Code.MANUAL_TIME, f"{where}: not between its opening and its entry.", worked.index)
        if line.order is not None:
            for code, problem in self._check_order(sheet, worked, line, line.order):
                self._findings.add(code, f"{where}: {problem}.", worked.index)
        elif line.why not in (WhySkipped.ABSENT, WhySkipped.IN_TEAM):
            self._findings.note(
                Attention.MANUAL_ON_WORD, f"{where}: {line.person} was passed over as {line.why}.", worked.index
            )

    def _check_order(self, sheet: Sheet, worked: _Worked, line: Line, order: OrderId) -> Iterator[tuple[Code, str]]:
        wave = self._shift.waves.get(line.wave or "")
        if wave is None or wave.manual_index is None or wave.manual_index > worked.index:
            yield Code.MANUAL_ORDER, f"the wave of {order} is not worked by hand"
            return
        end = wave.start + timedelta(seconds=self._shift.calendar.step_seconds)
        if not self._shift.calendar.draw_time(wave.start) <= line.time < end:
            yield Code.MANUAL_TIME, f"{order} was not handed out in its wave"
        booking = self._standing(wave).get(order)
        if booking is None:
            yield Code.MANUAL_ORDER, f"{order} has no slot in its wave"
        elif booking.terminal != sheet.group.terminal:
            yield Code.MANUAL_ORDER, f"{order} stands at another terminal"
        self._teams[order] += 1
        known = self._book.frozen.get(wave.name, {}).get(order)
        if self._teams[order] > (_LARGEST_TEAM if known is None else known.team_size):
            yield Code.MANUAL_ORDER, f"{order} has more people than its team"
        if known is not None:
            yield from self._check_known(sheet, worked, line, known)

    def _check_known(self, sheet: Sheet, worked: _Worked, line: Line, known: FrozenOrder) -> Iterator[tuple[Code, str]]:
        if self._kind_for(worked.groups, known) != sheet.group:
            yield Code.MANUAL_ORDER, f"{known.order} is handed out from another kind of sheet"
        if check_inspector(line.person, known.handled_by):
            yield Code.SEPARATION, f"{line.person} handled the selection of {known.order} and got it"

    def _kind_for(self, groups: frozenset[_GroupKey], known: FrozenOrder) -> Group | None:
        key = (groups, known.terminal, known.qualifications)
        if key not in self._kinds:
            kinds = (Group(TerminalCode(terminal), words) for terminal, words in groups)
            self._kinds[key] = group_for(kinds, known.terminal, known.qualifications)
        return self._kinds[key]

    def _standing(self, wave: Wave) -> dict[OrderId, Booking]:
        """The slots that the wave had when it was frozen or missed."""
        if wave.name not in self._bookings:
            over = wave.freeze_index if wave.freeze is not None else wave.missed_index or wave.manual_index or 0
            self._bookings[wave.name] = {one.order: one for one in wave.bookings if one.stood_at(over)}
        return self._bookings[wave.name]

    def _note_left(self, wave: Wave) -> None:
        left = sum(order not in self._teams for order in self._standing(wave))
        if left:
            self._findings.note(
                Attention.MANUAL_LEFT, f"{wave.name}: orders that nobody was handed: {left}.", wave.manual_index
            )
