"""The audit of one log: whatever is changed in it is found, and the place is named."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.engine import Connection

from assign.encoding import sha256
from assign.log.entries import Entry, Kind
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import NoteSigner
from assign.names import Port
from server.audit.earlier import check_earlier
from server.audit.findings import Code, Findings
from server.audit.log_check import LogCheck, check_log
from server.storage.ledger import Ledger, read_head
from server.storage.migrate import migrate
from server.storage.sqlite import open_writer

_PORT = Port("NLRTM")
_ORIGIN = "assign.example/NLRTM"
_SIGNER = NoteSigner(_ORIGIN, sha256(b"key"))
_SIZE = 1400  # more than a batch of the audit, and five full tiles
_SAVED = 700


def _entry(number: int) -> bytes:
    body = {"by": "unknown", "method": f"m-{number}", "reason": "r"}
    return Entry(kind=Kind.REFUSAL, origin=_ORIGIN, time=datetime(2026, 11, 24, tzinfo=UTC), body=body).to_bytes()


def _append(connection: Connection, numbers: range) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    ledger = Ledger(connection, _PORT, _ORIGIN, _SIGNER)
    for number in numbers:
        ledger.append(_entry(number))
    ledger.flush()
    connection.exec_driver_sql("COMMIT")


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Connection, bytes]]:
    """A log that grew in uneven steps, and its checkpoint at 700 entries."""
    engine = open_writer(f"sqlite:///{tmp_path_factory.mktemp('log') / 'assign.db'}")
    migrate(engine)
    with engine.connect() as connection:
        saved = b""
        sizes = [0, 1, 255, 256, 257, _SAVED, 1024, 1300, _SIZE]
        for start, end in itertools.pairwise(sizes):
            _append(connection, range(start, end))
            saved = read_head(connection, _PORT)[1] if end == _SAVED else saved
        yield connection, saved
    engine.dispose()


@pytest.fixture
def log(grown: tuple[Connection, bytes]) -> Iterator[Connection]:
    """The log, for one test to change: it is rolled back."""
    connection, _ = grown
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    yield connection
    connection.exec_driver_sql("ROLLBACK")


def _check(connection: Connection) -> tuple[LogCheck, Findings]:
    findings = Findings()
    return check_log(connection, _PORT, _SIGNER.verifier(), findings, lambda *_: None), findings


def test_a_log_is_recomputed_from_its_entries(log: Connection) -> None:
    """Every entry is handed on once and in order; edge and root are those of the entries."""
    findings, seen = Findings(), []
    checked = check_log(log, _PORT, _SIGNER.verifier(), findings, lambda *pair: seen.append(pair))
    assert findings.kept == []
    assert seen == [(number, _entry(number)) for number in range(_SIZE)]
    assert checked.edge.root() == root_of(leaf_hash(_entry(number)) for number in range(_SIZE))
    assert checked.checkpoint is not None
    assert checked.checkpoint.size == _SIZE


def test_an_empty_log_is_sound(tmp_path: Path) -> None:
    """Nothing is there yet, and nothing is missed."""
    engine = open_writer(f"sqlite:///{tmp_path / 'assign.db'}")
    migrate(engine)
    with engine.connect() as connection:
        checked, findings = _check(connection)
        assert (checked.edge.size, findings.kept) == (0, [])
    engine.dispose()


@pytest.mark.parametrize("position", [0, 1, 255, 256, 1023, 1024, 1279, 1280, _SIZE - 1])
def test_a_changed_entry_is_named(log: Connection, position: int) -> None:
    """Whether its tile is full or not, and wherever a batch ends."""
    data = _entry(5000)
    log.exec_driver_sql("UPDATE log_entry SET data = ? WHERE position = ?", (data, position))
    _, findings = _check(log)
    first = findings.kept[0]
    assert (first.code, first.table, first.position) == (Code.LOG_ENTRY_CHANGED, "log_entry", position)


@pytest.mark.parametrize("position", [0, 300, 1024, _SIZE - 1])
def test_a_missing_entry_is_named(log: Connection, position: int) -> None:
    """At the beginning, in the middle and at the very end."""
    log.exec_driver_sql("DELETE FROM log_entry WHERE position = ?", (position,))
    _, findings = _check(log)
    assert (findings.kept[0].code, findings.kept[0].position) == (Code.LOG_ENTRY_MISSING, position)


@pytest.mark.parametrize("position", [-1, _SIZE, _SIZE + 100, 2**62])
def test_an_entry_too_many_is_found(log: Connection, position: int) -> None:
    """Before the beginning, just behind the end, and far behind it."""
    log.exec_driver_sql("INSERT INTO log_entry VALUES ('NLRTM', ?, x'00')", (position,))
    _, findings = _check(log)
    assert Code.LOG_ENTRY_EXTRA in {finding.code for finding in findings.kept}


def test_two_entries_exchanged_are_both_named(log: Connection) -> None:
    """Each where it stands now, when they are in different tiles."""
    for position, other in ((10, 1000), (1000, 10)):
        log.exec_driver_sql("UPDATE log_entry SET data = ? WHERE position = ?", (_entry(other), position))
    _, findings = _check(log)
    assert [one.position for one in findings.kept if one.code is Code.LOG_ENTRY_CHANGED] == [10, 1000]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM log_tile WHERE level = 0 AND tile = 2",
        "DELETE FROM log_tile WHERE level = 1",
        "UPDATE log_tile SET hashes = zeroblob(160) WHERE level = 1",
        "UPDATE log_tile SET hashes = substr(hashes, 1, 32) WHERE level = 0 AND tile = 5",
        "INSERT INTO log_tile VALUES ('NLRTM', 2, 0, zeroblob(32))",
        "INSERT INTO log_tile VALUES ('NLRTM', 0, 6, zeroblob(32))",
    ],
)
def test_a_wrong_tile_is_found(log: Connection, statement: str) -> None:
    """Missing, altered, cut short, or one too many."""
    log.exec_driver_sql(statement)
    _, findings = _check(log)
    assert findings.kept[0].code is Code.LOG_TILE


def test_entries_and_tiles_changed_together_fail_at_the_signature(log: Connection) -> None:
    """Who rebuilds the whole tree over another entry lacks the key for its root."""
    log.exec_driver_sql("DELETE FROM log_entry")
    log.exec_driver_sql("DELETE FROM log_tile")
    before = log.exec_driver_sql("SELECT checkpoint FROM port_log").scalar_one()
    log.exec_driver_sql("DELETE FROM port_log")
    ledger = Ledger(log, _PORT, _ORIGIN, NoteSigner(_ORIGIN, sha256(b"a forger's key")))
    for number in (*range(_SIZE - 1), 5000):
        ledger.append(_entry(number))
    ledger.flush()
    assert [one.code for one in _check(log)[1].kept] == [Code.LOG_CHECKPOINT]
    log.exec_driver_sql("UPDATE port_log SET checkpoint = ?", (before,))
    assert [one.code for one in _check(log)[1].kept] == [Code.LOG_CHECKPOINT]


@pytest.mark.parametrize("column", ["size", "edge", "checkpoint"])
def test_a_wrong_head_is_found(log: Connection, column: str) -> None:
    """Each column of the head by itself."""
    value = 7 if column == "size" else b"\x00" * 8
    log.exec_driver_sql(f"UPDATE port_log SET {column} = ?", (value,))
    code = Code.LOG_CHECKPOINT if column == "checkpoint" else Code.LOG_HEAD
    assert _check(log)[1].kept[0].code is code


def test_the_log_contains_what_was_signed_before(grown: tuple[Connection, bytes], log: Connection) -> None:
    """A checkpoint that was kept holds; signed by somebody else, or for another log, it does not."""
    checked, findings = _check(log)
    saved = grown[1]
    earlier = check_earlier(log, checked, saved, _SIGNER.verifier(), findings)
    assert (earlier is not None, findings.kept) == (True, [])
    check_earlier(log, checked, saved.replace(b"NLRTM", b"NLAMS"), _SIGNER.verifier(), findings)
    check_earlier(log, checked, saved, NoteSigner(_ORIGIN, bytes(32)).verifier(), findings)
    assert [one.code for one in findings.kept] == [Code.LOG_CHECKPOINT] * 2


def test_a_shorter_log_was_set_back(grown: tuple[Connection, bytes], tmp_path: Path) -> None:
    """Whole in itself and properly signed: the kept checkpoint alone knows better, and so it does of a fork."""
    engine = open_writer(f"sqlite:///{tmp_path / 'assign.db'}")
    migrate(engine)
    with engine.connect() as connection:
        _append(connection, range(_SAVED - 1))
        checked, findings = _check(connection)
        check_earlier(connection, checked, grown[1], _SIGNER.verifier(), findings)
        assert [(one.code, one.position) for one in findings.kept] == [(Code.ROLLED_BACK, _SAVED - 1)]
        _append(connection, range(6000, 6400))
        checked, findings = _check(connection)
        check_earlier(connection, checked, grown[1], _SIGNER.verifier(), findings)
        assert [(one.code, one.position) for one in findings.kept] == [(Code.FORKED, _SAVED)]
    engine.dispose()
