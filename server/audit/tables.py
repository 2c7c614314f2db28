"""The tables of shifts, waves, rosters, orders and slots, each row as it follows from the log."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Table
from sqlalchemy.engine import Connection

from assign.draw.beacon import beacon_from_json, round_at_or_after
from assign.encoding import canonical_json, parse_rfc3339
from assign.errors import AssignError, InvalidInput
from assign.names import OrderId, PersonId
from assign.order import order_digest
from server.audit.book import Book, ShiftBook, SlotBook, WaveBook
from server.audit.findings import Code, Findings
from server.audit.forgotten import Forgotten
from server.audit.people import People
from server.audit.rows import Key, Row, compare_rows, key_text, read_rows
from server.audit.secrets import Drawn, WaveSecrets
from server.keyring import Keyring
from server.storage import schema
from server.storage.secrets import order_salt
from server.storage.slots import SlotState
from server.storage.waves import WaveState

__all__ = ["Tables"]

Expected = dict[Key, dict[str, object]]
_NOTHING = Drawn()


class Tables:
    """Compares the rows of all ports; `books` are their logs."""

    def __init__(self, connection: Connection, keyring: Keyring, books: Iterable[Book], findings: Findings) -> None:
        self._connection = connection
        self._keyring = keyring
        self._books = [*books]
        self._findings = findings
        self.people = People(connection, keyring, findings)
        self.secrets = WaveSecrets(keyring, self.people, findings)

    def check(self) -> None:
        """All of them."""
        shifts, waves = self._rows(schema.shift), self._rows(schema.wave)
        for book in self._books:
            self.secrets.check(book, shifts, waves)
            self.people.check_actors(book, self._connection, self._keyring, self._findings)
        compare_rows(schema.shift, shifts, self._expect_shifts(), self._findings)
        compare_rows(schema.wave, waves, self._expect_waves(), self._findings)
        self._check_roster()
        compare_rows(schema.slot, self._rows(schema.slot), self._expect_slots(), self._findings)
        self._check_orders()

    def _rows(self, table: Table) -> dict[Key, Row]:
        return dict(read_rows(self._connection, table, self._findings))

    def _shifts(self) -> Iterable[ShiftBook]:
        return (shift for book in self._books for shift in book.shifts.values())

    def _expect_shifts(self) -> Expected:
        expected: Expected = {}
        for shift in self._shifts():
            body, calendar = shift.opened.entry.body, shift.calendar
            expected[shift.name.port, shift.name.shift] = {
                "start": calendar.start,
                "end": calendar.end,
                "step_seconds": calendar.step_seconds,
                "lead_seconds": calendar.lead_seconds,
                "margin_seconds": calendar.margin_seconds,
                "close_time": calendar.end + timedelta(seconds=body["embargo_seconds"]),
                "min_pool": body["min_pool"],
                "beacon": canonical_json(body["beacon"]),
                "commitment": bytes.fromhex(body["commit_master"]),
                "closed": shift.closed is not None,
            }
        return expected

    def _expect_waves(self) -> Expected:
        slots: dict[Any, int] = {}
        for slot in (slot for book in self._books for slot in book.slots.values()):
            slots[slot.wave.name] = slots.get(slot.wave.name, 0) + (not slot.is_cancelled)
        expected: Expected = {}
        for shift in self._shifts():
            beacon = beacon_from_json(canonical_json(shift.opened.entry.body["beacon"]))
            for start, wave in shift.waves.items():
                draw_time = shift.calendar.draw_time(start)
                expected[shift.name.port, shift.name.shift, start] = {
                    "freeze_time": shift.calendar.freeze_time(start),
                    "draw_time": draw_time,
                    "beacon_round": round_at_or_after(beacon, draw_time),
                    **_life(wave, self.secrets.drawn.get(wave.name, _NOTHING), slots.get(wave.name, 0)),
                }
                if wave.draw is not None and self._is_past(shift, "assignments"):
                    expected[shift.name.port, shift.name.shift, start]["slot_count"] = 0
        return expected

    def _check_roster(self) -> None:
        """By pseudonym, since the log knows no other name; the person must be the one it belongs to."""
        found: dict[Key, Row] = {}
        for (port, shift, person), row in read_rows(self._connection, schema.roster_entry, self._findings):
            context = f"ports/{port}/shifts/{shift}"
            if self.people.pseudonym(person, context) != row["pseudonym"]:
                message = "The pseudonym is not the one of this person in this shift."
                where = key_text((port, shift, person))
                self._findings.add(Code.VALUE_CHANGED, message, table=schema.roster_entry.name, row=where)
                continue
            found[port, shift, row["pseudonym"]] = row
        expected: Expected = {
            (shift.name.port, shift.name.shift, pseudonym): {
                "terminals": frozenset(line["terminals"]),
                "start": parse_rfc3339(line["start"]),
                "end": parse_rfc3339(line["end"]),
                "qualifications": frozenset(line["qualifications"]),
                "capacity": line["capacity"],
                "absent_time": shift.absent.get(pseudonym),
            }
            for shift in self._shifts()
            if not self._is_past(shift, "rosters")
            for pseudonym, line in shift.roster.items()
            if not self._is_erased(shift, pseudonym)
        }
        compare_rows(schema.roster_entry, found, expected, self._findings)

    def _is_past(self, shift: ShiftBook, kind: str) -> bool:
        closed = None if shift.closed is None else shift.closed.entry.time
        return self._forgotten(shift.name.port).is_past(kind, shift.calendar.end, closed)

    def _is_erased(self, shift: ShiftBook, pseudonym: str) -> bool:
        """Whether the pseudonym is one of those that nobody has any more; how many they are is checked elsewhere."""
        return (
            bool(self._forgotten(shift.name.port).erasures) and self.people.person(pseudonym, str(shift.name)) is None
        )

    def _forgotten(self, port: str) -> Forgotten:
        return next((book.forgotten for book in self._books if book.port == port), Forgotten())

    def _expect_slots(self) -> Expected:
        return {
            (book.port, name): {
                "order": slot.order,
                "terminal": slot.terminal,
                "start": slot.start,
                "minutes": slot.minutes,
                "shift": slot.wave.name.shift.shift,
                "wave_start": slot.wave.name.start,
                "state": int(self._state(slot)),
            }
            for book in self._books
            for name, slot in book.slots.items()
        }

    def _state(self, slot: SlotBook) -> SlotState:
        wave = slot.wave
        if slot.is_cancelled:
            return SlotState.CANCELLED
        if slot.is_by_hand:
            return SlotState.ASSIGNED_BY_HAND
        if wave.is_missed or wave.is_manual:
            return SlotState.LEFT_OVER
        if wave.draw is not None:
            is_served = slot.order in self.secrets.drawn.get(wave.name, _NOTHING).served
            return SlotState.DRAWN if is_served else SlotState.LEFT_OVER
        return SlotState.BOOKED if wave.freeze is None else SlotState.FROZEN

    def _check_orders(self) -> None:
        """Digest and slot by the log; who selected it by the salt, which only the key gives."""
        orders, handled = self._rows(schema.inspection_order), self._rows(schema.handled_selection)
        expected: Expected = {}
        for book in self._books:
            for name in book.orders:
                slot = book.slots.get(book.slot_of.get(name, ""))
                is_booked = slot is not None and self._state(slot) not in (SlotState.CANCELLED, SlotState.LEFT_OVER)
                expected[book.port, name] = {"slot": book.slot_of[name] if is_booked else None}
        compare_rows(schema.inspection_order, orders, expected, self._findings)
        handlers: Expected = {}
        for key, row in orders.items():
            handlers[*key, row["selected_by"]] = {}
            digest = next((book.orders.get(key[1]) for book in self._books if book.port == key[0]), None)
            if digest is not None and not self._is_order(row, digest):
                message = "The order, or who selected it, is not what was imported."
                table = schema.inspection_order.name
                self._findings.add(Code.VALUE_CHANGED, message, table=table, row=key_text(key))
        compare_rows(schema.handled_selection, handled, handlers, self._findings)

    def _is_order(self, row: Row, digest: str) -> bool:
        names = ("salt", "order", "container", "terminal", "tier", "team_size", "qualifications", "parties")
        salt = order_salt(self._keyring, row["port"], OrderId(row["order"]), PersonId(row["selected_by"]))
        try:
            is_salt = row["salt"] == salt or self._forgotten(row["port"]).is_stand_in(row["selected_by"])
            return bool(is_salt and order_digest(**{name: row[name] for name in names}).hex() == digest)
        except (AssignError, InvalidInput):
            return False


def _life(wave: WaveBook, drawn: Drawn, slots: int) -> dict[str, object]:
    """How far a wave has come, by the log. A count of what could not be opened is not compared."""
    freeze, draw = wave.freeze, wave.draw
    state = WaveState.PLANNED if freeze is None else WaveState.FROZEN if draw is None else WaveState.DRAWN
    expected: dict[str, object] = {
        "state": int(WaveState.MANUAL if wave.is_manual else WaveState.MISSED if wave.is_missed else state),
        "freeze_index": None if freeze is None else freeze[0],
        "freeze_data": None if freeze is None else freeze[1].to_bytes(),
        "draw_index": None if draw is None else draw.position,
        "slot_count": slots if wave.is_missed or wave.is_manual or freeze is not None else 0,
        "small_pool_count": drawn.small_pools,
        "left_over_count": drawn.left_over,
    }
    empty = [] if freeze is not None else ["salt_sealed", "inputs_sealed"]
    empty += [] if draw is not None else ["outcome_sealed", "key_sealed"]
    return {**expected, **dict.fromkeys(empty)}
