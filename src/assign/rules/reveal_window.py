"""Who may read his own assignment, and when. Nothing here looks at what was drawn.

Every reason follows from facts that are the same whatever the hidden outcome is: the roster, the clock,
the calendar and whether the wave has been drawn at all. A person who was drawn for nothing gets the same
answers, at the same times, as one who was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from assign.person import Screening
from assign.wave import Calendar

__all__ = ["Reader", "RevealRefusal", "check_reveal_window", "is_cleared"]


class RevealRefusal(StrEnum):
    """Why an assignment may not be read; stable codes, none of which depends on the outcome."""

    ROLE_NOT_INSPECTOR = "ROLE_NOT_INSPECTOR"
    NOT_OWN_ASSIGNMENT = "NOT_OWN_ASSIGNMENT"
    NOT_ON_DUTY = "NOT_ON_DUTY"
    ABSENT = "ABSENT"
    NOT_CLEARED = "NOT_CLEARED"
    REVEAL_TOO_EARLY = "REVEAL_TOO_EARLY"
    REVEAL_TOO_LATE = "REVEAL_TOO_LATE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """What the rule looks at in the person who asks.

    Attributes:
        is_inspector: the caller holds the inspector's role at this moment.
        is_own: the assignment asked for is the caller's own.
        duty: aware UTC `(start, end)` on the roster of the wave's shift; None: not on that roster.
        absent: reported absent in this shift.
        screening: the status now, not as it was at the freeze.
    """

    is_inspector: bool
    is_own: bool
    duty: tuple[datetime, datetime] | None
    absent: bool
    screening: Screening


def check_reveal_window(
    *, now: datetime, calendar: Calendar, wave_start: datetime, is_drawn: bool, reader: Reader
) -> RevealRefusal | None:
    """None if `reader` may read his assignment of the wave now; otherwise the first rule that forbids it.

    Args:
        now: aware, the service's clock.
        wave_start: aware, one of `calendar.wave_starts()`.
        is_drawn: the wave's draw is durable in the log.

    The window opens at `start - lead` or at the draw, whichever is later, and at the start of the
    person's duty; it ends with the duty.
    """
    refusal = _check_person(now, reader)
    if refusal is not None or reader.duty is None:
        return refusal or RevealRefusal.NOT_ON_DUTY
    duty_start, duty_end = reader.duty
    if now >= duty_end:
        return RevealRefusal.REVEAL_TOO_LATE
    if now < calendar.draw_time(wave_start) or not is_drawn:
        return RevealRefusal.REVEAL_TOO_EARLY
    if now < duty_start:
        return RevealRefusal.NOT_ON_DUTY
    return None


def _check_person(now: datetime, reader: Reader) -> RevealRefusal | None:
    # Role and ownership come first: whoever fails them learns nothing about anybody's roster.
    if not reader.is_inspector:
        return RevealRefusal.ROLE_NOT_INSPECTOR
    if not reader.is_own:
        return RevealRefusal.NOT_OWN_ASSIGNMENT
    if reader.duty is None:
        return RevealRefusal.NOT_ON_DUTY
    if reader.absent:
        return RevealRefusal.ABSENT
    if not is_cleared(now, reader.screening):
        return RevealRefusal.NOT_CLEARED
    return None


def is_cleared(now: datetime, screening: Screening) -> bool:
    """Whether screening allows work at `now` (aware): certificate valid, interviewed, no open signal."""
    until = screening.certificate_until
    return until is not None and now < until and screening.interviewed and not screening.signal_open
