"""The verdicts of a whole wave at once: what `eligibility.judge` says of every pair, some fifty times as fast.

Each rule looks at one or two facts of an order, and few orders differ in them: a rule is applied once for each
distinct value, to all candidates, and the rows are put together from that. The rules themselves, and their
order, are those of `assign.rules.eligibility`; a property test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from assign.names import TerminalCode
from assign.person import Pseudonym
from assign.rules.eligibility import Candidate, Need, Verdict

__all__ = ["judge_wave"]

_Mask = npt.NDArray[np.bool_]


def judge_wave(needs: Sequence[Need], candidates: Sequence[Candidate]) -> list[str]:
    """One string a need, one letter a candidate, in the given order: equal to `eligibility.judge_all`."""
    table = _Table(candidates)
    return [table.row(need) for need in needs]


class _Table:
    """The candidates, and what each rule says of all of them for the values met so far."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates
        self._position = {candidate.person: index for index, candidate in enumerate(candidates)}
        self._absent = self._mask(lambda c: c.absent)
        self._signal = self._mask(lambda c: c.screening.signal_open)
        self._not_interviewed = self._mask(lambda c: not c.screening.interviewed)
        # Remembered for as long as this table lives.
        self._off_duty = lru_cache(None)(self._find_off_duty)
        self._elsewhere = lru_cache(None)(self._find_elsewhere)
        self._unqualified = lru_cache(None)(self._find_unqualified)
        self._uncertified = lru_cache(None)(self._find_uncertified)
        self._recused = lru_cache(None)(self._find_recused)
        self._cooling = lru_cache(None)(self._find_cooling)
        self._busy = lru_cache(None)(self._find_busy)

    def row(self, need: Need) -> str:
        """The verdicts on one need."""
        letters = np.full(len(self._candidates), ord(Verdict.ELIGIBLE.value), np.uint8)
        # From the last rule to the first: the first one that excludes a person gives the reason.
        for verdict, excluded in (
            (Verdict.BUSY, self._busy(need.start, need.end)),
            (Verdict.COOLDOWN, self._cooling(need.parties)),
            (Verdict.RECUSED, self._recused(need.parties)),
            (Verdict.HANDLED_SELECTION, self._handlers(need.handled_by)),
            (Verdict.NOT_INTERVIEWED, self._not_interviewed),
            (Verdict.SCREENING_SIGNAL, self._signal),
            (Verdict.NO_CERTIFICATE, self._uncertified(need.end)),
            (Verdict.NOT_QUALIFIED, self._unqualified(need.qualifications)),
            (Verdict.OTHER_TERMINAL, self._elsewhere(need.terminal)),
            (Verdict.NOT_ON_DUTY, self._off_duty(need.start, need.end)),
            (Verdict.ABSENT, self._absent),
        ):
            letters[excluded] = ord(verdict.value)
        return letters.tobytes().decode()

    def _mask(self, excludes: Callable[[Candidate], bool]) -> _Mask:
        return np.fromiter(map(excludes, self._candidates), np.bool_, len(self._candidates))

    def _handlers(self, handled_by: frozenset[Pseudonym]) -> list[int]:
        return [self._position[person] for person in handled_by if person in self._position]

    def _find_off_duty(self, start: datetime, end: datetime) -> _Mask:
        return self._mask(lambda c: not (c.duty_start <= start and end <= c.duty_end))

    def _find_elsewhere(self, terminal: TerminalCode) -> _Mask:
        return self._mask(lambda c: terminal not in c.terminals)

    def _find_unqualified(self, qualifications: frozenset[str]) -> _Mask:
        return self._mask(lambda c: not qualifications <= c.qualifications)

    def _find_uncertified(self, end: datetime) -> _Mask:
        return self._mask(lambda c: c.screening.certificate_until is None or c.screening.certificate_until <= end)

    def _find_recused(self, parties: frozenset[str]) -> _Mask:
        return self._mask(lambda c: not parties.isdisjoint(c.recused_parties))

    def _find_cooling(self, parties: frozenset[str]) -> _Mask:
        return self._mask(lambda c: not parties.isdisjoint(c.cooldown_parties))

    def _find_busy(self, start: datetime, end: datetime) -> _Mask:
        return self._mask(lambda c: any(begin < end and start < until for begin, until in c.busy))
