"""What lies around the rows: the schema, cosigned checkpoints, the custodians' shares."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from assign.errors import AssignError
from assign.log.cosignature import Policy, cosigned_at
from assign.log.note import NoteVerifier, parse_note
from assign.names import Port
from server.audit.book import Book
from server.audit.earlier import check_earlier
from server.audit.findings import Code, Findings
from server.audit.log_check import LogCheck
from server.audit.rows import key_text, read_rows
from server.escrow.custodians import EscrowConfig
from server.storage.migrate import newest_revision
from server.storage.schema import cosigned_checkpoint, escrow_key_share, escrow_share, metadata

__all__ = ["check_cosigned", "check_key_shares", "check_schema", "check_shares"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def check_schema(connection: Connection, findings: Findings) -> bool:
    """The tables are this software's, of its revision, and nothing in the database acts by itself; else stop."""
    before = findings.count
    context = MigrationContext.configure(connection)
    revisions = context.get_current_heads()
    if revisions != (newest_revision(),):
        message = f"The schema is {', '.join(revisions) or 'none'}, and this software's is {newest_revision()}."
        findings.add(Code.SCHEMA, message, table="alembic_version")
        return False
    for difference in compare_metadata(context, metadata):
        findings.add(Code.SCHEMA, f"The schema differs from this software's: {_in_words(difference)}.")
    if connection.dialect.name == "sqlite":
        _check_sqlite(connection, findings)
    return findings.count == before


def _in_words(difference: object) -> str:
    head = difference[0] if isinstance(difference, list) else difference
    parts = [str(getattr(part, "name", part)) for part in head] if isinstance(head, tuple) else [str(head)]
    return " ".join(parts)[:200]


def _check_sqlite(connection: Connection, findings: Findings) -> None:
    acting = text("SELECT type, name FROM sqlite_master WHERE type NOT IN ('table', 'index')")
    for kind, name in connection.execute(acting):
        findings.add(Code.SCHEMA, f"There is a {kind}, and this software makes none.", table=key_text((name,)))
    try:
        answers = [str(row[0]) for row in connection.execute(text("PRAGMA integrity_check(1)"))]
    except DBAPIError as error:
        answers = [str(error.orig)]
    if answers != ["ok"]:
        findings.add(Code.SCHEMA, f"The database file is damaged: {answers[0][:200]}.")


def check_cosigned(
    connection: Connection,
    logs: Mapping[Port, LogCheck],
    verifiers: Mapping[Port, NoteVerifier],
    policies: Mapping[str, Policy],
    findings: Findings,
) -> int:
    """Every checkpoint that witnesses cosigned is one of this very log; how many there are."""
    table, count = cosigned_checkpoint.name, 0
    for (port, size), row in read_rows(connection, cosigned_checkpoint, findings):
        where = key_text((port, size))
        if port not in logs:
            message = "This port is not configured."
            findings.add(Code.ROW_EXTRA, message, table=table, row=where)
            continue
        count += 1
        earlier = check_earlier(connection, logs[port], row["note"], verifiers[port], findings, table=table, row=where)
        if earlier is not None and earlier.size != size:
            message = f"`size` is not that of the checkpoint, {earlier.size}."
            findings.add(Code.VALUE_CHANGED, message, table=table, row=where)
        for name in _changed(row["note"], row["first_time"], policies.get(port)):
            findings.add(Code.VALUE_CHANGED, f"`{name}` does not hold.", table=table, row=where)
    return count


def _changed(note: bytes, first_time: datetime, policy: Policy | None) -> list[str]:
    """The columns that the cosignatures do not bear out; without known witnesses they cannot be checked."""
    if policy is None:
        return []
    names = {(witness.name, witness.key_id): witness for witness in policy.witnesses}
    try:
        parsed = parse_note(note)
    except AssignError:
        return ["note"]
    cosigned = [one for one in parsed.signatures if (one.name, one.key_id) in names]
    if any(not names[one.name, one.key_id].verify(parsed.text, one.value) for one in cosigned):
        return ["note"]
    first = min((_EPOCH + timedelta(seconds=cosigned_at(one.value)) for one in cosigned), default=first_time)
    return [] if first == first_time else ["first_time"]


def check_key_shares(connection: Connection, key_id: str, escrow: EscrowConfig | None, findings: Findings) -> None:
    """The shares of a key file are all there, and those of the key in use are as many as its custodians."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for (owner, number), row in read_rows(connection, escrow_key_share, findings):
        found[owner].append((number, row["threshold"]))
    for owner in sorted(found.keys() | ({key_id} if escrow is not None else set())):
        held = found.get(owner, [])
        terms = (
            (len(held), held[0][1]) if owner != key_id or escrow is None else (len(escrow.recipients), escrow.threshold)
        )
        if held != [(number, terms[1]) for number in range(1, terms[0] + 1)]:
            message = f"Of the {terms[0]} shares of this key, {len(held)} are there as they were made."
            findings.add(Code.SHARES_MISSING, message, table=escrow_key_share.name, row=owner)


def check_shares(connection: Connection, books: Iterable[Book], custodians: int | None, findings: Findings) -> None:
    """Every shift has all of its shares or none, and a shift that is still open has them if there are custodians.

    What is in a share only its custodian can tell: `assign escrow drill` asks him.
    """
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    for (port, shift, number), _ in read_rows(connection, escrow_share, findings):
        numbers[port, shift].append(number)
    known = set()
    for shift_book in (shift for book in books for shift in book.shifts.values()):
        key: tuple[str, str] = (shift_book.name.port, shift_book.name.shift)
        known.add(key)
        held = numbers.get(key, [])
        wanted = custodians if custodians is not None and shift_book.closed is None else len(held)
        if held != [*range(1, wanted + 1)]:
            message = f"Of this shift's {wanted} shares, {len(held)} are there: its seed may be beyond recovery."
            findings.add(Code.SHARES_MISSING, message, table=escrow_share.name, row=key_text(key))
    for unknown in sorted(numbers.keys() - known):
        message = "These shares belong to no shift in the log."
        findings.add(Code.ROW_EXTRA, message, table=escrow_share.name, row=key_text(unknown))
