"""How long what is kept: the `[retention]` table of the configuration."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["RetentionConfig"]

_Days = Annotated[int, Field(ge=1, le=36_500)]


class RetentionConfig(BaseModel):
    """Days after which rows that name people are removed. `docs/privacy.md` says what each kind holds, and why.

    Attributes:
        answers_days: answers kept for repeated requests.
        screening_days: screening status of people who have had no duty since.
        rosters_days, assignments_days, selections_days, exceptions_days: after the end of the shift, or the request.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    answers_days: _Days = 30
    screening_days: _Days = 365
    rosters_days: _Days = 730
    assignments_days: _Days = 730
    selections_days: _Days = 730
    exceptions_days: _Days = 1825

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        # An erasure finds a person's assignments by his duties: those go last.
        if self.assignments_days > self.rosters_days:
            raise ValueError("assignments_days must not be longer than rosters_days")
        return self

    def cutoffs(self, now: datetime) -> dict[str, datetime]:
        """By kind: what is older than this is removed. In whole seconds."""
        whole = now.replace(microsecond=0)
        return {
            name.removesuffix("_days"): whole - timedelta(days=getattr(self, name))
            for name in sorted(type(self).model_fields)
        }
