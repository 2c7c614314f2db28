"""The protocol's arithmetic against the published vector, which two other implementations agree on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from assign import _core
from assign.draw.beacon import beacon_value, quicknet
from assign.draw.commitment import Freeze, commit_inputs, commit_master, commit_seed, commit_transcript
from assign.draw.keys import draw_key, reserve_key, transcript_blind, wave_seed
from assign.encoding import lp, sha256
from assign.errors import InvalidInput

VECTORS = Path(__file__).parents[1] / "vectors"
DRAW: dict[str, Any] = json.loads((VECTORS / "draw-v1.json").read_text())
MASTER = bytes.fromhex(DRAW["master"])
SEED = bytes.fromhex(DRAW["slot_seed"])
ORIGIN, WAVE = DRAW["origin"], DRAW["wave"]


def test_wave_seed() -> None:
    """S from M."""
    assert wave_seed(MASTER, ORIGIN, DRAW["shift"], WAVE) == SEED


def freeze() -> Freeze:
    """The freeze of the vector."""
    return Freeze(
        origin=ORIGIN,
        wave=WAVE,
        seed_commitment=commit_seed(ORIGIN, WAVE, SEED),
        inputs_commitment=commit_inputs(bytes.fromhex(DRAW["salt"]), bytes.fromhex(DRAW["inputs"])),
        chain_hash=quicknet().chain_hash,
        beacon_round=DRAW["round"],
    )


def test_freeze_leaf() -> None:
    """C, CI and the leaf."""
    assert freeze().leaf().hex() == DRAW["freeze_leaf"]


def key() -> bytes:
    """K of the vector, with drand's real signature of the round."""
    return draw_key(
        beacon_value=beacon_value(_signature()),
        seed=SEED,
        origin=ORIGIN,
        wave=WAVE,
        leaf=freeze().leaf(),
        chain_hash=quicknet().chain_hash,
        beacon_round=DRAW["round"],
    )


def _signature() -> bytes:
    rounds = json.loads((VECTORS / "drand-quicknet.json").read_text())["rounds"]
    (found,) = (item for item in rounds if item["round"] == DRAW["round"])
    return bytes.fromhex(found["signature"])


def test_draw_key_and_shuffle() -> None:
    """K, and what it shuffles."""
    assert key().hex() == DRAW["draw_key"]
    assert _core.shuffle(10, key()).tolist() == DRAW["shuffle_10"]


def test_commitments_are_what_the_page_says() -> None:
    """Each is one line of the protocol."""
    assert commit_master("o", "s", MASTER) == sha256(lp("draw/v1", "commit-master", "o", "s", MASTER))
    assert commit_seed("o", "w", SEED) == sha256(lp("draw/v1", "commit-seed", "o", "w", SEED))
    assert commit_inputs(b"s", b"i") == sha256(lp("draw/v1", "commit-inputs", b"s", b"i"))
    assert commit_transcript(b"b", b"t") == sha256(lp("draw/v1", "commit-transcript", b"b", b"t"))


def test_keys_of_one_draw_are_all_different() -> None:
    """No stream is used twice."""
    keys = {reserve_key(key(), ORIGIN, WAVE, f"o-{number}") for number in range(100)}
    keys |= {key(), transcript_blind(key(), ORIGIN, WAVE), SEED, MASTER}
    assert len(keys) == 104


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_key_material_has_32_bytes(length: int) -> None:
    """A short secret is a mistake, never stretched in silence."""
    with pytest.raises(InvalidInput, match="KEY_LENGTH"):
        wave_seed(bytes(length), "o", "s", "w")
    with pytest.raises(InvalidInput, match="KEY_LENGTH"):
        reserve_key(bytes(length), "o", "w", "x")
