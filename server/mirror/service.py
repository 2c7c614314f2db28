"""The HTTP resources of the mirror (C2SP tlog-tiles), each port's log under a prefix of its own:

    GET /{port}/checkpoint                  the newest signed checkpoint
    GET /{port}/tile/{L}/{N}[.p/{W}]        hashes of the tree
    GET /{port}/tile/entries/{N}[.p/{W}]    entries, as far as they are published
    GET /{port}/published                   {"entries": how many are published, "policy": …}: ours, not of the format
    GET /health                             {"status": "ok"}

A path is served in its one canonical spelling or not at all. Nothing is written, nothing secret is opened:
the process has no key. A refusal is `{"reason", "message"}` and is never cached.
"""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

import structlog
from sqlalchemy.engine import Connection
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assign.errors import AssignError, InvalidInput, NotFound
from assign.log.tiles import BundleId, TileId, parse_tile_path
from assign.names import Port
from server.mirror.publication import Publication
from server.mirror.settings import Publish
from server.queries.read_checkpoint import read_checkpoint
from server.queries.read_tiles import read_bundle, read_tile
from server.storage.ledger import read_head
from server.storage.reader import Reader

__all__ = ["create_mirror_app"]

_log = structlog.get_logger(__name__)
_Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

# Only a few seconds for what changes; tiles and bundles of a given width never do.
_SHORTLY = {"Cache-Control": "public, max-age=2"}
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_NOT_CACHED = {"Cache-Control": "no-store"}
_OCTETS = "application/octet-stream"
_GZIP_LEVEL = 6


class _Mirror:
    def __init__(self, reader: Reader, origins: Mapping[Port, str], publish: Publish) -> None:
        self._reader = reader
        self._publish = publish
        self._publications = {port: Publication(port, origin, publish) for port, origin in origins.items()}

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"}, headers=_NOT_CACHED)

    async def checkpoint(self, request: Request) -> Response:
        port = self._port(request)
        note = await self._reader.run(lambda connection: read_checkpoint(connection, port))
        # Starlette adds the charset to text/plain.
        return Response(note, media_type="text/plain", headers=_SHORTLY)

    async def published(self, request: Request) -> Response:
        port = self._port(request)
        publication = self._publications[port]

        def query(connection: Connection) -> int:
            return publication.count(connection, read_head(connection, port)[0].size)

        entries = await self._reader.run(query)
        return JSONResponse({"entries": entries, "policy": self._publish}, headers=_SHORTLY)

    async def tile(self, request: Request) -> Response:
        port = self._port(request)
        wanted = parse_tile_path(_canonical_path(request, port))
        if isinstance(wanted, TileId):
            tile = wanted
            hashes = await self._reader.run(lambda connection: read_tile(connection, port, tile))
            return Response(hashes, media_type=_OCTETS, headers=_FOREVER)
        return await self._bundle(request, port, wanted)

    async def _bundle(self, request: Request, port: Port, bundle: BundleId) -> Response:
        publication = self._publications[port]
        is_compressed = _accepts_gzip(request)

        def query(connection: Connection) -> bytes:
            count = publication.count(connection, read_head(connection, port)[0].size)
            data = read_bundle(connection, port, bundle, count)
            return gzip.compress(data, _GZIP_LEVEL, mtime=0) if is_compressed else data

        data = await self._reader.run(query)
        encoding = {"Content-Encoding": "gzip"} if is_compressed else {}
        return Response(data, media_type=_OCTETS, headers={**_FOREVER, "Vary": "Accept-Encoding", **encoding})

    def _port(self, request: Request) -> Port:
        port = Port(request.path_params["port"])
        if port not in self._publications:
            raise NotFound("PORT_UNKNOWN", "There is no log under this prefix.")
        return port


def create_mirror_app(reader: Reader, origins: Mapping[Port, str], publish: Publish) -> Starlette:
    """The ASGI application that serves the logs of `origins`, by port."""
    mirror = _Mirror(reader, origins, publish)
    routes = [
        Route("/health", _answer(mirror.health)),
        Route("/{port}/checkpoint", _answer(mirror.checkpoint)),
        Route("/{port}/published", _answer(mirror.published)),
        Route("/{port}/tile/{rest:path}", _answer(mirror.tile)),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refuse_http})
    # A path with a slash too many is another path: no redirects.
    app.router.redirect_slashes = False
    return app


def _answer(endpoint: _Endpoint) -> _Endpoint:
    async def answer(request: Request) -> Response:
        try:
            if "%" in _raw_path(request):
                raise NotFound("PATH_SPELLING", "No path here needs escapes.")
            return await endpoint(request)
        except (NotFound, InvalidInput) as error:
            return _refusal(404, error.reason, error.message)
        except AssignError as error:
            _log.error("cannot be served", path=request.url.path, reason=error.reason, cause=error.message)
            return _refusal(503, error.reason, error.message)

    return answer


def _raw_path(request: Request) -> str:
    """The path as it was sent, before any decoding."""
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    return raw.decode("ascii", "replace")


def _canonical_path(request: Request, port: Port) -> str:
    return _raw_path(request).removeprefix(f"/{port}/")


def _accepts_gzip(request: Request) -> bool:
    """Whether `Accept-Encoding` names gzip, and not with a weight of zero (RFC 9110 section 12.5.3)."""
    for item in request.headers.get("accept-encoding", "").split(","):
        coding, _, weight = item.replace(" ", "").lower().partition(";q=")
        if coding == "gzip":
            return weight.strip("0.") != "" or not weight
    return False


def _refusal(status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"reason": reason, "message": message}, status, {**(headers or {}), **_NOT_CACHED})


async def _refuse_http(_request: Request, error: Exception) -> Response:
    status, headers = (error.status_code, error.headers) if isinstance(error, HTTPException) else (500, None)
    return _refusal(status, "HTTP_REFUSED", "See docs/mirror.md for what is served.", headers)
