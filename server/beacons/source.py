"""Where the server gets rounds from: over HTTP, verified before anything else sees them.

A source asks and verifies; it never waits for a round, never repeats a request by itself and has no
second choice of beacon: another value would be a second outcome. Whoever calls waits and asks again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import httpx2

from assign.draw.beacon import BeaconInfo, DrandBeacon, LocalBeacon, LocalVerifier, beacon_value
from assign.draw.beacon_drand import SIGNATURE_BYTES
from assign.draw.beacon_info import parse_hex
from assign.draw.beacon_local import ELEMENT_BYTES
from assign.encoding import lp
from assign.errors import AssignError, Corrupt, InvalidInput, Unavailable

__all__ = ["BeaconSource", "DrandSource", "LocalSource"]

_DEADLINE_SECONDS = 5.0
# The largest answer of drand is under 400 bytes.
_MAX_ANSWER_BYTES = 4096

_TOO_EARLY = 425
_EARLY = "BEACON_ROUND_EARLY"
# What a party can do wrong, gravest first.
_FAULTS = ("BEACON_PARTY_FORGED", "BEACON_PARTY_EARLY", "BEACON_PARTY_SILENT")

_log = logging.getLogger(__name__)


class BeaconSource(Protocol):
    """Fetches rounds of one pinned beacon."""

    @property
    def info(self) -> BeaconInfo:
        """The pin that everything is verified against."""
        ...

    async def fetch(self, round_number: int) -> bytes:
        """The verified evidence of the round.

        Raises Unavailable if it cannot be had now, Corrupt if what came is not the beacon's, InvalidInput
        outside 1..info.last_round.
        """
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...


class LocalSource:
    """Asks every party of a local beacon; the round is there when all have opened it.

    Args:
        info: the pin.
        urls: for each party's name its base URLs (`http://host:port`), tried in order: the party itself
            and any relays that copy it.
        deadline_seconds: for each request as a whole.

    Raises InvalidInput unless `urls` has exactly the pinned parties, each with a URL.
    """

    def __init__(
        self,
        info: LocalBeacon,
        urls: Mapping[str, Sequence[str]],
        *,
        deadline_seconds: float = _DEADLINE_SECONDS,
    ) -> None:
        names = [party.name for party in info.parties]
        if set(urls) != set(names):
            raise InvalidInput("BEACON_PARTIES", f"URLs are needed for exactly these parties: {', '.join(names)}.")
        self.info = info
        self._urls = [_base_urls(urls[name]) for name in names]
        self._verifier = LocalVerifier(info)
        self._deadline_seconds = deadline_seconds
        # Parties are neighbours: a proxy of the environment has no business here.
        self._client = httpx2.AsyncClient(trust_env=False)

    async def fetch(self, round_number: int) -> bytes:
        """The verified evidence: every party's element, in the pinned order.

        Raises Corrupt `BEACON_PARTY_FORGED` if a party gave only values that it had not committed to,
        else Unavailable `BEACON_PARTY_EARLY` or `BEACON_PARTY_SILENT`; the message names every party
        at fault. InvalidInput for a round outside the chain.
        """
        self.info.time_of_round(round_number)
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(self._ask_party(index, round_number)) for index in range(len(self._urls))]
        elements: list[bytes] = []
        faults: dict[str, AssignError] = {}
        for party, task in zip(self.info.parties, asked, strict=True):
            answer = task.result()
            if isinstance(answer, bytes):
                elements.append(answer)
            else:
                faults[party.name] = answer
        if faults:
            raise _blame(round_number, faults)
        return lp(*elements)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask_party(self, index: int, round_number: int) -> bytes | AssignError:
        """The party's verified element, or the gravest thing that went wrong."""
        party = self.info.parties[index].name
        faults: list[AssignError] = []
        for url in self._urls[index]:
            try:
                return await self._ask(url, index, round_number)
            except AssignError as error:
                _log.warning("beacon party %s, round %d, at %s: %s", party, round_number, _host(url), error)
                faults.append(error)
        return min(faults, key=lambda error: _FAULTS.index(_fault(error)))

    async def _ask(self, url: str, index: int, round_number: int) -> bytes:
        answer = await _get_round(self._client, url, round_number, self._deadline_seconds)
        element = parse_hex(answer.get("preimage"), ELEMENT_BYTES, "preimage")
        # Off the event loop: the first round after a start may be millions of hashes away.
        await asyncio.to_thread(self._verifier.verify_party, index, round_number, element)
        return element


class DrandSource:
    """Asks the relays of a drand chain in order until one has the round.

    Args:
        info: the pin.
        relays: base URLs, such as `https://api.drand.sh`.
        deadline_seconds: for each request as a whole.

    A proxy is taken from the environment as usual. Raises InvalidInput without a usable URL.
    """

    def __init__(
        self, info: DrandBeacon, relays: Sequence[str], *, deadline_seconds: float = _DEADLINE_SECONDS
    ) -> None:
        self.info = info
        self._relays = _base_urls(relays)
        self._verifier = info.verifier()
        self._deadline_seconds = deadline_seconds
        self._client = httpx2.AsyncClient()

    async def fetch(self, round_number: int) -> bytes:
        """The verified signature of the round, 48 bytes.

        Raises Unavailable `BEACON_RELAYS_SILENT` if no relay has it, Corrupt `BEACON_RELAY_FORGED` if none
        has it and one gave something else instead, InvalidInput for a round outside the chain.
        """
        self.info.time_of_round(round_number)
        failures: list[str] = []
        forged = False
        for relay in self._relays:
            try:
                return await self._ask_relay(relay, round_number)
            except AssignError as error:
                _log.warning("drand relay %s, round %d: %s", _host(relay), round_number, error)
                failures.append(f"{_host(relay)} ({error.reason})")
                forged = forged or isinstance(error, Corrupt)
        message = f"No relay gave a valid round {round_number}: {', '.join(failures)}."
        raise Corrupt("BEACON_RELAY_FORGED", message) if forged else Unavailable("BEACON_RELAYS_SILENT", message)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask_relay(self, relay: str, round_number: int) -> bytes:
        base = f"{relay}/{self.info.chain_hash.hex()}"
        answer = await _get_round(self._client, base, round_number, self._deadline_seconds)
        signature = parse_hex(answer.get("signature"), SIGNATURE_BYTES, "signature")
        await asyncio.to_thread(self._verifier.verify, round_number, signature)
        # Never used; but a relay that states another value than the signature's is caught lying.
        randomness = beacon_value(signature).hex()
        if answer.get("randomness", randomness) != randomness:
            raise Corrupt("BEACON_RANDOMNESS_FORGED", "The relay's randomness is not the hash of its signature.")
        return signature


async def _get_round(
    client: httpx2.AsyncClient, base: str, round_number: int, deadline_seconds: float
) -> dict[str, Any]:
    """The JSON object at `base`/public/`round_number`.

    Raises Unavailable if there is none in time, Corrupt if it speaks of another round.
    """
    try:
        async with asyncio.timeout(deadline_seconds):
            status, body = await _get(client, f"{base}/public/{round_number}")
    except (httpx2.HTTPError, TimeoutError) as error:
        raise Unavailable("BEACON_NO_ANSWER", f"No answer: {type(error).__name__}.") from None
    if status == _TOO_EARLY:
        raise Unavailable(_EARLY, "By its clock the round is not due yet.")
    if status != httpx2.codes.OK:
        raise Unavailable("BEACON_NO_ANSWER", f"It answered with HTTP status {status}.")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Unavailable("BEACON_NO_ANSWER", f"Its answer is not a JSON object of at most {_MAX_ANSWER_BYTES} bytes.")
    if answer.get("round") != round_number:
        raise Corrupt("BEACON_ROUND_FORGED", "It answered with another round.")
    return answer


async def _get(client: httpx2.AsyncClient, url: str) -> tuple[int, bytes]:
    """Status and body, the body cut right after the largest size that is read."""
    # Raw and uncompressed: a few compressed bytes cannot become many.
    async with client.stream("GET", url, headers={"Accept-Encoding": "identity"}, timeout=None) as response:
        body = b""
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > _MAX_ANSWER_BYTES:
                return response.status_code, b""
        return response.status_code, body


def _fault(error: AssignError) -> str:
    """Which of the three things that a party can do wrong this is."""
    if isinstance(error, Corrupt):
        return "BEACON_PARTY_FORGED"
    return "BEACON_PARTY_EARLY" if error.reason == _EARLY else "BEACON_PARTY_SILENT"


def _blame(round_number: int, faults: Mapping[str, AssignError]) -> AssignError:
    """One error that names every party at fault, with the gravest reason."""
    reason = min((_fault(error) for error in faults.values()), key=_FAULTS.index)
    kind = Corrupt if reason == "BEACON_PARTY_FORGED" else Unavailable
    named = " ".join(f"Party {name}: {error.message}" for name, error in faults.items())
    return kind(reason, f"Round {round_number} is not complete. {named}")


def _base_urls(urls: Sequence[str]) -> list[str]:
    if isinstance(urls, str) or not urls:
        raise InvalidInput("BEACON_URL", "At least one URL is needed for a party or a chain.")
    for text in urls:
        try:
            url = httpx2.URL(text)
        except (httpx2.InvalidURL, TypeError):
            raise InvalidInput("BEACON_URL", "A beacon's URL is malformed.") from None
        # No name or password either: what is asked for is public, and URLs end up in logs.
        if url.scheme not in {"http", "https"} or not url.host or url.query or url.fragment or url.userinfo:
            raise InvalidInput("BEACON_URL", "A beacon's URL is http(s)://host[:port][/path].")
    return [text.rstrip("/") for text in urls]


def _host(url: str) -> str:
    return httpx2.URL(url).netloc.decode()
