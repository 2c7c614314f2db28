"""Collects cosignatures on one port's log: in rounds, each about one checkpoint, so that a quorum meets on one.

A round shows the newest checkpoint to every witness at once. It ends with the quorum, or when each has answered
or run out of time; a witness that is still being waited for is left out of the next. A round follows each freeze,
and another when the log has grown for a while. Nothing else ever waits for a witness.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2
import structlog
from sqlalchemy.engine import Connection

from assign.errors import AssignError, Unavailable
from assign.log.cosignature import cosigned_at
from assign.log.note import Note, Signature, parse_note
from assign.log.tiles import prove_consistency
from assign.names import Port
from server.clock import Clock
from server.cosigning.client import WitnessClient
from server.cosigning.settings import WitnessesConfig
from server.sequencer import Sequencer
from server.storage.cosignatures import add_cosignatures, find_cosigned
from server.storage.ledger import read_head, tile_reader
from server.storage.reader import Reader

__all__ = ["CosignatureCollector", "running_collectors"]

_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 30.0
_CLOCK_SECONDS = 60.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Target:
    """The checkpoint of a round: as the log signed it, and who cosigned it before."""

    size: int
    note: Note
    cosigned: frozenset[tuple[str, bytes]]


class CosignatureCollector:
    """Runs one port's rounds. `wake` when the log holds something that should be witnessed soon.

    Attributes:
        counts: answers so far by (witness, outcome); the outcome is `cosigned` or the reason of the failure.
    """

    def __init__(
        self,
        port: Port,
        witnesses: Sequence[WitnessClient],
        sequencer: Sequencer,
        reader: Reader,
        clock: Clock,
        *,
        quorum: int,
        interval_seconds: float,
        deadline_seconds: float,
    ) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()
        self._port = port
        self._witnesses = witnesses
        self._sequencer = sequencer
        self._reader = reader
        self._clock = clock
        self._quorum = quorum
        self._interval_seconds = interval_seconds
        self._deadline_seconds = deadline_seconds
        self._woken = asyncio.Event()
        self._asking: dict[str, asyncio.Task[bool]] = {}

    def wake(self) -> None:
        """Begin a round as soon as the present one has ended."""
        self._woken.set()

    async def settle(self) -> None:
        """Wait for the requests that are on their way now, at most as long as one may take."""
        if self._asking:
            await asyncio.wait([*self._asking.values()], timeout=self._deadline_seconds)

    async def run(self) -> None:
        """Run until cancelled. Nothing that fails stops it: it says so and tries again."""
        retry_seconds = _FIRST_RETRY_SECONDS
        try:
            while True:
                self._woken.clear()
                if await self._try_round():
                    retry_seconds = _FIRST_RETRY_SECONDS
                    await self._pause(self._interval_seconds)
                else:
                    await self._pause(min(retry_seconds, self._interval_seconds))
                    retry_seconds = min(2 * retry_seconds, _LAST_RETRY_SECONDS)
        finally:
            for task in self._asking.values():
                task.cancel()
            await asyncio.gather(*self._asking.values(), return_exceptions=True)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _try_round(self) -> bool:
        """One round; whether the newest checkpoint has its quorum at the end."""
        try:
            target = await self._reader.run(self._newest)
        except AssignError as error:
            _log.error("no checkpoint can be shown to the witnesses", port=self._port, reason=error.reason)
            return False
        if target is None:
            return True
        known = {(client.name, client.witness.key_id) for client in self._witnesses}
        count = len(target.cosigned & known)
        waiting = {
            self._ask(client, target)
            for client in self._witnesses
            if client.name not in self._asking and (client.name, client.witness.key_id) not in target.cosigned
        }
        while waiting and count < self._quorum:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            count += sum(task.result() for task in done)
        if count < self._quorum:
            _log.error(
                "too few witnesses cosigned", port=self._port, size=target.size, cosigned=count, quorum=self._quorum
            )
        return count >= self._quorum

    def _newest(self, connection: Connection) -> _Target | None:
        edge, signed = read_head(connection, self._port)
        if edge.size == 0:
            return None
        stored = find_cosigned(connection, self._port, edge.size)
        cosigned = () if stored is None else parse_note(stored).signatures
        return _Target(edge.size, parse_note(signed), frozenset((item.name, item.key_id) for item in cosigned))

    def _ask(self, client: WitnessClient, target: _Target) -> asyncio.Task[bool]:
        task = asyncio.create_task(self._cosign(client, target))
        self._asking[client.name] = task
        task.add_done_callback(lambda _: self._asking.pop(client.name))
        return task

    async def _cosign(self, client: WitnessClient, target: _Target) -> bool:
        """Whether the witness cosigned, and its cosignature is stored. What goes wrong is told, not raised."""

        async def prove(size: int) -> tuple[bytes, ...]:
            return await self._reader.run(
                lambda connection: prove_consistency(size, target.size, tile_reader(connection, self._port))
            )

        try:
            signature = await client.cosign(target.note, prove)
            note = target.note.encode()
            await self._sequencer.run(
                lambda unit: add_cosignatures(unit.connection, self._port, target.size, note, [signature])
            )
        except AssignError as error:
            await self._tell(client, target, error)
            return False
        except Exception:
            _log.exception("a witness could not be asked", port=self._port, witness=client.name)
            self.counts[client.name, "INTERNAL"] += 1
            return False
        self.counts[client.name, "cosigned"] += 1
        self._check_clock(client, signature)
        return True

    def _check_clock(self, client: WitnessClient, signature: Signature) -> None:
        """A witness with a wrong clock cosigns too late, or proves less than it seems to: the operator is told."""
        off_seconds = cosigned_at(signature.value) - self._clock.now().timestamp()
        if abs(off_seconds) > _CLOCK_SECONDS:
            self.counts[client.name, "WITNESS_CLOCK"] += 1
            _log.warning("a witness's clock is off", port=self._port, witness=client.name, seconds=round(off_seconds))

    async def _tell(self, client: WitnessClient, target: _Target, error: AssignError) -> None:
        self.counts[client.name, error.reason] += 1
        event = "witness did not cosign"
        if error.reason == "WITNESS_FORK":
            event = "WITNESS SAW ANOTHER LOG: this store was forked or rolled back"
        elif error.reason == "WITNESS_AHEAD" and client.size > await self._present_size():
            event = "WITNESS SAW A LONGER LOG: this store was rolled back"
        _log.error(
            event,
            port=self._port,
            witness=client.name,
            size=target.size,
            witness_size=client.size,
            reason=error.reason,
            cause=error.message,
            failures=self.counts[client.name, error.reason],
        )

    async def _present_size(self) -> int:
        try:
            edge, _ = await self._reader.run(lambda connection: read_head(connection, self._port))
        except Unavailable:
            return 0
        return edge.size


@asynccontextmanager
async def running_collectors(
    settings: WitnessesConfig | None, ports: Sequence[str], sequencer: Sequencer, reader: Reader, clock: Clock
) -> AsyncIterator[dict[str, CosignatureCollector]]:
    """The collectors of all ports, by port, while they run; none where no witnesses are configured."""
    if settings is None:
        yield {}
        return
    async with httpx2.AsyncClient(timeout=settings.deadline_seconds) as http:
        collectors = {port: _collector(settings, Port(port), http, sequencer, reader, clock) for port in ports}
        tasks = [asyncio.create_task(collector.run()) for collector in collectors.values()]
        try:
            yield collectors
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _collector(
    settings: WitnessesConfig, port: Port, http: httpx2.AsyncClient, sequencer: Sequencer, reader: Reader, clock: Clock
) -> CosignatureCollector:
    deadline_seconds = settings.deadline_seconds
    witnesses = [
        WitnessClient(member.witness, member.url, client=http, deadline_seconds=deadline_seconds)
        for member in settings.members
    ]
    return CosignatureCollector(
        port,
        witnesses,
        sequencer,
        reader,
        clock,
        quorum=settings.quorum,
        interval_seconds=settings.interval_seconds,
        deadline_seconds=deadline_seconds,
    )
