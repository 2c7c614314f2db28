"""Proofs, appends, checkpoints, audit and verification: what they cost beside their parts, and as a log grows.

    BENCH_LARGE=1 python benchmarks/run.py evidence       with a log of 10 million entries too (320 MB of tiles)

A log of any size is made from its tiles alone, with random leaf hashes: nothing that is measured here reads an
earlier entry. `ratio` says how much dearer something is than the baseline: the smallest log, or the bare primitive.
"""

from __future__ import annotations

import hashlib
import os
import random
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert
from sqlalchemy.engine import Connection

from assign.encoding import sha256
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.entries import Entry, Kind
from assign.log.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from assign.log.note import NoteSigner
from assign.log.tiles import TILE_WIDTH, edge_at, grow, prove_consistency, prove_inclusion
from assign.names import Port
from assign.verify.bundle import read_bundle
from assign.verify.bundle_writer import write_bundle
from assign.verify.replay import verify_bundle
from server.audit.findings import Findings
from server.audit.log_check import check_log
from server.storage.ledger import Ledger, tile_reader
from server.storage.migrate import migrate
from server.storage.schema import log_entry, log_tile, port_log
from server.storage.sqlite import begin_immediate, open_writer

_PORT = Port("NLRTM")
_SIGNER = NoteSigner("bench.example/NLRTM", sha256(b"bench"))
_SIZES = (1_000, 1_000_000, 10_000_000) if os.environ.get("BENCH_LARGE") else (1_000, 1_000_000)
_PROOFS = 200
_APPENDS = 100
_SIGNATURES = 1_000
_ENTRIES = 20_000
_ROUNDS = 5
_CHUNK = 64 * TILE_WIDTH
_MICRO = 1e6


def entries() -> list[dict[str, Any]]:
    """Every figure of this module; about half a minute, without the largest log."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as name:
        directory = Path(name)
        return [*_by_size(directory), _checkpoints(), *_readers(directory)]


def _entry(name: str, unit: str, value: float, baseline: float, better: str = "lower") -> dict[str, Any]:
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "baseline": baseline,
        "ratio": value / baseline,
        "better": better,
    }


def _seconds(action: Callable[[], object], times: int) -> float:
    """Median of rounds, of one of `times` repetitions."""
    return statistics.median(_once(action, times) for _ in range(_ROUNDS))


# Logs of any size


@contextmanager
def _log(directory: Path, size: int) -> Iterator[Connection]:
    """A store whose log has `size` entries, of which only the tiles are there."""
    engine = open_writer(f"sqlite:///{directory / f'log-{size}.db'}")
    migrate(engine)
    with engine.connect() as connection:
        begin_immediate(connection)
        _fill(connection, size)
        connection.exec_driver_sql("COMMIT")
        yield connection
    engine.dispose()


def _fill(connection: Connection, size: int) -> None:
    made: dict[tuple[int, int], bytes] = {}

    def read(level: int, index: int, width: int) -> bytes:
        return made[level, index][: width * HASH_BYTES]

    source = random.Random(1)
    for start in range(0, size, _CHUNK):
        count = min(_CHUNK, size - start)
        data = source.randbytes(count * HASH_BYTES)
        tiles = grow(start, [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)], read)
        full = {key: hashes for key, hashes in tiles.items() if len(hashes) == TILE_WIDTH * HASH_BYTES}
        _store(connection, full)
        # What growing reads again: the unfinished tiles, and at the end the border for the right edge.
        last = {level: max(index for other, index in tiles if other == level) for level, _ in tiles}
        made.update({(level, index): tiles[level, index] for level, index in last.items()})
    _store(
        connection,
        {key: hashes for key, hashes in made.items() if len(hashes) < TILE_WIDTH * HASH_BYTES and _is_last(key, size)},
    )
    edge = edge_at(size, tile_reader(connection, _PORT))
    note = sign_checkpoint(Checkpoint(_SIGNER.name, size, edge.root()), _SIGNER)
    connection.execute(insert(port_log), {"port": _PORT, "size": size, "edge": edge.to_bytes(), "checkpoint": note})


def _is_last(key: tuple[int, int], size: int) -> bool:
    level, index = key
    return (size >> 8 * level) // TILE_WIDTH == index


def _store(connection: Connection, tiles: dict[tuple[int, int], bytes]) -> None:
    rows = [
        {"port": _PORT, "level": level, "tile": index, "hashes": hashes} for (level, index), hashes in tiles.items()
    ]
    if rows:
        connection.execute(insert(log_tile), rows)


def _by_size(directory: Path) -> Iterator[dict[str, Any]]:
    """Proofs and appends at each size, beside the smallest log's; rounds of all sizes take turns."""
    rounds: dict[tuple[str, int], list[float]] = defaultdict(list)
    with ExitStack() as stack:
        logs = {size: stack.enter_context(_log(directory, size)) for size in _SIZES}
        for _ in range(_ROUNDS):
            for size, connection in logs.items():
                for what, measure in _MEASURES.items():
                    rounds[what, size].append(measure(connection, size))
    for (what, size), seconds in rounds.items():
        ours, smallest = statistics.median(seconds), statistics.median(rounds[what, _SIZES[0]])
        yield _entry(f"{what}, {size:,} entries, against {_SIZES[0]:,}", "µs", ours * _MICRO, smallest * _MICRO)


def _once(action: Callable[[], object], times: int) -> float:
    """Seconds of one of `times` repetitions."""
    started = time.perf_counter()
    for _ in range(times):
        action()
    return (time.perf_counter() - started) / times


def _inclusion(connection: Connection, size: int) -> float:
    source = random.Random(2)
    read = tile_reader(connection, _PORT)
    connection.exec_driver_sql("BEGIN")
    seconds = _once(lambda: prove_inclusion(source.randrange(size), size, read), _PROOFS)
    index = source.randrange(size)
    leaf = read(0, index // TILE_WIDTH, index % TILE_WIDTH + 1)[-HASH_BYTES:]
    root = edge_at(size, read).root()
    verify_inclusion(index=index, size=size, leaf=leaf, proof=prove_inclusion(index, size, read), root=root)
    connection.exec_driver_sql("ROLLBACK")
    return seconds


def _consistency(connection: Connection, size: int) -> float:
    source = random.Random(3)
    read = tile_reader(connection, _PORT)
    connection.exec_driver_sql("BEGIN")
    seconds = _once(lambda: prove_consistency(source.randrange(1, size), size, read), _PROOFS)
    connection.exec_driver_sql("ROLLBACK")
    return seconds


def _append(connection: Connection, _size: int) -> float:
    """One entry with its tiles, right edge, signature and commit."""
    data = _refusal(0)

    def append() -> None:
        begin_immediate(connection)
        ledger = Ledger(connection, _PORT, _SIGNER.name, _SIGNER)
        ledger.append(data)
        ledger.flush()
        connection.exec_driver_sql("COMMIT")

    return _once(append, _APPENDS)


_MEASURES: dict[str, Callable[[Connection, int], float]] = {
    "inclusion proof": _inclusion,
    "consistency proof": _consistency,
    "append of one entry, signed and durable": _append,
}


# Checkpoints and readers


def _checkpoints() -> dict[str, Any]:
    checkpoint = Checkpoint(_SIGNER.name, 1_000_000, bytes(32))
    text = checkpoint.encode()
    bare = _seconds(lambda: _SIGNER.sign_raw(text), _SIGNATURES)
    ours = _seconds(lambda: sign_checkpoint(checkpoint, _SIGNER), _SIGNATURES)
    return _entry("signed checkpoint, against a bare Ed25519 signature of it", "µs", ours * _MICRO, bare * _MICRO)


def _refusal(number: int) -> bytes:
    """The smallest entry that a verifier reads in full."""
    moment = datetime(2026, 11, 24, tzinfo=UTC) + timedelta(milliseconds=number)
    body: dict[str, Any] = {"by": "systems/tos", "method": "/assign.v1.LogService/ListEntries", "reason": "NONE"}
    return Entry(kind=Kind.REFUSAL, origin=_SIGNER.name, time=moment, body=body).to_bytes()


def _some_entries() -> list[bytes]:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    body: dict[str, Any] = {"clock": "system", "code": "bench", "store": "sqlite"}
    first = Entry(kind=Kind.SERVER_START, origin=_SIGNER.name, time=start, body=body).to_bytes()
    return [first, *(_refusal(number) for number in range(_ENTRIES - 1))]


def _readers(directory: Path) -> Iterator[dict[str, Any]]:
    """Entries a second of whoever reads a whole log, beside one bare SHA-256 of each entry's bytes."""
    data = _some_entries()
    bare = _ENTRIES / _seconds(lambda: [hashlib.sha256(entry).digest() for entry in data], 1)
    tree = _ENTRIES / _seconds(lambda: grow(0, [leaf_hash(entry) for entry in data], lambda *_: b""), 1)
    yield _entry("entries into a tree, against one SHA-256 of each entry's bytes", "1/s", tree, bare, "higher")
    yield _entry(
        "`assign-verify`, entries read whole, against the same", "1/s", _verified(directory, data), bare, "higher"
    )
    yield _entry(
        "`assign audit`, entries of a log against its tiles, against the same",
        "1/s",
        _audited(directory, data),
        bare,
        "higher",
    )


def _verified(directory: Path, data: list[bytes]) -> float:
    path = directory / "bench.bundle"
    tiles = grow(0, [leaf_hash(entry) for entry in data], lambda *_: b"")
    edge = edge_at(len(data), lambda level, index, width: tiles[level, index][: width * HASH_BYTES])
    note = sign_checkpoint(Checkpoint(_SIGNER.name, edge.size, edge.root()), _SIGNER)
    with path.open("wb") as file:
        write_bundle(file, log_key=_SIGNER.verifier().vkey(), checkpoint=note, entries=data, inputs=[])

    def verify() -> None:
        with read_bundle(path) as bundle:
            report = verify_bundle(bundle, trusted_key=_SIGNER.verifier().vkey())
        assert report.is_sound, report.findings

    return len(data) / _seconds(verify, 1)


def _audited(directory: Path, data: list[bytes]) -> float:
    engine = open_writer(f"sqlite:///{directory / 'audited.db'}")
    migrate(engine)
    with engine.connect() as connection:
        begin_immediate(connection)
        ledger = Ledger(connection, _PORT, _SIGNER.name, _SIGNER)
        for entry in data:
            ledger.append(entry)
        ledger.flush()
        connection.exec_driver_sql("COMMIT")
        assert connection.execute(log_entry.select().limit(1)).first() is not None

        def audit() -> None:
            findings = Findings()
            check_log(connection, _PORT, _SIGNER.verifier(), findings, lambda *_: None)
            assert findings.count == 0, findings.kept

        seconds = _seconds(audit, 1)
    engine.dispose()
    return len(data) / seconds
