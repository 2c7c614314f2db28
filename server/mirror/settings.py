"""What an operator configures of the mirror: the `[mirror]` table."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

__all__ = ["MirrorConfig", "Publish"]


class Publish(StrEnum):
    """Which entries the mirror serves. Checkpoints and hashes it always serves: they say nothing."""

    ALL = "all"
    CLOSED_SHIFTS = "closed-shifts"
    NONE = "none"


class MirrorConfig(BaseModel):
    """Where the mirror listens, and which entries it publishes; see `docs/mirror.md` before choosing `all`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    listen: str = "127.0.0.1:8480"
    publish_entries: Publish = Publish.CLOSED_SHIFTS
