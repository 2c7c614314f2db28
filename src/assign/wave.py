"""The calendar of waves: fixed and logged when a shift opens, never chosen later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from assign.errors import InvalidInput

__all__ = ["MAX_WAVES", "Calendar"]

# All salts of a shift are opened in one log entry, which has at most 65,535 bytes.
MAX_WAVES = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A shift's waves and the times of each wave's life, all aware UTC in whole seconds.

    Attributes:
        start, end: the shift; a wave starts at `start + k * step` before `end`.
        step_seconds: a wave holds every slot with `wave <= slot start < wave + step`.
        lead_seconds: the draw happens, and the reveal opens, this long before the start.
        margin_seconds: the freeze happens this long before the draw.
    """

    start: datetime
    end: datetime
    step_seconds: int
    lead_seconds: int
    margin_seconds: int

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise InvalidInput("SHIFT_TIMES", "A shift ends after it starts.")
        if min(self.step_seconds, self.lead_seconds, self.margin_seconds) < 1:
            raise InvalidInput("SHIFT_SECONDS", "Step, lead and margin are at least one second.")
        if self.wave_count > MAX_WAVES:
            raise InvalidInput("SHIFT_WAVES", f"A shift has at most {MAX_WAVES} waves; use a longer step.")

    @property
    def wave_count(self) -> int:
        """How many waves the shift has; the last may be shorter than a step."""
        return -((self.start - self.end) // timedelta(seconds=self.step_seconds))

    def wave_starts(self) -> list[datetime]:
        """The start of each wave, ascending."""
        return [self.wave_start(index) for index in range(self.wave_count)]

    def wave_start(self, index: int) -> datetime:
        """The start of the wave at `index`, counted from 0."""
        return self.start + index * timedelta(seconds=self.step_seconds)

    def waves_before(self, moment: datetime) -> int:
        """How many waves start before `moment` (aware)."""
        steps = -((self.start - moment) // timedelta(seconds=self.step_seconds))
        return max(0, min(steps, self.wave_count))

    def wave_of(self, moment: datetime) -> datetime:
        """The start of the wave that holds a slot starting at `moment`. Raises InvalidInput outside the shift."""
        if not self.start <= moment < self.end:
            raise InvalidInput("SLOT_OUTSIDE_SHIFT", "This start is outside the shift.")
        step = timedelta(seconds=self.step_seconds)
        return self.start + (moment - self.start) // step * step

    def draw_time(self, wave_start: datetime) -> datetime:
        """When a wave is drawn: `start - lead`. The beacon round is the first at or after this moment."""
        return wave_start - timedelta(seconds=self.lead_seconds)

    def freeze_time(self, wave_start: datetime) -> datetime:
        """When a wave's inputs are fixed: a margin before the draw."""
        return self.draw_time(wave_start) - timedelta(seconds=self.margin_seconds)
