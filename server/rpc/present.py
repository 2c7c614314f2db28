"""From stored values to messages."""

from __future__ import annotations

from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from assign.names import AssignmentName, PersonId, Port, WaveName
from assign.v1 import resources_pb2
from server.actions.reveal_assignment import Inspection
from server.storage.orders import StoredOrder
from server.storage.shifts import Rostered, StoredShift
from server.storage.slots import StoredSlot
from server.storage.waves import StoredReplacement, StoredWave

__all__ = ["assignment", "order", "replacement", "roster_entry", "shift", "slot", "wave"]


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def _span(span: timedelta) -> Duration:
    return Duration(seconds=span // timedelta(seconds=1))


def _person(port: Port, person: str) -> str:
    return f"ports/{port}/persons/{person}"


def _terminal(port: Port, terminal: str) -> str:
    return f"ports/{port}/terminals/{terminal}"


def shift(stored: StoredShift) -> resources_pb2.Shift:
    """A shift and its calendar."""
    calendar = stored.calendar
    state = resources_pb2.Shift.STATE_CLOSED if stored.is_closed else resources_pb2.Shift.STATE_OPEN
    return resources_pb2.Shift(
        name=str(stored.name),
        start_time=_stamp(calendar.start),
        end_time=_stamp(calendar.end),
        wave_step=Duration(seconds=calendar.step_seconds),
        lead=Duration(seconds=calendar.lead_seconds),
        freeze_margin=Duration(seconds=calendar.margin_seconds),
        master_commitment=stored.commitment,
        state=state,
        wave_count=calendar.wave_count,
    )


def roster_entry(shift_name: str, port: Port, rostered: Rostered) -> resources_pb2.RosterEntry:
    """A roster entry."""
    entry = rostered.entry
    return resources_pb2.RosterEntry(
        name=f"{shift_name}/rosterEntries/{entry.person}",
        person=_person(port, entry.person),
        terminals=[_terminal(port, terminal) for terminal in sorted(entry.terminals)],
        start_time=_stamp(entry.start),
        end_time=_stamp(entry.end),
        qualifications=sorted(entry.qualifications),
        wave_capacity=entry.capacity,
        absent_time=None if rostered.absent_time is None else _stamp(rostered.absent_time),
    )


def order(port: Port, stored: StoredOrder) -> resources_pb2.Order:
    """An order; who inspects it is nowhere in it."""
    one = stored.order
    return resources_pb2.Order(
        name=f"ports/{port}/orders/{one.order}",
        container_number=one.container,
        terminal=_terminal(port, one.terminal),
        tier=one.tier,
        team_size=one.team_size,
        qualifications=sorted(one.qualifications),
        parties=sorted(one.parties),
        selected_by=_person(port, one.selected_by),
        slot="" if stored.slot is None else f"ports/{port}/slots/{stored.slot}",
    )


def slot(port: Port, stored: StoredSlot) -> resources_pb2.Slot:
    """A slot; who comes is nowhere in it."""
    one = stored.slot
    return resources_pb2.Slot(
        name=f"ports/{port}/slots/{one.slot}",
        order=f"ports/{port}/orders/{one.order}",
        terminal=_terminal(port, one.terminal),
        start_time=_stamp(one.start),
        expected_duration=Duration(seconds=60 * one.minutes),
        state=resources_pb2.Slot.State.ValueType(stored.state),
        wave=str(stored.wave),
    )


def wave(stored: StoredWave, booked_count: int) -> resources_pb2.Wave:
    """A wave without persons. `booked_count` counts only until the freeze."""
    is_planned = stored.freeze_index is None and stored.slot_count == 0
    return resources_pb2.Wave(
        name=str(stored.name),
        start_time=_stamp(stored.name.start),
        freeze_time=_stamp(stored.freeze_time),
        draw_time=_stamp(stored.draw_time),
        state=resources_pb2.Wave.State.ValueType(stored.state),
        slot_count=booked_count if is_planned else stored.slot_count,
        small_pool_count=stored.small_pool_count,
        left_over_count=stored.left_over_count,
        freeze_index=stored.freeze_index or 0,
        draw_index=stored.draw_index or 0,
        beacon_round=stored.beacon_round,
    )


def assignment(name: WaveName, person: PersonId, inspections: list[Inspection]) -> resources_pb2.Assignment:
    """What one person was drawn for."""
    port = name.shift.port
    return resources_pb2.Assignment(
        name=str(AssignmentName(name, person)),
        inspections=[
            resources_pb2.Inspection(
                order=f"ports/{port}/orders/{one.order.order}",
                container_number=one.order.container,
                terminal=_terminal(port, one.slot.terminal),
                start_time=_stamp(one.slot.start),
                expected_duration=_span(one.slot.end - one.slot.start),
                qualifications=sorted(one.order.qualifications),
                teammates=[_person(port, other) for other in one.team if other != person],
            )
            for one in inspections
        ],
    )


def replacement(stored: StoredReplacement) -> resources_pb2.Replacement:
    """A replacement; the same whether or not the absent person was drawn."""
    state = resources_pb2.Replacement.STATE_REQUESTED
    if stored.approved_by is not None:
        state = resources_pb2.Replacement.STATE_APPROVED
    return resources_pb2.Replacement(
        name=f"ports/{stored.port}/replacements/{stored.replacement}",
        wave=str(stored.wave),
        absent_person=_person(stored.port, stored.absent),
        reason=stored.reason,
        state=state,
        requested_by=_person(stored.port, stored.requested_by),
        approved_by="" if stored.approved_by is None else _person(stored.port, stored.approved_by),
    )
