"""The day as messages of the contract."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from assign.encoding import lp, sha256
from assign.names import PersonId, Port, ShiftId, ShiftName, WaveName
from assign.order import Slot
from assign.person import Person
from assign.roster import RosterEntry
from assign.v1 import order_service_pb2, person_service_pb2, resources_pb2, roster_service_pb2, slot_service_pb2
from server.demo.cargo import PlannedOrder
from server.demo.people import DayShift

__all__ = ["Messages", "duration", "moment_of", "timestamp"]

_REQUEST_ID_DIGITS = 32


def timestamp(moment: datetime) -> Timestamp:
    """An aware time as a Timestamp."""
    result = Timestamp()
    result.FromDatetime(moment.astimezone(UTC))
    return result


def moment_of(stamp: Timestamp) -> datetime:
    """A Timestamp as an aware UTC time."""
    return stamp.ToDatetime(tzinfo=UTC)


def duration(minutes: int) -> Duration:
    """Whole minutes as a Duration."""
    result = Duration()
    result.FromTimedelta(timedelta(minutes=minutes))
    return result


class Messages:
    """Makes requests for one port; a request id follows from the seed and what the request is for."""

    def __init__(self, port: Port, seed: int) -> None:
        self.port = port
        self.parent = f"ports/{port}"
        self._seed = seed

    def request_id(self, purpose: str) -> str:
        """The id of the request with this purpose."""
        return sha256(lp("demo/v1", "request", str(self._seed), purpose)).hex()[:_REQUEST_ID_DIGITS]

    def terminal(self, code: str) -> str:
        """Resource name of a terminal."""
        return f"{self.parent}/terminals/{code}"

    def person(self, person: str) -> str:
        """Resource name of a person."""
        return f"{self.parent}/persons/{person}"

    def shift(self, shift: ShiftId) -> str:
        """Resource name of a shift."""
        return str(ShiftName(self.port, shift))

    def wave(self, shift: ShiftId, start: datetime) -> str:
        """Resource name of a wave."""
        return str(WaveName(ShiftName(self.port, shift), start))

    def roster_entry(self, shift: ShiftId, person: PersonId) -> str:
        """Resource name of a roster entry."""
        return f"{self.shift(shift)}/rosterEntries/{person}"

    def open_shift(self, shift: DayShift) -> roster_service_pb2.OpenShiftRequest:
        """Opens a shift."""
        return roster_service_pb2.OpenShiftRequest(
            parent=self.parent,
            shift_id=shift.shift,
            shift=resources_pb2.Shift(start_time=timestamp(shift.start), end_time=timestamp(shift.end)),
            request_id=self.request_id(f"open {shift.shift}"),
        )

    def import_roster(
        self, shift: ShiftId, entries: Iterable[RosterEntry], *, purpose: str = "roster"
    ) -> roster_service_pb2.BatchImportRosterRequest:
        """Adds people to a shift's roster."""
        return roster_service_pb2.BatchImportRosterRequest(
            parent=self.shift(shift),
            entries=[self._entry(shift, entry) for entry in entries],
            request_id=self.request_id(f"{purpose} {shift}"),
        )

    def _entry(self, shift: ShiftId, entry: RosterEntry) -> resources_pb2.RosterEntry:
        return resources_pb2.RosterEntry(
            name=self.roster_entry(shift, entry.person),
            person=self.person(entry.person),
            terminals=[self.terminal(code) for code in sorted(entry.terminals)],
            start_time=timestamp(entry.start),
            end_time=timestamp(entry.end),
            qualifications=sorted(entry.qualifications),
            wave_capacity=entry.capacity,
        )

    def import_persons(self, persons: Iterable[Person]) -> person_service_pb2.BatchImportPersonsRequest:
        """Screening status and ties."""
        return person_service_pb2.BatchImportPersonsRequest(
            parent=self.parent,
            persons=[self._person(person) for person in persons],
            request_id=self.request_id("persons"),
        )

    def _person(self, person: Person) -> resources_pb2.Person:
        until = person.screening.certificate_until
        return resources_pb2.Person(
            name=self.person(person.person),
            certificate_valid_until=None if until is None else timestamp(until),
            screening_signal_open=person.screening.signal_open,
            vulnerability_interview_done=person.screening.interviewed,
            recused_parties=sorted(person.recused_parties),
        )

    def import_orders(
        self, orders: Iterable[PlannedOrder], *, purpose: str = "orders"
    ) -> order_service_pb2.BatchImportOrdersRequest:
        """Orders from the declaration system."""
        return order_service_pb2.BatchImportOrdersRequest(
            parent=self.parent,
            orders=[self.order(order) for order in orders],
            request_id=self.request_id(purpose),
        )

    def order(self, order: PlannedOrder) -> resources_pb2.Order:
        """One order."""
        return resources_pb2.Order(
            name=f"{self.parent}/orders/{order.order}",
            container_number=order.container,
            terminal=self.terminal(order.terminal),
            tier=order.tier,
            team_size=order.team_size,
            qualifications=sorted(order.qualifications),
            parties=sorted(order.parties),
            selected_by=self.person(order.selected_by),
        )

    def book_slots(self, slots: Iterable[Slot], *, purpose: str) -> slot_service_pb2.BatchBookSlotsRequest:
        """Inspection places from a terminal's scheduling system."""
        return slot_service_pb2.BatchBookSlotsRequest(
            parent=self.parent,
            slots=[self._slot(slot) for slot in slots],
            request_id=self.request_id(f"slots {purpose}"),
        )

    def _slot(self, slot: Slot) -> resources_pb2.Slot:
        return resources_pb2.Slot(
            name=f"{self.parent}/slots/{slot.slot}",
            order=f"{self.parent}/orders/{slot.order}",
            terminal=self.terminal(slot.terminal),
            start_time=timestamp(slot.start),
            expected_duration=duration(slot.minutes),
        )
