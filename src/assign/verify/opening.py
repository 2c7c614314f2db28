"""Checks a shift once it is opened: every commitment, every draw byte for byte, every replacement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from assign.draw.beacon import beacon_value
from assign.draw.commitment import Freeze, commit_inputs, commit_master, commit_seed, commit_transcript
from assign.draw.inputs import WaveInputs
from assign.draw.keys import draw_key, transcript_blind, wave_seed
from assign.draw.occupancy import Inspection, Occupancy
from assign.draw.outcome import replay_wave
from assign.draw.transcript import Transcript
from assign.errors import AssignError, Corrupt
from assign.log.entries import Entry
from assign.names import OrderId
from assign.person import Pseudonym
from assign.rules.separation import check_inspector
from assign.verify.beacons import BeaconChecks
from assign.verify.findings import Attention, Code, Findings
from assign.verify.outage import Outages
from assign.verify.reconcile import reconcile
from assign.verify.shift import Approval, Booking, Drawn, Shift, Wave
from assign.verify.substitution import Case, check_approval, open_cases

__all__ = ["Context", "Opening"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the rest of the log and the bundle contribute to the check of one shift.

    Attributes:
        codes: software versions that the log named so far.
        order_digests: lower-case hexadecimal, of every order imported so far.
        inputs: the opened inputs of a wave by its name; None where the bundle has none.
        on_wave: called after each wave.
        outages: what was worked by hand.
    """

    origin: str
    codes: Set[str]
    order_digests: Mapping[OrderId, str]
    inputs: Callable[[str], bytes | None]
    beacons: BeaconChecks
    findings: Findings
    on_wave: Callable[[], None]
    outages: Outages


class Opening:
    """One closed shift, walked through again in the order of its log entries."""

    def __init__(self, shift: Shift, close: Entry, close_index: int, context: Context) -> None:
        self._shift = shift
        self._index = close_index
        self._context = context
        self._findings = context.findings
        self._master = bytes.fromhex(close.body["master"])
        self._salts: dict[str, bytes] = {}
        self._occupancy = Occupancy()
        self._is_known = True  # every draw so far was replayed: the occupancy is the operator's too
        self._busy: dict[str, dict[Pseudonym, frozenset[tuple[datetime, datetime]]]] = {}
        self._cases: dict[str, dict[OrderId, Case]] = {}
        self._wanted: dict[str, set[OrderId]] = {}
        self._absent: set[Pseudonym] = set()
        self._absences = [*shift.absent.items()][::-1]  # the next one to happen is last
        self._read_salts(close)

    def check(self) -> None:
        """Add a finding for whatever is wrong; fill in what the waves of the shift came to."""
        shift = self._shift
        if commit_master(self._context.origin, str(shift.name), self._master) != shift.commit_master:
            self._findings.add(
                Code.MASTER_MISMATCH,
                f"{shift.name} was closed with a master seed that it did not commit to.",
                self._index,
            )
            return
        for event in shift.events:
            if isinstance(event.what, Approval):
                orders = (item.order for item in event.what.substitutions)
                self._wanted.setdefault(event.wave.name, set()).update(orders)
        for event in shift.events:
            match event.what:
                case Freeze():
                    self._note_busy(event.wave)
                case Drawn():
                    self._check_draw(event.wave, event.what)
                    self._is_known = self._is_known and event.wave.is_replayed
                    self._context.on_wave()
                case Approval() if self._is_known:
                    self._check_approval(event.what)
                case Approval():
                    pass  # what the absent person had is not known: the draw that was not replayed is a finding
                case Booking():
                    self._occupancy.cancel(event.wave.name, event.what.order)
        self._check_undrawn()
        self._note_drawn_again()
        self._context.outages.close(shift, self._master)

    def _read_salts(self, close: Entry) -> None:
        for item in close.body["salts"]:
            if item["wave"] in self._salts:
                self._findings.add(Code.CLOSE_SALTS, f"The salt of {item['wave']} was opened twice.", self._index)
            self._salts[item["wave"]] = bytes.fromhex(item["salt"])
        frozen = {wave.name for wave in self._shift.waves.values() if wave.freeze is not None}
        for name in sorted(frozen - self._salts.keys()):
            self._findings.add(Code.CLOSE_SALTS, f"The salt of {name} was not opened.", self._index)
        for name in sorted(self._salts.keys() - frozen):
            self._findings.add(Code.CLOSE_SALTS, f"A salt was opened for {name}, which was never frozen.", self._index)

    def _note_busy(self, wave: Wave) -> None:
        """Who is busy when the wave is frozen, by the draws and replacements before it, if all are known."""
        if not self._is_known:
            return
        self._busy[wave.name] = self._occupancy.all_busy(after=wave.start)

    def _check_draw(self, wave: Wave, drawn: Drawn) -> None:
        seed = wave_seed(self._master, self._context.origin, str(self._shift.name), wave.name)
        inputs = self._check_frozen(wave, seed)
        if inputs is None or wave.freeze is None or not self._check_evidence(wave, drawn):
            return
        key = draw_key(
            beacon_value=beacon_value(drawn.evidence),
            seed=seed,
            origin=self._context.origin,
            wave=wave.name,
            leaf=wave.freeze.leaf(),
            chain_hash=wave.freeze.chain_hash,
            beacon_round=wave.freeze.beacon_round,
        )
        self._replay(wave, drawn, inputs, key)

    def _check_undrawn(self) -> None:
        for wave in self._shift.waves.values():
            if wave.freeze is not None and wave.drawn is None:
                if not wave.is_over:
                    self._add(Code.DRAW_MISSING, wave, "it was frozen and never drawn.")
                seed = wave_seed(self._master, self._context.origin, str(self._shift.name), wave.name)
                inputs = self._check_frozen(wave, seed)
                if inputs is not None and wave.manual_index is not None:
                    self._context.outages.keep_inputs(self._shift, wave, inputs)

    def _check_frozen(self, wave: Wave, seed: bytes) -> WaveInputs | None:
        """The opened inputs, once compared with the commitments and with the log; None if there are none."""
        freeze, context = wave.freeze, self._context
        if freeze is None:
            return None
        if commit_seed(context.origin, wave.name, seed) != freeze.seed_commitment:
            self._add(Code.SEED_MISMATCH, wave, "the freeze commits to a seed that is not the shift's.")
        inputs = self._open_inputs(wave, freeze)
        if inputs is None:
            return None
        reconcile(
            inputs=inputs,
            shift=self._shift,
            wave=wave,
            busy=self._busy.pop(wave.name, None),
            codes=context.codes,
            order_digests=context.order_digests,
            findings=self._findings,
        )
        wave.orders = len(inputs.orders)
        self._note_small_pools(wave, inputs)
        return inputs

    def _open_inputs(self, wave: Wave, freeze: Freeze) -> WaveInputs | None:
        data = self._context.inputs(wave.name)
        if data is None:
            self._add(Code.INPUTS_MISSING, wave, "the inputs are not in the bundle.")
            return None
        if commit_inputs(self._salts.get(wave.name, b""), data) != freeze.inputs_commitment:
            self._add(Code.INPUTS_MISMATCH, wave, "the inputs or the salt are not what the freeze commits to.")
        try:
            return WaveInputs.from_bytes(data)
        except Corrupt as error:
            self._add(Code.INPUTS_MALFORMED, wave, error.message)
            return None

    def _check_evidence(self, wave: Wave, drawn: Drawn) -> bool:
        beacon, beacons = self._shift.beacon, self._context.beacons
        if not beacons.can_afford(beacon, drawn.beacon_round):
            self._findings.add(
                Code.BEACON_TOO_FAR, f"{wave.name}: verifying its beacon round would take too many hashes.", drawn.index
            )
            return False
        try:
            beacons.verify(beacon, drawn.beacon_round, drawn.evidence)
        except Corrupt as error:
            self._findings.add(Code.BEACON_EVIDENCE, f"{wave.name}: {error.message}", drawn.index)
            return False
        return True

    def _replay(self, wave: Wave, drawn: Drawn, inputs: WaveInputs, key: bytes) -> None:
        try:
            transcript = replay_wave(inputs, key)
            self._cases[wave.name] = open_cases(inputs, key, self._wanted.get(wave.name, set()))
        except AssignError as error:
            self._findings.add(Code.REPLAY_REFUSED, f"{wave.name} cannot be drawn: {error.message}", drawn.index)
            return
        blind = transcript_blind(key, self._context.origin, wave.name)
        wave.is_replayed = commit_transcript(blind, transcript.to_bytes()) == drawn.transcript
        if not wave.is_replayed:
            self._findings.add(
                Code.REPLAY_MISMATCH, f"{wave.name}: the logged outcome is not the one the draw has.", drawn.index
            )
        self._take_outcome(wave, drawn, inputs, transcript)

    def _take_outcome(self, wave: Wave, drawn: Drawn, inputs: WaveInputs, transcript: Transcript) -> None:
        standing = {booking.order for booking in wave.bookings if booking.stood_at(drawn.index)}
        for frozen, team in zip(inputs.orders, transcript.teams, strict=True):
            for person in team:
                if check_inspector(person, frozen.handled_by):
                    self._findings.add(
                        Code.SEPARATION, f"{person} handled the selection of {frozen.order} and was drawn.", drawn.index
                    )
            if team and frozen.order in standing:
                end = frozen.start + timedelta(minutes=frozen.minutes)
                inspection = Inspection(wave=wave.name, order=frozen.order, start=frozen.start, end=end)
                self._occupancy.draw(inspection, team)
        wave.seats = sum(map(len, transcript.teams))
        wave.left_over = frozenset(item.order for item in transcript.left_over)
        if wave.left_over:
            self._findings.note(
                Attention.LEFT_OVER, f"{wave.name}: orders left over: {len(wave.left_over)}.", drawn.index
            )

    def _check_approval(self, approval: Approval) -> None:
        while self._absences and self._absences[-1][1] < approval.index:
            self._absent.add(self._absences.pop()[0])
        cases = self._cases.get(approval.wave, {})
        check_approval(approval, cases, occupancy=self._occupancy, absent=self._absent, findings=self._findings)

    def _note_small_pools(self, wave: Wave, inputs: WaveInputs) -> None:
        small = inputs.small_pools()
        if small:
            self._findings.note(
                Attention.SMALL_POOL,
                f"{wave.name}: fewer than {inputs.min_pool} persons were eligible for {', '.join(small[:10])}"
                f"{' and more' if len(small) > 10 else ''}.",
                wave.freeze_index,
            )

    def _note_drawn_again(self) -> None:
        for rebooked in self._shift.rebooked:
            wave = self._shift.waves.get(rebooked.wave)
            if wave is not None and rebooked.order not in wave.left_over:
                self._findings.note(Attention.DRAWN_AGAIN, str(rebooked), rebooked.index)

    def _add(self, code: Code, wave: Wave, message: str) -> None:
        self._findings.add(code, f"{wave.name}: {message}", wave.freeze_index)
