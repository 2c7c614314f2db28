"""Small local beacons for tests: short chains whose secrets are known."""

from __future__ import annotations

from datetime import UTC, datetime

from assign.draw.beacon import LocalBeacon, combine_commitments
from assign.encoding import lp, sha256
from server.beacons.chain_state import ChainState, grow_chain

GENESIS = datetime(2026, 11, 24, 6, tzinfo=UTC)
PERIOD_SECONDS = 3
LENGTH_ROUNDS = 200


def chain_of(name: str, *, length_rounds: int = LENGTH_ROUNDS, secret: bytes | None = None) -> ChainState:
    """The chain of the party `name`, the same in each run."""
    return grow_chain(
        name=name,
        period_seconds=PERIOD_SECONDS,
        genesis=GENESIS,
        length_rounds=length_rounds,
        secret=secret or sha256(name.encode()),
    )


def beacon_of(*chains: ChainState) -> LocalBeacon:
    """The beacon that pins these chains in this order."""
    return combine_commitments([chain.commitment for chain in chains])


def evidence_of(round_number: int, *chains: ChainState) -> bytes:
    """What these parties reveal for the round."""
    return lp(*(chain.element(round_number) for chain in chains))
