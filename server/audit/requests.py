"""Answered requests and replacements: each is in the log at its very time, by the same person.

Under a clock that stands still (a test's) several acts share a moment; then answers and entries are counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import DecodeError
from sqlalchemy.engine import Connection

from assign.encoding import parse_canonical_json
from assign.errors import AssignError, Corrupt
from assign.log.entries import Kind
from assign.names import ShiftId, ShiftName, WaveName
from assign.v1 import resources_pb2
from server.audit.book import Act, Book, WaveBook
from server.audit.findings import Code, Findings
from server.audit.people import People
from server.audit.rows import Key, Row, key_text, read_rows
from server.keyring import Keyring
from server.storage.outcomes import seal_context
from server.storage.requests import answer_context
from server.storage.schema import replacement, request

__all__ = ["check_replacements", "check_requests"]

_BATCHES = (Kind.ROSTER_IMPORT, Kind.ORDERS_IMPORT, Kind.SLOTS_BOOK, Kind.SHEETS_COMMIT, Kind.MANUAL_ASSIGNMENT)
# A person is erased in every port's log at once, for one request.
_EVERYWHERE = (Kind.EXCEPTION_REQUEST, Kind.PERSON_ERASED)


@dataclass(slots=True)
class _Done:
    """What one caller did in one way at one moment: entries of the log, and the answers that are kept of it."""

    acts: list[Act]
    answers: int = 0

    @property
    def is_answered(self) -> bool:
        """A batch may take several entries; everything else is one entry a request."""
        if self.acts[0].kind in _BATCHES:
            return 1 <= self.answers <= len(self.acts)
        return self.answers == len(self.acts)


def check_requests(
    connection: Connection, keyring: Keyring, books: Iterable[Book], people: People, findings: Findings
) -> dict[str, list[Act]]:
    """Compare `request` with what was done; the replacements that were asked for, by their resource names."""
    books = [*books]
    done: dict[datetime, list[_Done]] = defaultdict(list)
    for (time, *_), acts in _grouped(books).items():
        done[time].append(_Done(acts))
    asked: dict[str, list[Act]] = {}
    for key, row in read_rows(connection, request, findings):
        found = [one for one in done.get(row["time"], ()) if _is_by(one.acts[0], row["caller"], people)]
        match = next((one for one in found if one.answers < len(one.acts)), None)
        if match is None:
            message = "Nobody did anything that this could be the answer to."
            findings.add(Code.ROW_EXTRA, message, table=request.name, row=key_text(key))
            continue
        match.answers += 1
        try:
            context = answer_context(row["caller"], row["request_id"], row["digest"])
            answer = keyring.open(row["response"], context=context)
            requested = [act for one in found for act in one.acts if act.kind is Kind.REPLACEMENT_REQUEST]
            if requested:
                asked[_replacement_name(answer)] = requested
        except AssignError as error:
            findings.add(Code.SEALED_VALUE, error.message, table=request.name, row=key_text(key))
    unanswered = (one.acts[0] for group in done.values() for one in group if not one.is_answered)
    for act in unanswered:
        if _may_be_unanswered(act, books):
            continue
        message = "The request that this entry answers is gone: repeated, it would be carried out again."
        findings.add(Code.ROW_MISSING, message, table=request.name, row=act.by, position=act.position)
    return asked


def _may_be_unanswered(act: Act, books: Sequence[Book]) -> bool:
    """Whether the answer is rightly gone, or was given in another port."""
    is_elsewhere = act.kind in _EVERYWHERE and len(books) > 1
    return is_elsewhere or any(book.forgotten.may_lack_answer(act.time) for book in books)


def _grouped(books: Iterable[Book]) -> dict[tuple[datetime, Kind, str, str], list[Act]]:
    groups: dict[tuple[datetime, Kind, str, str], list[Act]] = defaultdict(list)
    for act in (act for book in books for act in book.acts):
        groups[act.time, act.kind, act.by, act.context].append(act)
    return groups


def _is_by(act: Act, caller: str, people: People) -> bool:
    return people.actor(caller, act.context) == act.by


def _replacement_name(answer: bytes) -> str:
    try:
        return resources_pb2.Replacement.FromString(answer).name
    except DecodeError:
        raise Corrupt("ANSWER_MALFORMED", "The answer to a request for a replacement is none.") from None


def check_replacements(
    connection: Connection,
    keyring: Keyring,
    books: Iterable[Book],
    people: People,
    asked: Mapping[str, Sequence[Act]],
    findings: Findings,
) -> None:
    """Compare `replacement` with the requests and approvals in the log."""
    _Replacements(keyring, {book.port: book for book in books}, people, asked, findings).check(connection)


class _Replacements:
    def __init__(
        self,
        keyring: Keyring,
        books: Mapping[str, Book],
        people: People,
        asked: Mapping[str, Sequence[Act]],
        findings: Findings,
    ) -> None:
        self._keyring = keyring
        self._books = books
        self._people = people
        self._asked = asked
        self._findings = findings

    def check(self, connection: Connection) -> None:
        """Every row has its request, and every request its row."""
        seen: set[tuple[WaveName, str]] = set()
        for key, row in read_rows(connection, replacement, self._findings):
            wave = self._wave(row)
            absent = None if wave is None else self._absent(row, wave)
            if wave is None or absent is None:
                message = "Nobody asked for this replacement."
                self._findings.add(Code.ROW_EXTRA, message, table=replacement.name, row=key_text(key))
                continue
            seen.add((wave.name, absent))
            self._check_row(key, row, wave, absent)
        for book in self._books.values():
            for shift in book.shifts.values():
                closed = None if shift.closed is None else shift.closed.entry.time
                if not book.forgotten.is_past("assignments", shift.calendar.end, closed):
                    self._check_missing(shift.waves.values(), seen)

    def _wave(self, row: Row) -> WaveBook | None:
        book = self._books.get(row["port"])
        shift = None if book is None else book.shifts.get(_context(row))
        return None if shift is None else shift.waves.get(row["wave_start"])

    def _absent(self, row: Row, wave: WaveBook) -> str | None:
        """The pseudonym under which the log has the request; of somebody erased, one that nobody has any more."""
        name = self._people.pseudonym(row["absent"], _context(row))
        if name is None and self._books[row["port"]].forgotten.is_stand_in(row["absent"]):
            approvals = wave.approved_times()
            nobody = (one for one in wave.requests if self._people.person(one, _context(row)) is None)
            name = next((one for one in nobody if approvals.get(one) == row["approved_time"]), None)
        return name if name in wave.requests else None

    def _check_row(self, key: Key, row: Row, wave: WaveBook, absent: str) -> None:
        for name in self._changed(row, wave, absent):
            message = f"`{name}` is not what follows from the log."
            self._findings.add(Code.VALUE_CHANGED, message, table=replacement.name, row=key_text(key))
        try:
            self._check_substitutions(row, wave, absent)
        except AssignError as error:
            self._findings.add(Code.SEALED_VALUE, error.message, table=replacement.name, row=key_text(key))

    def _changed(self, row: Row, wave: WaveBook, absent: str) -> list[str]:
        """The columns that are not what the log says."""
        logged, approval = wave.requests[absent], wave.approvals.get(absent)
        approved = None if approval is None else approval.entry
        forgotten = self._books[row["port"]].forgotten
        acts = self._asked.get(f"ports/{row['port']}/replacements/{row['replacement']}")
        is_answered = any(act.position == logged.position for act in acts or ())
        same = {
            "replacement": is_answered or (acts is None and forgotten.may_lack_answer(logged.entry.time)),
            "reason": row["reason"] == logged.entry.body["reason"],
            "requested_by": self._is_by(row, "requested_by", logged.entry.body["by"]),
            "approved_by": row["approved_by"] is None
            if approved is None
            else self._is_by(row, "approved_by", approved.body["by"]),
            "approved_time": row["approved_time"] == wave.approved_times().get(absent),
            "substitutions_sealed": (row["substitutions_sealed"] is None) == (approved is None),
        }
        return [name for name, is_same in same.items() if not is_same]

    def _is_by(self, row: Row, column: str, name: str) -> bool:
        return self._people.is_person(row[column], name, _context(row), self._books[row["port"]].forgotten)

    def _check_substitutions(self, row: Row, wave: WaveBook, absent: str) -> None:
        """What follows from an approval opens in its place and is what the log says. Raises Corrupt."""
        approval = wave.approvals.get(absent)
        if approval is None or row["substitutions_sealed"] is None:
            return
        context = seal_context(f"substitutions/{row['replacement']}", wave.name)
        stored = parse_canonical_json(self._keyring.open(row["substitutions_sealed"], context=context))
        logged = approval.entry.body["substitutions"]
        forgotten = self._books[row["port"]].forgotten
        is_same = [order for order, _ in stored] == [one["order"] for one in logged] and all(
            person is None
            if one["substitute"] is None
            else self._people.is_person(person, one["substitute"], _context(row), forgotten)
            for (_, person), one in zip(stored, logged, strict=True)
        )
        if not is_same:
            raise Corrupt("SUBSTITUTIONS", "The stored substitutions are not those in the log.")

    def _check_missing(self, waves: Iterable[WaveBook], seen: set[tuple[WaveName, str]]) -> None:
        for wave in waves:
            for absent, logged in wave.requests.items():
                if (wave.name, absent) not in seen:
                    message = "A replacement that was asked for is gone."
                    self._findings.add(
                        Code.ROW_MISSING, message, table=replacement.name, row=str(wave.name), position=logged.position
                    )


def _context(row: Row) -> str:
    return str(ShiftName(row["port"], ShiftId(row["shift"])))
