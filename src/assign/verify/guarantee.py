"""What a draw's secrecy and fairness rest on, in words: who would have had to conspire."""

from __future__ import annotations

from dataclasses import dataclass

from assign.draw.beacon import BeaconInfo, LocalBeacon, quicknet
from assign.encoding import Json

__all__ = ["Guarantee", "describe_guarantee"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guarantee:
    """How strong the evidence is.

    Attributes:
        beacon: the pinned beacon in words.
        know_early: who together could have known the outcome before the draw.
        change: who together could have changed it.
    """

    beacon: str
    know_early: str
    change: str

    def to_json(self) -> Json:
        """An object of the three texts."""
        return {"beacon": self.beacon, "change": self.change, "know_early": self.know_early}


def describe_guarantee(beacon: BeaconInfo, *, witnesses: int) -> Guarantee:
    """The guarantee of every wave drawn with `beacon`.

    Args:
        witnesses: how many independent witnesses are proven to have cosigned each freeze in time.
    """
    name, needed = _beacon_in_words(beacon)
    know_early = (
        f"Before the draw: only the holder of the shift's master seed together with {needed}. "
        "From the draw to the start: also whoever can unwrap the master seed; the log lists each use of it."
    )
    if witnesses:
        change = f"Only the operator together with all {witnesses} witnesses, or together with {needed}."
    else:
        change = (
            f"Only the operator together with {needed}; or the operator alone, by writing the freeze after "
            "the beacon value was out and dating it back: no witness has cosigned this log, so nothing in "
            "this file proves when an entry was written. A checkpoint that somebody else saved before the "
            "draw would."
        )
    return Guarantee(beacon=name, know_early=know_early, change=change)


def _beacon_in_words(beacon: BeaconInfo) -> tuple[str, str]:
    """The beacon, and whom predicting it takes."""
    fingerprint = beacon.chain_hash.hex()[:16]
    if isinstance(beacon, LocalBeacon):
        names = ", ".join(party.name for party in beacon.parties)
        if len(beacon.parties) == 1:
            return (
                f"local hash chain of one party, {names} (chain {fingerprint})",
                f"the one beacon party, {names}; if both sit under one roof, that roof alone",
            )
        count = len(beacon.parties)
        everybody = "both" if count == 2 else f"all {count}"
        return (
            f"local hash chains of {count} parties, {names} (chain {fingerprint})",
            f"{everybody} beacon parties, {names}",
        )
    if beacon.chain_hash == quicknet().chain_hash:
        return "drand quicknet, the public beacon", "a threshold of the organisations that run drand's quicknet"
    return (
        f"a drand chain that is not the public quicknet (chain {fingerprint})",
        "a threshold of whoever runs that drand chain",
    )
