"""Public randomness that does not exist before its time: pins, rounds, evidence, values.

A beacon is pinned once (`BeaconInfo`), before anything depends on it. Its rounds happen on a fixed
schedule; the evidence of a round is what proves the round's one value to anybody who has the pin, and

    value = SHA-256(evidence)

is computed here, never taken from whoever delivered the evidence. Two schemes exist, each specified at
the head of its module: `local-hash-chain/v1` (`beacon_local`) and drand's `bls-unchained-g1-rfc9380`
(`beacon_drand`).

The canonical JSON of a pin has `scheme`, `chain_hash` (hex), `period_seconds` and `genesis` (RFC 3339,
UTC), and for `local` `length_rounds` and `parties` (`name`, `anchor` in hex, in the pinned order), for
drand `public_key`, `group_hash` (hex) and `beacon_id`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from assign.draw.beacon_drand import (
    GROUP_HASH_BYTES,
    PUBLIC_KEY_BYTES,
    DrandBeacon,
    DrandVerifier,
    quicknet,
)
from assign.draw.beacon_info import BeaconInfo, EvidenceVerifier, parse_hex
from assign.draw.beacon_local import (
    ChainCommitment,
    LocalBeacon,
    LocalVerifier,
    Party,
    combine_commitments,
    read_party,
)
from assign.encoding import parse_canonical_json, parse_rfc3339, sha256
from assign.errors import Corrupt, InvalidInput

__all__ = [
    "BeaconInfo",
    "ChainCommitment",
    "DrandBeacon",
    "DrandVerifier",
    "EvidenceVerifier",
    "LocalBeacon",
    "LocalVerifier",
    "Party",
    "beacon_from_json",
    "beacon_value",
    "combine_commitments",
    "quicknet",
    "round_at_or_after",
    "time_of_round",
    "verify_evidence",
    "verify_rounds",
]

_COMMON_KEYS = {"scheme", "chain_hash", "period_seconds", "genesis"}
_LOCAL_KEYS = _COMMON_KEYS | {"length_rounds", "parties"}
_DRAND_KEYS = _COMMON_KEYS | {"public_key", "group_hash", "beacon_id"}


def round_at_or_after(info: BeaconInfo, moment: datetime) -> int:
    """The first round at or after `moment` (aware): computed, never chosen.

    1 for a moment before genesis. Raises InvalidInput for a naive time, Conflict
    (`BEACON_CHAIN_ENDED`) if no round is that late.
    """
    return info.round_at_or_after(moment)


def time_of_round(info: BeaconInfo, round_number: int) -> datetime:
    """When the round happens, UTC, whole seconds. Raises InvalidInput outside 1..info.last_round."""
    return info.time_of_round(round_number)


def verify_evidence(info: BeaconInfo, round_number: int, evidence: bytes) -> None:
    """Return only if `evidence` is the one evidence of `round_number` under the pin `info`.

    Raises Corrupt: `BEACON_ROUND_RANGE`, `BEACON_EVIDENCE_MALFORMED`, `BEACON_PARTY_FORGED` (local,
    names the party) or `BEACON_SIGNATURE_FORGED` (drand). A local round costs as many hashes as its
    number: for more than one, keep `info.verifier()` or use `verify_rounds`.
    """
    info.verifier().verify(round_number, evidence)


def verify_rounds(info: BeaconInfo, evidences: Iterable[tuple[int, bytes]]) -> None:
    """Verify `(round_number, evidence)` pairs, in any order and repeated or not, in one pass.

    A local beacon costs one hash for each round up to the last one, however many are asked. Raises
    Corrupt, as `verify_evidence` does, for the first bad one in order of rounds.
    """
    verifier = info.verifier()
    for round_number, evidence in sorted(evidences):
        verifier.verify(round_number, evidence)


def beacon_value(evidence: bytes) -> bytes:
    """The round's 32 bytes of randomness: SHA-256 of its (verified) evidence."""
    return sha256(evidence)


def beacon_from_json(data: bytes) -> BeaconInfo:
    """The pin that `BeaconInfo.to_json` wrote.

    Raises Corrupt for anything but its exact bytes, and `BEACON_CHAIN_HASH` where the schedule or the
    keys are not those that the hash of the chain names.
    """
    value = parse_canonical_json(data)
    if not isinstance(value, dict):
        raise _malformed("It is not an object.")
    try:
        info = _read_info(value)
    except InvalidInput as error:
        raise _malformed(error.message) from None
    if value["chain_hash"] != info.chain_hash.hex():
        raise Corrupt("BEACON_CHAIN_HASH", "The chain hash does not belong to this schedule and these keys.")
    return info


def _read_info(value: dict[str, Any]) -> BeaconInfo:
    scheme, keys = value.get("scheme"), value.keys()
    if scheme == LocalBeacon.scheme and keys == _LOCAL_KEYS and isinstance(value["parties"], list):
        return LocalBeacon(
            period_seconds=_integer(value, "period_seconds"),
            genesis=parse_rfc3339(value["genesis"]),
            length_rounds=_integer(value, "length_rounds"),
            parties=tuple(read_party(party) for party in value["parties"]),
        )
    if scheme == DrandBeacon.scheme and keys == _DRAND_KEYS and isinstance(value["beacon_id"], str):
        return DrandBeacon(
            period_seconds=_integer(value, "period_seconds"),
            genesis=parse_rfc3339(value["genesis"]),
            public_key=parse_hex(value["public_key"], PUBLIC_KEY_BYTES, "public_key"),
            group_hash=parse_hex(value["group_hash"], GROUP_HASH_BYTES, "group_hash"),
            beacon_id=value["beacon_id"],
        )
    raise _malformed("Its scheme is unknown or its fields are not those of the scheme.")


def _integer(value: dict[str, Any], name: str) -> int:
    number = value[name]
    # bool is an int in Python, and `true` is no period.
    if type(number) is not int:
        raise _malformed(f"{name} is not an integer.")
    return number


def _malformed(detail: str) -> Corrupt:
    return Corrupt("BEACON_INFO_MALFORMED", f"This is not the pin of a beacon. {detail}")
