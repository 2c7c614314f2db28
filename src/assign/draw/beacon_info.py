"""What every pinned beacon has: a schedule of rounds, an identity and a canonical form.

Round 1 happens at `genesis`, and round r exactly `(r - 1) * period_seconds` later. All of it is
integer arithmetic on UTC, which has no daylight saving; leap seconds do not exist in POSIX time.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import ClassVar, Protocol

from assign.encoding import Json, canonical_json, rfc3339
from assign.errors import Conflict, Corrupt, InvalidInput

__all__ = ["BeaconInfo", "EvidenceVerifier", "parse_hex", "require_round"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_MAX_PERIOD_SECONDS = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class BeaconInfo(ABC):
    """A pinned beacon: all that a verifier has to know, and nothing that changes later.

    Attributes:
        period_seconds: seconds between two rounds, 1..2^32-1.
        genesis: time of round 1, UTC, whole seconds, not before 1970.

    Raises InvalidInput on construction where a field is out of bounds.
    """

    scheme: ClassVar[str]

    period_seconds: int
    genesis: datetime

    def __post_init__(self) -> None:
        if not 1 <= self.period_seconds <= _MAX_PERIOD_SECONDS:
            raise InvalidInput("BEACON_PERIOD", "A beacon's period is 1 to 2^32-1 whole seconds.")
        if self.genesis.utcoffset() != timedelta(0) or self.genesis.microsecond or self.genesis < _EPOCH:
            raise InvalidInput("BEACON_GENESIS", "A genesis is in UTC, in whole seconds, from 1970 on.")

    @property
    @abstractmethod
    def chain_hash(self) -> bytes:
        """The 32 bytes that name this chain and commit to its schedule and its keys."""

    @property
    def genesis_unix(self) -> int:
        """Seconds from 1970-01-01T00:00:00Z to `genesis`."""
        return (self.genesis - _EPOCH) // timedelta(seconds=1)

    @property
    def calendar_rounds(self) -> int:
        """How many rounds happen before year 10000, where the calendar ends."""
        return (_END_OF_TIME - self.genesis) // timedelta(seconds=self.period_seconds) + 1

    @cached_property
    def last_round(self) -> int:
        """The number of the last round there is."""
        return self.calendar_rounds

    @abstractmethod
    def verifier(self) -> EvidenceVerifier:
        """A new verifier of this beacon's evidence."""

    @abstractmethod
    def key_fields(self) -> dict[str, Json]:
        """The JSON fields that only this scheme has."""

    def to_json(self) -> bytes:
        """Canonical JSON of the pin; `assign.draw.beacon.beacon_from_json` reads it back."""
        return canonical_json(
            {
                "scheme": self.scheme,
                "chain_hash": self.chain_hash.hex(),
                "period_seconds": self.period_seconds,
                "genesis": rfc3339(self.genesis),
                **self.key_fields(),
            }
        )

    def round_at_or_after(self, moment: datetime) -> int:
        """The first round whose time is `moment` (aware) or later; 1 for anything before genesis.

        Raises InvalidInput for a naive time, Conflict if the chain ends before `moment`.
        """
        _require_aware(moment)
        # Floor division of the negated distance is a ceiling, exact to the microsecond.
        periods = -((self.genesis - moment) // timedelta(seconds=self.period_seconds))
        round_number = max(1, periods + 1)
        if round_number > self.last_round:
            raise Conflict(
                "BEACON_CHAIN_ENDED",
                f"The beacon's last round is {self.last_round}; pin a new chain before it is reached.",
            )
        return round_number

    def latest_round(self, moment: datetime) -> int:
        """The last round whose time is `moment` (aware) or earlier; 0 before genesis.

        Raises InvalidInput for a naive time.
        """
        _require_aware(moment)
        return min(max(0, (moment - self.genesis) // timedelta(seconds=self.period_seconds) + 1), self.last_round)

    def time_of_round(self, round_number: int) -> datetime:
        """When `round_number` happens, UTC. Raises InvalidInput outside 1..last_round."""
        if not 1 <= round_number <= self.last_round:
            raise InvalidInput("BEACON_ROUND_RANGE", f"Rounds go from 1 to {self.last_round}.")
        return self.genesis + timedelta(seconds=self.period_seconds) * (round_number - 1)


class EvidenceVerifier(Protocol):
    """Verifies rounds of one beacon. Cheapest when they come in ascending order; any order is right."""

    def verify(self, round_number: int, evidence: bytes) -> None:
        """Return only if `evidence` is the one evidence of `round_number`; raise Corrupt otherwise."""
        ...


def require_round(info: BeaconInfo, round_number: int) -> None:
    """Raise Corrupt unless `round_number` exists: evidence of no round proves nothing."""
    if not 1 <= round_number <= info.last_round:
        raise Corrupt("BEACON_ROUND_RANGE", f"Round {round_number} is not in 1..{info.last_round}.")


def parse_hex(text: object, size: int, name: str) -> bytes:
    """The `size` bytes that `text` writes in lower-case hexadecimal. Raises Corrupt naming `name`."""
    try:
        data = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        data = b""
    # fromhex also takes spaces and upper case: two spellings of one value.
    if len(data) != size or data.hex() != text:
        raise Corrupt("HEX_MALFORMED", f"{name} is not {size} bytes in lower-case hexadecimal.")
    return data


def _require_aware(moment: datetime) -> None:
    if moment.utcoffset() is None:
        raise InvalidInput("TIME_NAIVE", "A time needs a time zone.")
