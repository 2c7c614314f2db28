"""A throw-away port for the drill: real store, real actions, real sealing, in a temporary folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Engine

from assign.container import ContainerNumber, check_digit
from assign.draw.beacon import LocalBeacon, Party
from assign.draw.beacon_local import chain_context, walk
from assign.encoding import lp
from assign.log.note import NoteSigner
from assign.names import OrderId, PersonId, Port, ShiftId, ShiftName, SlotId, TerminalCode, WaveName
from assign.order import Order, Slot
from assign.person import Person, Screening
from assign.roster import RosterEntry
from server.actions.book_slots import book_slots
from server.actions.draw_wave import draw_wave
from server.actions.freeze_wave import freeze_wave
from server.actions.import_orders import import_orders
from server.actions.import_persons import import_persons
from server.actions.import_roster import import_roster
from server.actions.open_shift import open_shift
from server.actions.start_log import start_log
from server.auth.access import Role
from server.auth.identity import Caller
from server.clock import ManualClock
from server.config import PortConfig
from server.entropy import SystemEntropy
from server.escrow.custodians import EscrowConfig
from server.keyring import Keyring
from server.sequencer import Sequencer
from server.storage.migrate import migrate
from server.storage.shifts import list_roster
from server.storage.unit import Services, Unit

__all__ = ["ORIGIN", "SHIFT", "SHIFT_AFTER", "WAVE", "OpenStore", "Rehearsal"]

_T = TypeVar("_T")
OpenStore = Callable[[str], Engine]

PORT: Final = Port("XXDRL")
ORIGIN: Final = "drill.invalid/XXDRL"
TERMINAL: Final = TerminalCode("DRILL")
SHIFT: Final = ShiftName(PORT, ShiftId("drill"))
SHIFT_AFTER: Final = ShiftName(PORT, ShiftId("drill-after"))
_BEGIN: Final = datetime(2026, 1, 1, 6, tzinfo=UTC)
WAVE: Final = WaveName(SHIFT, _BEGIN)
_PERIOD_SECONDS: Final = 60
_ROUNDS: Final = 600
_PERSONS: Final = 8
_ORDERS: Final = 5
_OFFICER: Final = Caller("person", "officer", Role.ROSTER_OFFICER, frozenset())
_QUAY: Final = Caller("system", "quay", Role.TERMINAL_SYSTEM, frozenset({f"ports/{PORT}/terminals/{TERMINAL}"}))


@dataclass(frozen=True, slots=True)
class _Beacon:
    """A beacon of one party whose chain is kept here."""

    pin: LocalBeacon
    secret: bytes
    context: bytes

    @classmethod
    def create(cls, secret: bytes) -> _Beacon:
        genesis = _BEGIN - timedelta(hours=3)
        context = chain_context(
            name="drill",
            period_seconds=_PERIOD_SECONDS,
            genesis_unix=int(genesis.timestamp()),
            length_rounds=_ROUNDS,
        )
        party = Party(name="drill", anchor=walk(context, secret, from_round=_ROUNDS, to_round=0))
        pin = LocalBeacon(period_seconds=_PERIOD_SECONDS, genesis=genesis, length_rounds=_ROUNDS, parties=(party,))
        return cls(pin, secret, context)

    def evidence(self, round_number: int) -> bytes:
        """What the party reveals for a round."""
        return lp(walk(self.context, self.secret, from_round=_ROUNDS, to_round=round_number))


class Rehearsal:
    """The port of the drill. Every store of it is opened with a key file of its own, as a server would.

    Attributes:
        entropy: the operating system's.
    """

    def __init__(self, folder: Path, escrow: EscrowConfig, open_store: OpenStore) -> None:
        self.entropy = SystemEntropy()
        self._folder = folder
        self._open_store = open_store
        self._beacon = _Beacon.create(self.entropy.bytes(32))
        port = PortConfig(port=PORT, origin=ORIGIN, terminals=[TERMINAL], embargo_seconds=0)
        self._services = Services(
            ports={PORT: port},
            signers={PORT: NoteSigner(ORIGIN, self.entropy.bytes(32))},
            keyring=Keyring(self.entropy.bytes(32), entropy=self.entropy),
            entropy=self.entropy,
            beacon_pin=self._beacon.pin.to_json(),
            clock_name="manual",
            code_version="drill",
            escrow=escrow,
        )

    def store(self, name: str) -> Path:
        """The file of a store."""
        return self._folder / f"{name}.db"

    def run(self, store: str, key_file: Path, action: Callable[[Unit], _T], *, at: datetime = _BEGIN) -> _T:
        """Carry out one action on a store, as a server that was started with this key file."""
        services = replace(self._services, keyring=Keyring.load(key_file, entropy=self.entropy))

        async def act() -> _T:
            engine = self._open_store(f"sqlite:///{self.store(store)}")
            migrate(engine)
            sequencer = Sequencer(engine, services, ManualClock(at))
            sequencer.start()
            try:
                return await sequencer.run(action)
            finally:
                await sequencer.stop()
                engine.dispose()

        return asyncio.run(act())

    def open_day(self, store: str, key_file: Path) -> None:
        """Two shifts one after the other, people, orders and slots; the first wave is frozen."""
        self.run(store, key_file, self._open_day, at=_BEGIN - timedelta(hours=2))
        self.run(store, key_file, lambda unit: freeze_wave(unit, WAVE), at=_BEGIN - timedelta(minutes=16))

    def draw(self, store: str, key_file: Path, beacon_round: int) -> None:
        """Draw the frozen wave."""
        evidence = self.evidence(beacon_round)
        self.run(store, key_file, lambda unit: draw_wave(unit, WAVE, evidence), at=_BEGIN - timedelta(minutes=14))

    def persons(self, store: str, key_file: Path) -> dict[str, str]:
        """The people on the roster by pseudonym."""
        roster = self.run(store, key_file, lambda unit: list_roster(unit.connection, SHIFT))
        return {one.pseudonym: one.entry.person for one in roster}

    def evidence(self, beacon_round: int) -> bytes:
        """The beacon's evidence of a round."""
        return self._beacon.evidence(beacon_round)

    def _open_day(self, unit: Unit) -> None:
        start_log(unit, PORT, access_digest=bytes(32), store_kind="sqlite")
        end = _BEGIN + timedelta(hours=1)
        open_shift(unit, _OFFICER, SHIFT, _BEGIN, end)
        open_shift(unit, _OFFICER, SHIFT_AFTER, end, end + timedelta(hours=1))
        people = [PersonId(f"inspector-{number}") for number in range(_PERSONS)]
        cleared = Screening(certificate_until=_BEGIN + timedelta(days=1), signal_open=False, interviewed=True)
        import_persons(
            unit,
            _OFFICER,
            PORT,
            [Person(person=person, screening=cleared, recused_parties=frozenset()) for person in people],
        )
        import_roster(unit, _OFFICER, SHIFT, [_duty(person, end) for person in people])
        orders = [_order(number, self.entropy.bytes(32)) for number in range(_ORDERS)]
        import_orders(unit, Caller("system", "declarations", Role.DECLARATION_SYSTEM, frozenset()), PORT, orders)
        book_slots(unit, _QUAY, PORT, [_slot(number) for number in range(_ORDERS)])


def _duty(person: PersonId, end: datetime) -> RosterEntry:
    return RosterEntry(
        person=person,
        terminals=frozenset({TERMINAL}),
        start=_BEGIN,
        end=end,
        qualifications=frozenset(),
        capacity=1,
    )


def _order(number: int, salt: bytes) -> Order:
    prefix = f"MSKU{number:06d}"
    return Order(
        order=OrderId(f"order-{number}"),
        container=ContainerNumber(prefix + str(check_digit(prefix))),
        terminal=TERMINAL,
        tier=number % 2,
        team_size=1 + number % 2,
        qualifications=frozenset(),
        parties=frozenset(),
        selected_by=PersonId("selector"),
        salt=salt,
    )


def _slot(number: int) -> Slot:
    return Slot(
        slot=SlotId(f"slot-{number}"), order=OrderId(f"order-{number}"), terminal=TERMINAL, start=_BEGIN, minutes=30
    )
