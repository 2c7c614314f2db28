"""Tampering with a stopped server's database: every table, every column, every row's being there.

Each change is made in a transaction on a copy of a real store, the whole store is audited, and the change is rolled
back. What an audit does not find must be in `HARMLESS`, with the reason why it can do no harm.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from audited_day import play_day, settings
from e2e.port import PORT, Site
from sqlalchemy import Boolean, Column, LargeBinary, Table
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from assign.encoding import sha256
from assign.errors import Corrupt
from assign.log.checkpoint import parse_checkpoint
from assign.log.cosignature import Cosigner, Policy
from assign.log.note import NoteSigner, Signature, parse_note
from assign.names import Port, ShiftId, ShiftName, WaveName
from server.actions.start_log import start_log
from server.audit.audit import COMPARED, AuditReport, audit_store
from server.audit.findings import Code
from server.audit.startup import check_ends
from server.clock import SystemClock
from server.cosigning.settings import WitnessPolicy
from server.sequencer import Sequencer
from server.storage.cosignatures import add_cosignatures
from server.storage.ledger import read_head
from server.storage.outcomes import seal_context
from server.storage.schema import Moment, Words, metadata, replacement, shift, wave
from server.storage.secrets import master_context
from server.storage.sqlite import open_writer
from server.storage.unit import Services

# What an audit cannot see, and why it does not matter. `*` stands for a row's being there, or its place.
HARMLESS = {
    ("cosigned_checkpoint", "*"): (
        "takes evidence away and makes up none: the witnesses and everybody who kept a copy still have it, and the "
        "verifier reports a freeze without it as less well witnessed"
    ),
    ("escrow_key_share", "*"): "as in `escrow_share`",
    ("escrow_key_share", "recipient"): "as in `escrow_share`",
    ("escrow_key_share", "data"): "as in `escrow_share`",
    ("escrow_share", "*"): "exchanged shares open for other custodians than before; a missing one is found",
    (
        "escrow_share",
        "recipient",
    ): "a label: only the custodian's own key opens the share, whoever it is said to be for",
    ("escrow_share", "data"): (
        "a changed share is refused by its custodian's `age`, or leads to no seed with the commitment in the log; "
        "whether a seed can still be recovered, `assign escrow drill` shows"
    ),
}
_LAST = "position + 1 = (SELECT size FROM port_log)"
_NOT_UTF_8 = "CAST(x'ff00fe' AS TEXT)"
_WITNESS = Cosigner("witness.example/1", sha256(b"a witness"))


@dataclass(frozen=True)
class Tamper:
    """One change of the database: statements that are carried out together."""

    table: str
    column: str
    kind: str
    statements: tuple[tuple[str, tuple[Any, ...]], ...]


@dataclass
class Store:
    """A stopped server's store.

    Attributes:
        older: a copy of when the day was half over.
        checkpoint: the last one that was signed, as somebody outside kept it.
    """

    path: Path
    older: Path
    services: Services
    checkpoint: bytes

    def connect(self, path: Path | None = None) -> Iterator[Connection]:
        """A connection in a transaction that is rolled back at the end."""
        engine = open_writer(f"sqlite:///{path or self.path}")
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                connection.exec_driver_sql("ROLLBACK")
        finally:
            engine.dispose()


def _copy(source: Path, target: Path) -> None:
    """Make a consistent copy of a store that may be in use."""
    with closing(sqlite3.connect(source)) as store, closing(sqlite3.connect(target)) as copy:
        store.backup(copy)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A day's store, with checkpoints that a witness cosigned."""
    directory = tmp_path_factory.mktemp("tampered")
    site = Site(directory, settings=settings())
    older = directory / "older.db"
    try:
        site.start()
        day = play_day(site, halfway=lambda: _copy(site.store, older))
        services = day.services
    finally:
        site.close()
    path = directory / "stopped.db"
    _copy(site.store, path)
    policy = Policy((services.signers[PORT].verifier(),), (_WITNESS.witness(),), 1)
    services = replace(services, witnesses={PORT: WitnessPolicy(policy, is_strict=False)})
    return Store(path, older, services, _cosign(path, older))


def _cosign(path: Path, older: Path) -> bytes:
    """Store the cosigned checkpoints of halfway and of the end; the latter."""
    engine = open_writer(f"sqlite:///{older}")
    with engine.connect() as connection:
        _, half = read_head(connection, PORT)
    engine.dispose()
    engine = open_writer(f"sqlite:///{path}")
    with engine.connect() as connection:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        _, note = read_head(connection, PORT)
        for at, one in enumerate((half, note)):
            checkpoint = parse_checkpoint(parse_note(one).text)
            signature = _WITNESS.cosign(checkpoint, time_seconds=1_800_000_000 + at)
            add_cosignatures(connection, PORT, checkpoint.size, one, [signature])
        connection.exec_driver_sql("COMMIT")
    engine.dispose()
    return note


def audited(connection: Connection, store: Store, *, earlier: Sequence[bytes] | None = None) -> AuditReport:
    """The audit against the checkpoint that somebody kept."""
    return audit_store(connection, store.services, earlier=[store.checkpoint] if earlier is None else earlier)


# Making changes


def _quoted(name: str) -> str:
    return f'"{name}"'


def _where(table: Table, row: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    names = [column.name for column in table.primary_key.columns]
    return " AND ".join(f"{_quoted(name)} IS ?" for name in names), tuple(row[name] for name in names)


def _update(table: Table, row: dict[str, Any], values: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    condition, key = _where(table, row)
    assigned = ", ".join(f"{_quoted(name)} = ?" for name in values)
    return f"UPDATE {_quoted(table.name)} SET {assigned} WHERE {condition}", (*values.values(), *key)


def _delete(table: Table, row: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    condition, key = _where(table, row)
    return f"DELETE FROM {_quoted(table.name)} WHERE {condition}", key


def _insert(table: Table, row: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
    names = ", ".join(map(_quoted, row))
    marks = ", ".join("?" * len(row))
    return f"INSERT INTO {_quoted(table.name)} ({names}) VALUES ({marks})", tuple(row.values())


def _edited(column: Column[Any], value: Any) -> Any:
    """Another value of the column's own kind."""
    if isinstance(column.type, Boolean):
        return 1 - (value or 0)
    if isinstance(column.type, Words):
        return '["another"]'
    if isinstance(column.type, Moment):
        return (value or 1_800_000_000_000_000) + 1_000_000
    if isinstance(column.type, LargeBinary):
        return bytes(value[:-1]) + bytes([value[-1] ^ 1]) if value else b"\x01" + bytes(60)
    if column.type.python_type is int:
        return (value or 0) + 1
    return "NLAMS" if column.name == "port" else f"{value or ''}x"


def _wrong_type(column: Column[Any]) -> Any:
    if isinstance(column.type, LargeBinary):
        return "text"
    return b"\xff\x00" if column.type.python_type is str else "not a number"


def _column_changes(table: Table, column: Column[Any], rows: list[dict[str, Any]]) -> Iterator[Tamper]:
    name = column.name
    sampled = {id(row): row for row in ([row for row in rows if row[name] is not None] or rows)[:1] + rows[-1:]}
    for row in sampled.values():
        value = row[name]
        changes = {"edit": _edited(column, value), "wrong type": _wrong_type(column)}
        others = [other[name] for other in rows if other[name] is not None and other[name] != value]
        if others:
            changes["another row's value"] = others[0]
        if value is not None and column.nullable:
            changes["emptied"] = None
        for kind, changed in changes.items():
            yield Tamper(table.name, name, kind, (_update(table, row, {name: changed}),))
        condition, key = _where(table, row)
        unreadable = f"UPDATE {_quoted(table.name)} SET {_quoted(name)} = {_NOT_UTF_8} WHERE {condition}"
        yield Tamper(table.name, name, "not even text", ((unreadable, key),))


def _row_changes(table: Table, rows: list[dict[str, Any]]) -> Iterator[Tamper]:
    key = [column.name for column in table.primary_key.columns]
    for kind, row in {"first row deleted": rows[0], "last row deleted": rows[-1]}.items():
        yield Tamper(table.name, "*", kind, (_delete(table, row),))
    yield Tamper(table.name, "*", "all rows deleted", ((f"DELETE FROM {_quoted(table.name)}", ()),))
    for row in (rows[0], rows[-1]):
        copied = {**row, key[-1]: _edited(table.c[key[-1]], row[key[-1]])}
        yield Tamper(table.name, "*", "row duplicated", (_insert(table, copied),))
    values = [column.name for column in table.columns if column.name not in key]
    for first, second in ((rows[0], rows[-1]), (rows[0], rows[len(rows) // 2])):
        taken = {name: first[name] for name in values}, {name: second[name] for name in values}
        if values and taken[0] != taken[1]:
            swap = (_update(table, first, taken[1]), _update(table, second, taken[0]))
            yield Tamper(table.name, "*", "two rows exchanged", swap)


def _rows(connection: Connection, table: Table) -> list[dict[str, Any]]:
    order = ", ".join(_quoted(column.name) for column in table.primary_key.columns)
    found = connection.exec_driver_sql(f"SELECT * FROM {_quoted(table.name)} ORDER BY {order}")
    return [dict(row._mapping) for row in found]


def _all_changes(connection: Connection) -> Iterator[Tamper]:
    for name in sorted(COMPARED):
        table = metadata.tables[name]
        rows = _rows(connection, table)
        yield from _row_changes(table, rows)
        for column in table.columns:
            yield from _column_changes(table, column, rows)


def _apply(connection: Connection, tamper: Tamper) -> bool:
    """Carry it out; whether the database let it happen and it changed anything."""
    try:
        changed = [connection.exec_driver_sql(*statement).rowcount for statement in tamper.statements]
    except IntegrityError:
        return False
    return all(changed)


# Tests


def test_a_store_that_nobody_touched_is_sound(store: Store) -> None:
    """The campaign means nothing unless the audit is silent without it."""
    for connection in store.connect():
        report = audited(connection, store)
        assert [str(finding) for finding in report.findings] == []
        assert report.tables
        assert report.earlier == 3


def test_every_table_has_rows_to_tamper_with(store: Store) -> None:
    """No table slips through the campaign because it is empty."""
    for connection in store.connect():
        assert [name for name in sorted(COMPARED) if not _rows(connection, metadata.tables[name])] == []


def test_every_change_is_found_or_harmless(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows deleted, duplicated, exchanged; every column edited, emptied, mistyped, given another row's value."""
    # No change here touches the schema, whose check would take most of the time.
    monkeypatch.setattr("server.audit.audit.check_schema", lambda *_: True)
    counts: Counter[str] = Counter()
    outcomes: dict[tuple[str, str], set[str]] = {}
    for connection in store.connect():
        for tamper in list(_all_changes(connection)):
            connection.exec_driver_sql("SAVEPOINT tamper")
            if _apply(connection, tamper):
                verdict = "not found" if audited(connection, store).is_sound else "found"
                counts[verdict] += 1
                outcomes.setdefault((tamper.table, tamper.column), set()).add(verdict)
            else:
                counts["refused by the database"] += 1
            connection.exec_driver_sql("ROLLBACK TO tamper")
            connection.exec_driver_sql("RELEASE tamper")
    missed = {where for where, verdicts in outcomes.items() if "not found" in verdicts}
    print(f"tampering with a stopped store: {dict(counts)}")  # noqa: T201 - the campaign's count, with `pytest -s`
    assert missed == HARMLESS.keys()
    assert counts["found"] > 500
    assert _page(outcomes) in (Path(__file__).parents[2] / "docs/audit.md").read_text(), _page(outcomes)


def _page(outcomes: dict[tuple[str, str], set[str]]) -> str:
    """The table of `docs/audit.md`: every column of every table, and what becomes of a change there."""
    lines = ["| table | a change is found in | not found, and harmless |", "|---|---|---|"]
    for table in sorted(COMPARED):
        found = [column for name, column in outcomes if name == table and "found" in outcomes[name, column]]
        spared = [f"`{column}`: {why}" for (name, column), why in HARMLESS.items() if name == table]
        columns = ", ".join("rows" if column == "*" else f"`{column}`" for column in found)
        lines.append(f"| `{table}` | {columns} | {'; '.join(spared)} |")
    return "\n".join(lines)


def test_ciphertexts_of_two_waves_cannot_be_exchanged(store: Store) -> None:
    """Each sealed value is bound to its wave and kind, also against another wave's or kind's that is valid there."""
    kinds = ("salt_sealed", "inputs_sealed", "outcome_sealed", "key_sealed")
    for connection in store.connect():
        drawn = [row for row in _rows(connection, wave) if row["key_sealed"] is not None]
        for first, second in itertools.permutations(kinds, 2):
            connection.exec_driver_sql("SAVEPOINT tamper")
            assert _apply(
                connection, Tamper("wave", first, "kind", (_update(wave, drawn[0], {first: drawn[0][second]}),))
            )
            assert _first_code(audited(connection, store)) == Code.SEALED_VALUE
            connection.exec_driver_sql("ROLLBACK TO tamper")
        for kind in kinds:
            exchange = (
                _update(wave, drawn[0], {kind: drawn[1][kind]}),
                _update(wave, drawn[1], {kind: drawn[0][kind]}),
            )
            assert _apply(connection, Tamper("wave", kind, "exchange", exchange))
            assert _first_code(audited(connection, store)) == Code.SEALED_VALUE
            connection.exec_driver_sql("ROLLBACK TO tamper")


@pytest.mark.parametrize(
    ("kind", "column", "plaintext", "code"),
    [
        ("outcome", "outcome_sealed", b"{}", Code.DRAW_DIFFERS),
        ("draw-key", "key_sealed", bytes(32), Code.DRAW_DIFFERS),
        ("salt", "salt_sealed", bytes(32), Code.COMMITMENT),
        ("inputs", "inputs_sealed", b"{}", Code.COMMITMENT),
        ("master", "master_sealed", bytes(32), Code.COMMITMENT),
        ("substitutions", "substitutions_sealed", b'[["o-1","i-01"]]', Code.SEALED_VALUE),
    ],
)
def test_the_holder_of_the_key_cannot_seal_something_else(
    store: Store, kind: str, column: str, plaintext: bytes, code: Code
) -> None:
    """Whoever can seal as the server does still has to meet what the log committed to."""
    for connection in store.connect():
        table = {"master": shift, "substitutions": replacement}.get(kind, wave)
        row = next(row for row in _rows(connection, table) if row[column] is not None and row.get("key_sealed", 1))
        port, name = Port(row["port"]), ShiftName(Port(row["port"]), ShiftId(row["shift"]))
        assert port == PORT
        if table is shift:
            context = master_context(name)
        else:
            start = datetime.fromtimestamp(row["wave_start" if table is replacement else "start"] / 1e6, UTC)
            full = f"substitutions/{row['replacement']}" if table is replacement else kind
            context = seal_context(full, WaveName(name, start))
        sealed = store.services.keyring.seal(plaintext, context=context)
        assert _apply(connection, Tamper(table.name, column, "sealed anew", (_update(table, row, {column: sealed}),)))
        assert _first_code(audited(connection, store)) == code


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE inspection_order SET selected_by = 's-2' WHERE selected_by = 's-1'",
        "DELETE FROM handled_selection",
    ],
)
def test_who_selected_an_order_cannot_be_rewritten(store: Store, statement: str) -> None:
    """In both tables alike, so that the selector could inspect it himself: the salt gives it away."""
    for connection in store.connect():
        connection.exec_driver_sql(statement)
        connection.exec_driver_sql("UPDATE handled_selection SET person = 's-2' WHERE person = 's-1'")
        assert not audited(connection, store).is_sound


def _first_code(report: AuditReport) -> Code:
    return report.findings[0].code


def test_a_file_set_back_is_found_against_a_kept_checkpoint(store: Store) -> None:
    """The older file is whole in itself: only what was kept elsewhere shows what is gone, and from where."""
    for connection in store.connect(store.older):
        assert audited(connection, store, earlier=[]).is_sound
        report = audited(connection, store)
        assert [finding.code for finding in report.findings] == [Code.ROLLED_BACK]
        assert report.findings[0].position == read_head(connection, PORT)[0].size


def test_a_fork_is_found_against_a_kept_checkpoint(store: Store, tmp_path: Path) -> None:
    """Set back and grown again by the operator himself, with all keys: as large as before, and not the same."""
    forked = tmp_path / "forked.db"
    _copy(store.older, forked)
    size = parse_checkpoint(parse_note(store.checkpoint).text).size
    engine = open_writer(f"sqlite:///{forked}")

    async def grow() -> None:
        sequencer = Sequencer(engine, store.services, SystemClock())
        sequencer.start()
        for _ in range(size // 2):
            await sequencer.run(lambda unit: start_log(unit, PORT, access_digest=bytes(32), store_kind="sqlite"))
        await sequencer.stop()

    asyncio.run(grow())
    engine.dispose()
    for connection in store.connect(forked):
        assert audited(connection, store, earlier=[]).is_sound
        report = audited(connection, store)
        assert read_head(connection, PORT)[0].size >= size
        assert [finding.code for finding in report.findings] == [Code.FORKED]


def test_a_fork_that_keeps_its_cosigned_checkpoints_gives_itself_away(store: Store, tmp_path: Path) -> None:
    """What witnesses cosigned is in the store as well: a forger has to think of that."""
    _copy(store.older, tmp_path / "forked.db")
    for connection in store.connect(tmp_path / "forked.db"):
        add_cosignatures(connection, PORT, *_cosigned(store.checkpoint))
        assert _first_code(audited(connection, store, earlier=[])) == Code.ROLLED_BACK


def _cosigned(note: bytes) -> tuple[int, bytes, list[Signature]]:
    checkpoint = parse_checkpoint(parse_note(note).text)
    return checkpoint.size, note, [_WITNESS.cosign(checkpoint, time_seconds=1_800_000_000)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER quiet AFTER INSERT ON slot BEGIN DELETE FROM slot WHERE slot = NEW.slot; END",
        "CREATE VIEW everything AS SELECT * FROM wave",
        "CREATE TABLE another (a)",
        "DROP INDEX ix_wave_port_state_freeze_time",
        "ALTER TABLE slot ADD COLUMN note TEXT",
        "UPDATE alembic_version SET version_num = '0001'",
        "DELETE FROM alembic_version",
    ],
)
def test_a_changed_schema_is_found(store: Store, statement: str) -> None:
    """A trigger is a programme of somebody else's in the database; a column nobody audits is a hiding-place."""
    for connection in store.connect():
        connection.exec_driver_sql(statement)
        assert _first_code(audited(connection, store)) == Code.SCHEMA


def test_another_key_is_no_excuse(store: Store) -> None:
    """With a key that is not the log's, nothing holds."""
    other = replace(store.services, signers={PORT: NoteSigner("assign.example/NLRTM", bytes(range(32)))})
    for connection in store.connect():
        assert _first_code(audit_store(connection, other)) == Code.LOG_CHECKPOINT


@pytest.mark.parametrize(
    ("reason", "statement"),
    [
        ("LOG_HEAD", "UPDATE port_log SET size = size - 1"),
        ("EDGE_MALFORMED", "UPDATE port_log SET edge = x'00'"),
        ("EDGE_MALFORMED", "UPDATE port_log SET edge = 'text'"),
        ("LOG_EDGE", "UPDATE port_log SET edge = CAST(substr(edge, 1, 8) || zeroblob(length(edge) - 8) AS BLOB)"),
        ("LOG_CHECKPOINT", "UPDATE port_log SET checkpoint = x'00'"),
        ("LOG_CHECKPOINT", "UPDATE port_log SET checkpoint = (SELECT note FROM cosigned_checkpoint ORDER BY size)"),
        ("LOG_GAP", f"DELETE FROM log_entry WHERE {_LAST}"),
        (
            "LOG_ENTRY_CHANGED",
            f"UPDATE log_entry SET data = CAST(data || x'00' AS BLOB) WHERE {_LAST}",
        ),
        ("LOG_ENTRY_EXTRA", "INSERT INTO log_entry SELECT port, position + 1000, data FROM log_entry LIMIT 1"),
        ("LOG_TILE_MISSING", "DELETE FROM log_tile WHERE level = 1"),
        ("TILE_LENGTH", "UPDATE log_tile SET hashes = x'00' WHERE level = 1"),
        ("LOG_ENTRY_EXTRA", "DELETE FROM port_log"),
    ],
)
def test_a_server_does_not_start_over_a_damaged_end(store: Store, reason: str, statement: str) -> None:
    """Before it takes a call, a server compares the end of each log with itself and with the signed checkpoint."""
    verifiers = {Port(port): signer.verifier() for port, signer in store.services.signers.items()}
    for connection in store.connect():
        check_ends(connection, verifiers)
        assert connection.exec_driver_sql(statement).rowcount > 0
        with pytest.raises(Corrupt) as raised:
            check_ends(connection, verifiers)
        assert raised.value.reason == reason
        assert raised.value.message.startswith("The log of NLRTM is damaged")
