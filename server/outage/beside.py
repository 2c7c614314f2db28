"""A command on the server's machine that acts on its store, whether or not the server runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from assign.errors import Conflict, NotFound
from server.clock import Clock, SteeredClock, SystemClock
from server.config import Config
from server.sequencer import Sequencer
from server.storage.migrate import current_revision, newest_revision
from server.storage.sqlite import open_writer, store_exists
from server.storage.unit import Unit
from server.wiring import build_services

__all__ = ["run_beside"]

_T = TypeVar("_T")


async def run_beside(config: Config, action: Callable[[Unit], _T]) -> _T:
    """The result of an action, once it is durable. Raises what it raises, NotFound (STORE_MISSING), Conflict.

    The write lock of the store, and the compare and swap on the log's size, keep this and the server apart.
    """
    if not store_exists(config.store):
        raise NotFound("STORE_MISSING", f"There is no store at {config.store}; `assign serve` makes it.")
    clock: Clock = SystemClock() if config.clock_file is None else SteeredClock(config.clock_file)
    engine = open_writer(config.store)
    try:
        if current_revision(engine) != newest_revision():
            raise Conflict("STORE_SCHEMA", "The store has another schema: run `assign migrate` first.")
        sequencer = Sequencer(engine, build_services(config), clock)
        sequencer.start()
        try:
            return await sequencer.run(action)
        finally:
            await sequencer.stop()
    finally:
        engine.dispose()
