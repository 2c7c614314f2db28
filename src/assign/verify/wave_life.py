"""The life of the waves in the log: one freeze, one draw, reveals and replacements, each in its time."""

from __future__ import annotations

from datetime import datetime

from assign.draw.commitment import Freeze
from assign.log.entries import Entry
from assign.names import OrderId
from assign.person import Pseudonym
from assign.verify.findings import Attention, Code, Findings
from assign.verify.shift import Approval, Drawn, Event, Shift, Substituted, Wave

__all__ = ["WaveLife"]

NOT_WITNESSED = "not-witnessed"


class WaveLife:
    """Takes in the entries that concern one wave of an open shift."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._waiting: list[tuple[Shift, Wave]] = []

    def freeze(self, index: int, shift: Shift, wave: Wave, freeze: Freeze, before: datetime | None) -> None:
        """A freeze, `before` being the time of the latest entry before it."""
        if wave.freeze is not None:
            self._findings.add(Code.FREEZE_TWICE, f"{wave.name} was frozen before.", index)
            return
        if wave.missed_index is not None:
            self._findings.add(Code.MISSED_BUT_FROZEN, f"{wave.name} was declared missed, then frozen.", index)
        wave.freeze, wave.freeze_index = freeze, index
        shift.events.append(Event(index, wave, freeze))
        self._waiting.append((shift, wave))
        self._check_beacon(index, shift, wave, freeze)
        decided = shift.beacon.time_of_round(_round_of(shift, wave))
        if before is not None and before >= decided:
            self._findings.add(Code.FREEZE_LATE, f"{wave.name} was frozen when its beacon value existed.", index)

    def _check_beacon(self, index: int, shift: Shift, wave: Wave, freeze: Freeze) -> None:
        if freeze.chain_hash != shift.beacon.chain_hash:
            self._findings.add(Code.FREEZE_BEACON, f"{wave.name} was frozen for another beacon.", index)
        expected = _round_of(shift, wave)
        if freeze.beacon_round != expected:
            self._findings.add(
                Code.FREEZE_ROUND,
                f"{wave.name} was frozen for round {freeze.beacon_round}; the first at or after its draw time "
                f"is {expected}.",
                index,
            )

    def check_freezes_before(self, time: datetime) -> None:
        """The next entry with a time has `time`: the freezes before it happened no later."""
        for shift, wave in self._waiting:
            if time < shift.calendar.freeze_time(wave.start):
                self._findings.add(
                    Code.FREEZE_EARLY, f"{wave.name} was frozen before its freeze time.", wave.freeze_index
                )
        self._waiting.clear()

    def draw(self, index: int, shift: Shift, wave: Wave, entry: Entry) -> bool:
        """A draw. Returns whether it is the wave's one draw."""
        if wave.drawn is not None:
            self._findings.add(Code.DRAW_TWICE, f"{wave.name} was drawn before.", index)
            return False
        if wave.manual_index is not None:
            self._findings.add(Code.MANUAL_DRAWN, f"{wave.name} was declared manual, then drawn.", index)
        if wave.freeze is None:
            self._findings.add(Code.DRAW_WITHOUT_FREEZE, f"{wave.name} was drawn without a freeze.", index)
            return False
        if wave.missed_index is not None:
            self._findings.add(Code.DRAW_AFTER_MISSED, f"{wave.name} was drawn after it was declared missed.", index)
        body = entry.body
        wave.drawn = Drawn(
            index=index,
            beacon_round=body["round"],
            evidence=bytes.fromhex(body["evidence"]),
            transcript=bytes.fromhex(body["transcript"]),
        )
        shift.events.append(Event(index, wave, wave.drawn))
        expected = _round_of(shift, wave)
        if body["round"] != expected:
            self._findings.add(
                Code.DRAW_ROUND, f"{wave.name} was drawn with round {body['round']}, not {expected}.", index
            )
        if entry.time < shift.beacon.time_of_round(expected):
            self._findings.add(Code.DRAW_EARLY, f"{wave.name} was drawn before its round.", index)
        elif entry.time > wave.start:
            self._findings.note(Attention.DRAW_LATE, f"{wave.name} was drawn after its start.", index)
        return True

    def miss(self, index: int, shift: Shift, wave: Wave, entry: Entry) -> None:
        """A wave that was not frozen in time and will not be drawn."""
        # Too few witnesses saw the freeze in time: the one reason to give up a wave that is frozen, and not drawn.
        if wave.drawn is not None or (wave.freeze is not None and entry.body["reason"] != NOT_WITNESSED):
            self._findings.add(Code.MISSED_BUT_FROZEN, f"{wave.name} was frozen, then declared missed.", index)
        if wave.freeze is not None and entry.time < shift.beacon.time_of_round(_round_of(shift, wave)):
            self._findings.add(Code.MISSED_EARLY, f"{wave.name} was given up before the time of its round.", index)
        elif entry.time < shift.calendar.freeze_time(wave.start):
            self._findings.add(Code.MISSED_EARLY, f"{wave.name} was declared missed before its freeze time.", index)
        wave.missed_index = index
        wave.is_given_up = entry.body["reason"] == NOT_WITNESSED
        orders = sum(booking.stood_at(index) for booking in wave.bookings)
        self._findings.note(
            Attention.WAVE_MISSED,
            f"{wave.name} is not drawn ({entry.body['reason']}); orders that waited for it: {orders}.",
            index,
        )

    def reveal(self, index: int, shift: Shift, wave: Wave, entry: Entry) -> None:
        """A person read what he was drawn for."""
        person = Pseudonym(entry.body["person"])
        if wave.drawn is None:
            self._findings.add(Code.REVEAL_BEFORE_DRAW, f"An assignment of {wave.name} was read undrawn.", index)
        if entry.time < shift.calendar.draw_time(wave.start):
            self._findings.add(Code.REVEAL_EARLY, f"An assignment of {wave.name} was read before its draw time.", index)
        line = shift.roster.get(person)
        if line is None:
            self._findings.add(Code.REVEAL_OFF_ROSTER, f"{person} is not on the roster, and read.", index)
        elif not line.start <= entry.time < line.end:
            self._findings.add(Code.REVEAL_OFF_DUTY, f"{person} read outside his duty.", index)
        if person in shift.absent:
            self._findings.add(Code.REVEAL_ABSENT, f"{person} read after he was reported absent.", index)

    def request(self, index: int, shift: Shift, wave: Wave, entry: Entry) -> None:
        """Somebody asks for a replacement."""
        body = entry.body
        if wave.drawn is None:
            self._findings.add(
                Code.REPLACEMENT_BEFORE_DRAW, f"A replacement in {wave.name} was asked for undrawn.", index
            )
        shift.requests.setdefault((wave.name, body["absent"]), set()).add(body["by"])

    def approve(self, index: int, shift: Shift, wave: Wave, entry: Entry) -> None:
        """Somebody else approves it. What depends on the outcome is checked when the shift is opened."""
        body = entry.body
        key = (wave.name, body["absent"])
        if body["requested_by"] not in shift.requests.pop(key, set()):
            self._findings.add(
                Code.REPLACEMENT_NOT_REQUESTED, f"This replacement in {wave.name} was not asked for.", index
            )
        if wave.drawn is None:
            self._findings.add(
                Code.REPLACEMENT_BEFORE_DRAW, f"A replacement in {wave.name} was approved undrawn.", index
            )
            return
        approval = Approval(
            index=index,
            by=body["by"],
            requested_by=body["requested_by"],
            wave=wave.name,
            absent=Pseudonym(body["absent"]),
            substitutions=tuple(
                Substituted(
                    order=OrderId(item["order"]),
                    substitute=Pseudonym(item["substitute"]) if item["substitute"] else None,
                    passed_over=tuple((Pseudonym(one["person"]), one["why"]) for one in item["passed_over"]),
                )
                for item in body["substitutions"]
            ),
        )
        shift.events.append(Event(index, wave, approval))


def _round_of(shift: Shift, wave: Wave) -> int:
    """The wave's round: computed, never chosen. A shift whose beacon ends too soon was refused when opened."""
    return shift.beacon.round_at_or_after(shift.calendar.draw_time(wave.start))
