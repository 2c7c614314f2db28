"""A party gives nothing early, whatever is asked and however time moves."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from beacon_chains import GENESIS, LENGTH_ROUNDS, chain_of

from assign.draw.beacon import ChainCommitment
from server.beacons.party import create_party_app
from server.clock import ManualClock

_CHAIN = chain_of("a")
_SECRETS = {_CHAIN.element(n).hex() for n in range(1, LENGTH_ROUNDS + 1)}


def _ask(moment: datetime, path: str, method: str = "GET") -> httpx2.Response:
    app = create_party_app(_CHAIN, ManualClock(moment))

    async def ask() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://party") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


def _time_of(round_number: int) -> datetime:
    return GENESIS + timedelta(seconds=3) * (round_number - 1)


@pytest.mark.parametrize("round_number", [1, 2, 14, 15, 100, LENGTH_ROUNDS])
def test_a_round_is_released_at_its_time_and_not_before(round_number: int) -> None:
    """To the microsecond; the refusal says when, and holds no element of the chain."""
    early = _ask(_time_of(round_number) - timedelta(microseconds=1), f"/public/{round_number}")
    assert early.status_code == 425
    assert early.json()["reason"] == "BEACON_ROUND_EARLY"
    assert early.headers["Retry-After"] == "1"
    assert early.headers["Cache-Control"] == "no-store"
    assert not any(secret in early.text for secret in _SECRETS)
    released = _ask(_time_of(round_number), f"/public/{round_number}")
    assert released.status_code == 200
    assert released.json() == {"party": "a", "round": round_number, "preimage": _CHAIN.element(round_number).hex()}
    assert "immutable" in released.headers["Cache-Control"]


def test_the_latest_round_is_the_one_that_is_due() -> None:
    """None before genesis, the last one for ever after the end."""
    assert _ask(GENESIS - timedelta(microseconds=1), "/public/latest").status_code == 425
    for moment, expected in [
        (GENESIS, 1),
        (_time_of(9) - timedelta(microseconds=1), 8),
        (_time_of(9), 9),
        (datetime(2090, 1, 1, tzinfo=UTC), LENGTH_ROUNDS),
    ]:
        answer = _ask(moment, "/public/latest")
        assert answer.json() == {"party": "a", "round": expected, "preimage": _CHAIN.element(expected).hex()}
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/public/0",
        "/public/201",
        "/public/-1",
        "/public/01",
        "/public/1.0",
        "/public/1e1",
        "/public/%31%20",
        "/public/٣",
        "/public/" + "9" * 5000,
        "/public/",
        "/public/1/2",
        "/",
        "/state",
        "/public/../info/x",
    ],
)
def test_other_paths_are_refused(path: str) -> None:
    """With a JSON reason, never with a traceback or an element."""
    answer = _ask(_time_of(LENGTH_ROUNDS), path)
    assert answer.status_code in {404, 307}
    assert not any(secret in answer.text for secret in _SECRETS)
    if answer.status_code == 404:
        assert set(answer.json()) == {"reason", "message"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_nothing_can_be_changed(method: str) -> None:
    """The party only answers questions."""
    assert _ask(GENESIS, "/public/1", method).status_code == 405


def test_the_commitment_is_public_from_the_start() -> None:
    """Before genesis too, in the exact bytes that were pinned."""
    answer = _ask(GENESIS - timedelta(days=30), "/info")
    assert ChainCommitment.from_json(answer.content) == _CHAIN.commitment


def test_health_shows_the_clock() -> None:
    """And the round that the party believes is due."""
    health: dict[str, Any] = _ask(_time_of(5), "/health").json()
    assert health["status"] == "ok"
    assert (health["party"], health["clock"], health["latest_round"]) == ("a", "manual", 5)
    assert datetime.fromisoformat(health["now"]) == _time_of(5)
    assert _ask(GENESIS - timedelta(days=1), "/health").json()["latest_round"] == 0
