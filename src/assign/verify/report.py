"""The result of a verification: what was checked, what was not and why, what is wrong and where."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from assign.encoding import Json
from assign.verify.findings import Finding
from assign.verify.guarantee import Guarantee

__all__ = ["FORMAT", "NotChecked", "Report", "ShiftReport", "WaveReport", "WaveState"]

FORMAT = "verification/v1"


class WaveState(StrEnum):
    """How far a wave came, and how far it could be checked."""

    REPLAYED = "replayed"
    NOT_REPLAYED = "not replayed"
    MISSED = "missed"
    MANUAL = "manual"
    NOT_OPENED = "not opened"
    PENDING = "pending"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaveReport:
    """One wave.

    Attributes:
        state: REPLAYED only if the draw was recomputed from the opened inputs, byte for byte.
        freeze_index, draw_index: entries of the log; None: there is none.
        orders, seats, left_over: known once the wave was opened, 0 before.
        is_witnessed: enough of the auditor's witnesses saw its freeze in time; None: he named none, or it has none.
    """

    name: str
    state: WaveState
    freeze_index: int | None
    draw_index: int | None
    beacon_round: int | None
    orders: int = 0
    seats: int = 0
    left_over: int = 0
    is_witnessed: bool | None = None

    def to_json(self) -> Json:
        """An object of the attributes."""
        return {
            "beacon_round": self.beacon_round,
            "draw_index": self.draw_index,
            "freeze_index": self.freeze_index,
            "is_witnessed": self.is_witnessed,
            "left_over": self.left_over,
            "name": self.name,
            "orders": self.orders,
            "seats": self.seats,
            "state": self.state,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftReport:
    """One shift.

    Attributes:
        is_closed: its secrets were opened in the log.
        calendar_waves: how many waves its calendar has.
        waves: those that the log mentions, by start.
        guarantee: of each of its waves.
    """

    name: str
    is_closed: bool
    calendar_waves: int
    waves: tuple[WaveReport, ...]
    guarantee: Guarantee

    def count(self, state: WaveState) -> int:
        """How many of `waves` are in `state`."""
        return sum(wave.state is state for wave in self.waves)

    def ends(self) -> dict[str, Json]:
        """How many of the calendar's waves ended in each way, and how many have not ended (yet, or at all)."""
        drawn = sum(wave.draw_index is not None for wave in self.waves)
        missed, manual = self.count(WaveState.MISSED), self.count(WaveState.MANUAL)
        return {
            "drawn": drawn,
            "manual": manual,
            "missed": missed,
            "open": self.calendar_waves - drawn - missed - manual,
        }

    def to_json(self) -> Json:
        """An object of the attributes."""
        return {
            "calendar_waves": self.calendar_waves,
            "ends": self.ends(),
            "guarantee": self.guarantee.to_json(),
            "is_closed": self.is_closed,
            "name": self.name,
            "waves": [wave.to_json() for wave in self.waves],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class NotChecked:
    """Something that could not be checked, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole result.

    Attributes:
        root: the Merkle root recomputed from the entries, 32 bytes.
        log_key: the vkey that the checkpoint was verified with.
        is_key_trusted: the auditor gave that key; otherwise it came out of the bundle itself.
        witnesses, quorum: the names of the witnesses whom the auditor gave, and how many of them are needed.
        is_clock_steered: some server ran on a steered clock: a test or demonstration, never evidence.
        entries: how many entries of each kind.
        checked: what was checked, in words, with how many times.
        findings: what is wrong, at most 1000 of `findings_count`; attention likewise: worth a look.
    """

    origin: str
    tree_size: int
    root: bytes
    log_key: str
    is_key_trusted: bool
    is_clock_steered: bool
    entries: dict[str, int]
    checked: tuple[tuple[str, int], ...]
    not_checked: tuple[NotChecked, ...]
    findings: tuple[Finding, ...]
    findings_count: int
    attention: tuple[Finding, ...]
    attention_count: int
    shifts: tuple[ShiftReport, ...] = field(default=())
    witnesses: tuple[str, ...] = ()
    quorum: int = 0

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong, as far as it could be checked."""
        return self.findings_count == 0

    @property
    def is_complete(self) -> bool:
        """Whether every draw in the log was replayed, byte for byte."""
        return self.draws_replayed == self.draws

    @property
    def draws(self) -> int:
        """How many draws the log has."""
        return sum(wave.draw_index is not None for shift in self.shifts for wave in shift.waves)

    @property
    def draws_replayed(self) -> int:
        """How many of them were replayed."""
        return sum(shift.count(WaveState.REPLAYED) for shift in self.shifts)

    def to_json(self) -> dict[str, Json]:
        """A canonical-JSON object; `docs/bundle.md` describes it. Digests are lower-case hexadecimal."""
        return {
            "attention": [item.to_json() for item in self.attention],
            "attention_count": self.attention_count,
            "checked": [{"count": count, "what": what} for what, count in self.checked],
            "draws": self.draws,
            "draws_replayed": self.draws_replayed,
            "entries": dict(sorted(self.entries.items())),
            "findings": [finding.to_json() for finding in self.findings],
            "findings_count": self.findings_count,
            "format": FORMAT,
            "is_clock_steered": self.is_clock_steered,
            "is_complete": self.is_complete,
            "is_key_trusted": self.is_key_trusted,
            "is_sound": self.is_sound,
            "log_key": self.log_key,
            "not_checked": [{"what": item.what, "why": item.why} for item in self.not_checked],
            "origin": self.origin,
            "quorum": self.quorum,
            "root": self.root.hex(),
            "shifts": [shift.to_json() for shift in self.shifts],
            "tree_size": self.tree_size,
            "witnesses": [*self.witnesses],
        }
