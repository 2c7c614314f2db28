"""The store's promises on SQLite: settings, isolation, the log's chain of custody, schema versions."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, delete, event, insert, text, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError, OperationalError

from assign.draw.commitment import Freeze
from assign.encoding import sha256
from assign.errors import AlreadyExists, Conflict, Corrupt, InvalidInput, Unavailable
from assign.log.checkpoint import verify_checkpoint
from assign.log.entries import Entry, Kind
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import NoteSigner
from assign.log.tiles import root_at
from assign.names import Port, ShiftId, ShiftName
from server.storage.ledger import Ledger, last_time, read_entries, read_head, tile_reader
from server.storage.migrate import current_revision, migrate, newest_revision
from server.storage.requests import find_answer, save_answer
from server.storage.schema import log_entry, log_tile, metadata, port_log
from server.storage.sqlite import begin_immediate, open_readers, open_writer
from server.storage.waves import add_waves

_PORT = Port("NLRTM")
_ORIGIN = "assign.example/NLRTM"
_SIGNER = NoteSigner(_ORIGIN, sha256(b"key"))
_NOW = datetime(2026, 11, 24, 6, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store that does not exist yet."""
    return f"sqlite:///{tmp_path}/assign.db"


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    """The writer of a new store."""
    made = open_writer(url)
    migrate(made)
    yield made
    made.dispose()


def _entry(number: int) -> bytes:
    body = {"by": "unknown", "method": str(number), "reason": "NONE"}
    return Entry(kind=Kind.REFUSAL, origin=_ORIGIN, time=_NOW, body=body).to_bytes()


def _append(connection: Connection, *entries: bytes) -> None:
    begin_immediate(connection)
    ledger = Ledger(connection, _PORT, _ORIGIN, _SIGNER)
    for entry in entries:
        ledger.append(entry)
    ledger.flush()
    connection.exec_driver_sql("COMMIT")
    connection.rollback()


def test_the_writer_is_durable_and_readers_leave_the_log_alone(url: str, engine: Engine) -> None:
    """The writer syncs at every commit; readers neither write nor checkpoint; pysqlite starts no transactions."""
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
        assert connection.connection.driver_connection.isolation_level is None  # type: ignore[union-attr]
    readers = open_readers(url)
    with readers.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA wal_autocheckpoint").scalar_one() == 0
        with pytest.raises(OperationalError, match="readonly"):
            connection.exec_driver_sql("DELETE FROM request")
    readers.dispose()


def test_no_update_is_lost(url: str, engine: Engine) -> None:
    """Four threads that each read a number and write it back one higher, 200 times: 800, as with one thread.

    In SQLAlchemy's default mode the transaction starts after the read, and most of these updates vanish.
    """
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE tally (n INTEGER)")
        connection.exec_driver_sql("INSERT INTO tally VALUES (0)")

    def increment() -> None:
        own = open_writer(url)
        with own.connect() as connection:
            for _ in range(200):
                begin_immediate(connection)
                number = connection.exec_driver_sql("SELECT n FROM tally").scalar_one()
                connection.exec_driver_sql("UPDATE tally SET n = ?", (number + 1,))
                connection.exec_driver_sql("COMMIT")
                connection.rollback()
        own.dispose()

    threads = [threading.Thread(target=increment) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT n FROM tally").scalar_one() == 800


def test_a_reader_sees_one_snapshot(url: str, engine: Engine) -> None:
    """What is committed while a query runs is not in it; the next query has it."""
    readers = open_readers(url)
    with engine.connect() as writer, readers.connect() as reader:
        _append(writer, _entry(0))
        reader.exec_driver_sql("BEGIN")
        assert read_head(reader, _PORT)[0].size == 1
        _append(writer, _entry(1))
        assert read_head(reader, _PORT)[0].size == 1
        reader.rollback()
        assert read_head(reader, _PORT)[0].size == 2
    readers.dispose()


def test_entries_tiles_and_checkpoint_belong_together(engine: Engine) -> None:
    """Over a tile's edge: the signed root is that of the stored bytes, and that of the stored tiles."""
    entries = [_entry(number) for number in range(600)]
    with engine.connect() as connection:
        for at in (0, 1, 2, 255, 256, 300):
            stop = {0: 1, 1: 2, 2: 255, 255: 256, 256: 300, 300: 600}[at]
            _append(connection, *entries[at:stop])
        edge, note = read_head(connection, _PORT)
        checkpoint = verify_checkpoint(note, [_SIGNER.verifier()])
        assert read_entries(connection, _PORT, 0, 600) == entries
        expected = root_of([leaf_hash(entry) for entry in entries])
        assert (checkpoint.size, checkpoint.root) == (600, expected)
        assert (edge.root(), root_at(600, tile_reader(connection, _PORT))) == (expected, expected)
        assert root_at(257, tile_reader(connection, _PORT)) == root_of([leaf_hash(one) for one in entries[:257]])


def test_a_log_that_moved_is_not_forked(url: str, engine: Engine) -> None:
    """Whoever appends on the strength of an old head fails, and the log has one continuation."""
    other = open_writer(url)
    with engine.connect() as first, other.connect() as second:
        _append(first, _entry(0))
        stale = Ledger(second, _PORT, _ORIGIN, _SIGNER)
        _append(first, _entry(1))
        stale.append(_entry(9))
        begin_immediate(second)
        with pytest.raises((Unavailable, IntegrityError)):
            stale.flush()
        second.exec_driver_sql("ROLLBACK")
        second.rollback()
        assert read_entries(first, _PORT, 0, 2) == [_entry(0), _entry(1)]
    other.dispose()


def test_a_head_that_moved_back_is_not_forked_either(engine: Engine) -> None:
    """The compare-and-swap on the size alone stops an append, also where no entry is in its way."""
    with engine.connect() as connection:
        _append(connection, _entry(0))
        ledger = Ledger(connection, _PORT, _ORIGIN, _SIGNER)
        ledger.append(_entry(1))
        begin_immediate(connection)
        connection.execute(update(port_log).values(size=7))
        with pytest.raises(Unavailable, match="LOG_MOVED"):
            ledger.flush()
        connection.exec_driver_sql("ROLLBACK")
        connection.rollback()


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (delete(log_entry).where(log_entry.c.position == 1), "LOG_GAP"),
        (update(port_log).values(size=2), "LOG_HEAD"),
        (delete(log_tile), "LOG_TILE_MISSING"),
    ],
)
def test_a_damaged_log_is_said_to_be_so(engine: Engine, damage: object, reason: str) -> None:
    """A missing entry, a head that disagrees, a missing tile: named, never papered over."""
    with engine.connect() as connection:
        _append(connection, *(_entry(number) for number in range(3)))
        connection.execute(damage)  # type: ignore[call-overload]

        def read() -> None:
            read_head(connection, _PORT)
            read_entries(connection, _PORT, 0, 3)
            root_at(3, tile_reader(connection, _PORT))

        with pytest.raises(Corrupt, match=reason):
            read()
        connection.rollback()


def test_the_last_time_is_found_behind_freezes(engine: Engine) -> None:
    """A freeze has no time of its own; what was logged before it has."""
    freeze = Freeze(
        origin=_ORIGIN,
        wave="w",
        seed_commitment=bytes(32),
        inputs_commitment=bytes(32),
        chain_hash=bytes(32),
        beacon_round=1,
    ).to_bytes()
    with engine.connect() as connection:
        assert last_time(connection, _PORT) is None
        _append(connection, freeze)
        assert last_time(connection, _PORT) is None
        _append(connection, _entry(1), freeze, freeze)
        assert last_time(connection, _PORT) == _NOW


def test_an_answered_request_is_found_again(engine: Engine) -> None:
    """By caller and id: the same content gets the answer, other content is refused, another caller is new."""
    with engine.connect() as connection:
        begin_immediate(connection)
        assert find_answer(connection, "persons/a", "r-1", b"digest") is None
        save_answer(connection, "persons/a", "r-1", b"digest", b"answer", _NOW)
        assert find_answer(connection, "persons/a", "r-1", b"digest") == b"answer"
        assert find_answer(connection, "persons/b", "r-1", b"digest") is None
        with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
            find_answer(connection, "persons/a", "r-1", b"other")
        with pytest.raises(IntegrityError):
            save_answer(connection, "persons/a", "r-1", b"digest", b"answer", _NOW)
        connection.rollback()


def test_one_start_has_one_wave(engine: Engine) -> None:
    """Two waves of a port at one time are impossible by the schema, whatever the shifts are called."""
    with engine.connect() as connection:
        begin_immediate(connection)
        add_waves(connection, ShiftName(_PORT, ShiftId("A")), [(_NOW, _NOW, _NOW, 1)])
        with pytest.raises(IntegrityError):
            add_waves(connection, ShiftName(_PORT, ShiftId("B")), [(_NOW, _NOW, _NOW, 1)])
        connection.rollback()


def test_the_migrations_make_the_schema_of_the_code(engine: Engine) -> None:
    """Nothing in the tables differs from what the statements are written against."""
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        connection.rollback()
    assert current_revision(engine) == newest_revision()
    migrate(engine)


def test_a_migration_is_done_whole_or_not_at_all(url: str) -> None:
    """A start that is cut short in the middle of it leaves no half schema behind; the next start makes it."""
    engine = open_writer(url)

    def cut(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if "CREATE TABLE shift" in statement:
            raise KeyboardInterrupt

    event.listen(engine, "before_cursor_execute", cut)
    with pytest.raises(KeyboardInterrupt):
        migrate(engine)
    engine.dispose()
    engine = open_writer(url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one() == 0
        connection.rollback()
    migrate(engine)
    assert current_revision(engine) == newest_revision()
    engine.dispose()


def test_a_store_of_newer_software_is_refused(engine: Engine) -> None:
    """Its schema is not known here: nothing is touched."""
    with engine.connect() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match="STORE_NEWER"):
        migrate(engine)
    with pytest.raises(Conflict, match="STORE_NEWER"):
        current_revision(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one() == "9999"
        connection.rollback()


@pytest.mark.parametrize("bad", ["sqlite://", "sqlite:///:memory:", "postgresql://localhost/x", "sqlite+pysqlite://"])
def test_only_a_file_is_a_store(bad: str) -> None:
    """What would be lost at the end of the process, or is no SQLite at all, is refused with the setting's name."""
    with pytest.raises(InvalidInput, match="STORE_URL"):
        open_writer(bad)


def test_a_file_that_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    """Another file, a folder that is not there, a folder in its place: an error of ours, not a traceback."""
    other = tmp_path / "other.db"
    other.write_bytes(b"this is no database, whatever its name says" * 50)
    folder = tmp_path / "folder.db"
    folder.mkdir()
    for path in (other, tmp_path / "missing" / "assign.db", folder):
        engine = open_writer(f"sqlite:///{path}")
        with pytest.raises(Unavailable, match="STORE_UNAVAILABLE"):
            migrate(engine)
        engine.dispose()


def test_a_store_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    """A store on a read-only place."""
    path = tmp_path / "assign.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE x (y)")
    engine = open_writer(f"sqlite:///file:{path}?mode=ro&uri=true")
    with pytest.raises(Unavailable, match="STORE_UNAVAILABLE"):
        migrate(engine)
    engine.dispose()


def test_rows_of_a_failed_batch_leave_no_trace(engine: Engine) -> None:
    """A rollback undoes entries, tiles and head together."""
    with engine.connect() as connection:
        _append(connection, _entry(0))
        before = read_head(connection, _PORT)
        begin_immediate(connection)
        ledger = Ledger(connection, _PORT, _ORIGIN, _SIGNER)
        ledger.append(_entry(1))
        ledger.flush()
        connection.execute(insert(log_entry), {"port": "BEANR", "position": 0, "data": b"x"})
        connection.exec_driver_sql("ROLLBACK")
        connection.rollback()
        assert read_head(connection, _PORT) == before
        assert connection.exec_driver_sql("SELECT count(*) FROM log_entry").scalar_one() == 1
