"""Bytes from anyone: a witness refuses them in order, and remembers nothing of them."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import httpx2
from hypothesis import given, settings
from hypothesis import strategies as st
from witness_site import LOG, ORIGIN, Desk, Log

from assign.errors import Corrupt
from assign.log.note import sign_note
from server.witness.app import create_witness_app
from server.witness.request import AddCheckpoint, parse_request

LOG_A = Log(9)
HONEST = LOG_A.request(5, 7)


def _mutations(data: bytes) -> st.SearchStrategy[bytes]:
    """`data` with a stretch replaced by other bytes."""

    def mutate(start: int, length: int, replacement: bytes) -> bytes:
        return data[:start] + replacement + data[start + length :]

    return st.builds(mutate, st.integers(0, len(data)), st.integers(0, 40), st.binary(max_size=40))


_LINES = st.sampled_from(
    [b"old 5", b"old 0", b"old 7", b"old", b"", b"A" * 43 + b"=", ORIGIN.encode(), b"7", b"0", b"\xe2\x80\x94 x AAAA"]
)
_TEXTS = st.builds(
    lambda lines, end: b"\n".join(lines) + end, st.lists(_LINES, max_size=9), st.sampled_from([b"", b"\n"])
)
_SIGNED = st.builds(
    lambda head, lines: head + b"\n\n" + sign_note(b"\n".join(lines) + b"\n", LOG),
    st.sampled_from([b"old 5", b"old 0", b"old 9223372036854775807", b"old 5\n" + b"A" * 43 + b"="]),
    st.lists(_LINES.filter(bool), min_size=1, max_size=4),
)
_BODIES = st.one_of(st.binary(max_size=200), _mutations(HONEST), _TEXTS, _SIGNED)


@settings(max_examples=400)
@given(_BODIES)
def test_parser_knows_only_its_own_errors(body: bytes) -> None:
    """Corrupt or a request that encodes to the very bytes it came from."""
    try:
        request = parse_request(body)
    except Corrupt:
        return
    assert request.encode() == body
    assert parse_request(request.encode()) == request


@given(st.integers(0, 2**63 - 1), st.lists(st.binary(min_size=32, max_size=32), max_size=63))
def test_what_is_written_is_read(old: int, proof: list[bytes]) -> None:
    """Every request there can be."""
    request = AddCheckpoint(old, tuple(proof), parse_request(HONEST).note)
    assert parse_request(request.encode()) == request


@settings(max_examples=200, deadline=None)
@given(st.lists(_BODIES, min_size=1, max_size=5))
def test_only_clean_refusals(bodies: list[bytes]) -> None:
    """A 4xx with its documented body, never a 5xx; only the honest request moves what is remembered."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder) / "w.db")
        desk.judge.cosign(LOG_A.request(0, 5))

        async def send() -> list[httpx2.Response]:
            transport = httpx2.ASGITransport(create_witness_app(desk.judge, desk.clock))
            async with httpx2.AsyncClient(transport=transport, base_url="http://witness") as client:
                return [await client.post("/add-checkpoint", content=body) for body in bodies]

        for body, answer in zip(bodies, asyncio.run(send()), strict=True):
            if body == HONEST and answer.status_code == 200:
                continue
            assert answer.status_code in {400, 403, 404, 409, 422}, (body, answer.text)
            if answer.status_code == 409:
                assert answer.content in {b"5\n", b"7\n"}
            else:
                assert set(answer.json()) == {"reason", "message"}
        assert desk.judge.sizes()[ORIGIN] in ({5, 7} if HONEST in bodies else {5})
        desk.state.close()
