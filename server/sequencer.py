"""The one writer: actions run one after another, and are acknowledged together once they are durable.

Group commit: whatever waits while a commit is on its way to the disk shares the next one. An action that
fails is rolled back alone; a commit that fails fails every action in it, and none is acknowledged.

Time never goes back in the log: while the clock is behind what was logged last, that is the time of every action.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from assign.errors import AssignError, Exhausted, Unavailable
from assign.names import Port
from server.clock import Clock
from server.storage.ledger import Ledger, last_time
from server.storage.sqlite import begin_immediate
from server.storage.unit import Services, Unit

__all__ = ["Sequencer"]

_T = TypeVar("_T")
_MAX_BATCH = 256
_MAX_WAITING = 10_000

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Job:
    action: Callable[[Unit], Any]
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop


class Sequencer:
    """Runs actions in one thread over one connection. `start` before use, `stop` at the end."""

    def __init__(self, engine: Engine, services: Services, clock: Clock) -> None:
        self._engine = engine
        self._services = services
        self._clock = clock
        self._jobs: queue.Queue[_Job | None] = queue.Queue(_MAX_WAITING)
        self._latest = clock.now()
        self._thread = threading.Thread(target=self._run, name="sequencer", daemon=True)

    def start(self) -> None:
        """Start the writer thread. Raises Corrupt where the log cannot be read."""
        with self._engine.connect() as connection:
            for port in self._services.ports:
                self._latest = max(self._latest, last_time(connection, Port(port)) or self._latest)
            connection.rollback()
        if self._latest > self._clock.now():
            _log.warning("clock is behind the log", logged=self._latest.isoformat())
        self._thread.start()

    async def stop(self) -> None:
        """Finish what is waiting, then end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    async def run(self, action: Callable[[Unit], _T]) -> _T:
        """Run `action` in a transaction and return its result once that is durable.

        Raises what the action raises; Exhausted (BUSY) when too much is waiting; Unavailable
        (STORE_UNAVAILABLE) when the store cannot commit: then nothing was changed.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()
        try:
            self._jobs.put_nowait(_Job(action, future, loop))
        except queue.Full:
            raise Exhausted("BUSY", "Too many requests are waiting; try again in a second.") from None
        return await future

    def _run(self) -> None:
        with self._engine.connect() as connection:
            stopping = False
            while not stopping:
                batch, stopping = self._take()
                if batch:
                    self._commit(connection, batch)

    def _take(self) -> tuple[list[_Job], bool]:
        first = self._jobs.get()
        batch: list[_Job] = []
        job: _Job | None = first
        while job is not None:
            batch.append(job)
            if len(batch) == _MAX_BATCH:
                return batch, False
            try:
                job = self._jobs.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, connection: Connection, batch: list[_Job]) -> None:
        outcomes: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            begin_immediate(connection)
            ledgers: dict[Port, Ledger] = {}
            outcomes.extend(self._attempt(connection, ledgers, job) for job in batch)
            for ledger in ledgers.values():
                ledger.flush()
            connection.exec_driver_sql("COMMIT")
        except Exception as error:
            failure = Unavailable("STORE_UNAVAILABLE", "The store cannot write now; nothing was changed. Try again.")
            outcomes = [(job, None, failure) for job in batch]
            # What the actions of this batch read of each other never was.
            self._services.drawn_waves.forget()
            _say(error)
        finally:
            # Undoes what a failed commit left; after a commit it only ends SQLAlchemy's own bookkeeping.
            connection.rollback()
        _deliver(outcomes)

    def _attempt(
        self, connection: Connection, ledgers: dict[Port, Ledger], job: _Job
    ) -> tuple[_Job, Any, BaseException | None]:
        staged = {port: ledger.staged_count for port, ledger in ledgers.items()}
        connection.exec_driver_sql("SAVEPOINT action")
        try:
            self._latest = max(self._latest, self._clock.now())
            result = job.action(Unit(connection, self._services, ledgers, self._latest))
        except Exception as error:
            if isinstance(error, DBAPIError) and not isinstance(error, IntegrityError):
                raise  # the store itself fails, and the whole batch with it
            connection.exec_driver_sql("ROLLBACK TO action")
            connection.exec_driver_sql("RELEASE action")
            for port, ledger in ledgers.items():
                ledger.truncate(staged.get(port, 0))
            return job, None, error
        connection.exec_driver_sql("RELEASE action")
        return job, result, None


def _say(error: Exception) -> None:
    with contextlib.suppress(OSError):  # the operator's log may be on the same full disk
        if isinstance(error, DBAPIError | AssignError):
            _log.error("commit failed", error=type(error).__name__, cause=str(getattr(error, "orig", error)))
        else:
            # A bug; but without its writer the server would hang, not fail.
            _log.error("commit failed", exc_info=error)


def _deliver(outcomes: list[tuple[_Job, Any, BaseException | None]]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Any, BaseException | None]]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, group in by_loop.items():
        loop.call_soon_threadsafe(_settle, group)


def _settle(group: list[tuple[_Job, Any, BaseException | None]]) -> None:
    for job, result, error in group:
        if job.future.done():
            continue  # the caller went away; the action stands all the same
        if error is None:
            job.future.set_result(result)
        else:
            job.future.set_exception(error)
