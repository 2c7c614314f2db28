"""What witnesses prove about a log: that its freezes were there in time, and that it never had another history.

The bundle carries checkpoints that witnesses cosigned (C2SP tlog-cosignature). Each must be signed by the log and
have exactly the root that the entries have at its size. Whose cosignatures count is the auditor's choice alone.
A wave is witnessed if one checkpoint that covers its freeze was cosigned by the quorum in whole seconds before the
time of its beacon round.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate

from assign.errors import Corrupt, InvalidInput
from assign.log.cosignature import Policy, Witness
from assign.log.note import NoteVerifier
from assign.verify.findings import Code, Findings
from assign.verify.guarantee import Seen
from assign.verify.shift import Shift

__all__ = ["Witnessing"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_NEVER = 2**63


@dataclass(slots=True)
class _Cosigned:
    """One checkpoint: `quorum_seconds` is when the quorum had cosigned it, _NEVER: it did not."""

    size: int
    root: bytes
    quorum_seconds: int
    is_of_this_log: bool = False


@dataclass(frozen=True, slots=True)
class _Frozen:
    """A frozen wave; `missed_index` where it was given up because witnesses had not seen it."""

    name: str
    freeze_index: int
    decided: datetime
    is_drawn: bool
    missed_index: int | None


class Witnessing:
    """Takes in the cosigned checkpoints, then the roots of the log as it is read, then answers for each wave.

    Args:
        log_key: the vkey of the log's key.
        witnesses, quorum: whose cosignatures count (vkeys), and how many are needed (None: all of them).
        notes: the cosigned checkpoints, ascending by size.

    Attributes:
        witnesses: the names of the auditor's. quorum: how many are needed; 0: he named none.

    Raises InvalidInput KEY_*, POLICY_WITNESSES or POLICY_QUORUM: a witness listed twice, or a quorum that cannot be.
    """

    def __init__(
        self, log_key: str, notes: Iterable[bytes], findings: Findings, *, witnesses: Sequence[str], quorum: int | None
    ) -> None:
        self._findings = findings
        self._checkpoints: list[_Cosigned] = []
        self._next = 0
        self._frozen: dict[str, list[_Frozen]] = {}
        self._covered: tuple[list[int], list[int]] | None = None
        keys = tuple(Witness.from_vkey(text) for text in witnesses)
        self.witnesses = tuple(key.name for key in keys)
        self.quorum = len(keys) if quorum is None else quorum
        if bool(keys) != bool(self.quorum) or not 0 <= self.quorum <= len(keys):
            raise InvalidInput("POLICY_QUORUM", f"The quorum is 1 to {len(keys)} of the witnesses given.")
        try:
            log = NoteVerifier.from_vkey(log_key)
        except InvalidInput:
            return  # that the log's key is none is a finding of its own
        self._read(Policy((log,), keys, 0), notes)

    @property
    def count(self) -> int:
        """How many checkpoints are cosigned and of this log."""
        return sum(item.is_of_this_log for item in self._checkpoints)

    @property
    def next_size(self) -> int:
        """The size at which the root is to be compared next; -1: at none."""
        return self._checkpoints[self._next].size if self._next < len(self._checkpoints) else -1

    @property
    def witnessed_size(self) -> int:
        """How many entries the largest checkpoint covers that the quorum cosigned."""
        sizes, _ = self._quorum_times()
        return sizes[-1] if sizes else 0

    def compare(self, root: bytes) -> None:
        """The entries read so far, as many as `next_size` says, have this root."""
        item = self._checkpoints[self._next]
        self._next += 1
        item.is_of_this_log = item.root == root
        if not item.is_of_this_log:
            self._findings.add(
                Code.CHECKPOINT_FORKED,
                f"The log signed another history of {item.size} entries, and witnesses saw that one.",
                item.size - 1 if item.size else None,
            )

    def expect(self, shift: Shift) -> None:
        """The waves of this shift are as the log has them: `finish` will look for who saw their freezes."""
        self._frozen[str(shift.name)] = [
            _Frozen(
                name=wave.name,
                freeze_index=wave.freeze_index,
                decided=shift.beacon.time_of_round(
                    shift.beacon.round_at_or_after(shift.calendar.draw_time(wave.start))
                ),
                is_drawn=wave.drawn is not None,
                missed_index=wave.missed_index if wave.is_given_up else None,
            )
            for wave in shift.waves.values()
            if wave.freeze is not None
        ]

    def finish(self) -> None:
        """All entries were read: add a finding for what is missing, or should be."""
        if self._next < len(self._checkpoints):
            size = self._checkpoints[-1].size
            self._findings.add(
                Code.CHECKPOINT_BEYOND, f"Witnesses saw {size} entries of this log; the bundle has fewer.", None
            )
        for waves in self._frozen.values() if self.quorum else ():
            for wave in waves:
                self._judge(wave)

    def _judge(self, wave: _Frozen) -> None:
        is_witnessed = self._is_witnessed(wave)
        if wave.is_drawn and not is_witnessed:
            self._findings.add(
                Code.FREEZE_UNWITNESSED,
                f"{wave.name} was drawn, and fewer than {self.quorum} of your witnesses saw its freeze before its "
                "beacon round.",
                wave.freeze_index,
            )
        if wave.missed_index is not None and is_witnessed:
            self._findings.add(
                Code.MISSED_BUT_WITNESSED,
                f"{wave.name} was given up for lack of witnesses, and {self.quorum} of them had seen its freeze in "
                "time.",
                wave.missed_index,
            )

    def witnessed(self, shift: str) -> dict[str, bool]:
        """For each frozen wave of the shift whether the quorum saw its freeze in time; none without witnesses."""
        return {wave.name: self._is_witnessed(wave) for wave in self._frozen[shift]} if self.quorum else {}

    def seen(self, shift: str) -> Seen:
        """Who saw the freezes of the shift's draws."""
        drawn = [wave for wave in self._frozen[shift] if wave.is_drawn]
        return Seen(
            quorum=self.quorum,
            witnesses=len(self.witnesses),
            draws=len(drawn),
            unseen=sum(not self._is_witnessed(wave) for wave in drawn),
            is_cosigned=self.count > 0,
        )

    def checked(self) -> list[tuple[str, int]]:
        """What was checked, in words, and how many times."""
        waves = [wave for waves in self._frozen.values() for wave in waves]
        checked = [("cosigned checkpoints, each of exactly the entries before it", self.count)] if self.count else []
        if self.quorum:
            what = f"freezes that {self.quorum} of {len(self.witnesses)} witnesses saw before their beacon round"
            checked.append((what, sum(map(self._is_witnessed, waves))))
        return checked

    def _is_witnessed(self, wave: _Frozen) -> bool:
        """Whether the quorum cosigned one checkpoint that covers the freeze, in whole seconds before its round."""
        sizes, times = self._quorum_times()
        place = bisect_right(sizes, wave.freeze_index)
        return place < len(sizes) and times[place] < (wave.decided - _EPOCH) // _SECOND

    def _quorum_times(self) -> tuple[list[int], list[int]]:
        """Sizes that the quorum cosigned, ascending, and for each the earliest time of it and of all larger ones."""
        if self._covered is None:
            counted = [item for item in self._checkpoints if item.is_of_this_log and item.quorum_seconds < _NEVER]
            earliest = accumulate((item.quorum_seconds for item in reversed(counted)), min)
            self._covered = [item.size for item in counted], [*earliest][::-1]
        return self._covered

    def _read(self, policy: Policy, notes: Iterable[bytes]) -> None:
        for note in notes:
            try:
                witnessed = policy.verify(note)
            except Corrupt as error:
                self._findings.add(
                    Code.COSIGNED_INVALID, f"A cosigned checkpoint proves nothing: {error.message}", None
                )
                continue
            checkpoint = witnessed.checkpoint
            if self._checkpoints and checkpoint.size <= self._checkpoints[-1].size:
                self._findings.add(Code.COSIGNED_INVALID, "The cosigned checkpoints are not sorted by size.", None)
                continue
            times = sorted(item.time_seconds for item in witnessed.cosignatures)
            seconds = times[self.quorum - 1] if 0 < self.quorum <= len(times) else _NEVER
            self._checkpoints.append(_Cosigned(checkpoint.size, checkpoint.root, seconds))
