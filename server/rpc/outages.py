"""OutageService."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from assign.draw.sheets import parse_sheet_name
from assign.errors import InvalidInput
from assign.names import PersonId, Port, ShiftName, SlotId, parse_shift_name, parse_wave_name
from assign.v1 import outage_service_pb2 as pb2
from assign.v1 import resources_pb2
from server.actions.commit_sheets import DEFAULT_COPIES, commit_sheets
from server.actions.import_manual_assignments import TypedLine, import_manual_assignments
from server.actions.mark_wave_manual import confirm_manual_wave, request_manual_wave
from server.actions.open_sheet import open_sheet, read_sheet, request_sheet_opening
from server.auth.identity import Caller
from server.outage import present as present_outage
from server.outage.sheet_store import StoredSheet, list_sheets
from server.rpc import present
from server.rpc.door import Door, Handlers, handler_of
from server.rpc.paging import next_token, page_of
from server.rpc.translate import check_reason, last_segment, to_moment, to_rows
from server.storage.shifts import list_roster, load_shift
from server.storage.unit import Unit

__all__ = ["Outages", "parse_exception_name"]

_OUTAGES = "/assign.v1.OutageService/"


def _sheet(text: str, field: str) -> tuple[ShiftName, int]:
    shift, number = parse_sheet_name(text, field=field)
    name, terminal = parse_shift_name(shift, field=field)
    if terminal is not None:
        raise InvalidInput("NAME_FORM", "A sheet is named ports/*/shifts/*/sheets/7.", field=field)
    return name, number


def parse_exception_name(text: str, ports: tuple[Port, ...]) -> tuple[Port, str]:
    """The port and id in `ports/NLRTM/exceptionRequests/x-…`. Raises InvalidInput (NAME_FORM, ID_FORM)."""
    parts = text.split("/")
    port = next((port for port in ports if parts[:2] == ["ports", port]), ports[0])
    return port, last_segment(text, f"ports/{port}/exceptionRequests", field="name")


class Outages:
    """Sealed sheets, and waves worked by hand."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def handlers(self) -> dict[str, Handlers]:
        """Handlers by service and method."""
        door = self._door
        return {
            "assign.v1.OutageService": {
                "CommitSheets": handler_of(door, _OUTAGES + "CommitSheets", pb2.CommitSheetsRequest, self.commit),
                "ListSheets": handler_of(door, _OUTAGES + "ListSheets", pb2.ListSheetsRequest, self.list_sheets),
                "RequestSheetOpening": handler_of(
                    door, _OUTAGES + "RequestSheetOpening", pb2.RequestSheetOpeningRequest, self.request_opening
                ),
                "OpenSheet": handler_of(door, _OUTAGES + "OpenSheet", pb2.OpenSheetRequest, self.open),
                "GetSheetOrder": handler_of(door, _OUTAGES + "GetSheetOrder", pb2.GetSheetOrderRequest, self.get_order),
                "RequestManualWave": handler_of(
                    door, _OUTAGES + "RequestManualWave", pb2.RequestManualWaveRequest, self.request_manual
                ),
                "ConfirmManualWave": handler_of(
                    door, _OUTAGES + "ConfirmManualWave", pb2.ConfirmManualWaveRequest, self.confirm_manual
                ),
                "BatchImportManualAssignments": handler_of(
                    door,
                    _OUTAGES + "BatchImportManualAssignments",
                    pb2.BatchImportManualAssignmentsRequest,
                    self.import_lines,
                ),
            }
        }

    async def commit(self, caller: Caller, request: pb2.CommitSheetsRequest) -> pb2.CommitSheetsResponse:
        """CommitSheets."""
        name, _ = parse_shift_name(request.parent, field="parent")

        def action(unit: Unit) -> pb2.CommitSheetsResponse:
            sheets = commit_sheets(unit, caller, name, request.copies or DEFAULT_COPIES)
            return pb2.CommitSheetsResponse(sheets=map(present_outage.sheet, sheets))

        return await self._door.act_once(caller, _OUTAGES + "CommitSheets", request, action)

    async def list_sheets(self, _caller: Caller, request: pb2.ListSheetsRequest) -> pb2.ListSheetsResponse:
        """ListSheets: without the orders."""
        name, _ = parse_shift_name(request.parent, field="parent")
        listed = f"sheets of {request.parent}"
        page = page_of(listed, request.page_size, request.page_token)
        after = page.position() or 0

        def query(connection: Connection) -> list[StoredSheet]:
            load_shift(connection, name)
            return list_sheets(connection, name, after=after, limit=page.size)

        found = await self._door.reader.run(query)
        last = str(found[-1].number) if found else ""
        return pb2.ListSheetsResponse(
            sheets=map(present_outage.sheet, found), next_page_token=next_token(listed, page, len(found), last)
        )

    async def request_opening(self, caller: Caller, request: pb2.RequestSheetOpeningRequest) -> pb2.ExceptionRequest:
        """RequestSheetOpening."""
        shift, number = _sheet(request.name, "name")
        reason = check_reason(request.reason, field="reason")
        claimed = to_moment(request, "open_time", "open_time") if request.HasField("open_time") else None

        def action(unit: Unit) -> pb2.ExceptionRequest:
            asked = request_sheet_opening(unit, caller, shift, number, reason=reason, claimed=claimed)
            return present_outage.exception(asked)

        return await self._door.act_once(caller, _OUTAGES + "RequestSheetOpening", request, action)

    async def open(self, caller: Caller, request: pb2.OpenSheetRequest) -> pb2.Sheet:
        """OpenSheet."""
        port, asked = parse_exception_name(request.name, self._door.ports)

        def action(unit: Unit) -> pb2.Sheet:
            return present_outage.sheet(open_sheet(unit, caller, port, asked))

        return await self._door.act_once(caller, _OUTAGES + "OpenSheet", request, action)

    async def get_order(self, caller: Caller, request: pb2.GetSheetOrderRequest) -> pb2.SheetOrder:
        """GetSheetOrder: never from memory, so that each look is an entry of its own."""
        shift, number = _sheet(request.name, "name")

        def action(unit: Unit) -> pb2.SheetOrder:
            sheet, log_index = read_sheet(unit, caller, shift, number)
            persons = {one.pseudonym: one.entry.person for one in list_roster(unit.connection, shift)}
            return present_outage.order(sheet, shift.port, persons, log_index)

        return await self._door.act(action)

    async def request_manual(self, caller: Caller, request: pb2.RequestManualWaveRequest) -> pb2.ExceptionRequest:
        """RequestManualWave."""
        name = parse_wave_name(request.name, field="name")
        reason = check_reason(request.reason, field="reason")

        def action(unit: Unit) -> pb2.ExceptionRequest:
            return present_outage.exception(request_manual_wave(unit, caller, name, reason))

        return await self._door.act_once(caller, _OUTAGES + "RequestManualWave", request, action)

    async def confirm_manual(self, caller: Caller, request: pb2.ConfirmManualWaveRequest) -> resources_pb2.Wave:
        """ConfirmManualWave."""
        port, asked = parse_exception_name(request.name, self._door.ports)

        def action(unit: Unit) -> resources_pb2.Wave:
            return present.wave(confirm_manual_wave(unit, caller, port, asked), 0)

        return await self._door.act_once(caller, _OUTAGES + "ConfirmManualWave", request, action)

    async def import_lines(
        self, caller: Caller, request: pb2.BatchImportManualAssignmentsRequest
    ) -> pb2.BatchImportManualAssignmentsResponse:
        """BatchImportManualAssignments."""
        shift, number = _sheet(request.parent, "parent")
        lines = to_rows(request.lines, "lines", lambda row, field: _to_line(row, shift.port, field))

        def action(unit: Unit) -> pb2.BatchImportManualAssignmentsResponse:
            count = import_manual_assignments(unit, caller, shift, number, lines)
            return pb2.BatchImportManualAssignmentsResponse(imported_count=count)

        return await self._door.act_once(caller, _OUTAGES + "BatchImportManualAssignments", request, action)


def _to_line(message: pb2.SheetLine, port: Port, field: str) -> TypedLine:
    if bool(message.slot) == bool(message.skip_reason):
        raise InvalidInput("LINE_FORM", "A line has a slot, or else a reason to skip.", field=f"{field}.slot")
    slot = last_segment(message.slot, f"ports/{port}/slots", field=f"{field}.slot") if message.slot else None
    return TypedLine(
        line=message.line,
        person=PersonId(last_segment(message.person, f"ports/{port}/persons", field=f"{field}.person")),
        time=to_moment(message, "assign_time", f"{field}.assign_time"),
        slot=None if slot is None else SlotId(slot),
        why=message.skip_reason or None,
    )
