"""An honest operator of one port, made of the pure library alone: a day whose log verifies.

A dishonest one is a subclass that does one thing differently; a forger edits `entries` afterwards. Either
may sign what he made: `to_bundle` always signs the entries as they are.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from assign.draw.beacon import LocalBeacon, Party
from assign.draw.beacon_local import chain_context, walk
from assign.draw.commitment import Freeze, commit_inputs, commit_master, commit_seed, commit_transcript
from assign.draw.constrained import ALGORITHM
from assign.draw.inputs import FrozenOrder, FrozenPerson, WaveInputs
from assign.draw.keys import draw_key, transcript_blind, wave_seed
from assign.draw.occupancy import Inspection, Occupancy
from assign.draw.outcome import replay_wave
from assign.draw.replacement import choose_substitute
from assign.draw.reserves import reserve_order
from assign.draw.transcript import Transcript
from assign.encoding import lp, parse_canonical_json, rfc3339, sha256
from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.entries import Entry, Kind
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import NoteSigner
from assign.names import OrderId, Port, ShiftId, ShiftName, SlotId, TerminalCode, WaveName
from assign.person import Pseudonym, Screening, pseudonym
from assign.rules.eligibility import RULES_VERSION, Candidate
from assign.verify.bundle import write_bundle
from assign.wave import Calendar

ORIGIN = "assign.example/NLRTM"
PORT = Port("NLRTM")
MIDNIGHT = datetime(2026, 11, 24, tzinfo=UTC)
CODE = "assign 0.1.0"
PERIOD_SECONDS = 30
LENGTH_ROUNDS = 2 * 60 * 24
SIGNER = NoteSigner(ORIGIN, sha256(b"the log's key"))
PARTIES = ("beacon-a.example", "beacon-b.example")
SYSTEM = "systems/terminal"


def at(hour: int, minute: int = 0, second: int = 0) -> datetime:
    """A time of the simulated day, UTC."""
    return MIDNIGHT + timedelta(hours=hour, minutes=minute, seconds=second)


def shift_name(letter: str) -> ShiftName:
    """The name of a shift of the day."""
    return ShiftName(PORT, ShiftId(f"2026-11-24-{letter}"))


class Beacon:
    """Two parties' hash chains, with their secrets."""

    def __init__(self) -> None:
        genesis_unix = int(MIDNIGHT.timestamp())
        self._contexts = {
            name: chain_context(
                name=name, period_seconds=PERIOD_SECONDS, genesis_unix=genesis_unix, length_rounds=LENGTH_ROUNDS
            )
            for name in PARTIES
        }
        parties = tuple(Party(name=name, anchor=self._element(name, 0)) for name in PARTIES)
        self.info = LocalBeacon(
            period_seconds=PERIOD_SECONDS, genesis=MIDNIGHT, length_rounds=LENGTH_ROUNDS, parties=parties
        )

    def _element(self, name: str, round_number: int) -> bytes:
        return walk(self._contexts[name], sha256(name.encode()), from_round=LENGTH_ROUNDS, to_round=round_number)

    def evidence(self, round_number: int) -> bytes:
        """What the parties reveal for a round."""
        return lp(*(self._element(name, round_number) for name in PARTIES))


BEACON = Beacon()


@dataclass(slots=True)
class OpenShift:
    """What the operator keeps of a shift."""

    name: ShiftName
    calendar: Calendar
    master: bytes
    persons: list[FrozenPerson] = field(default_factory=list)
    salts: dict[str, bytes] = field(default_factory=dict)
    freezes: dict[str, Freeze] = field(default_factory=dict)
    inputs: dict[str, WaveInputs] = field(default_factory=dict)
    keys: dict[str, bytes] = field(default_factory=dict)
    occupancy: Occupancy = field(default_factory=Occupancy)
    absent: set[Pseudonym] = field(default_factory=set)
    is_closed: bool = False


class Operator:
    """Keeps the log of a port by the rules. Every method is an action that a server would carry out."""

    embargo_seconds = 600
    min_pool = 2

    def __init__(self) -> None:
        self.entries: list[bytes] = []
        self.now = at(0)
        self.orders: dict[OrderId, FrozenOrder] = {}
        self.slots: dict[SlotId, FrozenOrder] = {}
        self.shifts: dict[str, OpenShift] = {}
        self.record(Kind.SERVER_START, {"clock": self.clock(), "code": CODE, "store": "sqlite"})
        self.record(Kind.ACCESS_FILE, {"digest": sha256(b"access").hex()})

    def clock(self) -> str:
        """What the log says of the clock."""
        return "system"

    def record(self, kind: Kind, body: dict[str, Any]) -> int:
        """Append an entry at the present time; its index."""
        entry = Entry(kind=kind, origin=ORIGIN, time=self.now, body=body)
        return self.append(entry.to_bytes())

    def append(self, data: bytes) -> int:
        """Append raw bytes; their index."""
        self.entries.append(data)
        return len(self.entries) - 1

    def wait_until(self, moment: datetime) -> None:
        """Let time pass."""
        self.now = max(self.now, moment)

    def person(self, shift: ShiftName, name: str) -> Pseudonym:
        """How a person appears in a shift."""
        return pseudonym(sha256(name.encode()), str(shift))

    # Shifts and rosters

    def open_shift(self, name: ShiftName, calendar: Calendar) -> OpenShift:
        master = sha256(b"master" + str(name).encode())
        shift = self.shifts[str(name)] = OpenShift(name=name, calendar=calendar, master=master)
        terms = {
            "start": rfc3339(calendar.start),
            "end": rfc3339(calendar.end),
            "step_seconds": calendar.step_seconds,
            "lead_seconds": calendar.lead_seconds,
            "margin_seconds": calendar.margin_seconds,
        }
        self.record(
            Kind.SHIFT_OPEN,
            {
                "by": self.person(name, "officer"),
                "shift": str(name),
                "commit_master": commit_master(ORIGIN, str(name), master).hex(),
                "calendar": terms,
                "beacon": parse_canonical_json(BEACON.info.to_json()),
                "embargo_seconds": self.embargo_seconds,
                "min_pool": self.min_pool,
                "draw": ALGORITHM,
                "rules": RULES_VERSION,
            },
        )
        return shift

    def import_roster(
        self, shift: OpenShift, names: list[str], *, reefer: tuple[str, ...] = (), capacity: int = 1
    ) -> None:
        duty = (shift.calendar.start - timedelta(minutes=30), shift.calendar.end + timedelta(hours=1))
        added = [
            FrozenPerson(
                capacity=capacity,
                candidate=Candidate(
                    person=self.person(shift.name, name),
                    terminals=frozenset({TerminalCode("RWG"), TerminalCode("ECT")}),
                    duty_start=duty[0],
                    duty_end=duty[1],
                    qualifications=frozenset({"reefer"} if name in reefer else ()),
                    absent=False,
                    screening=Screening(certificate_until=at(24), signal_open=False, interviewed=True),
                    recused_parties=frozenset(),
                    cooldown_parties=frozenset(),
                    busy=(),
                ),
            )
            for name in names
        ]
        shift.persons += added
        entries = [
            {
                "person": one.candidate.person,
                "terminals": sorted(one.candidate.terminals),
                "start": rfc3339(duty[0]),
                "end": rfc3339(duty[1]),
                "qualifications": sorted(one.candidate.qualifications),
                "capacity": capacity,
            }
            for one in sorted(added, key=lambda one: one.candidate.person)
        ]
        self.record(
            Kind.ROSTER_IMPORT,
            {"by": self.person(shift.name, "officer"), "shift": str(shift.name), "entries": entries},
        )

    def report_absence(self, shift: OpenShift, person: Pseudonym) -> None:
        shift.absent.add(person)
        self.record(
            Kind.ABSENCE,
            {"by": self.person(shift.name, "officer"), "shift": str(shift.name), "person": person, "reason": "sick"},
        )

    # Orders and slots

    def import_orders(self, orders: list[FrozenOrder]) -> None:
        self.orders.update({order.order: order for order in orders})
        rows = [{"order": order.order, "digest": order.digest().hex()} for order in orders]
        self.record(Kind.ORDERS_IMPORT, {"by": "systems/declarations", "orders": rows})

    def book(self, *booked: tuple[str, str, datetime], minutes: int = 20) -> None:
        """Book (slot, order, start)."""
        rows = []
        for slot, order, start in booked:
            frozen = replace(self.orders[OrderId(order)], slot=SlotId(slot), start=start, minutes=minutes)
            self.slots[SlotId(slot)] = frozen
            rows.append(
                {
                    "slot": slot,
                    "order": order,
                    "terminal": frozen.terminal,
                    "start": rfc3339(start),
                    "minutes": minutes,
                }
            )
        self.record(Kind.SLOTS_BOOK, {"by": SYSTEM, "slots": rows})

    def cancel(self, slot: str) -> None:
        frozen = self.slots.pop(SlotId(slot))
        self.record(Kind.SLOT_CANCEL, {"by": SYSTEM, "slot": slot, "reason": "ship-late"})
        for shift in self.shifts.values():
            if shift.calendar.start <= frozen.start < shift.calendar.end:
                wave = str(WaveName(shift.name, shift.calendar.wave_of(frozen.start)))
                shift.occupancy.cancel(wave, frozen.order)

    # Waves

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """The inputs of the wave, as the log has them now."""
        step = timedelta(seconds=shift.calendar.step_seconds)
        persons = [
            replace(
                one,
                candidate=replace(
                    one.candidate,
                    absent=one.candidate.person in shift.absent,
                    busy=shift.occupancy.busy(one.candidate.person, after=start),
                ),
            )
            for one in shift.persons
        ]
        return WaveInputs.assemble(
            origin=ORIGIN,
            shift=str(shift.name),
            wave=str(WaveName(shift.name, start)),
            draw_algorithm=ALGORITHM,
            code_version=CODE,
            min_pool=self.min_pool,
            orders=[slot for slot in self.slots.values() if start <= slot.start < start + step],
            persons=persons,
        )

    def round_of(self, shift: OpenShift, start: datetime) -> int:
        """The beacon round of a wave."""
        return BEACON.info.round_at_or_after(shift.calendar.draw_time(start))

    def seed_of(self, shift: OpenShift, wave: str) -> bytes:
        """The seed that the freeze commits to."""
        return wave_seed(shift.master, ORIGIN, str(shift.name), wave)

    def freeze(self, shift: OpenShift, start: datetime) -> None:
        self.wait_until(shift.calendar.freeze_time(start))
        wave = str(WaveName(shift.name, start))
        self.record(Kind.KEY_USE, {"wave": wave, "purpose": "freeze"})
        inputs = shift.inputs[wave] = self.collect(shift, start)
        salt = shift.salts[wave] = sha256(b"salt" + wave.encode())
        freeze = shift.freezes[wave] = Freeze(
            origin=ORIGIN,
            wave=wave,
            seed_commitment=commit_seed(ORIGIN, wave, self.seed_of(shift, wave)),
            inputs_commitment=commit_inputs(salt, inputs.to_bytes()),
            chain_hash=BEACON.info.chain_hash,
            beacon_round=self.round_of(shift, start),
        )
        self.append(freeze.to_bytes())

    def evidence(self, round_number: int) -> bytes:
        """The beacon's evidence, as the draw entry gets it."""
        return BEACON.evidence(round_number)

    def outcome(self, inputs: WaveInputs, key: bytes) -> Transcript:
        """The wave's outcome."""
        return replay_wave(inputs, key)

    def draw(self, shift: OpenShift, start: datetime) -> None:
        wave = str(WaveName(shift.name, start))
        freeze = shift.freezes[wave]
        self.wait_until(BEACON.info.time_of_round(freeze.beacon_round))
        self.record(Kind.KEY_USE, {"wave": wave, "purpose": "draw"})
        evidence = self.evidence(freeze.beacon_round)
        key = shift.keys[wave] = draw_key(
            beacon_value=sha256(evidence),
            seed=self.seed_of(shift, wave),
            origin=ORIGIN,
            wave=wave,
            leaf=freeze.leaf(),
            chain_hash=freeze.chain_hash,
            beacon_round=freeze.beacon_round,
        )
        transcript = self.outcome(shift.inputs[wave], key)
        for order, team in zip(shift.inputs[wave].orders, transcript.teams, strict=True):
            if team and order.slot in self.slots:
                end = order.start + timedelta(minutes=order.minutes)
                shift.occupancy.draw(Inspection(wave=wave, order=order.order, start=order.start, end=end), team)
        digest = commit_transcript(transcript_blind(key, ORIGIN, wave), transcript.to_bytes())
        self.record(
            Kind.DRAW,
            {
                "wave": wave,
                "round": freeze.beacon_round,
                "evidence": evidence.hex(),
                "transcript": digest.hex(),
            },
        )

    def miss(self, shift: OpenShift, start: datetime, *, reason: str = "not-frozen-in-time") -> None:
        self.wait_until(shift.calendar.draw_time(start))
        self.record(Kind.WAVE_MISSED, {"wave": str(WaveName(shift.name, start)), "reason": reason})

    # After the draw

    def reveal(self, shift: OpenShift, start: datetime, person: Pseudonym) -> None:
        self.record(Kind.REVEAL, {"wave": str(WaveName(shift.name, start)), "person": person})

    def refuse(self, reason: str) -> None:
        self.record(Kind.REFUSAL, {"by": "unknown", "method": "RevealAssignment", "reason": reason})

    def unavailable(self, shift: OpenShift, wave: str, order: OrderId, absent: Pseudonym) -> dict[Pseudonym, str]:
        """Who cannot take over, and why."""
        return shift.occupancy.unavailable(
            wave,
            order,
            leaving=absent,
            capacity={one.candidate.person: one.capacity for one in shift.persons},
            absent=shift.absent,
        )

    def request_replacement(self, shift: OpenShift, start: datetime, absent: Pseudonym) -> None:
        self.record(
            Kind.REPLACEMENT_REQUEST,
            {
                "by": self.person(shift.name, "requester"),
                "wave": str(WaveName(shift.name, start)),
                "absent": absent,
                "reason": "sick",
            },
        )

    def approve_replacement(
        self, shift: OpenShift, start: datetime, absent: Pseudonym, *, by: str = "approver"
    ) -> None:
        wave = str(WaveName(shift.name, start))
        substitutions = []
        for order in shift.occupancy.orders_of(wave, absent):
            reserve = reserve_order(shift.inputs[wave], shift.keys[wave], order)
            chosen = choose_substitute(reserve, unavailable=self.unavailable(shift, wave, order, absent))
            shift.occupancy.replace(wave, order, absent=absent, substitute=chosen.substitute)
            substitutions.append(
                {
                    "order": order,
                    "substitute": chosen.substitute,
                    "passed_over": [{"person": person, "why": why} for person, why in chosen.passed_over],
                }
            )
        self.record(
            Kind.REPLACEMENT_APPROVE,
            {
                "by": self.person(shift.name, by),
                "requested_by": self.person(shift.name, "requester"),
                "wave": wave,
                "absent": absent,
                "substitutions": substitutions,
            },
        )

    def close(self, shift: OpenShift) -> None:
        self.wait_until(shift.calendar.end + timedelta(seconds=self.embargo_seconds))
        salts = [{"wave": wave, "salt": salt.hex()} for wave, salt in sorted(shift.salts.items())]
        self.record(Kind.CLOSE, {"shift": str(shift.name), "master": shift.master.hex(), "salts": salts})
        shift.is_closed = True

    # The bundle

    def opened_inputs(self) -> list[tuple[str, bytes]]:
        """The inputs of every frozen wave of the closed shifts."""
        return sorted(
            (wave, inputs.to_bytes())
            for shift in self.shifts.values()
            if shift.is_closed
            for wave, inputs in shift.inputs.items()
        )

    def to_bundle(self, *, signer: NoteSigner = SIGNER) -> bytes:
        """The bundle of the log as it is now, signed by `signer`."""
        root = root_of(map(leaf_hash, self.entries))
        file = io.BytesIO()
        write_bundle(
            file,
            log_key=signer.verifier().vkey(),
            checkpoint=sign_checkpoint(Checkpoint(ORIGIN, len(self.entries), root), signer),
            entries=self.entries,
            inputs=self.opened_inputs(),
        )
        return file.getvalue()

    # Forgery

    def edit(self, kind: Kind, change: Callable[[dict[str, Any]], None], *, nth: int = 0) -> int:
        """Change the body of the nth entry of a kind in place; its index."""
        index = self.find(kind, nth)
        entry = Entry.from_bytes(self.entries[index])
        change(entry.body)
        self.entries[index] = entry.to_bytes()
        return index

    def retime(self, index: int, moment: datetime) -> None:
        """Give the entry at `index` another time."""
        self.entries[index] = replace(Entry.from_bytes(self.entries[index]), time=moment).to_bytes()

    def find(self, kind: Kind | None, nth: int = 0) -> int:
        """The index of the nth entry of a kind; None: of a freeze. Negative counts from the end."""
        marker = lp("draw/v1", "freeze") if kind is None else lp("log/v1", kind)
        return [index for index, data in enumerate(self.entries) if data.startswith(marker)][nth]
