"""`assign audit` beside a running server: silent over an honest store, and quick to see a hand in it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import grpc
import pytest
from audited_day import AuditedDay, play_day, settings
from e2e.port import AUDITOR, CALL_SECONDS, INSPECTORS, PARENT, PORT, Site, refusal

from assign.v1 import log_service_pb2
from server.audit.audit import COMPARED, AuditReport, audit_store
from server.demo.processes import Finished, run_assign
from server.demo.promises import BrokenPromise
from server.storage.schema import metadata
from server.storage.sqlite import open_readers


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AuditedDay]:
    """A server that runs, in the middle of a shift."""
    site = Site(tmp_path_factory.mktemp("audited"), settings=settings())
    try:
        site.start()
        yield play_day(site)
    finally:
        site.close()


def _run(day: AuditedDay, *arguments: str) -> Finished:
    return run_assign("audit", "--config", "assign.toml", *arguments, cwd=day.site.directory)


def _audit(day: AuditedDay) -> AuditReport:
    engine = open_readers(f"sqlite:///{day.site.store}")
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            return audit_store(connection, day.services)
    finally:
        engine.dispose()


@contextmanager
def _hand_in_the_store(day: AuditedDay, table: str) -> Iterator[sqlite3.Connection]:
    """Another program writes to one table of the store while the server runs; then all is as it was."""
    with closing(sqlite3.connect(day.site.store, timeout=10, isolation_level=None)) as store:
        kept = store.execute(f'SELECT * FROM "{table}"').fetchall()
        try:
            yield store
        finally:
            marks = ", ".join("?" * len(kept[0]))
            store.execute("BEGIN IMMEDIATE")
            store.execute(f'DELETE FROM "{table}"')
            store.executemany(f'INSERT INTO "{table}" VALUES ({marks})', kept)
            store.execute("COMMIT")


def test_an_honest_store_is_sound_while_the_server_runs(day: AuditedDay, tmp_path: Path) -> None:
    """Status 0, in words and as JSON; the checkpoint that it keeps serves the next audit."""
    done = _run(day, "--save-checkpoint", str(tmp_path))
    assert done.status == 0, done.output + done.errors
    assert "OK: every row follows from the logs" in done.output
    assert "NONE given" in done.output
    (kept,) = tmp_path.glob("NLRTM-*.checkpoint")
    again = _run(day, "--checkpoint", str(kept), "--json")
    report = json.loads(again.output)
    assert (again.status, report["is_sound"], report["tables_compared"]) == (0, True, True)
    assert (report["earlier_checkpoints"], report["logs"][0]["origin"]) == (1, "assign.example/NLRTM")


def test_it_audits_one_moment_whatever_is_written_meanwhile(day: AuditedDay) -> None:
    """Entries come in all the time; each audit sees a whole store."""
    request = log_service_pb2.GetCheckpointRequest(parent=PARENT)
    for _ in range(10):
        calls = [day.site.client(INSPECTORS[0]).log.GetCheckpoint.future(request) for _ in range(20)]
        report = _audit(day)
        assert [str(finding) for finding in report.findings] == []
        assert all(isinstance(call.exception(CALL_SECONDS), grpc.RpcError) for call in calls)


_NEVER_EMPTY = sorted(COMPARED - {"cosigned_checkpoint"})


@pytest.mark.parametrize("table", _NEVER_EMPTY)
def test_a_hand_in_the_running_store_is_seen(day: AuditedDay, table: str) -> None:
    """Each table in turn: a row taken out, and a column of every row given the value of another row."""
    for statement in _changes(table):
        with _hand_in_the_store(day, table) as store:
            assert store.execute(statement).rowcount > 0
            report = _audit(day)
            assert not report.is_sound, statement
            assert report.findings[0].table in COMPARED
    assert _audit(day).is_sound


def _changes(table: str) -> Iterator[str]:
    yield f'DELETE FROM "{table}" WHERE rowid = (SELECT max(rowid) FROM "{table}")'
    key = {column.name for column in metadata.tables[table].primary_key.columns}
    values = [column.name for column in metadata.tables[table].columns if column.name not in key]
    if values and table not in ("escrow_key_share", "escrow_share"):  # what is in a share only its custodian sees
        yield f'UPDATE "{table}" SET "{values[-1]}" = CAST(x\'01\' AS BLOB)'


def test_the_first_wrong_thing_is_named_with_its_place(day: AuditedDay) -> None:
    """Status 1 and one line that says where; the JSON has table, row and position."""
    with _hand_in_the_store(day, "log_entry") as store:
        store.execute(
            "UPDATE log_entry SET data = CAST(replace(data, 'refusal', 'Refusal') AS BLOB) WHERE position = 100"
        )
        done = _run(day)
        assert done.status == 1
        assert "WRONG: LOG_ENTRY_CHANGED" in done.output
        assert "(log_entry NLRTM, position 100)" in done.output
        first = json.loads(_run(day, "--json").output)["findings"][0]
        assert (first["code"], first["table"], first["row"], first["position"]) == (
            "LOG_ENTRY_CHANGED",
            "log_entry",
            "NLRTM",
            100,
        )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--checkpoint", "none.checkpoint"],
        ["--checkpoint", "access.toml"],
    ],
)
def test_what_is_no_checkpoint_is_status_2(day: AuditedDay, arguments: Sequence[str]) -> None:
    """A file that is missing, or is something else."""
    done = _run(day, *arguments)
    assert done.status == 2
    assert done.errors.startswith("Cannot be audited. ")
    assert "Traceback" not in done.errors


def test_a_store_that_is_not_there_or_not_a_database_is_status_2(day: AuditedDay) -> None:
    """No new store is made in its place."""
    directory = day.site.directory
    for name, reason in (("missing.db", "STORE_MISSING"), ("access.toml", "STORE_UNAVAILABLE")):
        text = day.site.config.read_text().replace("assign.db", name)
        (directory / "other.toml").write_text(text)
        done = run_assign("audit", "--config", "other.toml", "--json", cwd=directory)
        assert (done.status, json.loads(done.output)["error"]["reason"]) == (2, reason)
    assert not (directory / "missing.db").exists()


def test_a_server_over_a_damaged_log_says_so_and_serves_nothing(day: AuditedDay) -> None:
    """While it runs it refuses to append to what does not fit; started anew it refuses everything, and says why."""
    site = day.site
    with _hand_in_the_store(day, "port_log") as store:
        store.execute("UPDATE port_log SET size = size - 1")
        request = log_service_pb2.GetCheckpointRequest(parent=PARENT)
        denied = refusal(site.client(AUDITOR).log.GetCheckpoint, request)
        assert denied.code in ("DATA_LOSS", "UNAVAILABLE")
        assert not _audit(day).is_sound
        site.stop()
        with pytest.raises(BrokenPromise):
            site.start_server()
        assert "LOG_HEAD: The log of NLRTM is damaged, nothing is served" in site.output()
        assert "Traceback" not in site.output()
    site.start_server()
    assert site.checkpoint().tree_size == site.rows("SELECT size FROM port_log WHERE port = ?", PORT)[0][0]
