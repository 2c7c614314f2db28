"""What every act works with: clock, clients, promises, screens, and notes of what was seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import grpc
import httpx2

from assign.log.cosignature import Policy, Witness
from assign.log.note import NoteVerifier
from assign.names import OrderId, PersonId
from assign.order import Slot
from assign.person import Pseudonym
from assign.v1 import resources_pb2, wave_service_pb2
from server.auth.access import Role
from server.clock import ClockFile
from server.demo.cargo import PlannedOrder
from server.demo.clients import Client, Clients, Refusal, answer_of, refusal_of
from server.demo.messages import Messages
from server.demo.people import DayShift
from server.demo.planner import GRID
from server.demo.port_day import PortDay
from server.demo.processes import Processes
from server.demo.promises import BrokenPromise, Promises
from server.demo.screens import Screens
from server.demo.workplace import SUPERVISOR, Identity

T = TypeVar("T")

__all__ = ["Attempt", "Journal", "Look", "Replaced", "Sighting", "Stage"]

_WAIT_SECONDS = 60.0
_ACT_SECONDS = 120.0
_POLL_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody tried what he may not, and what the server said; `who` is a role."""

    who: str
    tried: str
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class Sighting:
    """One inspection as an inspector read it."""

    order: str
    container: str
    terminal: str
    start: datetime
    minutes: int
    teammates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Replaced:
    """A drawn person who could not come, and who took over; None where nobody was free."""

    wave: str
    order: str
    absent: PersonId
    substitute: PersonId | None


@dataclass(frozen=True, slots=True)
class Look:
    """A look at an assignment, proven by a receipt.

    Attributes:
        index: of its entry in the log.
        pseudonym: of the person who looked, in the wave's shift.
    """

    shift: str
    person: PersonId
    index: int
    entry: bytes
    pseudonym: Pseudonym


@dataclass(slots=True)
class Journal:
    """What the callers saw over the day.

    Attributes:
        answers: what each person read first, by wave and person; empty: drawn for nothing.
        late_answers: what a substitute read after a replacement.
        replaced: who was replaced, over the day.
        waves: each wave as it was last seen.
        look_indexes: where each person's first look at a wave stands in the log.
        looks: the looks that their persons hold a receipt of.
        shown_attempts: how many of `attempts` were on a screen already.
    """

    answers: dict[tuple[str, PersonId], tuple[Sighting, ...]] = field(default_factory=dict)
    late_answers: dict[tuple[str, PersonId], tuple[Sighting, ...]] = field(default_factory=dict)
    replaced: list[Replaced] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    look_indexes: dict[tuple[str, PersonId], int] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)
    shown_attempts: int = 0
    absent: set[PersonId] = field(default_factory=set)
    reveals: int = 0
    read_seconds: float = 0.0
    waves: dict[str, resources_pb2.Wave] = field(default_factory=dict)


@dataclass(slots=True)
class Stage:
    """The running demonstration.

    Attributes:
        orders, slots: the planned ones, and those that come in over the day.
        party_urls: where the beacon's parties answer, by name.
        log_key: the log's public key, as published.
        witness_urls, witness_keys: where the witnesses answer, and their public keys as published, by name.
    """

    day: PortDay
    clock: ClockFile
    clients: Clients
    processes: Processes
    promises: Promises
    screens: Screens
    messages: Messages
    party_urls: dict[str, str]
    log_key: str
    orders: dict[OrderId, PlannedOrder]
    slots: list[Slot]
    witness_urls: dict[str, str] = field(default_factory=dict)
    witness_keys: dict[str, str] = field(default_factory=dict)
    journal: Journal = field(default_factory=Journal)

    @property
    def policy(self) -> Policy:
        """Whose word the auditor takes for a checkpoint: the log's, and that of every witness."""
        witnesses = tuple(Witness.from_vkey(text) for text in self.witness_keys.values())
        return Policy((NoteVerifier.from_vkey(self.log_key),), witnesses, len(witnesses))

    def slots_of_wave(self, start: datetime) -> list[Slot]:
        """The slots in the wave that starts at `start`."""
        return [slot for slot in self.slots if start <= slot.start < start + GRID]

    def client(self, identity: Identity) -> Client:
        """The connection of `identity`."""
        return self.clients.of(identity)

    def inspector(self, person: PersonId) -> Identity:
        """The inspector with this id."""
        return Identity("person", person, Role.INSPECTOR)

    def selector(self, person: PersonId) -> Identity:
        """The selector with this id."""
        return Identity("person", person, Role.SELECTOR)

    def on_duty(self, shift: DayShift) -> list[PersonId]:
        """Who is on the roster of `shift` and has not been reported absent."""
        return [entry.person for entry in self.day.rosters[shift.shift] if entry.person not in self.journal.absent]

    async def refused(
        self, who: Identity, tried: str, call: Awaitable[object], *, reasons: tuple[str, ...], field_part: str = ""
    ) -> Refusal:
        """Keep the promise that `call` is refused for one of `reasons`; the refusal is noted for the screen."""
        answer = await answer_of(call)
        promise = f"the server refuses: {who.role} {tried}"
        if not isinstance(answer, Refusal):
            raise BrokenPromise(promise, "it was allowed")
        fields = " ".join(path for path, _ in answer.fields)
        seen = f"{answer.code} {answer.reason} {answer.message} {fields}".strip()
        self.promises.keep(promise, answer.reason in reasons and field_part in fields, seen)
        self.journal.attempts.append(Attempt(who.role, tried, answer))
        return answer

    async def play(self, what: str, act: Awaitable[T]) -> T:
        """The result of `act`. What goes wrong in it without being expected is a broken promise too."""
        promise = f"{what} goes as planned"
        try:
            return await asyncio.wait_for(act, _ACT_SECONDS)
        except grpc.aio.AioRpcError as error:
            refusal = refusal_of(error)
            seen = f"{refusal.code} {refusal.reason} {refusal.message}"
        except TimeoutError:
            seen = f"it was not over after {_ACT_SECONDS:.0f} s"
        except (httpx2.HTTPError, OSError) as error:
            seen = f"{type(error).__name__}: {error}"
        self.processes.require_alive()
        raise BrokenPromise(promise, seen)

    async def until(self, what: str, look: Callable[[], Awaitable[bool]]) -> None:
        """Wait in real time, the clock standing still, until `look` says yes."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while not await look():
            self.processes.require_alive()
            if time.monotonic() > deadline:
                raise BrokenPromise(f"{what} within {_WAIT_SECONDS:.0f} s", "it did not happen")
            await asyncio.sleep(_POLL_SECONDS)

    async def wave_reaches(self, name: str, state: resources_pb2.Wave.State.ValueType) -> resources_pb2.Wave:
        """Wait until the wave has this state; the wave as it is then."""
        waves = self.client(SUPERVISOR).waves
        found = resources_pb2.Wave()

        async def look() -> bool:
            found.CopyFrom(await waves.GetWave(wave_service_pb2.GetWaveRequest(name=name)))
            return found.state == state

        label = resources_pb2.Wave.State.Name(state).removeprefix("STATE_").lower()
        await self.until(f"{name} is {label}", look)
        self.journal.waves[name] = found
        return found
