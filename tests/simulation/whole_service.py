"""The service in one process, without network: real store, log, sequencer and conductor on simulated time.

Seeded entropy, a clock that only the test moves and a beacon whose chain is known make a run repeatable to the
byte. `Service.advance` lets the conductor finish what has come due before time goes on.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import structlog
from beacon_chains import evidence_of
from seeded_entropy import SeededEntropy
from sqlalchemy import Engine

from assign.container import check_digit, parse_container_number
from assign.draw.beacon import LocalBeacon, combine_commitments
from assign.encoding import sha256
from assign.errors import Unavailable
from assign.log.note import NoteSigner
from assign.names import AssignmentName, OrderId, PersonId, Port, ShiftId, ShiftName, SlotId, TerminalCode, WaveName
from assign.order import Order, Slot
from assign.person import Person, Screening
from assign.roster import RosterEntry
from assign.verify.bundle import read_bundle
from assign.verify.replay import verify_bundle
from assign.verify.report import Report
from server.actions.approve_replacement import approve_replacement
from server.actions.book_slots import book_slots
from server.actions.cancel_slot import cancel_slot
from server.actions.import_orders import import_orders
from server.actions.import_persons import import_persons
from server.actions.import_roster import import_roster
from server.actions.open_shift import open_shift
from server.actions.report_absence import report_absence
from server.actions.request_replacement import request_replacement
from server.actions.reveal_assignment import Inspection, reveal_assignment
from server.actions.start_log import start_log
from server.auth.access import Role
from server.auth.identity import Caller
from server.beacons.chain_state import ChainState, grow_chain
from server.clock import ManualClock
from server.conductor import Conductor
from server.config import PortConfig
from server.keyring import Keyring
from server.queries.export_bundle import write_port_bundle
from server.sequencer import Sequencer
from server.storage.migrate import migrate
from server.storage.reader import Reader
from server.storage.sqlite import open_readers, open_writer
from server.storage.unit import Services, Unit
from server.storage.waves import StoredReplacement, StoredWave, WaveState, load_wave, waves_of

PORT = Port("NLRTM")
ORIGIN = f"assign.example/{PORT}"
TERMINALS = ("RWG", "HPD2", "EMX", "KRM")
SIGNER = NoteSigner(ORIGIN, sha256(b"the log's key"))
KEY = sha256(b"the key-encryption key")
PERIOD_SECONDS = 30

_T = TypeVar("_T")


def _caller(kind: str, name: str, role: Role, *terminals: str) -> Caller:
    return Caller("system" if kind == "system" else "person", name, role, frozenset(terminals))


OFFICER = _caller("person", "ro-1", Role.ROSTER_OFFICER)
SECURITY = _caller("person", "sec-1", Role.SECURITY_OFFICER)
SUPERVISOR = _caller("person", "sup-1", Role.SUPERVISOR)
APPROVER = _caller("person", "sup-2", Role.SUPERVISOR)
DECLARATIONS = _caller("system", "declarations", Role.DECLARATION_SYSTEM)
PLANNER = _caller("system", "tos", Role.TERMINAL_SYSTEM, *(f"ports/{PORT}/terminals/{code}" for code in TERMINALS))


def inspector(name: str) -> Caller:
    """The inspector of that name."""
    return _caller("person", name, Role.INSPECTOR)


class SettlingClock(ManualClock):
    """A manual clock that knows when the conductor has nothing left to do but wait."""

    def __init__(self, moment: datetime) -> None:
        super().__init__(moment)
        self._asleep = asyncio.Event()
        self._until = moment

    def jump(self, moment: datetime) -> None:
        """Set the time; whoever is woken by it is awake from here on."""
        if moment >= self._until:
            self._asleep.clear()
        super().jump(moment)

    def disturb(self) -> None:
        """The conductor was told to look again: he is awake until he sleeps again."""
        self._asleep.clear()

    async def sleep_until(self, moment: datetime) -> None:
        """As in `ManualClock`."""
        if moment > self.now():
            self._until = moment
            self._asleep.set()
        await super().sleep_until(moment)

    def due(self) -> datetime:
        """What the conductor waits for."""
        return self._until

    async def settled(self) -> None:
        """Return once the conductor waits for a time to come."""
        async with asyncio.timeout(60):
            await self._asleep.wait()


class Beacon:
    """Two parties' chains in memory; while `is_down` nobody answers."""

    def __init__(self, genesis: datetime, *, days: float) -> None:
        rounds = int(days * 86_400) // PERIOD_SECONDS
        self.chains: list[ChainState] = [
            grow_chain(
                name=name,
                period_seconds=PERIOD_SECONDS,
                genesis=genesis,
                length_rounds=rounds,
                secret=sha256(name.encode()),
            )
            for name in ("customs", "port")
        ]
        self.info: LocalBeacon = combine_commitments([chain.commitment for chain in self.chains])
        self.is_down = False
        self.asked: list[int] = []

    async def fetch(self, round_number: int) -> bytes:
        """The evidence of a round."""
        self.asked.append(round_number)
        if self.is_down:
            raise Unavailable("BEACON_PARTY_SILENT", "Nobody answers.")
        return evidence_of(round_number, *self.chains)

    async def close(self) -> None:
        """Nothing is open."""


class Service:
    """One port's service. Made by `running`."""

    def __init__(
        self, store: Path, *, start: datetime, beacon: Beacon, seed: int, settings: dict[str, int] | None = None
    ) -> None:
        self.url = f"sqlite:///{store}"
        self.clock = SettlingClock(start)
        self.beacon = beacon
        self.entropy = SeededEntropy(seed)
        values = {"embargo_seconds": 600, "cooldown_hours": 1, **(settings or {})}
        self.config = PortConfig.model_validate({"port": PORT, "origin": ORIGIN, "terminals": [*TERMINALS], **values})
        self.services = Services(
            ports={PORT: self.config},
            signers={PORT: SIGNER},
            keyring=Keyring(KEY, entropy=self.entropy),
            entropy=self.entropy,
            beacon_pin=beacon.info.to_json(),
            clock_name=self.clock.name,
            code_version="assign/test",
        )
        self._numbers = itertools.count(1)
        self.readers: Engine
        self.sequencer: Sequencer
        self.reader: Reader
        self.conductor: Conductor

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Service]:
        """Start as `assign serve` does, and stop in the reverse order; may be done again after a stop."""
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        writer, self.readers = open_writer(self.url), open_readers(self.url)
        migrate(writer)
        self.sequencer = Sequencer(writer, self.services, self.clock)
        self.sequencer.start()
        self.reader = Reader(self.readers)
        task: asyncio.Task[None] | None = None
        try:
            await self.act(lambda unit: start_log(unit, PORT, access_digest=sha256(b"access"), store_kind="sqlite"))
            self.conductor = Conductor(PORT, self.sequencer, self.reader, self.beacon, self.clock)
            self.clock.disturb()
            task = asyncio.create_task(self.conductor.run())
            yield self
        finally:
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            self.reader.close()
            await self.sequencer.stop()
            writer.dispose()
            self.readers.dispose()

    async def act(self, action: Callable[[Unit], _T]) -> _T:
        """Run an action as the server does."""
        return await self.sequencer.run(action)

    async def advance(self, moment: datetime) -> None:
        """Let time pass in steps, so that the conductor does everything at its time."""
        await self.clock.settled()
        while self.clock.due() <= moment:
            self.clock.advance_to(self.clock.due())
            await self.clock.settled()
        self.clock.advance_to(max(moment, self.clock.now()))

    # What people do

    async def open(self, shift: str, start: datetime, end: datetime) -> ShiftName:
        """Open a shift."""
        name = ShiftName(PORT, ShiftId(shift))
        await self.act(lambda unit: open_shift(unit, OFFICER, name, start, end))
        self.clock.disturb()
        self.conductor.wake()
        await self.clock.settled()
        return name

    async def clear(self, names: Sequence[str], *, until: datetime) -> None:
        """These people are cleared until then."""
        screening = Screening(certificate_until=until, signal_open=False, interviewed=True)
        people = [Person(person=PersonId(name), screening=screening, recused_parties=frozenset()) for name in names]
        await self.act(lambda unit: import_persons(unit, SECURITY, PORT, people))

    async def roster(self, name: ShiftName, entries: Sequence[RosterEntry]) -> None:
        """Put people on a shift's roster."""
        await self.act(lambda unit: import_roster(unit, OFFICER, name, entries))

    async def order(self, orders: Sequence[Order]) -> None:
        """Import orders."""
        await self.act(lambda unit: import_orders(unit, DECLARATIONS, PORT, orders))

    async def book(self, slots: Sequence[Slot]) -> None:
        """Book slots."""
        await self.act(lambda unit: book_slots(unit, PLANNER, PORT, slots))

    async def cancel(self, slot: SlotId) -> None:
        """Cancel a slot."""
        await self.act(lambda unit: cancel_slot(unit, PLANNER, PORT, slot, "vessel-delayed"))

    async def report_absent(self, name: ShiftName, person: PersonId) -> None:
        """Somebody calls in sick."""
        await self.act(lambda unit: report_absence(unit, OFFICER, name, person, "sick"))

    async def replace(self, wave: WaveName, absent: PersonId) -> StoredReplacement:
        """Ask for a replacement, and approve it by another person."""
        asked = await self.act(lambda unit: request_replacement(unit, SUPERVISOR, wave, absent, "no-show"))
        return await self.act(lambda unit: approve_replacement(unit, APPROVER, PORT, asked.replacement))

    async def reveal(self, wave: WaveName, person: PersonId) -> list[Inspection]:
        """What the person reads of his own assignment."""
        name = AssignmentName(wave, person)
        return (await self.act(lambda unit: reveal_assignment(unit, inspector(person), name))).inspections

    # Making things

    def new_order(self, *, terminal: str = "RWG", selected_by: str = "s-1", team_size: int = 1, tier: int = 0,
                  qualifications: Sequence[str] = (), parties: Sequence[str] = ()) -> Order:  # fmt: skip
        """An order that nobody has imported yet."""
        number = next(self._numbers)
        prefix = f"TSTU{number:06}"
        return Order(
            order=OrderId(f"o-{number:05}"),
            container=parse_container_number(f"{prefix}{check_digit(prefix)}"),
            terminal=TerminalCode(terminal),
            tier=tier,
            team_size=team_size,
            qualifications=frozenset(qualifications),
            parties=frozenset(parties),
            selected_by=PersonId(selected_by),
            salt=self.entropy.bytes(32),
        )

    def new_slot(self, order: Order, start: datetime, *, minutes: int = 15) -> Slot:
        """A slot for `order`."""
        slot = SlotId(f"slot-{next(self._numbers):05}")
        return Slot(slot=slot, order=order.order, terminal=order.terminal, start=start, minutes=minutes)

    async def order_at(self, starts: Sequence[datetime], *, minutes: int = 15, selected_by: str = "s-1") -> list[Slot]:
        """Import and book one order for each start."""
        orders = [self.new_order(selected_by=selected_by) for _ in starts]
        slots = [self.new_slot(order, start, minutes=minutes) for order, start in zip(orders, starts, strict=True)]
        await self.order(orders)
        await self.book(slots)
        return slots

    # Looking

    async def wave(self, name: WaveName) -> StoredWave:
        """A wave as stored."""
        return await self.reader.run(lambda connection: load_wave(connection, name))

    async def waves(self, name: ShiftName) -> list[StoredWave]:
        """All waves of a shift."""
        return await self.reader.run(lambda connection: waves_of(connection, name))

    async def states(self, name: ShiftName) -> list[WaveState]:
        """The states of a shift's waves."""
        return [wave.state for wave in await self.waves(name)]

    async def until(self, name: ShiftName, state: WaveState) -> None:
        """Wait, in real time, until all waves of a shift are in `state`."""
        async with asyncio.timeout(60):
            while set(await self.states(name)) != {state}:  # noqa: ASYNC110 - the conductor retries in real time
                await asyncio.sleep(0.02)

    async def verify(self) -> Report:
        """Export the bundle and verify it, as an auditor with the log's key does."""

        def export() -> Report:
            file = io.BytesIO()
            with self.readers.connect() as connection:
                connection.exec_driver_sql("BEGIN")
                write_port_bundle(connection, self.services.keyring, PORT, SIGNER.verifier().vkey(), file)
            with tempfile.NamedTemporaryFile(suffix=".bundle") as kept:
                kept.write(file.getvalue())
                kept.flush()
                with read_bundle(Path(kept.name)) as bundle:
                    return verify_bundle(bundle, trusted_key=SIGNER.verifier().vkey())

        return await asyncio.to_thread(export)


def duty(
    person: str, start: datetime, end: datetime, *, terminals: Sequence[str] = TERMINALS, capacity: int = 1,
    qualifications: Sequence[str] = (),
) -> RosterEntry:  # fmt: skip
    """A roster entry."""
    return RosterEntry(
        person=PersonId(person),
        terminals=frozenset(TerminalCode(code) for code in terminals),
        start=start,
        end=end,
        qualifications=frozenset(qualifications),
        capacity=capacity,
    )


def utc(*parts: int) -> datetime:
    """A time in UTC."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


async def open_small_shift(
    service: Service, *, start: datetime, waves: int, people: Sequence[str], shift: str = "A"
) -> ShiftName:
    """A shift of 15-minute waves with cleared people on duty from an hour before to an hour after."""
    end = start + timedelta(minutes=15 * waves)
    hour = timedelta(hours=1)
    await service.clear(people, until=end + timedelta(days=300))
    name = await service.open(shift, start, end)
    await service.roster(name, [duty(one, start - hour, end + hour) for one in people])
    return name
