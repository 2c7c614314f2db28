"""RosterService and PersonService."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from assign.names import PersonId, Port, ShiftId, ShiftName, check_id, parse_port_name, parse_shift_name
from assign.v1 import person_service_pb2 as persons_pb2
from assign.v1 import resources_pb2
from assign.v1 import roster_service_pb2 as pb2
from server.actions.import_persons import import_persons
from server.actions.import_roster import import_roster
from server.actions.open_shift import open_shift
from server.actions.report_absence import report_absence
from server.auth.identity import Caller
from server.config import PortConfig
from server.rpc import present
from server.rpc.door import Door, Handlers, handler_of
from server.rpc.paging import next_token, page_of
from server.rpc.translate import check_reason, last_segment, to_moment, to_person, to_roster_entry, to_rows
from server.storage.shifts import list_roster, load_shift
from server.storage.unit import Unit

__all__ = ["Rosters"]

_ROSTERS = "/assign.v1.RosterService/"
_PERSONS = "/assign.v1.PersonService/"


class Rosters:
    """Shifts, rosters and the status of persons."""

    def __init__(self, door: Door, ports: Mapping[str, PortConfig], opened: Callable[[Port], None]) -> None:
        """`opened` is told of each port in which a shift was opened."""
        self._door = door
        self._ports = ports
        self._opened = opened

    def handlers(self) -> dict[str, Handlers]:
        """Handlers by service and method."""
        door = self._door
        return {
            "assign.v1.RosterService": {
                "OpenShift": handler_of(door, _ROSTERS + "OpenShift", pb2.OpenShiftRequest, self.open_shift),
                "GetShift": handler_of(door, _ROSTERS + "GetShift", pb2.GetShiftRequest, self.get_shift),
                "BatchImportRoster": handler_of(
                    door, _ROSTERS + "BatchImportRoster", pb2.BatchImportRosterRequest, self.import_roster
                ),
                "ListRosterEntries": handler_of(
                    door, _ROSTERS + "ListRosterEntries", pb2.ListRosterEntriesRequest, self.list_roster
                ),
                "ReportAbsence": handler_of(
                    door, _ROSTERS + "ReportAbsence", pb2.ReportAbsenceRequest, self.report_absence
                ),
            },
            "assign.v1.PersonService": {
                "BatchImportPersons": handler_of(
                    door, _PERSONS + "BatchImportPersons", persons_pb2.BatchImportPersonsRequest, self.import_persons
                )
            },
        }

    async def open_shift(self, caller: Caller, request: pb2.OpenShiftRequest) -> resources_pb2.Shift:
        """OpenShift."""
        port = parse_port_name(request.parent, field="parent")
        name = ShiftName(port, ShiftId(check_id(request.shift_id, field="shift_id")))
        start = to_moment(request.shift, "start_time", "shift.start_time")
        end = to_moment(request.shift, "end_time", "shift.end_time")

        def action(unit: Unit) -> resources_pb2.Shift:
            return present.shift(open_shift(unit, caller, name, start, end))

        response = await self._door.act_once(caller, _ROSTERS + "OpenShift", request, action)
        self._opened(port)
        return response

    async def get_shift(self, _caller: Caller, request: pb2.GetShiftRequest) -> resources_pb2.Shift:
        """GetShift."""
        name, _ = parse_shift_name(request.name, field="name")
        return present.shift(await self._door.reader.run(lambda connection: load_shift(connection, name)))

    async def import_roster(
        self, caller: Caller, request: pb2.BatchImportRosterRequest
    ) -> pb2.BatchImportRosterResponse:
        """BatchImportRoster."""
        name, only = parse_shift_name(request.parent, field="parent")
        config = self._ports.get(name.port)
        terminals = [] if config is None else config.terminals
        entries = to_rows(
            request.entries,
            "entries",
            lambda row, field: to_roster_entry(row, name.port, terminals, only, field),
        )

        def action(unit: Unit) -> pb2.BatchImportRosterResponse:
            return pb2.BatchImportRosterResponse(imported_count=import_roster(unit, caller, name, entries))

        return await self._door.act_once(caller, _ROSTERS + "BatchImportRoster", request, action)

    async def list_roster(
        self, _caller: Caller, request: pb2.ListRosterEntriesRequest
    ) -> pb2.ListRosterEntriesResponse:
        """ListRosterEntries."""
        name, only = parse_shift_name(request.parent, field="parent")
        listed = f"roster of {request.parent}"
        page = page_of(listed, request.page_size, request.page_token)
        everyone = await self._door.reader.run(lambda connection: list_roster(connection, name))
        wanted = [
            one for one in everyone if one.entry.person > page.after and (only is None or only in one.entry.terminals)
        ][: page.size]
        last = wanted[-1].entry.person if wanted else ""
        return pb2.ListRosterEntriesResponse(
            roster_entries=[present.roster_entry(str(name), name.port, one) for one in wanted],
            next_page_token=next_token(listed, page, len(wanted), last),
        )

    async def report_absence(self, caller: Caller, request: pb2.ReportAbsenceRequest) -> pb2.ReportAbsenceResponse:
        """ReportAbsence."""
        parent, _, _ = request.name.partition("/rosterEntries/")
        name, _ = parse_shift_name(parent, field="name")
        person = PersonId(last_segment(request.name, f"{parent}/rosterEntries", field="name"))
        reason = check_reason(request.reason, field="reason")

        def action(unit: Unit) -> pb2.ReportAbsenceResponse:
            rostered = report_absence(unit, caller, name, person, reason)
            return pb2.ReportAbsenceResponse(roster_entry=present.roster_entry(str(name), name.port, rostered))

        return await self._door.act_once(caller, _ROSTERS + "ReportAbsence", request, action)

    async def import_persons(
        self, caller: Caller, request: persons_pb2.BatchImportPersonsRequest
    ) -> persons_pb2.BatchImportPersonsResponse:
        """BatchImportPersons."""
        port = parse_port_name(request.parent, field="parent")
        persons = to_rows(request.persons, "persons", lambda row, field: to_person(row, port, field))

        def action(unit: Unit) -> persons_pb2.BatchImportPersonsResponse:
            return persons_pb2.BatchImportPersonsResponse(imported_count=import_persons(unit, caller, port, persons))

        return await self._door.act_once(caller, _PERSONS + "BatchImportPersons", request, action)
