"""Who may be drawn for which order: one verdict with a reason code for every pair.

Rule set `eligibility/v1`. The first rule that excludes a person gives the reason; the order of the rules
is part of the version, because verdicts are committed to and replayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from assign.names import TerminalCode
from assign.person import Pseudonym, Screening

__all__ = ["RULES_VERSION", "Candidate", "Need", "Verdict", "judge", "judge_all"]

RULES_VERSION = "eligibility/v1"


class Verdict(Enum):
    """Outcome of the rules for one pair; the value is its letter in the canonical inputs."""

    ELIGIBLE = "+"
    ABSENT = "A"
    NOT_ON_DUTY = "D"
    OTHER_TERMINAL = "T"
    NOT_QUALIFIED = "Q"
    NO_CERTIFICATE = "V"
    SCREENING_SIGNAL = "S"
    NOT_INTERVIEWED = "I"
    HANDLED_SELECTION = "P"
    RECUSED = "R"
    COOLDOWN = "C"
    BUSY = "B"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What the rules look at in an order and its slot. Times are aware UTC; the slot is `start <= t < end`.

    Attributes:
        handled_by: who selected, viewed or edited the selection of this container; none of them inspects it.
    """

    terminal: TerminalCode
    start: datetime
    end: datetime
    qualifications: frozenset[str]
    parties: frozenset[str]
    handled_by: frozenset[Pseudonym]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What the rules look at in a person on the roster. Times are aware UTC.

    Attributes:
        absent: reported absent before the freeze.
        busy: expected `(start, end)` of inspections the person already has.
        cooldown_parties: trade parties the person inspected too recently to be drawn for again.
    """

    person: Pseudonym
    terminals: frozenset[TerminalCode]
    duty_start: datetime
    duty_end: datetime
    qualifications: frozenset[str]
    absent: bool
    screening: Screening
    recused_parties: frozenset[str]
    cooldown_parties: frozenset[str]
    busy: tuple[tuple[datetime, datetime], ...]


def judge(need: Need, candidate: Candidate) -> Verdict:
    """The verdict for one pair: ELIGIBLE, or the first rule that excludes the person."""
    return _judge_presence(need, candidate) or _judge_person(need, candidate) or Verdict.ELIGIBLE


def _judge_presence(need: Need, candidate: Candidate) -> Verdict | None:
    if candidate.absent:
        return Verdict.ABSENT
    if not (candidate.duty_start <= need.start and need.end <= candidate.duty_end):
        return Verdict.NOT_ON_DUTY
    if need.terminal not in candidate.terminals:
        return Verdict.OTHER_TERMINAL
    if not need.qualifications <= candidate.qualifications:
        return Verdict.NOT_QUALIFIED
    return None


def _judge_person(need: Need, candidate: Candidate) -> Verdict | None:
    screening = candidate.screening
    if screening.certificate_until is None or screening.certificate_until <= need.end:
        return Verdict.NO_CERTIFICATE
    if screening.signal_open:
        return Verdict.SCREENING_SIGNAL
    if not screening.interviewed:
        return Verdict.NOT_INTERVIEWED
    if candidate.person in need.handled_by:
        return Verdict.HANDLED_SELECTION
    if need.parties & candidate.recused_parties:
        return Verdict.RECUSED
    if need.parties & candidate.cooldown_parties:
        return Verdict.COOLDOWN
    if any(start < need.end and need.start < end for start, end in candidate.busy):
        return Verdict.BUSY
    return None


def judge_all(needs: list[Need], candidates: list[Candidate]) -> list[str]:
    """One string an order, one letter a candidate: the letters of `Verdict`, in the given order."""
    return ["".join(judge(need, candidate).value for candidate in candidates) for need in needs]
