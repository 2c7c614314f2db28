"""What an operator can do to his log afterwards, and the finding that each of it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from simulated_day import CALENDAR_A, NAMES_A
from simulated_log import BEACON, ORIGIN, Operator, at, shift_name

from assign.draw.commitment import Freeze
from assign.encoding import lp, rfc3339, sha256
from assign.log.entries import Entry, Kind
from assign.names import WaveName
from assign.verify.findings import Code

__all__ = ["FORGERIES", "drop"]

Forgery = Callable[[Operator], object]


def _swap(operator: Operator, first: int, second: int) -> None:
    entries = operator.entries
    entries[first], entries[second] = entries[second], entries[first]


def _second_freeze(operator: Operator) -> None:
    shift = operator.shifts[str(shift_name("A"))]
    freeze = shift.freezes[str(WaveName(shift.name, at(6)))]
    operator.entries.insert(operator.find(None, 0) + 1, replace(freeze, inputs_commitment=bytes(32)).to_bytes())


def _change_freeze(**changes: Any) -> Forgery:
    def forge(operator: Operator) -> None:
        index = operator.find(None, 1)
        freeze = Freeze.from_bytes(operator.entries[index])
        operator.entries[index] = replace(freeze, **changes).to_bytes()

    return forge


def _shift_round(by: int) -> Forgery:
    def forge(operator: Operator) -> None:
        index = operator.find(None, 1)
        freeze = Freeze.from_bytes(operator.entries[index])
        operator.entries[index] = replace(freeze, beacon_round=freeze.beacon_round + by).to_bytes()

    return forge


def _move_wave(text: str) -> str:
    return text.replace("T060000Z", "T060100Z")


def _late(operator: Operator, kind: Kind | None, after: Kind, nth: int = 0, nth_after: int = -1) -> None:
    """Move an entry behind another one, with the time of that."""
    index = operator.find(kind, nth)
    data = operator.entries.pop(index)
    target = operator.find(after, nth_after)
    if kind is not None:
        data = replace(Entry.from_bytes(data), time=Entry.from_bytes(operator.entries[target]).time).to_bytes()
    operator.entries.insert(target + 1, data)


def _copy(operator: Operator, kind: Kind | None, nth: int = 0) -> None:
    index = operator.find(kind, nth)
    operator.entries.insert(index + 1, operator.entries[index])


def drop(operator: Operator, kind: Kind | None, nth: int = 0) -> None:
    """Delete the nth entry of a kind; None: of a freeze."""
    del operator.entries[operator.find(kind, nth)]


def _retime(kind: Kind, moment: Any, nth: int = 0) -> Forgery:
    return lambda operator: operator.retime(operator.find(kind, nth), moment)


def _edit(kind: Kind, nth: int = 0, **changes: Any) -> Forgery:
    return lambda operator: operator.edit(kind, lambda body: body.update(changes), nth=nth)


def _edit_list(kind: Kind, name: str, nth: int = 0, **changes: Any) -> Forgery:
    return lambda operator: operator.edit(kind, lambda body: body[name][0].update(changes), nth=nth)


def _edit_calendar(**changes: Any) -> Forgery:
    return lambda operator: operator.edit(Kind.SHIFT_OPEN, lambda body: body["calendar"].update(changes))


def _overlapping_calendars(operator: Operator) -> None:
    operator.edit(
        Kind.SHIFT_OPEN, lambda body: body["calendar"].update(start=rfc3339(at(6, 45)), end=rfc3339(at(7, 15))), nth=1
    )


def _rewrite_as(data: bytes) -> Forgery:
    def forge(operator: Operator) -> None:
        operator.entries[operator.find(Kind.READ)] = data

    return forge


def _never_freeze(operator: Operator) -> None:
    drop(operator, None)
    drop(operator, Kind.DRAW)


def _freeze_late(operator: Operator) -> None:
    operator.retime(operator.find(None, 1) - 1, at(6, 5))
    drop(operator, Kind.DRAW, 1)


_PERSON = "0" * 32
_WAVE = f"{shift_name('A')}/waves/20261124T060000Z"

FORGERIES: dict[str, tuple[Forgery, Code]] = {
    "log starts elsewhere": (lambda o: drop(o, Kind.SERVER_START), Code.FIRST_ENTRY),
    "log starts with a freeze": (lambda o: _swap(o, 0, o.find(None)), Code.FIRST_ENTRY),
    "entry of no kind": (_rewrite_as(lp("log/v1", "gossip", ORIGIN, bytes(8), b"{}")), Code.ENTRY_MALFORMED),
    "entry of garbage": (_rewrite_as(b"\x00\x00\x00\x05abc"), Code.ENTRY_MALFORMED),
    "entry with a field too many": (_edit(Kind.READ, extra=1), Code.ENTRY_MALFORMED),
    "entry with a wrong type": (_edit(Kind.DRAW, round="7"), Code.ENTRY_MALFORMED),
    "freeze of garbage": (_rewrite_as(lp("draw/v1", "freeze", "x")), Code.ENTRY_MALFORMED),
    "entry of another log": (
        _rewrite_as(Entry(kind=Kind.ACCESS_FILE, origin="x", time=at(7), body={"digest": "00" * 32}).to_bytes()),
        Code.ENTRY_OTHER_LOG,
    ),
    "freeze of another log": (_change_freeze(origin="other.example/NLRTM"), Code.ENTRY_OTHER_LOG),
    "clock set back": (_retime(Kind.DRAW, at(6), nth=3), Code.ENTRY_TIME_BACKWARDS),
    "two entries swapped": (
        lambda o: _swap(o, o.find(Kind.ROSTER_IMPORT), o.find(Kind.REVEAL)),
        Code.ENTRY_TIME_BACKWARDS,
    ),
    "shift opened twice": (lambda o: _copy(o, Kind.SHIFT_OPEN), Code.SHIFT_OPENED_TWICE),
    "shift never opened": (lambda o: drop(o, Kind.SHIFT_OPEN), Code.SHIFT_UNKNOWN),
    "shift of no name": (_edit(Kind.SHIFT_OPEN, shift="somewhere"), Code.SHIFT_TERMS),
    "calendar without end": (_edit_calendar(end=rfc3339(at(5))), Code.SHIFT_TERMS),
    "calendar out of time": (_edit_calendar(start="0001-01-01T00:00:00Z", step_seconds=10**8), Code.SHIFT_TERMS),
    "beacon that is none": (_edit(Kind.SHIFT_OPEN, beacon={"scheme": "dice"}), Code.SHIFT_TERMS),
    "two calendars at once": (_overlapping_calendars, Code.CALENDAR_OVERLAP),
    "roster after the close": (
        lambda o: _late(o, Kind.ROSTER_IMPORT, Kind.CLOSE, nth_after=0),
        Code.ENTRY_AFTER_CLOSE,
    ),
    "close missing": (lambda o: drop(o, Kind.CLOSE), Code.CLOSE_MISSING),
    "close before the embargo": (_retime(Kind.CLOSE, at(7, 5)), Code.CLOSE_EARLY),
    "close without a salt": (
        lambda o: o.edit(Kind.CLOSE, lambda body: body["salts"].pop()),
        Code.CLOSE_SALTS,
    ),
    "close with a salt twice": (
        lambda o: o.edit(Kind.CLOSE, lambda body: body["salts"].append(body["salts"][0])),
        Code.CLOSE_SALTS,
    ),
    "close with a salt too many": (
        lambda o: o.edit(Kind.CLOSE, lambda body: body["salts"].append({"wave": "w", "salt": "00" * 32})),
        Code.CLOSE_SALTS,
    ),
    "other master seed": (_edit(Kind.CLOSE, master="00" * 32), Code.MASTER_MISMATCH),
    "person on the roster twice": (lambda o: _copy(o, Kind.ROSTER_IMPORT), Code.ROSTER_DUPLICATE),
    "absence of nobody": (_edit(Kind.ABSENCE, person=_PERSON), Code.ABSENCE_UNKNOWN),
    "order imported twice": (lambda o: _copy(o, Kind.ORDERS_IMPORT), Code.ORDER_DUPLICATE),
    "order never imported": (lambda o: drop(o, Kind.ORDERS_IMPORT), Code.ORDER_UNKNOWN),
    "slot booked twice": (lambda o: _copy(o, Kind.SLOTS_BOOK), Code.SLOT_DUPLICATE),
    "order with two slots": (_edit_list(Kind.SLOTS_BOOK, "slots", nth=1, order="o-00"), Code.ORDER_BOOKED_TWICE),
    "slot outside any shift": (
        _edit_list(Kind.SLOTS_BOOK, "slots", start=rfc3339(at(10))),
        Code.SLOT_OUTSIDE_SHIFT,
    ),
    "slot before any shift": (_edit_list(Kind.SLOTS_BOOK, "slots", start=rfc3339(at(1))), Code.SLOT_OUTSIDE_SHIFT),
    "slot after its freeze": (
        lambda o: _late(o, Kind.SLOTS_BOOK, Kind.DRAW, nth_after=1),
        Code.SLOT_AFTER_FREEZE,
    ),
    "slot cancelled twice": (lambda o: _copy(o, Kind.SLOT_CANCEL), Code.SLOT_UNKNOWN),
    "slot cancelled that is none": (_edit(Kind.SLOT_CANCEL, slot="s-99"), Code.SLOT_UNKNOWN),
    "freeze outside the calendar": (_change_freeze(wave=_move_wave(_WAVE)), Code.WAVE_OUTSIDE_CALENDAR),
    "draw outside the calendar": (_edit(Kind.DRAW, wave=_move_wave(_WAVE)), Code.WAVE_OUTSIDE_CALENDAR),
    "wave of no name": (_edit(Kind.DRAW, wave="tomorrow"), Code.WAVE_OUTSIDE_CALENDAR),
    "second freeze": (_second_freeze, Code.FREEZE_TWICE),
    "freeze dropped": (lambda o: drop(o, None), Code.DRAW_WITHOUT_FREEZE),
    "wave never frozen": (_never_freeze, Code.FREEZE_MISSING),
    "freeze before its time": (
        lambda o: o.retime(o.find(None, 2) + 1, CALENDAR_A.freeze_time(at(6, 30)) - timedelta(seconds=1)),
        Code.FREEZE_EARLY,
    ),
    "freeze after its round": (_freeze_late, Code.FREEZE_LATE),
    "round after": (_shift_round(1), Code.FREEZE_ROUND),
    "round before": (_shift_round(-1), Code.FREEZE_ROUND),
    "freeze for another beacon": (_change_freeze(chain_hash=bytes(32)), Code.FREEZE_BEACON),
    "second draw": (lambda o: _copy(o, Kind.DRAW), Code.DRAW_TWICE),
    "redraw later": (lambda o: o.entries.insert(o.find(Kind.CLOSE), o.entries[o.find(Kind.DRAW)]), Code.DRAW_TWICE),
    "draw before its round": (
        _retime(Kind.DRAW, CALENDAR_A.draw_time(at(6, 15)) - timedelta(seconds=1), nth=1),
        Code.DRAW_EARLY,
    ),
    "draw of another round": (
        lambda o: o.edit(Kind.DRAW, lambda body: body.update(round=body["round"] + 1)),
        Code.DRAW_ROUND,
    ),
    "draw missing": (lambda o: drop(o, Kind.DRAW, 1), Code.DRAW_MISSING),
    "evidence forged": (
        lambda o: o.edit(Kind.DRAW, lambda body: body.update(evidence=body["evidence"][:-2] + "00")),
        Code.BEACON_EVIDENCE,
    ),
    "evidence of another round": (
        _edit(Kind.DRAW, evidence=BEACON.evidence(1).hex()),
        Code.BEACON_EVIDENCE,
    ),
    "transcript bent": (_edit(Kind.DRAW, transcript=sha256(b"better").hex()), Code.REPLAY_MISMATCH),
    "reveal before the draw": (
        lambda o: _swap(o, o.find(Kind.REVEAL), o.find(Kind.DRAW)),
        Code.REVEAL_BEFORE_DRAW,
    ),
    "reveal too early": (_retime(Kind.REVEAL, CALENDAR_A.draw_time(at(6)) - timedelta(seconds=1)), Code.REVEAL_EARLY),
    "reveal before duty": (_retime(Kind.REVEAL, at(5, 29)), Code.REVEAL_OFF_DUTY),
    "reveal after duty": (_retime(Kind.REVEAL, at(15, 41), nth=-1), Code.REVEAL_OFF_DUTY),
    "reveal by a stranger": (_edit(Kind.REVEAL, person=_PERSON), Code.REVEAL_OFF_ROSTER),
    "reveal by the absent": (lambda o: _late(o, Kind.ABSENCE, Kind.DRAW, nth_after=0), Code.REVEAL_ABSENT),
    "late roster edit": (
        lambda o: _late(o, Kind.ROSTER_IMPORT, Kind.DRAW, nth=1, nth_after=0),
        Code.INPUTS_PERSONS,
    ),
    "roster line edited": (_edit_list(Kind.ROSTER_IMPORT, "entries", capacity=2), Code.INPUTS_PERSONS),
    "absence struck out": (lambda o: drop(o, Kind.ABSENCE), Code.INPUTS_ABSENCE),
    "absence invented": (
        lambda o: o.entries.insert(
            o.find(Kind.ORDERS_IMPORT),
            Entry(
                kind=Kind.ABSENCE,
                origin=ORIGIN,
                time=at(4),
                body={
                    "by": _PERSON,
                    "shift": str(shift_name("A")),
                    "person": o.person(shift_name("A"), NAMES_A[7]),
                    "reason": "sick",
                },
            ).to_bytes(),
        ),
        Code.INPUTS_ABSENCE,
    ),
    "slot struck out": (lambda o: o.edit(Kind.SLOTS_BOOK, lambda body: body["slots"].pop(), nth=1), Code.INPUTS_ORDERS),
    "slot moved within its wave": (
        _edit_list(Kind.SLOTS_BOOK, "slots", start=rfc3339(at(6, 1))),
        Code.INPUTS_ORDERS,
    ),
    "cancellation struck out": (lambda o: drop(o, Kind.SLOT_CANCEL), Code.INPUTS_ORDERS),
    "order digest edited": (_edit_list(Kind.ORDERS_IMPORT, "orders", digest="00" * 32), Code.INPUTS_ORDER_DIGEST),
    "software never started": (_edit(Kind.SERVER_START, code="assign 9"), Code.INPUTS_TERMS),
    "smallest pool edited": (_edit(Kind.SHIFT_OPEN, min_pool=9), Code.INPUTS_TERMS),
    "unknown draw": (_edit(Kind.SHIFT_OPEN, draw="dice/v1"), Code.INPUTS_TERMS),
    "unknown rules": (_edit(Kind.SHIFT_OPEN, rules="whim/v1"), Code.INPUTS_TERMS),
    "wave frozen and missed": (
        lambda o: o.entries.insert(
            o.find(Kind.DRAW) + 1,
            Entry(kind=Kind.WAVE_MISSED, origin=ORIGIN, time=at(5, 50), body={"wave": _WAVE, "reason": "x"}).to_bytes(),
        ),
        Code.MISSED_BUT_FROZEN,
    ),
    "wave missed, then frozen": (
        lambda o: o.entries.insert(
            o.find(None),
            Entry(kind=Kind.WAVE_MISSED, origin=ORIGIN, time=at(5, 48), body={"wave": _WAVE, "reason": "x"}).to_bytes(),
        ),
        Code.MISSED_BUT_FROZEN,
    ),
    "wave missed, then drawn": (
        lambda o: o.entries.insert(
            o.find(None) + 1,
            Entry(
                kind=Kind.WAVE_MISSED, origin=ORIGIN, time=at(5, 48), body={"wave": _WAVE, "reason": "not-witnessed"}
            ).to_bytes(),
        ),
        Code.DRAW_AFTER_MISSED,
    ),
    "wave drawn, then missed": (
        lambda o: o.entries.insert(
            o.find(Kind.DRAW) + 1,
            Entry(
                kind=Kind.WAVE_MISSED, origin=ORIGIN, time=at(5, 50), body={"wave": _WAVE, "reason": "not-witnessed"}
            ).to_bytes(),
        ),
        Code.MISSED_BUT_FROZEN,
    ),
    "wave missed too early": (
        lambda o: o.entries.insert(
            o.find(Kind.ORDERS_IMPORT),
            Entry(kind=Kind.WAVE_MISSED, origin=ORIGIN, time=at(4), body={"wave": _WAVE, "reason": "x"}).to_bytes(),
        ),
        Code.MISSED_EARLY,
    ),
}
