"""Which entries everybody may read, and what the mirror says when its store cannot be read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.engine import Connection

from assign.encoding import sha256
from assign.errors import NotFound
from assign.log.checkpoint import parse_checkpoint
from assign.log.cosignature import Cosigner
from assign.log.entries import Entry, Kind
from assign.log.note import NoteSigner, parse_note
from assign.log.tiles import BundleId, TileId, parse_bundle
from assign.names import Port
from server.mirror.publication import Publication
from server.mirror.service import create_mirror_app
from server.mirror.settings import Publish
from server.queries.read_checkpoint import read_checkpoint, read_covering
from server.queries.read_tiles import read_bundle, read_tile
from server.storage.cosignatures import add_cosignatures
from server.storage.ledger import Ledger, read_head
from server.storage.migrate import migrate
from server.storage.reader import Reader
from server.storage.schema import cosigned_checkpoint
from server.storage.sqlite import open_readers, open_writer

_PORT = Port("NLRTM")
_ORIGIN = "assign.example/NLRTM"
_SIGNER = NoteSigner(_ORIGIN, sha256(b"key"))
_WITNESS = Cosigner("witness.example/1", sha256(b"witness"))


@pytest.fixture
def url(tmp_path: Path) -> str:
    """An empty store."""
    found = f"sqlite:///{tmp_path / 'assign.db'}"
    engine = open_writer(found)
    migrate(engine)
    engine.dispose()
    return found


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    """The store's one writer."""
    engine = open_writer(url)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def _entry(kind: Kind, **body: Any) -> bytes:
    return Entry(kind=kind, origin=_ORIGIN, time=datetime(2026, 11, 24, tzinfo=UTC), body=body).to_bytes()


def _opened(shift: str) -> bytes:
    return _entry(Kind.SHIFT_OPEN, shift=shift)


def _closed(shift: str) -> bytes:
    return _entry(Kind.CLOSE, shift=shift)


_OTHER = _entry(Kind.REFUSAL, by="unknown", method="m", reason="r")


def _append(connection: Connection, entries: Sequence[bytes]) -> int:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    ledger = Ledger(connection, _PORT, _ORIGIN, _SIGNER)
    for entry in entries:
        ledger.append(entry)
    ledger.flush()
    connection.exec_driver_sql("COMMIT")
    return read_head(connection, _PORT)[0].size


def _publication(publish: Publish = Publish.CLOSED_SHIFTS) -> Publication:
    return Publication(_PORT, _ORIGIN, publish)


def test_entries_end_where_the_first_open_shift_begins(connection: Connection) -> None:
    """Closing the first shift publishes up to the opening of the next, however they overlap."""
    publication = _publication()
    size = _append(connection, [_OTHER, _OTHER])
    assert publication.count(connection, size) == 2
    size = _append(connection, [_opened("a"), _OTHER, _opened("b"), _OTHER])
    assert publication.count(connection, size) == 2
    size = _append(connection, [_closed("b"), _OTHER])
    assert publication.count(connection, size) == 2
    size = _append(connection, [_opened("c"), _closed("a"), _OTHER])
    assert publication.count(connection, size) == 8
    size = _append(connection, [_closed("c")])
    assert publication.count(connection, size) == size
    assert _publication().count(connection, size) == size
    assert _publication().count(connection, 5) == 2


def test_other_policies_publish_everything_or_nothing(connection: Connection) -> None:
    """Whatever is open."""
    size = _append(connection, [_opened("a"), _OTHER])
    assert _publication(Publish.ALL).count(connection, size) == size
    assert _publication(Publish.NONE).count(connection, size) == 0


def test_the_table_of_shifts_publishes_nothing(connection: Connection) -> None:
    """What counts is the signed log, and only entries of this very log and kind."""
    size = _append(connection, [_opened("a"), _entry(Kind.READ, by="x", what="close"), _OTHER])
    other = Entry(kind=Kind.CLOSE, origin=_ORIGIN + "x", time=datetime(2026, 1, 1, tzinfo=UTC), body={"shift": "a"})
    size = _append(connection, [other.to_bytes()])
    assert _publication().count(connection, size) == 0


@pytest.mark.parametrize(("level", "index", "width"), [(0, 1, 45), (0, 2, 1), (1, 0, 2), (2, 0, 1), (63, 0, 1)])
def test_no_tile_beyond_the_tree(connection: Connection, level: int, index: int, width: int) -> None:
    """300 entries have 256 and 44 leaf hashes, and one of level 1."""
    _append(connection, [_OTHER] * 300)
    assert len(read_tile(connection, _PORT, TileId(0, 1, 44))) == 44 * 32
    assert len(read_tile(connection, _PORT, TileId(1, 0, 1))) == 32
    with pytest.raises(NotFound, match="TILE_NOT_THERE"):
        read_tile(connection, _PORT, TileId(level, index, width))


def test_no_entry_beyond_what_is_published(connection: Connection) -> None:
    """The last published entry is served, the next is not, also not within a larger bundle."""
    _append(connection, [_OTHER] * 300)
    assert parse_bundle(read_bundle(connection, _PORT, BundleId(1, 4), 260), width=4) == [_OTHER] * 4
    for bundle in (BundleId(1, 5), BundleId(1), BundleId(2, 1)):
        with pytest.raises(NotFound, match="ENTRIES_NOT_THERE"):
            read_bundle(connection, _PORT, bundle, 260)


def _cosign(connection: Connection, note: bytes) -> int:
    checkpoint = parse_checkpoint(parse_note(note).text)
    signature = _WITNESS.cosign(checkpoint, time_seconds=1_000)
    add_cosignatures(connection, _PORT, checkpoint.size, note, [signature])
    return checkpoint.size


def test_the_newest_checkpoint_bears_its_cosignatures(connection: Connection) -> None:
    """As soon as there are any; a row that is another checkpoint is not passed on."""
    with pytest.raises(NotFound, match="LOG_EMPTY"):
        read_checkpoint(connection, _PORT)
    _append(connection, [_OTHER])
    first = read_checkpoint(connection, _PORT)
    _append(connection, [_OTHER])
    newest = read_checkpoint(connection, _PORT)
    _cosign(connection, newest)
    cosigned = read_checkpoint(connection, _PORT)
    assert (parse_note(cosigned).text, len(parse_note(cosigned).signatures)) == (parse_note(newest).text, 2)
    connection.execute(update(cosigned_checkpoint).values(note=first))
    assert read_checkpoint(connection, _PORT) == newest
    connection.execute(update(cosigned_checkpoint).values(note=b"\xff"))
    assert read_checkpoint(connection, _PORT) == newest


def test_a_receipt_wants_the_newest_cosigned_checkpoint_that_covers_it(connection: Connection) -> None:
    """Later entries have the newest one; a row that is not what its size says is not used."""
    _append(connection, [_OTHER] * 3)
    cosigned = _cosign(connection, read_checkpoint(connection, _PORT))
    _append(connection, [_OTHER] * 2)
    assert [read_covering(connection, _PORT, index)[0].size for index in range(5)] == [cosigned] * 3 + [5] * 2
    connection.execute(update(cosigned_checkpoint).values(size=5))
    assert read_covering(connection, _PORT, 4)[0].size == 5
    assert read_covering(connection, _PORT, 4)[1] == read_checkpoint(connection, _PORT)
    connection.execute(update(cosigned_checkpoint).values(note=b""))
    assert read_covering(connection, _PORT, 0)[0].size == 5


def _get(url: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request to the application, without a network."""
    engine = open_readers(url)
    reader = Reader(engine)
    app = create_mirror_app(reader, {_PORT: _ORIGIN}, Publish.ALL)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    pairs = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": pairs,
        "http_version": "1.1",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
    }
    try:
        asyncio.run(app(scope, receive, send))
    finally:
        reader.close()
        engine.dispose()
    found = {name.decode(): text.decode() for name, text in sent[0]["headers"]}
    return sent[0]["status"], found, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    ("damage", "path"),
    [
        ("DELETE FROM log_tile", "/NLRTM/tile/0/000.p/2"),
        ("DELETE FROM log_entry", "/NLRTM/tile/entries/000.p/2"),
        ("UPDATE log_tile SET hashes = 'text'", "/NLRTM/tile/0/000.p/2"),
    ],
)
def test_a_damaged_store_is_503_and_never_cached(url: str, connection: Connection, damage: str, path: str) -> None:
    """Nobody keeps a failure for a year."""
    _append(connection, [_OTHER] * 2)
    assert _get(url, path)[0] == 200
    connection.exec_driver_sql(damage)
    status, headers, body = _get(url, path)
    assert (status, headers["cache-control"]) == (503, "no-store")
    assert json.loads(body)["reason"] in ("LOG_TILE_MISSING", "LOG_GAP")


@pytest.mark.parametrize(
    ("accepted", "is_compressed"),
    [
        ("gzip", True),
        ("br;q=1, gzip;q=0.5", True),
        ("GZIP", True),
        ("gzip;q=0.0", False),
        ("", False),
        ("x-gzip", False),
    ],
)
def test_entries_are_compressed_for_whoever_asks(
    url: str, connection: Connection, accepted: str, is_compressed: bool
) -> None:
    """By `Accept-Encoding`, weights included; a weight of zero is a no."""
    _append(connection, [_OTHER] * 2)
    status, headers, _ = _get(url, "/NLRTM/tile/entries/000.p/2", accept_encoding=accepted)
    assert status == 200
    assert (headers.get("content-encoding") == "gzip") is is_compressed
