"""PrivacyService."""

from __future__ import annotations

from sqlalchemy.engine import Connection

from assign.errors import InvalidInput, NotFound
from assign.names import PersonId, Port, check_id
from assign.v1 import outage_service_pb2 as outages_pb2
from assign.v1 import privacy_service_pb2 as pb2
from server.actions.erase_person import erase_person, request_erasure, subject_of
from server.auth.identity import Caller
from server.keyring import Keyring
from server.outage import present as present_outage
from server.privacy.key_register import Counted, count_ahead
from server.rpc.door import Door, Handlers, handler_of
from server.rpc.outages import parse_exception_name
from server.rpc.translate import check_reason
from server.storage.unit import Unit

__all__ = ["Privacy"]

_PRIVACY = "/assign.v1.PrivacyService/"


class Privacy:
    """The right to erasure."""

    def __init__(self, door: Door, keyring: Keyring) -> None:
        self._door = door
        self._keyring = keyring

    def handlers(self) -> dict[str, Handlers]:
        """Handlers by service and method."""
        door = self._door
        return {
            "assign.v1.PrivacyService": {
                "RequestErasure": handler_of(
                    door, _PRIVACY + "RequestErasure", pb2.RequestErasureRequest, self.request_erasure
                ),
                "ErasePerson": handler_of(door, _PRIVACY + "ErasePerson", pb2.ErasePersonRequest, self.erase),
            }
        }

    async def request_erasure(self, caller: Caller, request: pb2.RequestErasureRequest) -> outages_pb2.ExceptionRequest:
        """RequestErasure."""
        port, person = _person(request.name, self._door.ports)
        reason = check_reason(request.reason, field="reason")

        def action(unit: Unit) -> outages_pb2.ExceptionRequest:
            return present_outage.exception(request_erasure(unit, caller, port, person, reason))

        return await self._door.act_once(caller, _PRIVACY + "RequestErasure", request, action)

    async def erase(self, caller: Caller, request: pb2.ErasePersonRequest) -> pb2.ErasePersonResponse:
        """ErasePerson."""
        port, asked = parse_exception_name(request.name, self._door.ports)

        def ahead(connection: Connection) -> dict[Port, Counted]:
            person = subject_of(connection, port, asked)
            return {} if person is None else count_ahead(connection, self._keyring, self._door.ports, person)

        counted = await self._door.reader.run(ahead)

        def action(unit: Unit) -> pb2.ErasePersonResponse:
            erased = erase_person(unit, caller, port, asked, counted=counted)
            return pb2.ErasePersonResponse(
                log_index=erased.log_index, pseudonym_count=erased.pseudonyms, row_count=erased.rows
            )

        return await self._door.act_once(caller, _PRIVACY + "ErasePerson", request, action)


def _person(text: str, ports: tuple[Port, ...]) -> tuple[Port, PersonId]:
    parts = text.split("/")
    if len(parts) != 4 or parts[0] != "ports" or parts[2] != "persons":
        raise InvalidInput("NAME_FORM", "This resource name must have the form ports/*/persons/*.", field="name")
    if parts[1] not in ports:
        raise NotFound("PORT_UNKNOWN", "This server does not serve that port.", field="name")
    return Port(parts[1]), PersonId(check_id(parts[3], field="name"))
