"""What is wrong in a store: a stable code, a sentence, and where: a row of a table or a position in a log."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from assign.encoding import Json

__all__ = ["Code", "Finding", "Findings"]

_KEPT = 1000


class Code(StrEnum):
    """Stable across releases; `docs/audit.md` says what each means."""

    SCHEMA = "SCHEMA"
    ROW_UNREADABLE = "ROW_UNREADABLE"
    ROW_MISSING = "ROW_MISSING"
    ROW_EXTRA = "ROW_EXTRA"
    VALUE_CHANGED = "VALUE_CHANGED"
    SEALED_VALUE = "SEALED_VALUE"
    LOG_HEAD = "LOG_HEAD"
    LOG_CHECKPOINT = "LOG_CHECKPOINT"
    LOG_ENTRY_MISSING = "LOG_ENTRY_MISSING"
    LOG_ENTRY_EXTRA = "LOG_ENTRY_EXTRA"
    LOG_ENTRY_CHANGED = "LOG_ENTRY_CHANGED"
    LOG_TILE = "LOG_TILE"
    ENTRY_MALFORMED = "ENTRY_MALFORMED"
    ROLLED_BACK = "ROLLED_BACK"
    FORKED = "FORKED"
    COMMITMENT = "COMMITMENT"
    DRAW_DIFFERS = "DRAW_DIFFERS"
    PSEUDONYM_UNKNOWN = "PSEUDONYM_UNKNOWN"
    SHARES_MISSING = "SHARES_MISSING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        table: the table; empty for a saved checkpoint.
        row: the row's key, `NLRTM 2026-11-24-A`; never what is in it.
        position: of the entry in the port's log; None where it is about no entry.
    """

    code: Code
    message: str
    table: str = ""
    row: str = ""
    position: int | None = None

    def __str__(self) -> str:
        where = [f"{self.table} {self.row}".strip()] if self.table else []
        where += [] if self.position is None else [f"position {self.position}"]
        return f"{self.code}: {self.message}" + (f" ({', '.join(where)})" if where else "")

    def to_json(self) -> Json:
        """An object of the attributes."""
        return {
            "code": self.code,
            "message": self.message,
            "position": self.position,
            "row": self.row,
            "table": self.table,
        }


@dataclass(slots=True)
class Findings:
    """What was found so far, in the order in which it was found; the first thousand are kept."""

    kept: list[Finding] = field(default_factory=list)
    count: int = 0

    def add(self, code: Code, message: str, *, table: str = "", row: str = "", position: int | None = None) -> None:
        """Note one more."""
        self.count += 1
        if len(self.kept) < _KEPT:
            self.kept.append(Finding(code=code, message=message, table=table, row=row, position=position))

    def extend(self, others: Findings) -> None:
        """Note what was found elsewhere."""
        self.count += others.count
        self.kept += others.kept[: _KEPT - len(self.kept)]
