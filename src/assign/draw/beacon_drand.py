"""The `drand` beacon: a threshold BLS signature of each round, scheme `bls-unchained-g1-rfc9380`.

    message      = SHA-256(u64be(round))
    evidence     = the signature, a compressed point of G1, 48 bytes
    valid        if and only if e(evidence, g2) = e(hash_to_curve(message), public_key), with
                 hash_to_curve of RFC 9380, suite BLS12381G1_XMD:SHA-256_SSWU_RO_
    chain_hash   = SHA-256(u32be(period_seconds) || i64be(genesis_unix) || public_key || group_hash
                   || beacon_id), beacon_id left out where it is "default" (drand, chain/info)

A BLS signature is unique: nobody, the signers included, can choose among several for one round, which
Ed25519 and ECDSA would allow. The hash of the chain covers the public key, so a pin with another key
has another name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import ClassVar

from py_arkworks_bls12381 import GT, G1Point, G2Point

from assign.draw.beacon_info import BeaconInfo, EvidenceVerifier, require_round
from assign.encoding import Json, sha256, u64be
from assign.errors import Corrupt, InvalidInput

__all__ = [
    "GROUP_HASH_BYTES",
    "PUBLIC_KEY_BYTES",
    "SIGNATURE_BYTES",
    "DrandBeacon",
    "DrandVerifier",
    "quicknet",
]

SIGNATURE_BYTES = 48
PUBLIC_KEY_BYTES = 96
GROUP_HASH_BYTES = 32

_DOMAIN_SEPARATION_TAG = b"BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_"
_BEACON_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNHASHED_BEACON_ID = "default"


@dataclass(frozen=True, kw_only=True)
class DrandBeacon(BeaconInfo):
    """A pinned drand chain.

    Attributes:
        public_key: the group's key, a compressed point of G2, 96 bytes.
        group_hash: hash of the group that started the chain, 32 bytes.
        beacon_id: drand's name of the chain on its network, such as `quicknet`.

    Raises InvalidInput on construction where one of them is malformed.
    """

    scheme: ClassVar[str] = "bls-unchained-g1-rfc9380"

    public_key: bytes
    group_hash: bytes
    beacon_id: str

    def __post_init__(self) -> None:
        BeaconInfo.__post_init__(self)
        _decode_public_key(self.public_key)
        if len(self.group_hash) != GROUP_HASH_BYTES:
            raise InvalidInput("BEACON_GROUP_HASH", "A drand group hash has 32 bytes.")
        if not _BEACON_ID.fullmatch(self.beacon_id):
            raise InvalidInput("BEACON_ID", "A drand beacon id is 1 to 64 letters, digits, '-' and '_'.")

    @cached_property
    def chain_hash(self) -> bytes:
        """The chain's name on every drand relay; see the head of this module."""
        return sha256(
            self.period_seconds.to_bytes(4, "big")
            + u64be(self.genesis_unix)
            + self.public_key
            + self.group_hash
            + (b"" if self.beacon_id == _UNHASHED_BEACON_ID else self.beacon_id.encode())
        )

    def verifier(self) -> EvidenceVerifier:
        """A DrandVerifier of this chain."""
        return DrandVerifier(self)

    def key_fields(self) -> dict[str, Json]:
        """The public key, the group hash and the beacon id."""
        return {
            "public_key": self.public_key.hex(),
            "group_hash": self.group_hash.hex(),
            "beacon_id": self.beacon_id,
        }


class DrandVerifier:
    """Verifies signatures of one drand chain, about 2 ms each in any order. Threads may share one."""

    def __init__(self, info: DrandBeacon) -> None:
        self.info = info
        self._public_key = _decode_public_key(info.public_key)
        self._minus_g2 = -G2Point()

    def verify(self, round_number: int, evidence: bytes) -> None:
        """Raise Corrupt unless `evidence` is the group's signature of `round_number`."""
        require_round(self.info, round_number)
        signature = _decode_signature(evidence)
        message = sha256(u64be(round_number))
        hashed = G1Point.hash_to_curve(message, _DOMAIN_SEPARATION_TAG)
        # e(signature, -g2) * e(hashed, key) = 1 is the same equation with one final exponentiation.
        if not GT.pairing_check([signature, hashed], [self._minus_g2, self._public_key]):
            raise Corrupt(
                "BEACON_SIGNATURE_FORGED",
                f"This is not the signature of round {round_number} under the pinned public key.",
            )


def quicknet() -> DrandBeacon:
    """The pin of drand's public `quicknet` chain, 3 s a round, as its operators publish it."""
    return DrandBeacon(
        period_seconds=3,
        genesis=datetime(2023, 8, 23, 15, 9, 27, tzinfo=UTC),
        public_key=bytes.fromhex(
            "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c"
            "8c4b450b6a0a6c3ac6a5776a2d1064510d1fec758c921cc22b0e17e63aaf4bcb"
            "5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"
        ),
        group_hash=bytes.fromhex("f477d5c89f21a17c863a7f937c6a6d15859414d2be09cd448d4279af331c5d3e"),
        beacon_id="quicknet",
    )


def _decode_signature(evidence: bytes) -> G1Point:
    malformed = Corrupt("BEACON_EVIDENCE_MALFORMED", "A drand signature is a compressed G1 point, 48 bytes.")
    try:
        # 48 bytes, on the curve, in the subgroup of prime order, the coordinate below the modulus.
        point = G1Point.from_compressed_bytes(evidence)
    except ValueError:
        raise malformed from None
    # The decoder takes any bytes after the infinity flag, and infinity itself, which signs nothing.
    if point == G1Point.identity() or point.to_compressed_bytes() != evidence:
        raise malformed
    return point


@lru_cache(maxsize=8)
def _decode_public_key(data: bytes) -> G2Point:
    malformed = InvalidInput("BEACON_PUBLIC_KEY", "A drand public key is a compressed G2 point, 96 bytes.")
    try:
        point = G2Point.from_compressed_bytes(data)
    except ValueError:
        raise malformed from None
    # Under the key at infinity, infinity would be a valid signature of every round.
    if point == G2Point.identity() or point.to_compressed_bytes() != data:
        raise malformed
    return point
