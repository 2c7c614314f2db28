"""The static resources of a log (C2SP tlog-tiles), cut from the store as they are asked for."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from assign.errors import NotFound
from assign.log.tiles import TILE_WIDTH, BundleId, TileId, encode_bundle, tile_width
from assign.names import Port
from server.storage.ledger import read_entries, read_head, tile_reader

__all__ = ["read_bundle", "read_tile"]


def read_tile(connection: Connection, port: Port, tile: TileId) -> bytes:
    """The hashes of a tile, as many as its width. Raises NotFound (TILE_NOT_THERE), Corrupt."""
    edge, _ = read_head(connection, port)
    if tile.width > tile_width(level=tile.level, index=tile.index, size=edge.size):
        raise NotFound("TILE_NOT_THERE", "The log is not that large.")
    return tile_reader(connection, port)(tile.level, tile.index, tile.width)


def read_bundle(connection: Connection, port: Port, bundle: BundleId, published: int) -> bytes:
    """A bundle of entries, all of them among the first `published`. Raises NotFound (ENTRIES_NOT_THERE), Corrupt."""
    start = bundle.index * TILE_WIDTH
    if start + bundle.width > published:
        raise NotFound("ENTRIES_NOT_THERE", "These entries are not there, or not published yet.")
    return encode_bundle(read_entries(connection, port, start, start + bundle.width))
