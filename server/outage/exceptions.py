"""What is out of the ordinary takes two persons: one asks for it, another one confirms it, and the log has both."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import insert, select, update

from assign.encoding import Json, rfc3339
from assign.errors import Conflict, Denied, NotFound
from assign.log.entries import Kind
from assign.names import PersonId, Port
from assign.rules.separation import check_approver
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.storage.schema import exception_request
from server.storage.unit import Unit

__all__ = [
    "ExceptionAction",
    "StoredException",
    "confirm_exception",
    "load_exception",
    "request_exception",
    "who_asked",
]

_ID_BYTES = 8


class ExceptionAction(StrEnum):
    """What can be asked for; the words of the log."""

    SHEET_OPEN = "sheet-open"
    WAVE_MANUAL = "wave-manual"
    PERSON_ERASE = "person-erase"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredException:
    """A request, and who confirmed it.

    Attributes:
        subject: the name of what it is about. claimed_time: when it is said to have happened, if it is about that.
    """

    port: Port
    request: str
    action: ExceptionAction
    subject: str
    reason: str
    claimed_time: datetime | None
    requested_by: PersonId
    requested_time: datetime
    approved_by: PersonId | None = None
    approved_time: datetime | None = None


def request_exception(
    unit: Unit,
    caller: Caller,
    port: Port,
    *,
    action: ExceptionAction,
    subject: str,
    logged_as: str,
    reason: str,
    context: str,
    claimed_time: datetime | None = None,
) -> StoredException:
    """Store and log a request that a second person must confirm.

    Args:
        logged_as: the subject as the log names it. context: of the caller's pseudonym in the log.
    """
    stored = StoredException(
        port=port,
        request=f"x-{unit.services.entropy.bytes(_ID_BYTES).hex()}",
        action=action,
        subject=subject,
        reason=reason,
        claimed_time=claimed_time,
        requested_by=PersonId(caller.id),
        requested_time=unit.now,
    )
    unit.connection.execute(insert(exception_request), _to_row(stored))
    body: dict[str, Json] = {
        "action": action,
        "by": name_actor(unit, caller, context),
        "reason": reason,
        "request": stored.request,
        "time": None if claimed_time is None else rfc3339(claimed_time),
        "what": logged_as,
    }
    unit.record(port, Kind.EXCEPTION_REQUEST, body)
    return stored


def _to_row(stored: StoredException) -> dict[str, Any]:
    return {
        "port": stored.port,
        "request": stored.request,
        "action": stored.action,
        "subject": stored.subject,
        "reason": stored.reason,
        "claimed_time": stored.claimed_time,
        "requested_by": stored.requested_by,
        "requested_time": stored.requested_time,
    }


def load_exception(unit: Unit, port: Port, request: str, action: ExceptionAction) -> StoredException:
    """A request that waits for its second person.

    Raises NotFound (EXCEPTION_UNKNOWN), also where it is for something else; Conflict (EXCEPTION_CONFIRMED).
    """
    table = exception_request
    statement = select(table).where(table.c.port == port, table.c.request == request, table.c.action == action)
    row = unit.connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound("EXCEPTION_UNKNOWN", "There is no such request.", field="name")
    stored = StoredException(**{**row, "action": ExceptionAction(row["action"])})
    if stored.approved_by is not None:
        raise Conflict("EXCEPTION_CONFIRMED", "This request was confirmed before.", field="name")
    return stored


def confirm_exception(
    unit: Unit, caller: Caller, stored: StoredException, *, handled_by: Collection[str] = (), loses: str | None = None
) -> StoredException:
    """The second person confirms it. Raises Denied with a reason of `SeparationRefusal`."""
    refusal = check_approver(
        approver=caller.id, requester=stored.requested_by, handled_by=handled_by, gains=None, loses=loses
    )
    if refusal is not None:
        raise Denied(refusal.value, "Another person must confirm this: segregation of duties.")
    confirmed = replace(stored, approved_by=PersonId(caller.id), approved_time=unit.now)
    table = exception_request
    unit.connection.execute(
        update(table)
        .where(table.c.port == stored.port, table.c.request == stored.request)
        .values(approved_by=confirmed.approved_by, approved_time=confirmed.approved_time)
    )
    return confirmed


def who_asked(unit: Unit, caller: Caller, stored: StoredException, context: str) -> dict[str, Json]:
    """The fields `by`, `requested_by`, `request` and `reason` of the entry that carries a request out."""
    requester = Caller("person", stored.requested_by, caller.role, frozenset())
    return {
        "by": name_actor(unit, caller, context),
        "reason": stored.reason,
        "request": stored.request,
        "requested_by": name_actor(unit, requester, context),
    }
