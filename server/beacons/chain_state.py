"""A party's chain on disk: the commitment, and enough elements to reach any round in √length hashes.

The file holds every round that was not yet released, so it is as secret as a private key: readable by
its owner only, never overwritten, never in a log. Its bytes, with `LP` of `assign.encoding`:

    body = LP("beacon/v1", "state", commitment JSON, x[stride] || x[2 stride] || ... || x[length])
    file = body || SHA-256(body),   stride = isqrt(length)
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from math import isqrt
from pathlib import Path

from assign.draw.beacon_local import (
    ELEMENT_BYTES,
    MAX_LENGTH_ROUNDS,
    ChainCommitment,
    Party,
    chain_context,
    walk,
)
from assign.encoding import lp, parse_lp, sha256
from assign.errors import AlreadyExists, Conflict, Corrupt, InvalidInput, NotFound, Unavailable

__all__ = ["ChainState", "grow_chain", "read_state", "write_state"]

_HEAD = (b"beacon/v1", b"state")
_DIGEST_BYTES = 32
_MAX_FILE_BYTES = (isqrt(MAX_LENGTH_ROUNDS) + 2) * ELEMENT_BYTES + 4096
_OTHERS_MODE = 0o077


@dataclass(frozen=True, kw_only=True)
class ChainState:
    """One party's chain. `checkpoints` are secret and stay out of the representation."""

    commitment: ChainCommitment
    checkpoints: tuple[bytes, ...] = field(repr=False)

    @property
    def stride(self) -> int:
        """Rounds from one checkpoint to the next."""
        return isqrt(self.commitment.length_rounds)

    def element(self, round_number: int) -> bytes:
        """x[round_number], 32 bytes, in at most `stride` hashes. Whoever calls minds the time.

        Raises InvalidInput outside 1..length.
        """
        length_rounds = self.commitment.length_rounds
        if not 1 <= round_number <= length_rounds:
            raise InvalidInput("BEACON_ROUND_RANGE", f"Rounds go from 1 to {length_rounds}.")
        index = (round_number - 1) // self.stride
        held_round = min((index + 1) * self.stride, length_rounds)
        context = _context(self.commitment)
        return walk(context, self.checkpoints[index], from_round=held_round, to_round=round_number)


def grow_chain(
    *,
    name: str,
    period_seconds: int,
    genesis: datetime,
    length_rounds: int,
    secret: bytes,
    progress: Callable[[int], None] | None = None,
) -> ChainState:
    """Compute a chain down from `secret`, its last element, 32 bytes: about 0.4 µs a round.

    `progress` is told after every stretch how many rounds it took. Raises InvalidInput for bad terms.
    """
    # The terms are checked, with an anchor that is not there yet, before minutes go into them.
    terms = ChainCommitment(
        party=Party(name=name, anchor=bytes(ELEMENT_BYTES)),
        period_seconds=period_seconds,
        genesis=genesis,
        length_rounds=length_rounds,
    )
    if len(secret) != ELEMENT_BYTES:
        raise InvalidInput("BEACON_SECRET", "A chain's secret has 32 bytes.")
    context = _context(terms)
    elements = [secret]
    for upper, lower in pairwise(reversed([0, *_held_rounds(length_rounds)])):
        elements.append(walk(context, elements[-1], from_round=upper, to_round=lower))
        if progress is not None:
            progress(upper - lower)
    *checkpoints, anchor = elements
    commitment = ChainCommitment(
        party=Party(name=name, anchor=anchor),
        period_seconds=period_seconds,
        genesis=genesis,
        length_rounds=length_rounds,
    )
    return ChainState(commitment=commitment, checkpoints=tuple(reversed(checkpoints)))


def write_state(path: Path, state: ChainState) -> None:
    """Write `state` to the new file `path`, mode 0600, whole and durable or not at all.

    Raises AlreadyExists rather than replace a file, since a chain that was pinned and lost cannot be
    made again; Unavailable where the file system refuses.
    """
    body = lp(*_HEAD, state.commitment.to_json(), b"".join(state.checkpoints))
    try:
        _write_new(path, body + sha256(body))
    except FileExistsError:
        raise AlreadyExists("BEACON_STATE_EXISTS", f"{path} exists; a chain is never overwritten.") from None
    except OSError as error:
        raise Unavailable("BEACON_STATE_UNWRITABLE", f"Cannot write {path}: {error.strerror}.") from None


def _write_new(path: Path, data: bytes) -> None:
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        # link, not rename: it refuses an existing target.
        os.link(temporary, path)
    finally:
        Path(temporary).unlink()
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_state(path: Path) -> ChainState:
    """Read what `write_state` wrote.

    Raises NotFound, Conflict if others may read the file, Corrupt if a byte of it changed, Unavailable
    where the file system refuses.
    """
    try:
        with path.open("rb") as file:
            mode, data = os.fstat(file.fileno()).st_mode, file.read(_MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise NotFound("BEACON_STATE_MISSING", f"There is no chain {path}; make one with init.") from None
    except OSError as error:
        raise Unavailable("BEACON_STATE_UNREADABLE", f"Cannot read {path}: {error.strerror}.") from None
    if mode & _OTHERS_MODE:
        raise Conflict(
            "BEACON_STATE_EXPOSED", f"Others may read {path}: make a new chain, or set mode 0600 if nobody did."
        )
    return _parse_state(data)


def _parse_state(data: bytes) -> ChainState:
    damaged = Corrupt("BEACON_STATE_DAMAGED", "The chain's file is damaged; restore it from its copy.")
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if len(data) > _MAX_FILE_BYTES or sha256(body) != digest:
        raise damaged
    try:
        *head, commitment_json, elements = parse_lp(body, max_fields=4)
        commitment = ChainCommitment.from_json(commitment_json)
    except (Corrupt, ValueError):
        raise damaged from None
    held_rounds = _held_rounds(commitment.length_rounds)
    if tuple(head) != _HEAD or len(elements) != len(held_rounds) * ELEMENT_BYTES:
        raise damaged
    checkpoints = tuple(elements[start : start + ELEMENT_BYTES] for start in range(0, len(elements), ELEMENT_BYTES))
    opened = walk(_context(commitment), checkpoints[0], from_round=held_rounds[0], to_round=0)
    if opened != commitment.party.anchor:
        raise damaged
    return ChainState(commitment=commitment, checkpoints=checkpoints)


def _held_rounds(length_rounds: int) -> list[int]:
    stride = isqrt(length_rounds)
    return [*range(stride, length_rounds, stride), length_rounds]


def _context(commitment: ChainCommitment) -> bytes:
    beacon = commitment.as_beacon()
    return chain_context(
        name=commitment.party.name,
        period_seconds=beacon.period_seconds,
        genesis_unix=beacon.genesis_unix,
        length_rounds=beacon.length_rounds,
    )
