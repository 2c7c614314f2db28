"""A witness as an HTTP server (C2SP tlog-witness).

    POST /add-checkpoint             200 with the cosignature line; 400, 403, 404, 409, 422 as C2SP gives them
    GET /{origin hash}/checkpoint    the checkpoint cosigned last, with the log's signature and this witness's
    GET /health                      {"status": "ok", "witness", "clock", "now", "logs": {origin: size}}

409 has the size cosigned last as its body. Every other refusal is `{"reason", "message"}`; besides those of
C2SP: 408 for a request that does not come whole in time, 413 for one that is too long, 503 while the state or
the clock allows nothing. Nothing here is secret and every checkpoint is signed, so the witness speaks plain
HTTP; whoever wants TLS puts it in front.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys
from collections.abc import Callable

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from assign.errors import AssignError
from server.clock import Clock
from server.witness.judge import Judge, Refused
from server.witness.request import MAX_REQUEST_BYTES, SIZE_TYPE

__all__ = ["create_witness_app", "run_witness"]

_MAX_CONNECTIONS = 256
_BODY_SECONDS = 5.0
_HEAD_SECONDS = 5.0
_KEEP_ALIVE_SECONDS = 75
_SHUTDOWN_SECONDS = 5
_NOT_CACHED = {"Cache-Control": "no-store"}
# A minute late at most: a cache in front takes the load of readers.
_BRIEFLY = {"Cache-Control": "public, max-age=60"}

_log = logging.getLogger(__name__)


class _Service:
    def __init__(self, judge: Judge, clock: Clock) -> None:
        self._judge = judge
        self._clock = clock

    async def add_checkpoint(self, request: Request) -> Response:
        try:
            body = await _read_body(request)
            line = await asyncio.to_thread(self._judge.cosign, body)
        except Refused as refused:
            _log.warning("refused with %d: %s %s", refused.status, refused.reason, refused.message)
            return _refuse(refused)
        return PlainTextResponse(line.encode(), headers=_NOT_CACHED)

    async def checkpoint(self, request: Request) -> Response:
        name = request.path_params["origin_hash"]
        note = await asyncio.to_thread(self._judge.latest, name)
        if note is None:
            return _refuse(Refused(404, "LOG_UNKNOWN", "No checkpoint of a log of this hash was cosigned here."))
        return PlainTextResponse(note, headers=_BRIEFLY)

    async def health(self, _request: Request) -> Response:
        sizes = await asyncio.to_thread(self._judge.sizes)
        return JSONResponse(
            {
                "status": "ok",
                "witness": self._judge.name,
                "clock": self._clock.name,
                "now": self._clock.now().isoformat(),
                "logs": sizes,
            },
            headers=_NOT_CACHED,
        )


def create_witness_app(judge: Judge, clock: Clock) -> Starlette:
    """The ASGI application of one witness; `clock` is only shown, the judge has its own."""
    service = _Service(judge, clock)
    routes = [
        Route("/add-checkpoint", service.add_checkpoint, methods=["POST"]),
        Route("/health", service.health),
        Route("/{origin_hash}/checkpoint", service.checkpoint),
    ]
    handlers = {HTTPException: _refuse_http, AssignError: _refuse_unavailable}
    return Starlette(routes=routes, exception_handlers=handlers)


def run_witness(
    judge: Judge,
    *,
    clock: Clock,
    host: str = "127.0.0.1",
    port: int = 0,
    announce: Callable[[str], None],
) -> None:
    """Serve until SIGTERM or SIGINT, then exit with status 0.

    `port` 0 takes a free one. `announce` is called with one line as soon as connections are taken. Must run in
    the main thread of a process. Raises OSError if the address is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    config = uvicorn.Config(
        create_witness_app(judge, clock),
        http=_Protocol,
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    # uvicorn shuts down gracefully and then raises the signal again: by then, leaving is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    with socket.create_server((host, port), family=family) as listener:
        address = f"[{host}]" if family == socket.AF_INET6 else host
        announce(f"witness {judge.name} listening on http://{address}:{listener.getsockname()[1]}")
        uvicorn.Server(config).run(sockets=[listener])


class _Protocol(H11Protocol):
    """A connection on which the head of the first request must come in time: uvicorn itself waits for ever."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # Head and body of an answer are two writes: without this the second waits 40 ms for the peer to acknowledge
        # the first (asyncio sets it only on sockets of an explicit protocol, which `create_server` does not make).
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.loop.call_later(_HEAD_SECONDS, self._close_if_idle)

    def _close_if_idle(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


async def _read_body(request: Request) -> bytes:
    """The body, in time and no longer than it may be. Raises Refused."""
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > MAX_REQUEST_BYTES:
                    raise Refused(413, "REQUEST_TOO_LONG", f"A request has at most {MAX_REQUEST_BYTES} bytes.")
    except (TimeoutError, ClientDisconnect):
        raise Refused(408, "REQUEST_SLOW", f"A request comes whole within {_BODY_SECONDS:.0f} seconds.") from None
    return bytes(body)


def _refuse(refused: Refused) -> Response:
    if refused.size is not None:
        return Response(
            f"{refused.size}\n", status_code=refused.status, headers=_NOT_CACHED | {"Content-Type": SIZE_TYPE}
        )
    # A connection with the rest of a body still to come is of no more use.
    headers = _NOT_CACHED | ({"Connection": "close"} if refused.status in {408, 413} else {})
    content = {"reason": refused.reason, "message": refused.message}
    return JSONResponse(content, status_code=refused.status, headers=headers)


async def _refuse_http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    refusal = _refuse(Refused(status, "HTTP_REFUSED", "See POST /add-checkpoint, /{origin hash}/checkpoint, /health."))
    refusal.headers.update(getattr(error, "headers", None) or {})
    return refusal


async def _refuse_unavailable(_request: Request, error: Exception) -> Response:
    _log.error("nothing can be cosigned: %s", error)
    return _refuse(Refused(503, getattr(error, "reason", "WITNESS_STATE"), getattr(error, "message", "")))
