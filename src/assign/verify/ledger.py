"""Reads a log entry by entry: keeps what the replay needs and finds what no opening is needed to find."""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Callable
from datetime import datetime

from assign.draw.commitment import Freeze, is_freeze
from assign.encoding import parse_rfc3339
from assign.errors import Corrupt
from assign.log.entries import Entry, Kind
from assign.names import OrderId
from assign.person import Pseudonym
from assign.verify.bodies import check_body
from assign.verify.findings import Attention, Code, Findings
from assign.verify.outage import Exceptions, Outages
from assign.verify.shift import Booking, Event, Rebooked, RosterLine, Shift, Wave, open_shift, read_wave_name
from assign.verify.wave_life import WaveLife

__all__ = ["Ledger"]

_FREEZE = "freeze"


class Ledger:
    """The state of one port's log after the entries read so far.

    Attributes:
        counts: how many entries of each kind.
        codes: every `code` that a server-start named so far.
        is_clock_steered: some server-start named a clock that is not the system's.
        unread: kinds that occurred and that this verifier does not know.
        last_time: of the latest entry that has one.
        order_digests: every imported order's digest.
        outages: what was worked by hand.
    """

    def __init__(self, origin: str, findings: Findings, *, on_close: Callable[[Shift, Entry], None]) -> None:
        self.origin = origin
        self.counts: Counter[str] = Counter()
        self.unread: set[Kind] = set()
        self.codes: set[str] = set()
        self.is_clock_steered = False
        self.last_time: datetime | None = None
        self.order_digests: dict[OrderId, str] = {}
        self.shifts: dict[str, Shift] = {}
        self._findings = findings
        self._on_close = on_close
        self._slots: dict[str, tuple[Booking, Shift, Wave] | None] = {}
        self._known_waves: dict[str, tuple[Shift, Wave]] = {}
        self._slot_of: dict[OrderId, str] = {}
        self._drawn_in: dict[OrderId, tuple[Shift, str]] = {}
        self._by_start: list[tuple[datetime, str]] = []
        self._waves = WaveLife(findings)
        self._exceptions = Exceptions(findings)
        self.outages = Outages(origin, findings, self._exceptions)
        self._readers: dict[Kind, Callable[[int, Entry], None]] = {
            Kind.SERVER_START: self._read_server_start,
            Kind.SHIFT_OPEN: self._read_shift_open,
            Kind.ROSTER_IMPORT: self._read_roster,
            Kind.ABSENCE: self._read_absence,
            Kind.ORDERS_IMPORT: self._read_orders,
            Kind.SLOTS_BOOK: self._read_slots,
            Kind.SLOT_CANCEL: self._read_cancel,
            Kind.KEY_USE: self._read_key_use,
            Kind.DRAW: self._read_draw,
            Kind.WAVE_MISSED: self._read_missed,
            Kind.UNWITNESSED: self._read_unwitnessed,
            Kind.REVEAL: self._read_reveal,
            Kind.REPLACEMENT_REQUEST: self._read_replacement,
            Kind.REPLACEMENT_APPROVE: self._read_replacement,
            Kind.CLOSE: self._read_close,
            Kind.SHEETS_COMMIT: self._read_sheets,
            Kind.SHEET_OPEN: self._read_sheets,
            Kind.MANUAL_ASSIGNMENT: self._read_sheets,
            Kind.WAVE_MANUAL: self._read_manual,
            Kind.EXCEPTION_REQUEST: lambda _, entry: self._exceptions.request(entry),
            Kind.PERSON_KEYS: lambda _, entry: self._exceptions.commit_keys(entry),
            Kind.PERSON_ERASED: self._exceptions.erase_key,
        }

    def read(self, index: int, data: bytes) -> None:
        """Take in the entry at `index`, whatever its bytes are."""
        try:
            if is_freeze(data):
                self._read_freeze(index, Freeze.from_bytes(data))
            else:
                self._read_entry(index, Entry.from_bytes(data))
        except Corrupt as error:
            self._findings.add(Code.ENTRY_MALFORMED, error.message, index)

    def _read_entry(self, index: int, entry: Entry) -> None:
        if not check_body(entry):
            self.unread.add(entry.kind)
        self.counts[entry.kind] += 1
        if index == 0 and entry.kind is not Kind.SERVER_START:
            self._findings.add(Code.FIRST_ENTRY, "The log does not begin with the start of a server.", 0)
        if entry.origin != self.origin:
            self._findings.add(Code.ENTRY_OTHER_LOG, f"This entry belongs to the log {entry.origin}.", index)
            return
        if self.last_time is not None and entry.time < self.last_time:
            self._findings.add(Code.ENTRY_TIME_BACKWARDS, "This entry is earlier than the one before it.", index)
        else:
            self.last_time = entry.time
        self._waves.check_freezes_before(entry.time)
        reader = self._readers.get(entry.kind)
        if reader is not None:
            reader(index, entry)

    def _read_server_start(self, index: int, entry: Entry) -> None:
        self.codes.add(entry.body["code"])
        if entry.body["clock"] != "system":
            self.is_clock_steered = True
            self._findings.note(
                Attention.STEERED_CLOCK,
                "The server's clock was steered: this is a test or demonstration, not evidence.",
                index,
            )

    def _read_shift_open(self, index: int, entry: Entry) -> None:
        name = entry.body["shift"]
        if name in self.shifts:
            self._findings.add(Code.SHIFT_OPENED_TWICE, f"{name} was opened before.", index)
            return
        try:
            shift = open_shift(index, entry.body)
        except Corrupt as error:
            self._findings.add(Code.SHIFT_TERMS, error.message, index)
            return
        place = bisect_right(self._by_start, (shift.calendar.start, name))
        for _, other in self._by_start[max(place - 1, 0) : place + 1]:
            calendar = self.shifts[other].calendar
            if calendar.start < shift.calendar.end and shift.calendar.start < calendar.end:
                self._findings.add(Code.CALENDAR_OVERLAP, f"The calendars of {name} and {other} overlap.", index)
        insort(self._by_start, (shift.calendar.start, name))
        self.shifts[name] = shift

    def _read_roster(self, index: int, entry: Entry) -> None:
        shift = self._open_shift(index, entry.body["shift"])
        if shift is None:
            return
        for line in entry.body["entries"]:
            if line["person"] in shift.roster:
                self._findings.add(
                    Code.ROSTER_DUPLICATE, f"{line['person']} is on the roster of {shift.name} already.", index
                )
                continue
            shift.roster_indices.append(index)
            shift.roster[line["person"]] = RosterLine(
                index=index,
                terminals=frozenset(line["terminals"]),
                start=parse_rfc3339(line["start"]),
                end=parse_rfc3339(line["end"]),
                qualifications=frozenset(line["qualifications"]),
                capacity=line["capacity"],
            )

    def _read_absence(self, index: int, entry: Entry) -> None:
        shift = self._open_shift(index, entry.body["shift"])
        if shift is None:
            return
        person = Pseudonym(entry.body["person"])
        if person not in shift.roster:
            self._findings.add(Code.ABSENCE_UNKNOWN, f"{person} is not on the roster of {shift.name}.", index)
        shift.absent.setdefault(person, index)

    def _read_orders(self, index: int, entry: Entry) -> None:
        for order in entry.body["orders"]:
            if order["order"] in self.order_digests:
                self._findings.add(Code.ORDER_DUPLICATE, f"Order {order['order']} was imported before.", index)
            else:
                self.order_digests[OrderId(order["order"])] = order["digest"]

    def _read_slots(self, index: int, entry: Entry) -> None:
        for line in entry.body["slots"]:
            start = parse_rfc3339(line["start"])
            booking = Booking(
                slot=line["slot"],
                order=OrderId(line["order"]),
                terminal=line["terminal"],
                start=start,
                minutes=line["minutes"],
                booked=index,
            )
            self._book(index, booking)

    def _book(self, index: int, booking: Booking) -> None:
        if booking.slot in self._slots:
            self._findings.add(Code.SLOT_DUPLICATE, f"Slot {booking.slot} was booked before.", index)
            return
        if booking.order not in self.order_digests:
            self._findings.add(Code.ORDER_UNKNOWN, f"Order {booking.order} was never imported.", index)
        shift = self._shift_at(booking.start)
        wave = shift.wave_at(booking.start) if shift else None
        if shift is None or wave is None:
            self._findings.add(
                Code.SLOT_OUTSIDE_SHIFT, f"Slot {booking.slot} starts in no open shift's calendar.", index
            )
            return
        if self._is_waiting(booking.order):
            self._findings.add(Code.ORDER_BOOKED_TWICE, f"Order {booking.order} has a slot already.", index)
        if wave.freeze is not None or wave.missed_index is not None:
            self._findings.add(
                Code.SLOT_AFTER_FREEZE, f"Slot {booking.slot} came after the freeze of its wave {wave.name}.", index
            )
        self._note_drawn_again(index, booking.order)
        if booking.order in self.outages.handed_out:
            message = f"Order {booking.order} was handed out by hand, and was booked to be drawn again."
            self._findings.note(Attention.DRAWN_AGAIN, message, index)
        self._slots[booking.slot] = (booking, shift, wave)
        self._slot_of[booking.order] = booking.slot
        wave.bookings.append(booking)

    def _is_waiting(self, order: OrderId) -> bool:
        """Whether the order has a slot in a wave that may yet be drawn."""
        found = self._slots.get(self._slot_of.get(order, ""))
        return found is not None and found[0].cancelled is None and not found[2].is_over

    def _note_drawn_again(self, index: int, order: OrderId) -> None:
        if order in self._drawn_in:
            shift, wave = self._drawn_in[order]
            rebooked = Rebooked(index=index, order=order, wave=wave)
            # Whether the order was served or left over is known once the earlier shift is opened.
            if shift.closed_index is None:
                shift.rebooked.append(rebooked)
            else:
                self._findings.note(Attention.DRAWN_AGAIN, str(rebooked), index)

    def _read_cancel(self, index: int, entry: Entry) -> None:
        slot = entry.body["slot"]
        found = self._slots.get(slot)
        if found is None or found[0].cancelled is not None:
            self._findings.add(Code.SLOT_UNKNOWN, f"There is no slot {slot} to cancel.", index)
            return
        booking, shift, wave = found
        booking.cancelled = index
        shift.events.append(Event(index, wave, booking))

    def _read_key_use(self, index: int, entry: Entry) -> None:
        self.counts[f"{entry.kind}:{entry.body['purpose']}"] += 1
        if entry.body["purpose"] == "recover":
            self._findings.note(
                Attention.KEY_RECOVERED, f"The master seed was recovered for {entry.body['wave']}.", index
            )

    def _read_freeze(self, index: int, freeze: Freeze) -> None:
        self.counts[_FREEZE] += 1
        if index == 0:
            self._findings.add(Code.FIRST_ENTRY, "The log does not begin with the start of a server.", 0)
        if freeze.origin != self.origin:
            self._findings.add(Code.ENTRY_OTHER_LOG, f"This freeze belongs to the log {freeze.origin}.", index)
            return
        found = self._wave(index, freeze.wave)
        if found is not None:
            self._waves.freeze(index, *found, freeze, self.last_time)

    def _read_draw(self, index: int, entry: Entry) -> None:
        found = self._wave(index, entry.body["wave"])
        if found is not None and self._waves.draw(index, *found, entry):
            shift, wave = found
            for booking in wave.orders_at_freeze():
                if booking.cancelled is None:
                    self._drawn_in[booking.order] = (shift, wave.name)

    def _read_missed(self, index: int, entry: Entry) -> None:
        found = self._wave(index, entry.body["wave"])
        if found is not None:
            self._waves.miss(index, *found, entry)

    def _read_unwitnessed(self, index: int, entry: Entry) -> None:
        if self._wave(index, entry.body["wave"]) is not None:
            self._findings.note(
                Attention.UNWITNESSED,
                f"{entry.body['wave']} was drawn although only {entry.body['witnesses']} of "
                f"{entry.body['quorum']} witnesses had seen its freeze in time.",
                index,
            )

    def _read_reveal(self, index: int, entry: Entry) -> None:
        found = self._wave(index, entry.body["wave"])
        if found is not None:
            self._waves.reveal(index, *found, entry)

    def _read_replacement(self, index: int, entry: Entry) -> None:
        found = self._wave(index, entry.body["wave"])
        if found is None:
            return
        if entry.kind is Kind.REPLACEMENT_REQUEST:
            self._waves.request(index, *found, entry)
        else:
            self._waves.approve(index, *found, entry)

    def _read_sheets(self, index: int, entry: Entry) -> None:
        shift = self._open_shift(index, entry.body["shift"])
        if shift is not None:
            self.outages.read(index, shift, entry)

    def _read_manual(self, index: int, entry: Entry) -> None:
        found = self._wave(index, entry.body["wave"])
        if found is not None:
            self.outages.manual(index, *found, entry)

    def _read_close(self, index: int, entry: Entry) -> None:
        shift = self._open_shift(index, entry.body["shift"])
        if shift is None:
            return
        shift.closed_index = index
        if entry.time < shift.closes:
            self._findings.add(Code.CLOSE_EARLY, f"{shift.name} was opened before its end and embargo.", index)
        self._on_close(shift, entry)
        self._forget(shift)

    def _forget(self, shift: Shift) -> None:
        """Nothing may refer to what was in a closed shift any more: keep names, and who was served."""
        for wave in shift.waves.values():
            self._known_waves.pop(wave.name, None)
            for booking in wave.bookings:
                self._slots[booking.slot] = None
                if booking.order in wave.left_over:
                    self._drawn_in.pop(booking.order, None)
        shift.waves.clear()
        shift.roster.clear()
        shift.roster_indices.clear()
        shift.events.clear()

    def _open_shift(self, index: int, name: str) -> Shift | None:
        shift = self.shifts.get(name)
        if shift is None:
            self._findings.add(Code.SHIFT_UNKNOWN, f"{name} was never opened.", index)
        elif shift.closed_index is not None:
            self._findings.add(Code.ENTRY_AFTER_CLOSE, f"{name} was closed before this entry.", index)
            return None
        return shift

    def _wave(self, index: int, text: str) -> tuple[Shift, Wave] | None:
        known = self._known_waves.get(text)
        if known is not None:
            return known
        name = read_wave_name(text)
        shift = self._open_shift(index, str(name.shift)) if name else None
        wave = shift.wave(name) if shift and name else None
        if name is None or (shift is not None and wave is None):
            self._findings.add(Code.WAVE_OUTSIDE_CALENDAR, f"{text} is in no shift's calendar.", index)
        if shift is None or wave is None:
            return None
        self._known_waves[text] = (shift, wave)
        return shift, wave

    def _shift_at(self, start: datetime) -> Shift | None:
        place = bisect_right(self._by_start, (start, "\U0010ffff"))
        return self.shifts[self._by_start[place - 1][1]] if place else None
