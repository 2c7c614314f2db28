"""The one writer: what is acknowledged is durable, what fails leaves nothing, and time never goes back."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from simulation.whole_service import PORT, Beacon, Service, utc
from sqlalchemy import event, func, select, text
from sqlalchemy.engine import Connection

from assign.errors import Conflict, Exhausted, Unavailable
from assign.log.entries import Entry, Kind
from assign.names import ShiftId, ShiftName, WaveName
from server import sequencer as sequencer_module
from server.sequencer import Sequencer
from server.storage.ledger import Ledger, read_entries, read_head
from server.storage.migrate import migrate
from server.storage.schema import log_entry
from server.storage.sqlite import open_writer
from server.storage.unit import Unit

_NOW = utc(2026, 11, 24, 6)


class _Writer:
    """A sequencer on a new store, with its engine."""

    def __init__(self, directory: Path) -> None:
        self.service = Service(directory / "assign.db", start=_NOW, beacon=Beacon(_NOW, days=0.1), seed=1)
        self.engine = open_writer(self.service.url)
        migrate(self.engine)
        self.sequencer = Sequencer(self.engine, self.service.services, self.service.clock)

    def running(self) -> AbstractAsyncContextManager[Sequencer]:
        """The running sequencer."""

        @asynccontextmanager
        async def run() -> Any:
            self.sequencer.start()
            try:
                yield self.sequencer
            finally:
                await self.sequencer.stop()

        return run()

    def stored(self) -> list[bytes]:
        """The log as another connection finds it."""
        other = open_writer(self.service.url)
        with closing(other.raw_connection()) as raw:
            rows = raw.driver_connection.execute("SELECT data FROM log_entry ORDER BY position")  # type: ignore[union-attr]
            found = [bytes(row[0]) for row in rows]
        other.dispose()
        return found


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[_Writer]:
    """A sequencer that is not yet started."""
    made = _Writer(tmp_path)
    yield made
    made.engine.dispose()


def _note(number: int) -> Callable[[Unit], int]:
    """An action that logs a refusal with that number."""

    def action(unit: Unit) -> int:
        return unit.record(PORT, Kind.REFUSAL, {"by": "unknown", "method": str(number), "reason": "NONE"})

    return action


def _numbers(entries: list[bytes]) -> list[str]:
    return [Entry.from_bytes(entry).body["method"] for entry in entries]


def _on_commit(writer: _Writer, do: Callable[[], None]) -> Callable[[], None]:
    """Do something just before each COMMIT reaches SQLite; returns how to stop that."""

    def before(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement == "COMMIT":
            do()

    event.listen(writer.engine, "before_cursor_execute", before)
    return lambda: event.remove(writer.engine, "before_cursor_execute", before)


def test_nothing_is_acknowledged_before_its_commit(writer: _Writer) -> None:
    """While the commit is on its way the caller waits; when he is answered, the leaf is in the store."""
    at_commit, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        at_commit.set()
        assert go_on.wait(10)

    _on_commit(writer, hold)

    async def play() -> None:
        async with writer.running() as sequencer:
            call = asyncio.create_task(sequencer.run(_note(1)))
            assert await asyncio.to_thread(at_commit.wait, 10)
            await asyncio.sleep(0.05)
            assert not call.done()
            assert writer.stored() == []
            go_on.set()
            assert await call == 0
            assert _numbers(writer.stored()) == ["1"]

    asyncio.run(play())


def test_waiting_actions_share_a_commit(writer: _Writer) -> None:
    """A hundred actions that arrive together need a few commits, in their order of arrival."""
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    _on_commit(writer, count)

    async def play() -> None:
        async with writer.running() as sequencer:
            positions = await asyncio.gather(*(sequencer.run(_note(number)) for number in range(100)))
        assert positions == list(range(100))

    asyncio.run(play())
    assert commits < 20
    assert _numbers(writer.stored()) == [str(number) for number in range(100)]


def test_an_action_that_fails_is_undone_alone(writer: _Writer) -> None:
    """What it wrote and logged is gone; its neighbours in the same batch stand, and the log has no gap."""

    def failing(unit: Unit) -> None:
        _note(13)(unit)
        raise Conflict("NO", "No.")

    async def play() -> None:
        async with writer.running() as sequencer:
            done = await asyncio.gather(
                sequencer.run(_note(0)), sequencer.run(failing), sequencer.run(_note(1)), return_exceptions=True
            )
        assert done[0] == 0
        assert isinstance(done[1], Conflict)
        assert done[2] == 1

    asyncio.run(play())
    assert _numbers(writer.stored()) == ["0", "1"]


@pytest.mark.parametrize("error", [text("SELECT nothing"), RuntimeError("a bug"), MemoryError()])
def test_a_commit_that_fails_changes_nothing_and_the_next_succeeds(
    writer: _Writer, error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every action of the batch is refused as unavailable, whatever went wrong, and the writer goes on."""
    flush = Ledger.flush

    def broken(self: Ledger) -> None:
        flush(self)
        if isinstance(error, BaseException):
            raise error
        self._connection.execute(error)

    async def play() -> None:
        async with writer.running() as sequencer:
            await sequencer.run(_note(0))
            monkeypatch.setattr(Ledger, "flush", broken)
            failed = await asyncio.gather(*(sequencer.run(_note(9)) for _ in range(3)), return_exceptions=True)
            assert [type(one) for one in failed] == [Unavailable] * 3
            assert {one.reason for one in failed if isinstance(one, Unavailable)} == {"STORE_UNAVAILABLE"}
            monkeypatch.setattr(Ledger, "flush", flush)
            assert await sequencer.run(_note(1)) == 1

    asyncio.run(play())
    assert _numbers(writer.stored()) == ["0", "1"]


def test_what_was_read_in_a_failed_batch_is_forgotten(writer: _Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A draw that did not become durable must not stay at hand for reveals."""
    waves = writer.service.services.drawn_waves
    forgotten: list[bool] = []
    monkeypatch.setattr(type(waves), "forget", lambda _self: forgotten.append(True))

    def fail(self: Ledger) -> None:
        raise Unavailable("LOG_MOVED", "Moved.")

    async def play() -> None:
        async with writer.running() as sequencer:
            await sequencer.run(_note(0))
            assert not forgotten
            monkeypatch.setattr(Ledger, "flush", fail)
            with pytest.raises(Unavailable):
                await sequencer.run(_note(1))
            assert forgotten

    asyncio.run(play())


def test_too_many_waiting_are_turned_away(writer: _Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The queue has an end: who comes when it is full is told to come again, and the others are served."""
    monkeypatch.setattr(sequencer_module, "_MAX_WAITING", 3)
    small = Sequencer(writer.engine, writer.service.services, writer.service.clock)

    async def play() -> None:
        calls = [asyncio.create_task(small.run(_note(number))) for number in range(5)]
        await asyncio.sleep(0)
        small.start()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert done[:3] == [0, 1, 2]
        assert [one.reason for one in done[3:] if isinstance(one, Exhausted)] == ["BUSY", "BUSY"]
        await small.stop()

    asyncio.run(play())


def test_a_caller_who_leaves_does_not_undo_his_action(writer: _Writer) -> None:
    """Cancelled while it waits: the action is carried out all the same, and nobody is disturbed."""

    async def play() -> None:
        gone = asyncio.create_task(writer.sequencer.run(_note(0)))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        async with writer.running() as sequencer:
            assert await sequencer.run(_note(1)) == 1

    asyncio.run(play())
    assert _numbers(writer.stored()) == ["0", "1"]


def test_time_never_goes_back_in_the_log(writer: _Writer) -> None:
    """A clock set back stands still for the log, also after a restart, until it has caught up."""
    clock = writer.service.clock

    async def play() -> None:
        async with writer.running() as sequencer:
            await sequencer.run(_note(0))
            clock.jump(_NOW - timedelta(hours=1))
            await sequencer.run(_note(1))
        again = Sequencer(writer.engine, writer.service.services, clock)
        again.start()
        await again.run(_note(2))
        clock.jump(_NOW + timedelta(seconds=1))
        await again.run(_note(3))
        await again.stop()

    asyncio.run(play())
    times = [Entry.from_bytes(entry).time for entry in writer.stored()]
    assert times == [_NOW, _NOW, _NOW, _NOW + timedelta(seconds=1)]


def test_the_head_and_the_entries_change_together(writer: _Writer) -> None:
    """Size, right edge, checkpoint and entries are of one transaction."""

    async def play() -> None:
        async with writer.running() as sequencer:
            for number in range(5):
                await sequencer.run(_note(number))

            def look(unit: Unit) -> tuple[int, int, int]:
                connection: Connection = unit.connection
                edge, note = read_head(connection, PORT)
                rows = connection.execute(select(func.count()).select_from(log_entry)).scalar_one()
                assert f"\n{edge.size}\n".encode() in note
                return edge.size, rows, len(read_entries(connection, PORT, 0, edge.size))

            assert await sequencer.run(look) == (5, 5, 5)

    asyncio.run(play())


def test_an_undrawn_wave_is_not_kept_at_hand(tmp_path: Path) -> None:
    """Only what is drawn is kept, and `forget` empties it."""

    async def play() -> None:
        service = Service(tmp_path / "assign.db", start=_NOW, beacon=Beacon(_NOW, days=1), seed=1)
        async with service.running():
            start = _NOW + timedelta(hours=2)
            name = await service.open("A", start, start + timedelta(minutes=15))
            wave = WaveName(ShiftName(PORT, ShiftId("A")), start)
            waves, keyring = service.services.drawn_waves, service.services.keyring
            assert await service.act(lambda unit: waves.find(unit.connection, keyring, wave)) is None
            await service.advance(start)
            found = await service.act(lambda unit: waves.find(unit.connection, keyring, wave))
            assert found is not None
            assert await service.act(lambda unit: waves.find(unit.connection, keyring, wave)) is found
            waves.forget()
            assert await service.act(lambda unit: waves.find(unit.connection, keyring, wave)) is not found
            assert str(name) == str(wave.shift)

    asyncio.run(play())
