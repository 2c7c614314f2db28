"""RevealService and WaveService."""

from __future__ import annotations

from datetime import UTC

from sqlalchemy.engine import Connection

from assign.encoding import rfc3339
from assign.errors import InvalidInput
from assign.names import (
    PersonId,
    parse_assignment_name,
    parse_port_name,
    parse_shift_name,
    parse_wave_name,
)
from assign.v1 import resources_pb2
from assign.v1 import reveal_service_pb2 as pb2
from assign.v1 import wave_service_pb2 as waves_pb2
from server.actions.approve_replacement import approve_replacement
from server.actions.read_assignments import read_assignments
from server.actions.request_replacement import request_replacement
from server.actions.reveal_assignment import reveal_assignment
from server.auth.identity import Caller
from server.rpc import present
from server.rpc.door import Door, Handlers, handler_of
from server.rpc.paging import next_token, page_of
from server.rpc.translate import check_reason, last_segment
from server.storage.shifts import load_shift
from server.storage.slots import count_booked
from server.storage.unit import Unit
from server.storage.waves import StoredWave, list_waves, load_wave

__all__ = ["Reveals"]

_REVEALS = "/assign.v1.RevealService/"
_WAVES = "/assign.v1.WaveService/"


class Reveals:
    """The reveal gate, replacements, and the life of the waves."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def handlers(self) -> dict[str, Handlers]:
        """Handlers by service and method."""
        door = self._door
        return {
            "assign.v1.RevealService": {
                "RevealAssignment": handler_of(
                    door, _REVEALS + "RevealAssignment", pb2.RevealAssignmentRequest, self.reveal
                ),
                "ListAssignments": handler_of(
                    door, _REVEALS + "ListAssignments", pb2.ListAssignmentsRequest, self.list_assignments
                ),
                "RequestReplacement": handler_of(
                    door, _REVEALS + "RequestReplacement", pb2.RequestReplacementRequest, self.request_replacement
                ),
                "ApproveReplacement": handler_of(
                    door, _REVEALS + "ApproveReplacement", pb2.ApproveReplacementRequest, self.approve_replacement
                ),
            },
            "assign.v1.WaveService": {
                "GetWave": handler_of(door, _WAVES + "GetWave", waves_pb2.GetWaveRequest, self.get_wave),
                "ListWaves": handler_of(door, _WAVES + "ListWaves", waves_pb2.ListWavesRequest, self.list_waves),
            },
        }

    async def reveal(self, caller: Caller, request: pb2.RevealAssignmentRequest) -> pb2.RevealAssignmentResponse:
        """RevealAssignment."""
        name = parse_assignment_name(request.name, field="name")
        revealed = await self._door.act(lambda unit: reveal_assignment(unit, caller, name))
        return pb2.RevealAssignmentResponse(
            assignment=present.assignment(name.wave, name.person, revealed.inspections), log_index=revealed.log_index
        )

    async def list_assignments(
        self, caller: Caller, request: pb2.ListAssignmentsRequest
    ) -> pb2.ListAssignmentsResponse:
        """ListAssignments."""
        name = parse_wave_name(request.parent, field="parent")
        listed = f"assignments of {request.parent}"
        page = page_of(listed, request.page_size, request.page_token)
        found = await self._door.act(lambda unit: read_assignments(unit, caller, name))
        wanted = [person for person in sorted(found) if person > page.after][: page.size]
        return pb2.ListAssignmentsResponse(
            assignments=[present.assignment(name, person, found[person]) for person in wanted],
            next_page_token=next_token(listed, page, len(wanted), wanted[-1] if wanted else ""),
        )

    async def request_replacement(
        self, caller: Caller, request: pb2.RequestReplacementRequest
    ) -> resources_pb2.Replacement:
        """RequestReplacement."""
        port = parse_port_name(request.parent, field="parent")
        wanted = request.replacement
        name = parse_wave_name(wanted.wave, field="replacement.wave")
        if name.shift.port != port:
            raise InvalidInput("OTHER_PORT", f"This wave is not in {port}.", field="replacement.wave")
        absent = PersonId(
            last_segment(wanted.absent_person, f"ports/{port}/persons", field="replacement.absent_person")
        )
        reason = check_reason(wanted.reason, field="replacement.reason")

        def action(unit: Unit) -> resources_pb2.Replacement:
            return present.replacement(request_replacement(unit, caller, name, absent, reason))

        return await self._door.act_once(caller, _REVEALS + "RequestReplacement", request, action)

    async def approve_replacement(
        self, caller: Caller, request: pb2.ApproveReplacementRequest
    ) -> resources_pb2.Replacement:
        """ApproveReplacement."""
        parent, _, _ = request.name.partition("/replacements/")
        port = parse_port_name(parent, field="name")
        replacement = last_segment(request.name, f"{parent}/replacements", field="name")

        def action(unit: Unit) -> resources_pb2.Replacement:
            return present.replacement(approve_replacement(unit, caller, port, replacement))

        return await self._door.act_once(caller, _REVEALS + "ApproveReplacement", request, action)

    async def get_wave(self, _caller: Caller, request: waves_pb2.GetWaveRequest) -> resources_pb2.Wave:
        """GetWave."""
        name = parse_wave_name(request.name, field="name")
        return await self._door.reader.run(lambda connection: _present(connection, load_wave(connection, name)))

    async def list_waves(self, _caller: Caller, request: waves_pb2.ListWavesRequest) -> waves_pb2.ListWavesResponse:
        """ListWaves."""
        name, _ = parse_shift_name(request.parent, field="parent")
        listed = f"waves of {request.parent}"
        page = page_of(listed, request.page_size, request.page_token)
        after = page.moment()

        def query(connection: Connection) -> list[resources_pb2.Wave]:
            load_shift(connection, name)
            found = list_waves(connection, name, after=after, limit=page.size)
            return [_present(connection, one) for one in found]

        waves = await self._door.reader.run(query)
        last = rfc3339(waves[-1].start_time.ToDatetime(UTC)) if waves else ""
        return waves_pb2.ListWavesResponse(waves=waves, next_page_token=next_token(listed, page, len(waves), last))


def _present(connection: Connection, stored: StoredWave) -> resources_pb2.Wave:
    return present.wave(stored, count_booked(connection, stored.name))
