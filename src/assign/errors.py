"""The one error tree. Each class maps to exactly one gRPC status; `reason` is stable and machine-readable.

A message says what was wrong and what to do next. It never says who inspects what, and never
repeats a secret: it is shown to the caller and written to operators' logs.
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AlreadyExists",
    "AssignError",
    "Conflict",
    "Corrupt",
    "Denied",
    "Exhausted",
    "InvalidInput",
    "NotFound",
    "Unauthenticated",
    "Unavailable",
]


class AssignError(Exception):
    """Base of every error this project raises on purpose.

    Attributes:
        reason: UPPER_SNAKE_CASE code, stable across releases (`google.rpc.ErrorInfo.reason`).
        message: one or two sentences for a person: what was wrong, what to do.
        field: path of the offending request field (`entries[17].start_time`), or "".
        also: further errors of the same request, so that a file can be mended in one go.
        status: name of the gRPC status code this class maps to.
    """

    status: ClassVar[str] = "INTERNAL"

    def __init__(self, reason: str, message: str, *, field: str = "", also: tuple[AssignError, ...] = ()) -> None:
        super().__init__(reason, message, field)
        self.reason = reason
        self.message = message
        self.field = field
        self.also = also

    def __str__(self) -> str:
        where = f" (at {self.field})" if self.field else ""
        return f"{self.reason}: {self.message}{where}"


class InvalidInput(AssignError):
    """The caller's input is wrong whatever the state of the system; nothing was changed."""

    status = "INVALID_ARGUMENT"


class NotFound(AssignError):
    """The named resource does not exist, or the caller may not know that it does."""

    status = "NOT_FOUND"


class AlreadyExists(AssignError):
    """The resource, or the request id with other content, is already there."""

    status = "ALREADY_EXISTS"


class Conflict(AssignError):
    """The input is well-formed but the state of the system forbids it now."""

    status = "FAILED_PRECONDITION"


class Denied(AssignError):
    """The caller is known but may not do this; the same answer whatever is hidden."""

    status = "PERMISSION_DENIED"


class Unauthenticated(AssignError):
    """The caller could not be identified."""

    status = "UNAUTHENTICATED"


class Exhausted(AssignError):
    """A limit was reached; try again later or with less."""

    status = "RESOURCE_EXHAUSTED"


class Unavailable(AssignError):
    """A part this depends on (beacon, disk, database) does not answer; nothing was acknowledged."""

    status = "UNAVAILABLE"


class Corrupt(AssignError):
    """Stored or given bytes contradict a proof, a signature or a format: evidence is damaged or forged."""

    status = "DATA_LOSS"
