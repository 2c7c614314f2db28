"""The entries of a port's log: what is hashed into the tree, byte for byte as stored.

A freeze is the bytes of `assign.draw.commitment.Freeze`. Every other entry is

    LP("log/v1", kind, origin, u64be(time in Unix microseconds, UTC), canonical JSON body)

Persons appear only as pseudonyms of the shift. `docs/log-entries.md` lists the kinds and their bodies.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from assign.encoding import canonical_json, lp, parse_canonical_json, parse_lp, u64be
from assign.errors import Corrupt

__all__ = ["FORMAT", "Entry", "Kind", "microseconds", "moment_of"]

FORMAT = "log/v1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LAST_MICROSECOND = (datetime(9999, 12, 31, tzinfo=UTC) - _EPOCH) // _MICROSECOND


class Kind(StrEnum):
    """What an entry records."""

    SERVER_START = "server-start"
    ACCESS_FILE = "access-file"
    PERSONS_IMPORT = "persons-import"
    SHIFT_OPEN = "shift-open"
    ROSTER_IMPORT = "roster-import"
    ABSENCE = "absence"
    ORDERS_IMPORT = "orders-import"
    SLOTS_BOOK = "slots-book"
    SLOT_CANCEL = "slot-cancel"
    KEY_USE = "key-use"
    DRAW = "draw"
    WAVE_MISSED = "wave-missed"
    UNWITNESSED = "unwitnessed"
    REVEAL = "reveal"
    READ = "read"
    REPLACEMENT_REQUEST = "replacement-request"
    REPLACEMENT_APPROVE = "replacement-approve"
    REFUSAL = "refusal"
    CLOSE = "close"
    SHEETS_COMMIT = "sheets-commit"
    SHEETS_PRINT = "sheets-print"
    EXCEPTION_REQUEST = "exception-request"
    SHEET_OPEN = "sheet-open"
    WAVE_MANUAL = "wave-manual"
    MANUAL_ASSIGNMENT = "manual-assignment"
    PERSON_KEYS = "person-keys"
    PERSON_ERASED = "person-erased"
    RETENTION = "retention"


def microseconds(moment: datetime) -> int:
    """An aware time as whole microseconds since the Unix epoch."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(unix_microseconds: int) -> datetime:
    """The aware UTC time of `microseconds`. Raises Corrupt (ENTRY_TIME) outside the years 1970 to 9999."""
    if not 0 <= unix_microseconds <= _LAST_MICROSECOND:
        raise Corrupt("ENTRY_TIME", "This entry's time is outside the years 1970 to 9999.")
    return _EPOCH + unix_microseconds * _MICROSECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry other than a freeze.

    Attributes:
        time: aware UTC, microseconds; the operator's clock when the action was carried out.
        body: a JSON object as `docs/log-entries.md` gives it for the kind.
    """

    kind: Kind
    origin: str
    time: datetime
    body: dict[str, Any]

    def to_bytes(self) -> bytes:
        """The bytes to store. Raises InvalidInput for a body that is not canonical JSON."""
        return lp(FORMAT, self.kind, self.origin, u64be(microseconds(self.time)), canonical_json(self.body))

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Inverse of `to_bytes`. Raises Corrupt (ENTRY_MALFORMED and the reasons of the parts)."""
        fields = parse_lp(data, max_fields=5)
        if len(fields) != 5 or fields[0] != FORMAT.encode() or len(fields[3]) != 8:
            raise Corrupt("ENTRY_MALFORMED", f"These bytes are not an entry of {FORMAT}.")
        try:
            kind, origin = Kind(fields[1].decode()), fields[2].decode()
        except ValueError:
            raise Corrupt("ENTRY_MALFORMED", "This entry has a kind or origin that is not known.") from None
        body = parse_canonical_json(fields[4])
        if not isinstance(body, dict):
            raise Corrupt("ENTRY_MALFORMED", "An entry's body is a JSON object.")
        return cls(kind=kind, origin=origin, time=moment_of(int.from_bytes(fields[3], "big")), body=body)
