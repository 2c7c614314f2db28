"""What the log says of one shift and its waves, entry by entry, before anything is opened."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from assign.draw.beacon import BeaconInfo, beacon_from_json
from assign.draw.commitment import Freeze
from assign.encoding import canonical_json, parse_rfc3339
from assign.errors import AssignError, Corrupt
from assign.names import OrderId, ShiftName, WaveName, parse_shift_name, parse_wave_name
from assign.person import Pseudonym
from assign.wave import Calendar

__all__ = [
    "Approval",
    "Booking",
    "Drawn",
    "Event",
    "Rebooked",
    "RosterLine",
    "Shift",
    "Substituted",
    "Wave",
    "open_shift",
    "read_wave_name",
]


@dataclass(slots=True, kw_only=True)
class Booking:
    """A slot as it was booked. `booked` and `cancelled` are indices of entries; None: not cancelled."""

    slot: str
    order: OrderId
    terminal: str
    start: datetime
    minutes: int
    booked: int
    cancelled: int | None = None

    def stood_at(self, index: int) -> bool:
        """Whether the slot was booked, and not cancelled, before the entry at `index`."""
        return self.booked < index and (self.cancelled is None or self.cancelled > index)


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterLine:
    """A person's duty as the log has it, `index` being the entry's."""

    index: int
    terminals: frozenset[str]
    start: datetime
    end: datetime
    qualifications: frozenset[str]
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A draw entry."""

    index: int
    beacon_round: int
    evidence: bytes
    transcript: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Substituted:
    """Who takes over one order by an approval, and who was passed over, with the reasons."""

    order: OrderId
    substitute: Pseudonym | None
    passed_over: tuple[tuple[Pseudonym, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approved replacement of one person in one wave."""

    index: int
    by: str
    requested_by: str
    wave: str
    absent: Pseudonym
    substitutions: tuple[Substituted, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebooked:
    """An order that was in the draw of `wave` got a new slot by the entry at `index`."""

    index: int
    order: OrderId
    wave: str

    def __str__(self) -> str:
        return f"Order {self.order} was drawn in {self.wave}, and was booked to be drawn again."


@dataclass(slots=True, kw_only=True)
class Wave:
    """One wave of the calendar, as far as the log mentions it.

    Attributes:
        orders, seats, left_over: how many orders the inputs have, how many seats were filled, and which
            orders were left over; known once the shift is opened.
        is_given_up: it was declared missed because too few witnesses had seen its freeze.
        manual_index: of the entry by which two persons said that it is worked by hand.
        is_replayed: the draw was recomputed and is the logged one, byte for byte.
    """

    name: str
    start: datetime
    bookings: list[Booking] = field(default_factory=list)
    freeze: Freeze | None = None
    freeze_index: int = -1
    drawn: Drawn | None = None
    missed_index: int | None = None
    is_given_up: bool = False
    manual_index: int | None = None
    orders: int = 0
    seats: int = 0
    left_over: frozenset[OrderId] = frozenset()
    is_replayed: bool = False

    @property
    def is_over(self) -> bool:
        """Whether the wave can no longer be drawn."""
        return self.drawn is not None or self.missed_index is not None or self.manual_index is not None

    def orders_at_freeze(self) -> Iterator[Booking]:
        """The slots that the freeze has to hold."""
        return (booking for booking in self.bookings if booking.stood_at(self.freeze_index))


@dataclass(frozen=True, slots=True)
class Event:
    """A freeze, a draw, an approved replacement, or (a Booking) the cancellation of a slot, in its wave."""

    index: int
    wave: Wave
    what: Freeze | Drawn | Approval | Booking


@dataclass(slots=True, kw_only=True)
class Shift:
    """An opened shift.

    Attributes:
        index: of the `shift-open` entry.
        events: freezes, draws, approvals and cancellations in the order of the log, for the replay.
        roster_indices: the entry of each person on the roster, ascending.
        absent: the index of the first absence of each person, ascending.
        requests: who asked for which replacement, by (wave, absent), while not yet approved.
    """

    name: ShiftName
    index: int
    calendar: Calendar
    beacon: BeaconInfo
    commit_master: bytes
    embargo: timedelta
    min_pool: int
    draw: str
    rules: str
    closes: datetime
    roster: dict[Pseudonym, RosterLine] = field(default_factory=dict)
    roster_indices: list[int] = field(default_factory=list)
    absent: dict[Pseudonym, int] = field(default_factory=dict)
    waves: dict[str, Wave] = field(default_factory=dict)
    requests: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    rebooked: list[Rebooked] = field(default_factory=list)
    closed_index: int | None = None

    def roster_size_at(self, index: int) -> int:
        """How many persons were on the roster before the entry at `index`; the roster keeps them in that order."""
        return bisect_left(self.roster_indices, index)

    def wave(self, name: WaveName) -> Wave | None:
        """The wave of that name; None outside the calendar."""
        text = str(name)
        known = self.waves.get(text)
        if known is not None:
            return known
        calendar = self.calendar
        if not calendar.start <= name.start < calendar.end or calendar.wave_of(name.start) != name.start:
            return None
        wave = self.waves[text] = Wave(name=text, start=name.start)
        return wave

    def wave_at(self, start: datetime) -> Wave | None:
        """The wave that holds a slot starting at `start`; None outside the shift."""
        if not self.calendar.start <= start < self.calendar.end:
            return None
        return self.wave(WaveName(self.name, self.calendar.wave_of(start)))


def open_shift(index: int, body: dict[str, Any]) -> Shift:
    """The shift that a `shift-open` body of the right form opens.

    Raises Corrupt (SHIFT_TERMS) for terms that cannot be: a calendar without waves, times out of range, a
    beacon that is none or ends before the shift does.
    """
    terms = body["calendar"]
    try:
        name, _ = parse_shift_name(body["shift"])
        calendar = Calendar(
            start=parse_rfc3339(terms["start"]),
            end=parse_rfc3339(terms["end"]),
            step_seconds=terms["step_seconds"],
            lead_seconds=terms["lead_seconds"],
            margin_seconds=terms["margin_seconds"],
        )
        beacon = beacon_from_json(canonical_json(body["beacon"]))
        embargo = timedelta(seconds=body["embargo_seconds"])
        closes = calendar.end + embargo
        calendar.freeze_time(calendar.start)
        beacon.round_at_or_after(calendar.draw_time(calendar.wave_start(calendar.wave_count - 1)))
    except (AssignError, OverflowError) as error:
        raise Corrupt("SHIFT_TERMS", f"The terms of this shift cannot be: {error}") from None
    if str(name) != body["shift"]:
        raise Corrupt("SHIFT_TERMS", "The shift is not written as its resource name.")
    return Shift(
        name=name,
        index=index,
        calendar=calendar,
        beacon=beacon,
        commit_master=bytes.fromhex(body["commit_master"]),
        embargo=embargo,
        min_pool=body["min_pool"],
        draw=body["draw"],
        rules=body["rules"],
        closes=closes,
    )


def read_wave_name(text: str) -> WaveName | None:
    """The wave's name if `text` is exactly one."""
    try:
        name = parse_wave_name(text)
    except AssignError:
        return None
    return name if str(name) == text else None
