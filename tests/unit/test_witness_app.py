"""The witness over HTTP: exact answers, limits, and what monitors read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from witness_site import COSIGNER, LOG, NOON, ORIGIN, Desk, Log

from assign.log.note import add_signatures, parse_signatures, verify_note
from server.witness import app as witness_app
from server.witness.app import create_witness_app
from server.witness.request import MAX_REQUEST_BYTES, origin_hash

LOG_A = Log(9)
PATH = f"/{origin_hash(ORIGIN)}/checkpoint"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A witness that has seen nothing."""
    return Desk(tmp_path / "w.db")


def ask(desk: Desk, method: str, path: str, **content: Any) -> httpx2.Response:
    """One request to the witness's application."""

    async def send() -> httpx2.Response:
        transport = httpx2.ASGITransport(create_witness_app(desk.judge, desk.clock))
        async with httpx2.AsyncClient(transport=transport, base_url="http://witness") as client:
            return await client.request(method, path, **content)

    return asyncio.run(send())


def add(desk: Desk, body: bytes) -> httpx2.Response:
    """An add-checkpoint request."""
    return ask(desk, "POST", "/add-checkpoint", content=body)


def test_cosignature_lines_complete_the_note(desk: Desk) -> None:
    """200, and the body put behind the checkpoint verifies under the witness's key."""
    answer = add(desk, LOG_A.request(0, 5))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    witness = COSIGNER.witness()
    assert verify_note(LOG_A.note(5) + answer.content, [witness]).signatures == parse_signatures(answer.content)


def test_conflict_says_the_size(desk: Desk) -> None:
    """409 with the size and a newline, as text/x.tlog.size exactly."""
    add(desk, LOG_A.request(0, 5))
    for body in (LOG_A.request(0, 7), LOG_A.request(4, 7)):
        answer = add(desk, body)
        assert (answer.status_code, answer.content) == (409, b"5\n")
        assert answer.headers["Content-Type"] == "text/x.tlog.size"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (lambda: b"", 400),
        (lambda: b"old 5\n\nnot a note", 400),
        (lambda: LOG_A.request(5, 7).replace(b"old 5", b"old 05"), 400),
        (lambda: LOG_A.request(5, 7).replace(b"old 5", b"old -5"), 400),
        (lambda: LOG_A.request(5, 7).replace(b"old 5", b"OLD 5"), 400),
        (lambda: LOG_A.request(5, 7).replace(b"\n", b"\r\n"), 400),
        (lambda: LOG_A.request(5, 7)[:-1], 400),
        (lambda: LOG_A.request(5, 7).replace(b"old 5", b"old 8"), 400),
        (lambda: LOG_A.request(5, 7).replace(b"\n\n", b"\n" + b"A" * 43 + b"=\n" + b"A" * 42 + b"==\n\n", 1), 400),
        (lambda: b"old 5\n" + (b"A" * 43 + b"=\n") * 64 + b"\n" + LOG_A.note(7), 400),
        (lambda: Log(7, signer=type(LOG)("other.example", b"o" * 32)).request(0, 7), 404),
        (lambda: Log(7, signer=type(LOG)(ORIGIN, b"o" * 32)).request(5, 7), 403),
        (lambda: Log(7, twist=b"!").request(5, 7), 422),
    ],
)
def test_refusals(desk: Desk, body: Callable[[], bytes], status: int) -> None:
    """Each with its status and a JSON reason."""
    add(desk, LOG_A.request(0, 5))
    answer = add(desk, body())
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"reason", "message"}
    assert desk.judge.sizes() == {ORIGIN: 5}


def test_63_proof_lines_are_well_formed(desk: Desk) -> None:
    """As many as C2SP allows: refused for what they prove, not for how many they are."""
    add(desk, LOG_A.request(0, 5))
    assert add(desk, b"old 5\n" + (b"A" * 43 + b"=\n") * 63 + b"\n" + LOG_A.note(7)).status_code == 422


def test_too_long_is_413(desk: Desk) -> None:
    """Cut off while it is read, whatever its length claims."""
    assert add(desk, b"o" * MAX_REQUEST_BYTES).status_code == 400

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1000):
            yield b"o" * 10_000

    answer = ask(desk, "POST", "/add-checkpoint", content=endless())
    assert (answer.status_code, answer.headers["Connection"]) == (413, "close")


def test_body_that_never_ends_is_408(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends a byte now and then is not waited for."""
    monkeypatch.setattr(witness_app, "_BODY_SECONDS", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        while True:
            yield b"o"
            await asyncio.sleep(0.01)

    assert ask(desk, "POST", "/add-checkpoint", content=slow()).status_code == 408


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_adds(desk: Desk, method: str) -> None:
    """405, and which method there is."""
    answer = ask(desk, method, "/add-checkpoint")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_monitors_read_the_latest_checkpoint(desk: Desk) -> None:
    """Under the hash of the origin; with both signatures; 404 before there is one and for any other name."""
    assert ask(desk, "GET", PATH).status_code == 404
    line = add(desk, LOG_A.request(0, 5)).content
    assert ask(desk, "GET", PATH).content == LOG_A.note(5) + line
    assert add_signatures(LOG_A.note(5), *parse_signatures(line)) == LOG_A.note(5) + line
    for path in (PATH.upper().replace("CHECKPOINT", "checkpoint"), "/x/checkpoint", f"/{ORIGIN}/checkpoint", "/"):
        assert ask(desk, "GET", path).status_code == 404


def test_health_shows_clock_and_sizes(desk: Desk) -> None:
    """For the operator of the witness."""
    add(desk, LOG_A.request(0, 5))
    health = ask(desk, "GET", "/health").json()
    assert (health["status"], health["witness"], health["clock"]) == ("ok", COSIGNER.name, "manual")
    assert health["logs"] == {ORIGIN: 5}


def test_clock_set_back_is_503(desk: Desk) -> None:
    """Not the log's fault, and not cosigned."""
    add(desk, LOG_A.request(0, 5))
    desk.clock.jump(NOON - timedelta(hours=1))
    answer = add(desk, LOG_A.request(5, 7))
    assert (answer.status_code, answer.json()["reason"]) == (503, "WITNESS_CLOCK")


def test_state_that_cannot_be_used_is_503(desk: Desk) -> None:
    """Nothing is cosigned that cannot be remembered."""
    desk.state.close()
    for method, path in (("POST", "/add-checkpoint"), ("GET", "/health"), ("GET", PATH)):
        answer = ask(desk, method, path, content=LOG_A.request(0, 5) if method == "POST" else None)
        assert (answer.status_code, answer.json()["reason"]) == (503, "WITNESS_STATE")


def test_damaged_state_is_503(desk: Desk) -> None:
    """What cannot be read is not taken for nothing."""
    add(desk, LOG_A.request(0, 5))
    desk.state._connection.execute("UPDATE seen SET root = 'x'")
    assert add(desk, LOG_A.request(5, 7)).status_code == 503
    assert add(desk, LOG_A.request(0, 7)).status_code == 503
