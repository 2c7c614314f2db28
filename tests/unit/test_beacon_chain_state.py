"""A party's chain file: durable, private, never overwritten, and noticed when damaged."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from beacon_chains import GENESIS, chain_of

from assign.encoding import lp, sha256
from assign.errors import AlreadyExists, Conflict, Corrupt, InvalidInput, NotFound, Unavailable
from server.beacons.chain_state import grow_chain, read_state, write_state


def test_a_chain_reads_back(tmp_path: Path) -> None:
    """Equal, and with every element."""
    state = chain_of("a")
    write_state(tmp_path / "chain", state)
    again = read_state(tmp_path / "chain")
    assert again == state
    assert [again.element(n) for n in range(1, 201)] == [state.element(n) for n in range(1, 201)]


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Mode 0600 whatever the umask, and nothing else is left in the folder."""
    before = os.umask(0)
    try:
        write_state(tmp_path / "chain", chain_of("a"))
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "chain").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["chain"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_an_exposed_file_is_not_served(tmp_path: Path, mode: int) -> None:
    """Whoever could read it may know every round."""
    path = tmp_path / "chain"
    write_state(path, chain_of("a"))
    path.chmod(mode)
    with pytest.raises(Conflict, match="BEACON_STATE_EXPOSED"):
        read_state(path)


def test_a_chain_is_never_overwritten(tmp_path: Path) -> None:
    """Not even by itself; the attempt leaves nothing behind."""
    path = tmp_path / "chain"
    write_state(path, chain_of("a"))
    before = path.read_bytes()
    with pytest.raises(AlreadyExists, match="BEACON_STATE_EXISTS"):
        write_state(path, chain_of("b"))
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["chain"]


def test_damage_is_noticed(tmp_path: Path) -> None:
    """Any byte changed, any length cut."""
    path = tmp_path / "chain"
    write_state(path, chain_of("a", length_rounds=9))
    whole = path.read_bytes()
    damaged = [whole[:n] + bytes([whole[n] ^ 1]) + whole[n + 1 :] for n in range(len(whole))]
    for data in [*damaged, *(whole[:n] for n in range(len(whole))), whole + b"\0", bytes(1_000_000)]:
        path.write_bytes(data)
        with pytest.raises(Corrupt, match="BEACON_STATE_DAMAGED"):
            read_state(path)


def test_elements_of_another_chain_are_noticed(tmp_path: Path) -> None:
    """A right checksum over the wrong elements does not open the anchor."""
    state, other = chain_of("a"), chain_of("b")
    body = lp("beacon/v1", "state", state.commitment.to_json(), b"".join(other.checkpoints))
    path = tmp_path / "chain"
    write_state(path, state)
    path.write_bytes(body + sha256(body))
    with pytest.raises(Corrupt, match="BEACON_STATE_DAMAGED"):
        read_state(path)


def test_what_the_file_system_refuses(tmp_path: Path) -> None:
    """A missing file, a folder in its place, a missing folder."""
    with pytest.raises(NotFound, match="BEACON_STATE_MISSING"):
        read_state(tmp_path / "none")
    with pytest.raises(Unavailable, match="BEACON_STATE_UNREADABLE"):
        read_state(tmp_path)
    with pytest.raises(Unavailable, match="BEACON_STATE_UNWRITABLE"):
        write_state(tmp_path / "none" / "chain", chain_of("a"))


def test_nothing_secret_is_shown() -> None:
    """Neither repr nor str of a chain holds an element that is not public."""
    state = chain_of("a")
    shown = repr(state) + str(state)
    for round_number in range(1, 201):
        assert state.element(round_number).hex() not in shown
        assert repr(state.element(round_number)) not in shown


@pytest.mark.parametrize("length_rounds", [*range(1, 20), 24, 25, 26])
def test_progress_and_memory_follow_the_length(length_rounds: int) -> None:
    """Every round is reported once; about √length elements are held; the last one is the secret."""
    steps: list[int] = []
    state = grow_chain(
        name="a",
        period_seconds=3,
        genesis=GENESIS,
        length_rounds=length_rounds,
        secret=bytes(32),
        progress=steps.append,
    )
    assert sum(steps) == length_rounds
    assert len(state.checkpoints) == -(-length_rounds // state.stride) <= state.stride + 2
    assert state.element(length_rounds) == bytes(32)


def test_terms_are_checked_before_the_work() -> None:
    """Bad terms and short secrets are refused at once."""
    for changes in ({"length_rounds": 0}, {"length_rounds": 2**27 + 1}, {"secret": bytes(31)}, {"name": "A"}):
        terms = {"name": "a", "period_seconds": 3, "genesis": GENESIS, "length_rounds": 5, "secret": bytes(32)}
        with pytest.raises(InvalidInput):
            grow_chain(**(terms | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("round_number", [-1, 0, 201])
def test_no_element_outside_the_chain(round_number: int) -> None:
    """Round 0 is the commitment's, not the chain's to give."""
    with pytest.raises(InvalidInput, match="BEACON_ROUND_RANGE"):
        chain_of("a").element(round_number)
