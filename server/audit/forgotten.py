"""What may be missing from the tables because the log says that it was erased, or kept long enough.

Whom a row named can then no longer be told: a stand-in takes the name's place (`docs/privacy.md`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from assign.encoding import parse_rfc3339
from assign.log.entries import Entry

__all__ = ["Forgotten"]

_STAND_IN = "erased-"


@dataclass(slots=True)
class Forgotten:
    """The erasures and the retention runs in one log.

    Attributes:
        erasures: when persons were erased. runs: when retention ran, and up to when each kind of row was removed.
    """

    erasures: list[datetime] = field(default_factory=list)
    runs: list[tuple[datetime, dict[str, datetime]]] = field(default_factory=list)

    def read_retention(self, entry: Entry) -> None:
        """Take in a `retention` entry."""
        cutoffs = {kind: parse_rfc3339(text) for kind, text in entry.body["cutoffs"].items()}
        self.runs.append((entry.time, cutoffs))

    def is_past(self, kind: str, end: datetime, closed: datetime | None) -> bool:
        """Whether rows of this kind are gone of a shift that ended then, and was closed then."""
        return closed is not None and any(closed <= time and end < cutoffs[kind] for time, cutoffs in self.runs)

    def may_lack_answer(self, moment: datetime) -> bool:
        """Whether the answer that was given at `moment` may have been removed: old, or somebody's who was erased."""
        is_old = any(moment < cutoffs["answers"] for _, cutoffs in self.runs)
        return is_old or any(moment <= erased for erased in self.erasures)

    def is_stand_in(self, name: str | None) -> bool:
        """Whether a name means nobody, and something was forgotten at all."""
        return name is not None and name.startswith(_STAND_IN) and bool(self.erasures or self.runs)
