"""Acknowledged log entries a second, through the sequencer, against SQLite's own commits a second."""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from assign.log.entries import Kind
from assign.log.note import NoteSigner
from assign.names import Port
from server.clock import SystemClock
from server.config import PortConfig
from server.entropy import SystemEntropy
from server.keyring import Keyring
from server.sequencer import Sequencer
from server.storage.migrate import migrate
from server.storage.sqlite import open_writer
from server.storage.unit import Services, Unit

_PORT = Port("NLRTM")
_ORIGIN = "bench.example/NLRTM"
_ENTRY_BYTES = 200
_SECONDS = 1.0
_ROUNDS = 5


def _sqlite_commits(directory: Path) -> float:
    """One-row commits a second on the same disk, with the same durability."""
    connection = sqlite3.connect(directory / "plain.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS entry (position INTEGER PRIMARY KEY, data BLOB)")
    data = bytes(_ENTRY_BYTES)
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < _SECONDS:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO entry (data) VALUES (?)", (data,))
        connection.execute("COMMIT")
        count += 1
    elapsed = time.perf_counter() - started
    connection.close()
    return count / elapsed


def _services() -> Services:
    entropy = SystemEntropy()
    return Services(
        ports={_PORT: PortConfig(port=_PORT, origin=_ORIGIN, terminals=["RWG"])},
        signers={_PORT: NoteSigner(_ORIGIN, entropy.bytes(32))},
        keyring=Keyring(entropy.bytes(32), entropy=entropy),
        entropy=entropy,
        beacon_pin=b"{}",
        clock_name="system",
        code_version="bench",
    )


def _append(unit: Unit) -> int:
    return unit.record(_PORT, Kind.REVEAL, {"person": "0" * 32, "wave": "ports/NLRTM/shifts/x/waves/20261124T060000Z"})


async def _acknowledged(directory: Path, in_flight: int) -> float:
    engine = open_writer(f"sqlite:///{directory / f'ours-{in_flight}.db'}")
    migrate(engine)
    sequencer = Sequencer(engine, _services(), SystemClock())
    sequencer.start()
    count, started = 0, time.perf_counter()

    async def client() -> None:
        nonlocal count
        while time.perf_counter() - started < _SECONDS:
            await sequencer.run(_append)
            count += 1

    await asyncio.gather(*(client() for _ in range(in_flight)))
    elapsed = time.perf_counter() - started
    await sequencer.stop()
    engine.dispose()
    return count / elapsed


def entries() -> list[dict[str, Any]]:
    """Medians of interleaved rounds, at 1 and at 64 callers in flight."""
    plain: list[float] = []
    ours: dict[int, list[float]] = {1: [], 64: []}
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as name:
        directory = Path(name)
        for _ in range(_ROUNDS):
            plain.append(_sqlite_commits(directory))
            for in_flight, rates in ours.items():
                rates.append(asyncio.run(_acknowledged(directory, in_flight)))
    baseline = statistics.median(plain)
    return [
        {
            "name": f"acknowledged log entries, {in_flight} in flight, against SQLite commits of one row",
            "value": statistics.median(rates),
            "unit": "1/s",
            "baseline": baseline,
            "ratio": statistics.median(rates) / baseline,
            "better": "higher",
        }
        for in_flight, rates in ours.items()
    ]
