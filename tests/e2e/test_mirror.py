"""The mirror as a process of its own: a stranger copies a whole running log with HTTP and the library alone."""

from __future__ import annotations

import gzip
import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from e2e.port import CALL_SECONDS, INSPECTORS, PARENT, PORT, Duty, Site, refusal

from assign.log.checkpoint import Checkpoint, verify_checkpoint
from assign.log.entries import Entry, Kind
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import NoteVerifier
from assign.log.tiles import BundleId, TileId, parse_bundle, prove_consistency, prove_inclusion, root_at, tiles_written
from assign.v1 import log_service_pb2
from server.demo.processes import Processes, run_assign

_REFUSALS = 260  # a tree of two levels of tiles
_LISTENING = r"listening on http://([0-9.]+:\d+)"


@dataclass
class _Reply:
    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class _Mirror:
    """A mirror that runs, and what is known of its log from elsewhere."""

    address: str
    key: NoteVerifier

    def get(self, path: str, *, method: str = "GET", **headers: str) -> _Reply:
        """The answer to exactly this path, unescaped and unresolved."""
        connection = http.client.HTTPConnection(self.address, timeout=CALL_SECONDS)
        try:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            reply = connection.getresponse()
            return _Reply(reply.status, {name.lower(): text for name, text in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def checkpoint(self) -> Checkpoint:
        """The newest one, verified with the key that we had from elsewhere."""
        return verify_checkpoint(self.get(f"/{PORT}/checkpoint").body, [self.key])

    def tile(self, level: int, index: int, width: int) -> bytes:
        """A tile, as a reader of `assign.log.tiles`."""
        return self.get(f"/{PORT}/{TileId(level, index, width).path()}").body

    def entries(self, count: int) -> list[bytes]:
        """The first `count` entries, bundle by bundle."""
        found: list[bytes] = []
        for start in range(0, count, 256):
            bundle = BundleId(start // 256, min(256, count - start))
            found += parse_bundle(self.get(f"/{PORT}/{bundle.path()}").body, width=bundle.width)
        return found


@dataclass
class _Mirrored:
    site: Site
    closed: Duty
    open: Duty
    everything: _Mirror
    careful: _Mirror


@pytest.fixture(scope="module")
def mirrored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Mirrored]:
    """A shift that is closed and one that is open, behind a mirror of everything and one with the default policy."""
    directory = tmp_path_factory.mktemp("mirrored")
    site = Site(directory)
    mirrors = Processes(directory, keep=False)
    try:
        site.start()
        closed = site.open_shift(waves=1)
        site.book_orders([closed.start()] * 2)
        site.close_shift(closed)
        request = log_service_pb2.GetCheckpointRequest(parent=PARENT)
        for _ in range(_REFUSALS):
            refusal(site.client(INSPECTORS[0]).log.GetCheckpoint, request)
        still_open = site.open_shift(waves=1)
        yield _Mirrored(
            site,
            closed,
            still_open,
            _start(site, mirrors, "everything", '[mirror]\npublish_entries = "all"\n'),
            _start(site, mirrors, "careful", ""),
        )
    finally:
        mirrors.stop()
        site.close()


def _start(site: Site, mirrors: Processes, name: str, settings: str) -> _Mirror:
    """A mirror that can read the store and none of the keys."""
    toml = (
        site.config.read_text()
        .replace("kek.key", "none.key")
        .replace('log_key_file = "log.key"', 'log_key_file = "none"')
    )
    path = site.directory / f"{name}.toml"
    path.write_text(toml + settings)
    arguments = ["mirror", "serve", "--config", path.name, "--listen", "127.0.0.1:0"]
    address = mirrors.start(f"mirror-{name}", *arguments, ready=_LISTENING, cwd=site.directory)[1]
    return _Mirror(address, NoteVerifier.from_vkey((site.directory / "log.vkey").read_text()))


def test_a_stranger_copies_the_whole_log(mirrored: _Mirrored) -> None:
    """Every tile and every entry over HTTP: the tree that comes of them has the root that the log signed."""
    mirror = mirrored.everything
    checkpoint = mirror.checkpoint()
    tiles = {
        (one.level, one.index): mirror.tile(one.level, one.index, one.width)
        for one in tiles_written(size1=0, size2=checkpoint.size)
    }
    assert {level for level, _ in tiles} == {0, 1}
    assert root_at(checkpoint.size, lambda level, index, width: tiles[level, index][: 32 * width]) == checkpoint.root
    entries = mirror.entries(checkpoint.size)
    leaves = [leaf_hash(entry) for entry in entries]
    assert root_of(leaves) == checkpoint.root
    assert b"".join(leaves) == b"".join(tiles[0, index] for index in range(-(-checkpoint.size // 256)))
    assert entries == mirrored.site.raw_entries()[: checkpoint.size]


def test_the_log_grows_and_the_copy_follows(mirrored: _Mirrored) -> None:
    """While the server writes, later tiles prove that the log only appended to what was copied before."""
    mirror = mirrored.everything
    before = mirror.checkpoint()
    refusal(mirrored.site.client(INSPECTORS[0]).log.GetCheckpoint, log_service_pb2.GetCheckpointRequest(parent=PARENT))
    after = mirror.checkpoint()
    assert after.size == before.size + 1
    assert root_at(before.size, mirror.tile) == before.root
    assert root_at(after.size, mirror.tile) == after.root
    assert prove_consistency(before.size, after.size, mirror.tile)
    assert len(prove_inclusion(0, after.size, mirror.tile)) == 9


def test_entries_of_an_open_shift_are_withheld(mirrored: _Mirrored) -> None:
    """By default entries end where the first open shift begins; hashes and checkpoints go on."""
    mirror, site = mirrored.careful, mirrored.site
    published = json.loads(mirror.get(f"/{PORT}/published").body)
    assert published["policy"] == "closed-shifts"
    raw = site.raw_entries()
    opening = next(
        at
        for at, data in enumerate(raw)
        if b"shift-open" in data and Entry.from_bytes(data).body["shift"] == str(mirrored.open.name)
    )
    assert published["entries"] == opening
    entries = mirror.entries(opening)
    assert entries == raw[:opening]
    assert Kind.CLOSE in {Entry.from_bytes(data).kind for data in entries if b"freeze" not in data[:32]}
    index, width = divmod(opening, 256)
    withheld = mirror.get(f"/{PORT}/{BundleId(index, width + 1).path()}")
    assert (withheld.status, json.loads(withheld.body)["reason"]) == (404, "ENTRIES_NOT_THERE")
    checkpoint = mirror.checkpoint()
    assert checkpoint.size > opening
    assert root_at(checkpoint.size, mirror.tile) == checkpoint.root


def test_headers_are_those_of_the_specification(mirrored: _Mirrored) -> None:
    """Types, how long each may be kept, and compression for whoever asks."""
    mirror = mirrored.everything
    checkpoint = mirror.get(f"/{PORT}/checkpoint")
    assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
    assert checkpoint.headers["cache-control"] == "public, max-age=2"
    for path in ("tile/0/000", "tile/0/000.p/7", "tile/1/000.p/1", "tile/entries/000", "tile/entries/000.p/3"):
        reply = mirror.get(f"/{PORT}/{path}")
        assert reply.status == 200, path
        assert reply.headers["content-type"] == "application/octet-stream"
        assert reply.headers["cache-control"] == "public, max-age=31536000, immutable"
        head = mirror.get(f"/{PORT}/{path}", method="HEAD")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(reply.body)))
    plain = mirror.get(f"/{PORT}/tile/entries/000")
    zipped = mirror.get(f"/{PORT}/tile/entries/000", accept_encoding="br, gzip")
    assert zipped.headers["content-encoding"] == "gzip"
    assert zipped.headers["vary"] == plain.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(zipped.body) == plain.body
    assert "content-encoding" not in mirror.get(f"/{PORT}/tile/entries/000", accept_encoding="gzip;q=0").headers


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/NLRTM",
        "/NLRTM/",
        "/NLAMS/checkpoint",
        "/NLRTM/checkpoint/",
        "/NLRTM/check%70oint",
        "//NLRTM/checkpoint",
        "/NLRTM/tile/0/00",
        "/NLRTM/tile/0/000.p/256",
        "/NLRTM/tile/0/000.p/0",
        "/NLRTM/tile/0/000.p/07",
        "/NLRTM/tile/00/000",
        "/NLRTM/tile/64/000",
        "/NLRTM/tile/0/001",
        "/NLRTM/tile/1/000",
        "/NLRTM/tile/2/000.p/1",
        "/NLRTM/tile/0/x000/000",
        "/NLRTM/tile/0/000/",
        "/NLRTM/tile/0/%30%30%30",
        "/NLRTM/tile/0/../0/000",
        "/NLRTM/tile/../../assign.db",
        "/NLRTM/tile/entries/../0/000",
        "/NLRTM/tile/entries/..%2f..%2fkek.key",
        "/NLRTM/tile/entries/999",
        "/../assign.toml",
        "/%2e%2e/assign.toml",
        "/NLRTM/tile/0/" + "x999/" * 2000 + "999",
    ],
)
def test_everything_else_is_not_there(mirrored: _Mirrored, path: str) -> None:
    """One canonical spelling each; nothing beyond the end of the log, no folder, no file; and never kept."""
    reply = mirrored.everything.get(path)
    assert reply.status == 404
    assert reply.headers["cache-control"] == "no-store"
    assert set(json.loads(reply.body)) == {"reason", "message"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_written(mirrored: _Mirrored, method: str) -> None:
    """There is nothing here but GET and HEAD."""
    reply = mirrored.everything.get(f"/{PORT}/checkpoint", method=method)
    assert reply.status == 405
    assert set(reply.headers["allow"].split(", ")) == {"GET", "HEAD"}


def test_health_says_that_it_serves(mirrored: _Mirrored) -> None:
    """For whoever watches the process."""
    assert json.loads(mirrored.everything.get("/health").body) == {"status": "ok"}


def test_a_taken_address_is_said_in_one_line(mirrored: _Mirrored) -> None:
    """No traceback, status 1."""
    done = run_assign(
        "mirror",
        "serve",
        "--config",
        "careful.toml",
        "--listen",
        mirrored.everything.address,
        cwd=mirrored.site.directory,
    )
    assert done.status == 1
    assert "LISTEN_FAILED" in done.errors
    assert "Traceback" not in done.errors
