"""Relays that lie, stall and babble, over real HTTP: nothing unverified gets through."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from beacon_chains import LENGTH_ROUNDS, beacon_of, chain_of, evidence_of
from http_relays import Answer, relay

from assign.draw.beacon import LocalBeacon, beacon_value, quicknet
from assign.errors import Corrupt, InvalidInput, Unavailable
from server.beacons.source import DrandSource, LocalSource

_VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[1] / "vectors/drand-quicknet.json").read_text())
_ROUNDS = {r["round"]: r for r in _VECTORS["rounds"]}
_HASH = _VECTORS["chain"]["hash"]
_A, _B = chain_of("a"), chain_of("b")
_INFO = beacon_of(_A, _B)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def _json(**fields: object) -> Callable[[str], Answer]:
    body = json.dumps(fields).encode()
    return lambda path: (200, body)


def _honest_drand(path: str) -> Answer:
    chain, _, number = path.removeprefix("/").partition("/public/")
    return (200, json.dumps(_ROUNDS[int(number)]).encode()) if chain == _HASH else (404, b"{}")


def _party(chain: Any) -> Callable[[str], Answer]:
    def answer(path: str) -> Answer:
        number = int(path.removeprefix("/public/"))
        return 200, json.dumps({"round": number, "preimage": chain.element(number).hex()}).encode()

    return answer


def _fetch_drand(relays: Sequence[str], round_number: int = 1000, deadline_seconds: float = 5) -> bytes:
    async def fetch() -> bytes:
        source = DrandSource(quicknet(), relays, deadline_seconds=deadline_seconds)
        try:
            return await source.fetch(round_number)
        finally:
            await source.close()

    return asyncio.run(fetch())


def _fetch_local(
    urls: dict[str, list[str]], round_number: int = 7, deadline_seconds: float = 5, info: LocalBeacon = _INFO
) -> bytes:
    async def fetch() -> bytes:
        source = LocalSource(info, urls, deadline_seconds=deadline_seconds)
        try:
            return await source.fetch(round_number)
        finally:
            await source.close()

    return asyncio.run(fetch())


@pytest.mark.parametrize("round_number", _ROUNDS)
def test_an_honest_relay_is_believed(round_number: int) -> None:
    """Asked for the round of this chain by its hash; the signature comes back."""
    asked: list[str] = []
    with relay(_honest_drand, asked=asked) as url:
        signature = _fetch_drand([url + "/"], round_number)
    assert beacon_value(signature).hex() == _ROUNDS[round_number]["randomness"]
    assert asked == [f"/{_HASH}/public/{round_number}"]


def test_a_relay_without_randomness_is_believed() -> None:
    """The field is never used."""
    with relay(_json(round=1000, signature=_ROUNDS[1000]["signature"])) as url:
        assert _fetch_drand([url]).hex() == _ROUNDS[1000]["signature"]


_DRAND_LIES = {
    "forged randomness": _json(**(_ROUNDS[1000] | {"randomness": "00" * 32})),
    "randomness of another round": _json(**(_ROUNDS[1000] | {"randomness": _ROUNDS[657413]["randomness"]})),
    "randomness of another type": _json(**(_ROUNDS[1000] | {"randomness": None})),
    "another round": _json(**_ROUNDS[657413]),
    "another round under this number": _json(**(_ROUNDS[657413] | {"round": 1000})),
    "this signature under another number": _json(**(_ROUNDS[1000] | {"round": 1001})),
    "truncated point": _json(**(_ROUNDS[1000] | {"signature": _ROUNDS[1000]["signature"][:-2]})),
    "infinity": _json(**(_ROUNDS[1000] | {"signature": "c0" + "00" * 47})),
    "upper case": _json(**(_ROUNDS[1000] | {"signature": _ROUNDS[1000]["signature"].upper()})),
    "no signature": _json(round=1000),
    "signature of another type": _json(round=1000, signature=[1]),
}


@pytest.mark.parametrize("lie", _DRAND_LIES)
def test_a_lying_relay_is_refused_and_named(lie: str) -> None:
    """Alone it is an error that names it; before an honest relay it changes nothing."""
    with relay(_DRAND_LIES[lie]) as liar, relay(_honest_drand) as honest:
        with pytest.raises(Corrupt, match="BEACON_RELAY_FORGED") as caught:
            _fetch_drand([liar])
        assert liar.removeprefix("http://") in caught.value.message
        assert _fetch_drand([liar, honest]).hex() == _ROUNDS[1000]["signature"]


_NONSENSE: dict[str, Callable[[str], Answer]] = {
    "not there yet": lambda path: (404, b"{}"),
    "too early": lambda path: (425, b"{}"),
    "broken": lambda path: (500, b"oops"),
    "redirect": lambda path: (302, b""),
    "web page": lambda path: (200, b"<html>"),
    "list": lambda path: (200, b"[]"),
    "deep": lambda path: (200, b"[" * 4000),
    "not UTF-8": lambda path: (200, b'{"round":1000,"\xff":1}'),
    "huge": lambda path: (200, b'{"round":1000,"x":"' + b"a" * 10_000_000 + b'"}'),
    "empty": lambda path: (200, b""),
}


@pytest.mark.parametrize("nonsense", _NONSENSE)
def test_a_useless_relay_is_passed_over(nonsense: str) -> None:
    """It is no proof of a lie, and the next relay is asked."""
    with relay(_NONSENSE[nonsense]) as useless, relay(_honest_drand) as honest:
        with pytest.raises(Unavailable, match="BEACON_RELAYS_SILENT"):
            _fetch_drand([useless])
        assert _fetch_drand([useless, honest]).hex() == _ROUNDS[1000]["signature"]
        with pytest.raises(Unavailable, match="BEACON_PARTY_"):
            _fetch_local({"a": [useless], "b": [useless]})


def test_a_stalling_relay_costs_one_deadline() -> None:
    """A byte now and then does not keep the request alive."""
    release = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def drip() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not release.wait(0.05):
                try:
                    connection.sendall(b" ")
                except OSError:
                    return

    thread = threading.Thread(target=drip)
    thread.start()
    started = time.monotonic()
    try:
        with relay(_honest_drand) as honest:
            slow = f"http://127.0.0.1:{listener.getsockname()[1]}"
            assert _fetch_drand([slow, honest], deadline_seconds=0.4).hex() == _ROUNDS[1000]["signature"]
    finally:
        release.set()
        thread.join()
        listener.close()
    assert 0.4 <= time.monotonic() - started < 3


def test_a_closed_port_is_silence() -> None:
    """For a drand relay and for a party."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dead = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(Unavailable, match="BEACON_RELAYS_SILENT"):
        _fetch_drand([dead])
    with relay(_party(_B)) as honest, pytest.raises(Unavailable, match="BEACON_PARTY_SILENT") as caught:
        _fetch_local({"a": [dead], "b": [honest]})
    assert "Party a:" in caught.value.message
    assert "Party b:" not in caught.value.message


def test_a_relay_of_a_party_that_lies_changes_nothing() -> None:
    """The next URL of the same party is asked; the evidence is the one there is."""
    with relay(_party(_B)) as liar, relay(_party(_A)) as a, relay(_party(_B)) as b:
        assert _fetch_local({"a": [liar, a], "b": [b]}) == evidence_of(7, _A, _B)


@pytest.mark.parametrize(
    "lie",
    [
        _json(round=7, preimage="00" * 32),
        _json(round=7, preimage=_A.element(8).hex()),
        _json(round=8, preimage=_A.element(7).hex()),
        _json(round=7, preimage=_A.element(7).hex()[:-2]),
        _json(round=7),
        _party(_B),
    ],
)
def test_a_lying_party_is_named(lie: Callable[[str], Answer]) -> None:
    """No other value, however near, and never another party's."""
    with relay(lie) as liar, relay(_party(_B)) as b, pytest.raises(Corrupt, match="BEACON_PARTY_FORGED") as caught:
        _fetch_local({"a": [liar], "b": [b]})
    assert "Party a:" in caught.value.message
    assert "Party b:" not in caught.value.message


def test_the_gravest_fault_gives_the_reason_and_all_are_named() -> None:
    """A lie before a slow clock before silence."""
    with relay(_json(round=7, preimage="00" * 32)) as liar, relay(lambda path: (425, b"{}")) as early:
        with pytest.raises(Corrupt, match="BEACON_PARTY_FORGED") as caught:
            _fetch_local({"a": [early], "b": [liar]})
        assert "Party a:" in caught.value.message
        assert "Party b:" in caught.value.message
        with pytest.raises(Unavailable, match="BEACON_PARTY_EARLY"):
            _fetch_local({"a": [early], "b": ["http://127.0.0.1:1"]})
        with pytest.raises(Corrupt, match="BEACON_PARTY_FORGED"):
            _fetch_local({"a": [early, liar], "b": [early]})


def test_sources_are_configured_strictly() -> None:
    """Exactly the pinned parties, real URLs, existing rounds; no password in a URL."""
    with pytest.raises(InvalidInput, match="BEACON_PARTIES"):
        LocalSource(_INFO, {"a": ["http://127.0.0.1:1"]})
    with pytest.raises(InvalidInput, match="BEACON_PARTIES"):
        LocalSource(_INFO, {name: ["http://127.0.0.1:1"] for name in "abc"})
    for urls in (
        [],
        "http://x",
        ["ftp://x"],
        ["http://"],
        ["x"],
        ["http://x?q"],
        ["http://x:y:z"],
        [""],
        ["http://x\n"],
        ["http://user:password@x"],
    ):
        with pytest.raises(InvalidInput, match="BEACON_URL"):
            DrandSource(quicknet(), urls)
    for round_number in (0, LENGTH_ROUNDS + 1):
        with pytest.raises(InvalidInput, match="BEACON_ROUND_RANGE"):
            _fetch_local({"a": ["http://127.0.0.1:1"], "b": ["http://127.0.0.1:1"]}, round_number)
