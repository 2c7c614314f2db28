"""Sheets and exceptions as messages."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.timestamp_pb2 import Timestamp

from assign.draw.sheets import Sheet
from assign.names import PersonId, Port
from assign.person import Pseudonym
from assign.v1 import outage_service_pb2 as pb2
from server.outage.exceptions import StoredException
from server.outage.sheet_store import StoredSheet

__all__ = ["exception", "order", "sheet"]


def sheet(stored: StoredSheet) -> pb2.Sheet:
    """A sheet; who is on it is nowhere in it."""
    opened: Timestamp | None = None
    if stored.open_time is not None:
        opened = Timestamp()
        opened.FromDatetime(stored.open_time)
    return pb2.Sheet(
        name=stored.name,
        terminal=f"ports/{stored.shift.port}/terminals/{stored.group.terminal}",
        qualifications=stored.group.qualifications,
        person_count=stored.person_count,
        commitment=stored.commitment,
        void=stored.is_void,
        open_time=opened,
    )


def order(opened: Sheet, port: Port, persons: Mapping[Pseudonym, PersonId], log_index: int) -> pb2.SheetOrder:
    """The order on an opened sheet."""
    names = [f"ports/{port}/persons/{persons.get(person, person)}" for person in opened.persons]
    return pb2.SheetOrder(sheet=opened.name, persons=names, log_index=log_index)


def exception(stored: StoredException) -> pb2.ExceptionRequest:
    """A request that waits for its second person."""
    return pb2.ExceptionRequest(
        name=f"ports/{stored.port}/exceptionRequests/{stored.request}",
        action=stored.action,
        subject=stored.subject,
        reason=stored.reason,
        requested_by=f"ports/{stored.port}/persons/{stored.requested_by}",
    )
