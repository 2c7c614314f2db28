"""Beacon evidence of many waves, each chain walked once, within a budget that hostile pins cannot exceed."""

from __future__ import annotations

from assign.draw.beacon import BeaconInfo, EvidenceVerifier, LocalBeacon
from assign.errors import Corrupt

__all__ = ["DEFAULT_HASH_BUDGET", "BeaconChecks"]

DEFAULT_HASH_BUDGET = 2**28
"""Hashes of local chains in one verification: some minutes. A year of one-second rounds of two parties is 2^26."""


class BeaconChecks:
    """Verifies evidence of any number of pinned beacons, cheapest in ascending order of rounds.

    Attributes:
        verified: how many pieces of evidence held.
    """

    def __init__(self, *, hash_budget: int = DEFAULT_HASH_BUDGET) -> None:
        self.verified = 0
        self._budget = hash_budget
        self._verifiers: dict[bytes, EvidenceVerifier] = {}
        self._reached: dict[bytes, int] = {}

    def can_afford(self, info: BeaconInfo, round_number: int) -> bool:
        """Whether verifying that round is within what is left of the budget."""
        return self._cost(info, round_number) <= self._budget

    def verify(self, info: BeaconInfo, round_number: int, evidence: bytes) -> None:
        """Raise Corrupt (BEACON_*) unless `evidence` is that of `round_number` under the pin `info`."""
        if not 1 <= round_number <= info.last_round:
            raise Corrupt("BEACON_ROUND_RANGE", f"Round {round_number} is not in 1..{info.last_round}.")
        self._budget -= self._cost(info, round_number)
        chain = info.chain_hash
        if chain not in self._verifiers:
            self._verifiers[chain] = info.verifier()
        self._verifiers[chain].verify(round_number, evidence)
        self._reached[chain] = max(round_number, self._reached.get(chain, 0))
        self.verified += 1

    def _cost(self, info: BeaconInfo, round_number: int) -> int:
        if not isinstance(info, LocalBeacon):
            return 0
        reached = self._reached.get(info.chain_hash, 0)
        steps = round_number - reached if round_number >= reached else min(round_number, reached - round_number)
        return steps * len(info.parties)
