"""The audit of a whole store on one snapshot: the logs first, then every table as it follows from them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from assign.encoding import Json
from assign.errors import AssignError
from assign.log.note import NoteVerifier
from assign.names import Port
from server.audit.book import Book
from server.audit.earlier import check_earlier, find_port
from server.audit.findings import Code, Finding, Findings
from server.audit.log_check import LogCheck, check_log
from server.audit.people import check_register
from server.audit.requests import check_replacements, check_requests
from server.audit.surroundings import check_cosigned, check_key_shares, check_schema, check_shares
from server.audit.tables import Tables
from server.keyring import Keyring
from server.storage import schema
from server.storage.schema import log_entry, log_tile, port_log
from server.storage.unit import Services

__all__ = ["COMPARED", "AuditReport", "Progress", "audit_store"]

Progress = Callable[[str, int, int], None]
"""Called now and then with (what is being checked, done, of how many)."""

COMPARED = frozenset(
    table.name
    for table in (
        schema.cosigned_checkpoint,
        schema.escrow_key_share,
        schema.escrow_share,
        schema.handled_selection,
        schema.inspection_order,
        schema.log_entry,
        schema.log_tile,
        schema.person,
        schema.person_key,
        schema.port_log,
        schema.replacement,
        schema.request,
        schema.roster_entry,
        schema.shift,
        schema.slot,
        schema.wave,
    )
)
"""The tables that an audit looks at. Of any other that has rows, the report says that it does not."""

_TOLD_EVERY = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditedLog:
    """One port's log, as it was found."""

    port: Port
    origin: str
    size: int
    root: bytes
    note: bytes
    entries: Mapping[str, int]

    def to_json(self) -> Json:
        """An object of the attributes."""
        return {
            "checkpoint": self.note.decode("utf-8", "replace"),
            "origin": self.origin,
            "port": self.port,
            "root": self.root.hex(),
            "size": self.size,
            **self.entries,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditReport:
    """What an audit found.

    Attributes:
        findings: the first thousand of `findings_count`; the first one is the first wrong thing.
        earlier: how many earlier checkpoints the logs were compared with; without any, a store that was set
            back as a whole cannot be told from one that was not.
        tables: whether the tables were compared too: not where a log itself is damaged.
        not_compared: tables with rows that this audit knows nothing about.
    """

    logs: tuple[AuditedLog, ...]
    findings: tuple[Finding, ...]
    findings_count: int
    earlier: int
    tables: bool
    not_compared: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return self.findings_count == 0

    def to_json(self) -> dict[str, Json]:
        """A JSON object; `docs/audit.md` describes it."""
        return {
            "earlier_checkpoints": self.earlier,
            "findings": [finding.to_json() for finding in self.findings],
            "findings_count": self.findings_count,
            "format": "audit/v1",
            "is_sound": self.is_sound,
            "logs": [log.to_json() for log in self.logs],
            "not_compared": [*self.not_compared],
            "tables_compared": self.tables,
        }


def audit_store(
    connection: Connection, services: Services, *, earlier: Sequence[bytes] = (), progress: Progress | None = None
) -> AuditReport:
    """Recompute everything that the store keeps from what its logs say, and the logs from their entries.

    Args:
        connection: one consistent snapshot. services: the configured ports, with their keys.
        earlier: signed checkpoints that were seen before, of any of the logs.

    Raises Corrupt where an earlier checkpoint is not one at all.
    """
    with _any_text(connection):
        return _Audit(connection, services, progress or (lambda *_: None)).run(earlier)


@contextmanager
def _any_text(connection: Connection) -> Iterator[None]:
    """SQLite hands out text that is not UTF-8 instead of failing: such a value is a finding like any other."""
    if connection.dialect.name != "sqlite":
        yield
        return
    raw = connection.connection.dbapi_connection
    before, raw.text_factory = raw.text_factory, lambda data: data.decode("utf-8", "surrogateescape")  # type: ignore[union-attr]
    try:
        yield
    finally:
        raw.text_factory = before  # type: ignore[union-attr]


@dataclass(slots=True)
class _Audit:
    connection: Connection
    services: Services
    progress: Progress
    findings: Findings = field(default_factory=Findings)
    books: dict[Port, Book] = field(default_factory=dict)
    logs: dict[Port, LogCheck] = field(default_factory=dict)

    def run(self, earlier: Sequence[bytes]) -> AuditReport:
        verifiers = {Port(port): signer.verifier() for port, signer in self.services.signers.items()}
        compared = 0
        is_readable = check_schema(self.connection, self.findings)
        if is_readable:
            for port, verifier in verifiers.items():
                self._check_log(port, verifier)
            self._check_other_ports()
            compared = self._check_earlier(earlier, verifiers)
        compares_tables = is_readable and self.findings.count == 0
        if compares_tables:
            self._check_tables(self.services.keyring)
        return AuditReport(
            logs=tuple(self._logs()),
            findings=tuple(self.findings.kept),
            findings_count=self.findings.count,
            earlier=compared,
            tables=compares_tables,
            not_compared=self._not_compared() if is_readable else (),
        )

    def _not_compared(self) -> tuple[str, ...]:
        others = [table for name, table in sorted(schema.metadata.tables.items()) if name not in COMPARED]
        return tuple(table.name for table in others if self.connection.execute(select(table).limit(1)).first())

    def _logs(self) -> list[AuditedLog]:
        return [
            AuditedLog(
                port=port,
                origin=self.books[port].origin,
                size=checked.edge.size,
                root=checked.edge.root(),
                note=checked.note,
                entries={"shifts": len(self.books[port].shifts), "slots": len(self.books[port].slots)},
            )
            for port, checked in self.logs.items()
        ]

    def _check_log(self, port: Port, verifier: NoteVerifier) -> None:
        before, unclear = self.findings.count, Findings()
        book = self.books[port] = Book(port, verifier.name, unclear)
        total = self.connection.execute(select(func.count()).where(log_entry.c.port == port)).scalar_one()

        def on_entry(position: int, data: bytes) -> None:
            book.read(position, data)
            if position % _TOLD_EVERY == 0:
                self.progress(f"log of {port}", position, total)

        self.logs[port] = check_log(self.connection, port, verifier, self.findings, on_entry)
        self.progress(f"log of {port}", total, total)
        if self.findings.count == before:  # else it is no wonder that entries make no sense
            self.findings.extend(unclear)

    def _check_other_ports(self) -> None:
        for table in (port_log, log_entry, log_tile):
            for port in self.connection.execute(select(table.c.port).distinct()).scalars():
                if port not in self.logs:
                    message = "This port is not configured: its log cannot be audited without its key."
                    self.findings.add(Code.ROW_EXTRA, message, table=table.name, row=str(port))

    def _check_earlier(self, notes: Sequence[bytes], verifiers: Mapping[Port, NoteVerifier]) -> int:
        policies = {port: witnesses.policy for port, witnesses in self.services.witnesses.items()}
        count = check_cosigned(self.connection, self.logs, verifiers, policies, self.findings)
        for note in notes:
            port = find_port(note, verifiers)
            if port is None:
                self.findings.add(Code.LOG_CHECKPOINT, "An earlier checkpoint is of a log that is not configured.")
                continue
            check_earlier(self.connection, self.logs[port], note, verifiers[port], self.findings)
        return count + len(notes)

    def _check_tables(self, keyring: Keyring) -> None:
        books, findings = [*self.books.values()], self.findings
        tables = Tables(self.connection, keyring, books, findings)
        for at, (what, check) in enumerate(self._steps(tables, keyring, books)):
            self.progress(what, at, 5)
            try:
                check()
            except AssignError as error:  # whatever nobody foresaw is a finding as well
                findings.add(Code.ROW_UNREADABLE, f"{what}: {error.message}")

    def _steps(self, tables: Tables, keyring: Keyring, books: list[Book]) -> list[tuple[str, Callable[[], None]]]:
        def requests() -> None:
            asked = check_requests(self.connection, keyring, books, tables.people, self.findings)
            check_replacements(self.connection, keyring, books, tables.people, asked, self.findings)

        escrow = self.services.escrow
        custodians = None if escrow is None else len(escrow.recipients)
        return [
            ("shifts, waves and orders", tables.check),
            ("requests and replacements", requests),
            ("screening register", lambda: check_register(self.connection, keyring, books, self.findings)),
            ("custodians' shares", lambda: check_shares(self.connection, books, custodians, self.findings)),
            ("key shares", lambda: check_key_shares(self.connection, keyring.key_id, escrow, self.findings)),
        ]
