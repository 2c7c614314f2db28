"""Statements on answered requests: the same request id is carried out once (Google AIP-155)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.engine import Connection

from assign.encoding import lp
from assign.errors import AlreadyExists
from server.storage.schema import request

__all__ = ["answer_context", "find_answer", "save_answer"]


def answer_context(caller: str, request_id: str, digest: bytes) -> bytes:
    """What a sealed answer is bound to: a row written by hand answers nobody."""
    return lp("answer", caller, request_id, digest)


def find_answer(connection: Connection, caller: str, request_id: str, digest: bytes) -> bytes | None:
    """The answer that was given before, None for a new request.

    Args:
        digest: hash of method and content.

    Raises AlreadyExists (REQUEST_ID_REUSED) where the id was used with other content.
    """
    statement = select(request.c.digest, request.c.response).where(
        request.c.caller == caller, request.c.request_id == request_id
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    if row.digest != digest:
        raise AlreadyExists(
            "REQUEST_ID_REUSED",
            "This request id was used before with other content; take a new id for a new request.",
            field="request_id",
        )
    return bytes(row.response)


def save_answer(
    connection: Connection, caller: str, request_id: str, digest: bytes, response: bytes, time: datetime
) -> None:
    """Remember the answer to a request, in the same transaction that carries it out."""
    connection.execute(
        insert(request),
        {"caller": caller, "request_id": request_id, "digest": digest, "response": response, "time": time},
    )
