"""The commitments of the draw protocol `draw/v1`: what is fixed before the beacon value exists.

`LP` is `assign.encoding.lp`; `H` is SHA-256. Every function here is one line of the protocol.
"""

from __future__ import annotations

from dataclasses import dataclass

from assign.encoding import lp, parse_lp, sha256, u64be
from assign.errors import Corrupt
from assign.log.merkle import leaf_hash

__all__ = [
    "PROTOCOL",
    "Freeze",
    "commit_inputs",
    "commit_master",
    "commit_seed",
    "commit_transcript",
    "is_freeze",
]

PROTOCOL = "draw/v1"
_DIGEST_BYTES = 32
_FREEZE_PREFIX = lp(PROTOCOL, "freeze")


def commit_master(origin: str, shift: str, master: bytes) -> bytes:
    """`H(LP("draw/v1","commit-master",origin,shift,M))`: logged when the shift opens."""
    return sha256(lp(PROTOCOL, "commit-master", origin, shift, master))


def commit_inputs(salt: bytes, inputs: bytes) -> bytes:
    """`H(LP("draw/v1","commit-inputs",salt32,inputs))`: the salt keeps a small pool from being guessed."""
    return sha256(lp(PROTOCOL, "commit-inputs", salt, inputs))


def commit_seed(origin: str, wave: str, seed: bytes) -> bytes:
    """`H(LP("draw/v1","commit-seed",origin,wave,S))`."""
    return sha256(lp(PROTOCOL, "commit-seed", origin, wave, seed))


def commit_transcript(blind: bytes, transcript: bytes) -> bytes:
    """`H(LP("draw/v1","commit-transcript",blind32,transcript))`: logged at the draw.

    The blind comes from the draw key: without it, whoever knows a small pool could try every outcome
    against the logged hash before the last reveal of the wave.
    """
    return sha256(lp(PROTOCOL, "commit-transcript", blind, transcript))


def is_freeze(entry: bytes) -> bool:
    """Whether a log entry claims to be a freeze."""
    return entry.startswith(_FREEZE_PREFIX)


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The freeze of one wave; its bytes are the log entry and its leaf hash enters the draw key.

    Attributes:
        seed_commitment, inputs_commitment, chain_hash: 32 bytes each.
        beacon_round: first round at or after `start - lead`; computed, never chosen.
    """

    origin: str
    wave: str
    seed_commitment: bytes
    inputs_commitment: bytes
    chain_hash: bytes
    beacon_round: int

    def to_bytes(self) -> bytes:
        """`LP("draw/v1","freeze",origin,wave,C,CI,chain_hash,u64be(R))`."""
        return _FREEZE_PREFIX + lp(
            self.origin,
            self.wave,
            self.seed_commitment,
            self.inputs_commitment,
            self.chain_hash,
            u64be(self.beacon_round),
        )

    def leaf(self) -> bytes:
        """`H(0x00 ‖ freeze)`, the RFC 6962 leaf hash."""
        return leaf_hash(self.to_bytes())

    @classmethod
    def from_bytes(cls, entry: bytes) -> Freeze:
        """The freeze in a log entry. Raises Corrupt (FREEZE_MALFORMED)."""
        fields = parse_lp(entry)
        if not is_freeze(entry) or len(fields) != 8 or len(fields[7]) != 8:
            raise Corrupt("FREEZE_MALFORMED", "This entry is not a freeze of draw/v1.")
        if any(len(field) != _DIGEST_BYTES for field in fields[4:7]):
            raise Corrupt("FREEZE_MALFORMED", "A commitment in this freeze does not have 32 bytes.")
        try:
            origin, wave = fields[2].decode(), fields[3].decode()
        except UnicodeDecodeError:
            raise Corrupt("FREEZE_MALFORMED", "A name in this freeze is not UTF-8.") from None
        return cls(
            origin=origin,
            wave=wave,
            seed_commitment=fields[4],
            inputs_commitment=fields[5],
            chain_hash=fields[6],
            beacon_round=int.from_bytes(fields[7], "big"),
        )
