"""What a verification can find wrong or worth a look: stable codes, each with its place in the log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from assign.encoding import Json

__all__ = ["MAX_LISTED", "Attention", "Code", "Finding", "Findings"]

MAX_LISTED = 1000
"""How many findings a report lists; the rest is counted. A hostile log could hold one in every entry."""


class Code(StrEnum):
    """What is wrong. `docs/bundle.md` says for each code what it means."""

    # The log as a whole
    LOG_KEY_MISMATCH = "LOG_KEY_MISMATCH"
    CHECKPOINT_INVALID = "CHECKPOINT_INVALID"
    CHECKPOINT_OTHER_LOG = "CHECKPOINT_OTHER_LOG"
    ROOT_MISMATCH = "ROOT_MISMATCH"
    COSIGNED_INVALID = "COSIGNED_INVALID"
    CHECKPOINT_FORKED = "CHECKPOINT_FORKED"
    CHECKPOINT_BEYOND = "CHECKPOINT_BEYOND"
    ENTRY_MALFORMED = "ENTRY_MALFORMED"
    ENTRY_OTHER_LOG = "ENTRY_OTHER_LOG"
    ENTRY_TIME_BACKWARDS = "ENTRY_TIME_BACKWARDS"
    FIRST_ENTRY = "FIRST_ENTRY"
    # Shifts
    SHIFT_UNKNOWN = "SHIFT_UNKNOWN"
    SHIFT_OPENED_TWICE = "SHIFT_OPENED_TWICE"
    SHIFT_TERMS = "SHIFT_TERMS"
    CALENDAR_OVERLAP = "CALENDAR_OVERLAP"
    ENTRY_AFTER_CLOSE = "ENTRY_AFTER_CLOSE"
    CLOSE_MISSING = "CLOSE_MISSING"
    CLOSE_EARLY = "CLOSE_EARLY"
    CLOSE_SALTS = "CLOSE_SALTS"
    MASTER_MISMATCH = "MASTER_MISMATCH"
    # Rosters, orders and slots
    ROSTER_DUPLICATE = "ROSTER_DUPLICATE"
    ABSENCE_UNKNOWN = "ABSENCE_UNKNOWN"
    ORDER_DUPLICATE = "ORDER_DUPLICATE"
    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    ORDER_BOOKED_TWICE = "ORDER_BOOKED_TWICE"
    SLOT_DUPLICATE = "SLOT_DUPLICATE"
    SLOT_UNKNOWN = "SLOT_UNKNOWN"
    SLOT_OUTSIDE_SHIFT = "SLOT_OUTSIDE_SHIFT"
    SLOT_AFTER_FREEZE = "SLOT_AFTER_FREEZE"
    # The life of a wave
    WAVE_OUTSIDE_CALENDAR = "WAVE_OUTSIDE_CALENDAR"
    FREEZE_TWICE = "FREEZE_TWICE"
    FREEZE_EARLY = "FREEZE_EARLY"
    FREEZE_LATE = "FREEZE_LATE"
    FREEZE_ROUND = "FREEZE_ROUND"
    FREEZE_BEACON = "FREEZE_BEACON"
    FREEZE_MISSING = "FREEZE_MISSING"
    FREEZE_UNWITNESSED = "FREEZE_UNWITNESSED"
    DRAW_WITHOUT_FREEZE = "DRAW_WITHOUT_FREEZE"
    DRAW_TWICE = "DRAW_TWICE"
    DRAW_EARLY = "DRAW_EARLY"
    DRAW_ROUND = "DRAW_ROUND"
    DRAW_MISSING = "DRAW_MISSING"
    DRAW_AFTER_MISSED = "DRAW_AFTER_MISSED"
    MISSED_BUT_FROZEN = "MISSED_BUT_FROZEN"
    MISSED_EARLY = "MISSED_EARLY"
    MISSED_BUT_WITNESSED = "MISSED_BUT_WITNESSED"
    # What was opened
    SEED_MISMATCH = "SEED_MISMATCH"
    INPUTS_MISSING = "INPUTS_MISSING"
    INPUTS_UNEXPECTED = "INPUTS_UNEXPECTED"
    INPUTS_MISMATCH = "INPUTS_MISMATCH"
    INPUTS_MALFORMED = "INPUTS_MALFORMED"
    INPUTS_TERMS = "INPUTS_TERMS"
    INPUTS_ORDERS = "INPUTS_ORDERS"
    INPUTS_ORDER_DIGEST = "INPUTS_ORDER_DIGEST"
    INPUTS_PERSONS = "INPUTS_PERSONS"
    INPUTS_ABSENCE = "INPUTS_ABSENCE"
    INPUTS_BUSY = "INPUTS_BUSY"
    INPUTS_VERDICTS = "INPUTS_VERDICTS"
    BEACON_EVIDENCE = "BEACON_EVIDENCE"
    BEACON_TOO_FAR = "BEACON_TOO_FAR"
    REPLAY_REFUSED = "REPLAY_REFUSED"
    REPLAY_MISMATCH = "REPLAY_MISMATCH"
    SEPARATION = "SEPARATION"
    # Reveals and replacements
    REVEAL_BEFORE_DRAW = "REVEAL_BEFORE_DRAW"
    REVEAL_EARLY = "REVEAL_EARLY"
    REVEAL_OFF_DUTY = "REVEAL_OFF_DUTY"
    REVEAL_OFF_ROSTER = "REVEAL_OFF_ROSTER"
    REVEAL_ABSENT = "REVEAL_ABSENT"
    REPLACEMENT_BEFORE_DRAW = "REPLACEMENT_BEFORE_DRAW"
    REPLACEMENT_NOT_REQUESTED = "REPLACEMENT_NOT_REQUESTED"
    REPLACEMENT_SELF_APPROVED = "REPLACEMENT_SELF_APPROVED"
    REPLACEMENT_NOT_DRAWN = "REPLACEMENT_NOT_DRAWN"
    REPLACEMENT_ORDER = "REPLACEMENT_ORDER"
    REPLACEMENT_UNAVAILABLE = "REPLACEMENT_UNAVAILABLE"
    REPLACEMENT_REASON = "REPLACEMENT_REASON"
    # Manual mode and erasure
    EXCEPTION_NOT_REQUESTED = "EXCEPTION_NOT_REQUESTED"
    EXCEPTION_SELF_CONFIRMED = "EXCEPTION_SELF_CONFIRMED"
    SHEETS_MISMATCH = "SHEETS_MISMATCH"
    SHEET_UNKNOWN = "SHEET_UNKNOWN"
    SHEET_OPENED_TWICE = "SHEET_OPENED_TWICE"
    SHEET_NOT_NEXT = "SHEET_NOT_NEXT"
    SHEET_OPEN_TIME = "SHEET_OPEN_TIME"
    MANUAL_EARLY = "MANUAL_EARLY"
    MANUAL_TWICE = "MANUAL_TWICE"
    MANUAL_DRAWN = "MANUAL_DRAWN"
    MANUAL_LINES = "MANUAL_LINES"
    MANUAL_TIME = "MANUAL_TIME"
    MANUAL_ORDER = "MANUAL_ORDER"
    ERASURE_OPENING = "ERASURE_OPENING"
    ERASURE_UNKNOWN = "ERASURE_UNKNOWN"


class Attention(StrEnum):
    """What is within the rules, yet a supervisor should see: every way to depart from a draw."""

    STEERED_CLOCK = "STEERED_CLOCK"
    WAVE_MISSED = "WAVE_MISSED"
    UNWITNESSED = "UNWITNESSED"
    DRAW_LATE = "DRAW_LATE"
    SMALL_POOL = "SMALL_POOL"
    LEFT_OVER = "LEFT_OVER"
    DRAWN_AGAIN = "DRAWN_AGAIN"
    REPLACED = "REPLACED"
    REPLACEMENT_ON_WORD = "REPLACEMENT_ON_WORD"
    KEY_RECOVERED = "KEY_RECOVERED"
    SHEETS_AGAIN = "SHEETS_AGAIN"
    SHEET_OPENED = "SHEET_OPENED"
    WAVE_MANUAL = "WAVE_MANUAL"
    MANUAL_ON_WORD = "MANUAL_ON_WORD"
    MANUAL_LEFT = "MANUAL_LEFT"
    PERSON_ERASED = "PERSON_ERASED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth a look.

    Attributes:
        index: of the log entry that shows it (zero-based); for something missing, of the entry that
            promised it; None where it concerns the file as a whole.
        message: one sentence for a person.
    """

    code: Code | Attention
    message: str
    index: int | None

    def to_json(self) -> Json:
        """An object of `code`, `message` and `leaf_index`."""
        return {"code": self.code, "leaf_index": self.index, "message": self.message}

    def __str__(self) -> str:
        where = "" if self.index is None else f" (log entry {self.index})"
        return f"{self.code}: {self.message}{where}"


class Findings:
    """Collects what is wrong and what is worth a look; lists the first thousand of each, counts all."""

    def __init__(self) -> None:
        self.wrong: list[Finding] = []
        self.wrong_count = 0
        self.attention: list[Finding] = []
        self.attention_count = 0

    def add(self, code: Code, message: str, index: int | None) -> None:
        """Something is wrong."""
        self.wrong_count += 1
        if len(self.wrong) < MAX_LISTED:
            self.wrong.append(Finding(code=code, message=message, index=index))

    def note(self, code: Attention, message: str, index: int | None) -> None:
        """Something is worth a look."""
        self.attention_count += 1
        if len(self.attention) < MAX_LISTED:
            self.attention.append(Finding(code=code, message=message, index=index))

    def in_order(self) -> Iterator[Finding]:
        """What is wrong, what concerns the file first, then as it stands in the log."""
        return iter(sorted(self.wrong, key=lambda finding: -1 if finding.index is None else finding.index))
