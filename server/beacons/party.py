"""One party of a local beacon as an HTTP server: it releases each round once its own clock is there.

    GET /info             the party's commitment, canonical JSON
    GET /public/{round}   {"party", "round", "preimage"}: x[round] in hex, from the round's time on
    GET /public/latest    the same for the latest round that is due
    GET /health           {"status": "ok", "party", "clock", "now", "latest_round"}

A refusal is `{"reason", "message"}`: 425 before a round's time, with Retry-After; 404 for a round that
the chain does not have and for unknown paths. Nothing served is secret once it is due, and whoever
fetches it verifies it, so the party speaks plain HTTP; TLS would add nothing but a place to fail.
"""

from __future__ import annotations

import re
import signal
import socket
import sys
from collections.abc import Callable
from math import ceil
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from assign.draw.beacon import LocalBeacon, combine_commitments
from server.beacons.chain_state import ChainState, read_state
from server.clock import Clock

__all__ = ["create_party_app", "run_party"]

_ROUND = re.compile(r"[1-9][0-9]{0,17}")
_MAX_CONNECTIONS = 512
_SHUTDOWN_SECONDS = 5
# A released round never changes; everything else may be different a second later.
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_NOT_CACHED = {"Cache-Control": "no-store"}


class _Party:
    def __init__(self, state: ChainState, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._info: LocalBeacon = combine_commitments([state.commitment])

    async def info(self, _request: Request) -> Response:
        return Response(self._state.commitment.to_json(), media_type="application/json", headers=_NOT_CACHED)

    async def health(self, _request: Request) -> Response:
        now = self._clock.now()
        return JSONResponse(
            {
                "status": "ok",
                "party": self._state.commitment.party.name,
                "clock": self._clock.name,
                "now": now.isoformat(),
                "latest_round": self._info.latest_round(now),
            },
            headers=_NOT_CACHED,
        )

    async def latest(self, _request: Request) -> Response:
        return self._release(max(1, self._info.latest_round(self._clock.now())), _NOT_CACHED)

    async def public(self, request: Request) -> Response:
        text = request.path_params["round_number"]
        if not _ROUND.fullmatch(text) or int(text) > self._info.last_round:
            message = f"Rounds go from 1 to {self._info.last_round}."
            return _refusal(404, "BEACON_ROUND_RANGE", message)
        return self._release(int(text), _FOREVER)

    def _release(self, round_number: int, headers: dict[str, str]) -> Response:
        due = self._info.time_of_round(round_number)
        now = self._clock.now()
        # The one guard of the beacon: no element leaves before its time.
        if now < due:
            refusal = _refusal(425, "BEACON_ROUND_EARLY", f"Round {round_number} is due at {due.isoformat()}.")
            refusal.headers["Retry-After"] = str(ceil((due - now).total_seconds()))
            return refusal
        element = self._state.element(round_number)
        party = self._state.commitment.party.name
        return JSONResponse({"party": party, "round": round_number, "preimage": element.hex()}, headers=headers)


def create_party_app(state: ChainState, clock: Clock) -> Starlette:
    """The ASGI application of the party that holds `state`, minding the time of `clock`."""
    party = _Party(state, clock)
    routes = [
        Route("/info", party.info),
        Route("/health", party.health),
        Route("/public/latest", party.latest),
        Route("/public/{round_number}", party.public),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _refuse_http})


def run_party(
    state_path: Path,
    *,
    clock: Clock,
    host: str = "127.0.0.1",
    port: int = 0,
    announce: Callable[[str], None],
) -> None:
    """Serve the chain of `state_path` until SIGTERM or SIGINT, then exit with status 0.

    `port` 0 takes a free one. `announce` is called with one line as soon as connections are taken. Must
    run in the main thread of a process. Raises what `read_state` raises, and OSError if the address is
    taken.
    """
    state = read_state(state_path)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    config = uvicorn.Config(
        create_party_app(state, clock),
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
    )
    # uvicorn shuts down gracefully and then raises the signal again: by then, leaving is no failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    with socket.create_server((host, port), family=family) as listener:
        address = f"[{host}]" if family == socket.AF_INET6 else host
        url = f"http://{address}:{listener.getsockname()[1]}"
        announce(f"beacon party {state.commitment.party.name} listening on {url}")
        uvicorn.Server(config).run(sockets=[listener])


def _refusal(status: int, reason: str, message: str) -> JSONResponse:
    return JSONResponse({"reason": reason, "message": message}, status_code=status, headers=_NOT_CACHED)


async def _refuse_http(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _refusal(status, "HTTP_REFUSED", "See /info, /public/{round}, /public/latest and /health.")
