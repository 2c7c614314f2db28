"""What a draw's secrecy and fairness rest on, in words: who would have had to conspire."""

from __future__ import annotations

from dataclasses import dataclass

from assign.draw.beacon import BeaconInfo, LocalBeacon, quicknet
from assign.encoding import Json

__all__ = ["NOBODY", "Guarantee", "Seen", "describe_guarantee"]


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Who saw the freezes of a shift's draws in time.

    Attributes:
        quorum, witnesses: how many of how many the auditor wants; 0 of 0: he named none.
        draws, unseen: how many draws there are, and of how many the freeze was not seen by that many.
        is_cosigned: the bundle has cosigned checkpoints, whoever's.
    """

    quorum: int = 0
    witnesses: int = 0
    draws: int = 0
    unseen: int = 0
    is_cosigned: bool = False


NOBODY = Seen()
"""No witness was named, and none has cosigned."""


def describe_guarantee(beacon: BeaconInfo, seen: Seen = NOBODY) -> Guarantee:
    """The guarantee of every wave of a shift that was drawn with `beacon`."""
    name, needed = _beacon_in_words(beacon)
    know_early = (
        f"Before the draw: only the holder of the shift's master seed together with {needed}. "
        "From the draw to the start: also whoever can unwrap the master seed; the log lists each use of it."
    )
    change = f"Only the operator together with {needed}; or {_dating_back(seen)}"
    return Guarantee(beacon=name, know_early=know_early, change=change)


def _dating_back(seen: Seen) -> str:
    """Whom it takes to write a freeze after the beacon value was out."""
    alone = "the operator alone, by writing the freeze after the beacon value was out and dating it back: "
    if seen.quorum and not seen.unseen:
        return (
            f"together with {_quorum_in_words(seen)} whom you named, by dating a freeze back: that many saw "
            "each freeze before its beacon value was out, in a log that has had no other history since."
        )
    if seen.quorum:
        return (
            f"{alone}of {seen.unseen} of {seen.draws} draws too few of the witnesses whom you named saw the freeze "
            "in time. The others take the witnesses as well."
        )
    who = "no witness was named to this verifier" if seen.is_cosigned else "no witness has cosigned this log"
    return (
        f"{alone}{who}, so nothing in this file proves when an entry was written. A checkpoint that somebody else "
        "saved before the draw would."
    )


def _quorum_in_words(seen: Seen) -> str:
    if seen.quorum < seen.witnesses:
        return f"{seen.quorum} of the {seen.witnesses} witnesses"
    return {1: "the one witness", 2: "both witnesses"}.get(seen.quorum, f"all {seen.quorum} witnesses")


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
