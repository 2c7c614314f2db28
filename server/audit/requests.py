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

from assign.encoding import Json, canonical_json
from assign.errors import AssignError, Corrupt
from assign.log.entries import Kind
from assign.names import ShiftId, ShiftName, WaveName
from assign.v1 import resources_pb2
from server.audit.book import Act, Book, Logged, WaveBook
from server.audit.findings import Code, Findings
from server.audit.people import People
from server.audit.rows import Row, key_text, read_rows
from server.keyring import Keyring
from server.storage.outcomes import seal_context
from server.storage.requests import answer_context
from server.storage.schema import replacement, request

__all__ = ["check_replacements", "check_requests"]

_BATCHES = (Kind.ROSTER_IMPORT, Kind.ORDERS_IMPORT, Kind.SLOTS_BOOK)


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
    for act in (one.acts[0] for group in done.values() for one in group if not one.is_answered):
        message = "The request that this entry answers is gone: repeated, it would be carried out again."
        findings.add(Code.ROW_MISSING, message, table=request.name, row=act.by, position=act.position)
    return asked


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
    waves = {
        (book.port, shift.name.shift, start): wave
        for book in books
        for shift in book.shifts.values()
        for start, wave in shift.waves.items()
    }
    seen: set[tuple[WaveName, str]] = set()
    for key, row in read_rows(connection, replacement, findings):
        wave = waves.get((row["port"], row["shift"], row["wave_start"]))
        context = str(ShiftName(row["port"], ShiftId(row["shift"])))
        absent = people.pseudonym(row["absent"], context) or ""
        logged = None if wave is None else wave.requests.get(absent)
        if wave is None or logged is None:
            message = "Nobody asked for this replacement."
            findings.add(Code.ROW_EXTRA, message, table=replacement.name, row=key_text(key))
            continue
        seen.add((wave.name, absent))
        for name in _changed(row, logged, wave.approvals.get(absent), asked, people, context):
            message = f"`{name}` is not what follows from the log."
            findings.add(Code.VALUE_CHANGED, message, table=replacement.name, row=key_text(key))
        try:
            _check_substitutions(row, wave, absent, keyring, people)
        except AssignError as error:
            findings.add(Code.SEALED_VALUE, error.message, table=replacement.name, row=key_text(key))
    _check_missing(waves.values(), seen, findings)


def _changed(
    row: Row, logged: Logged, approval: Logged | None, asked: Mapping[str, Sequence[Act]], people: People, context: str
) -> list[str]:
    """The columns that are not what the log says."""
    body = logged.entry.body
    approved_by = None if row["approved_by"] is None else people.pseudonym(row["approved_by"], context)
    acts = asked.get(f"ports/{row['port']}/replacements/{row['replacement']}", ())
    same = {
        "replacement": any(act.position == logged.position for act in acts),
        "reason": row["reason"] == body["reason"],
        "requested_by": people.pseudonym(row["requested_by"], context) == body["by"],
        "approved_by": approved_by == (None if approval is None else approval.entry.body["by"])
        and (row["approved_by"] is None) == (approval is None),
        "approved_time": row["approved_time"] == (None if approval is None else approval.entry.time),
        "substitutions_sealed": (row["substitutions_sealed"] is None) == (approval is None),
    }
    return [name for name, is_same in same.items() if not is_same]


def _check_substitutions(row: Row, wave: WaveBook, absent: str, keyring: Keyring, people: People) -> None:
    """What follows from an approval opens in its place and is what the log says. Raises Corrupt."""
    approval = wave.approvals.get(absent)
    if approval is None or row["substitutions_sealed"] is None:
        return
    context = seal_context(f"substitutions/{row['replacement']}", wave.name)
    stored = keyring.open(row["substitutions_sealed"], context=context)
    shift = str(wave.name.shift)
    logged: list[Json] = [
        [one["order"], None if one["substitute"] is None else people.person(one["substitute"], shift)]
        for one in approval.entry.body["substitutions"]
    ]
    if stored != canonical_json(logged):
        raise Corrupt("SUBSTITUTIONS", "The stored substitutions are not those in the log.")


def _check_missing(waves: Iterable[WaveBook], seen: set[tuple[WaveName, str]], findings: Findings) -> None:
    for wave in waves:
        for absent, logged in wave.requests.items():
            if (wave.name, absent) not in seen:
                message = "A replacement that was asked for is gone."
                findings.add(
                    Code.ROW_MISSING, message, table=replacement.name, row=str(wave.name), position=logged.position
                )
