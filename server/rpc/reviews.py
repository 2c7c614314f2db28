"""ReviewService."""

from __future__ import annotations

import re

from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.engine import Connection

from assign.errors import NotFound
from assign.names import Port, parse_wave_name
from assign.v1 import review_service_pb2 as pb2
from server.auth.identity import Caller
from server.queries.read_log import Look, looks_at
from server.rpc.door import Door, Handlers, handler_of
from server.rpc.paging import next_token, page_of
from server.storage.unit import Services

__all__ = ["Reviews"]

_PSEUDONYM = re.compile(r"[0-9a-f]{32}", re.ASCII)
_REVIEWS = "/assign.v1.ReviewService/"


class Reviews:
    """What supervisors and auditors look at after the fact."""

    def __init__(self, door: Door, services: Services) -> None:
        self._door = door
        self._services = services

    def handlers(self) -> dict[str, Handlers]:
        """Handlers by service and method."""
        door = self._door
        return {
            "assign.v1.ReviewService": {
                "ListReads": handler_of(door, _REVIEWS + "ListReads", pb2.ListReadsRequest, self.list_reads)
            }
        }

    async def list_reads(self, _caller: Caller, request: pb2.ListReadsRequest) -> pb2.ListReadsResponse:
        """ListReads."""
        wave = parse_wave_name(request.parent, field="parent")
        config = self._services.ports.get(wave.shift.port)
        if config is None:
            raise NotFound("PORT_UNKNOWN", "This server does not serve that port.", field="parent")
        origin = config.origin
        listed = f"reads of {request.parent} {request.before_start_only}"
        page = page_of(listed, request.page_size, request.page_token)
        last = page.position()

        def query(connection: Connection) -> list[Look]:
            return looks_at(
                connection,
                self._services.keyring,
                origin,
                wave,
                after=-1 if last is None else last,
                limit=page.size,
                before_start_only=request.before_start_only,
            )

        found = await self._door.reader.run(query)
        token = next_token(listed, page, len(found), str(found[-1].index) if found else "")
        return pb2.ListReadsResponse(reads=[_present(one, wave.shift.port) for one in found], next_page_token=token)


def _present(look: Look, port: Port) -> pb2.Read:
    stamp = Timestamp()
    stamp.FromDatetime(look.time)
    reader = look.reader or ""
    if reader and not reader.startswith("systems/") and not _PSEUDONYM.fullmatch(reader):
        reader = f"ports/{port}/persons/{reader}"
    return pb2.Read(
        log_index=look.index,
        read_time=stamp,
        kind=look.kind,
        reader=reader,
        subject=look.what,
        before_start=look.is_before_start,
    )
