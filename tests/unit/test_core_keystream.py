"""Keystream and shuffle: published vectors, and the specification in plain Python."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assign import _core, reference

VECTORS = Path(__file__).parents[1] / "vectors"
KEY = bytes(range(32))


def test_shuffle_matches_the_published_draw_vector() -> None:
    """The draw key of the published vector gives the published permutation."""
    vector = json.loads((VECTORS / "draw-v1.json").read_text())
    key = bytes.fromhex(vector["draw_key"])
    assert _core.shuffle(10, key).tolist() == vector["shuffle_10"]
    assert reference.shuffle(10, key) == vector["shuffle_10"]


def test_keystream_is_rfc_8439() -> None:
    """RFC 8439 appendix A.1, test vectors 1 and 2 (key zero, counters 0 and 1)."""
    expected = bytes.fromhex(
        "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586"
        "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed"
        "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
    )
    assert _core.keystream(bytes(32), 128) == expected
    assert reference.keystream(bytes(32), 128) == expected


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 1023, 1024, 1025, 5000])
def test_keystream_has_any_length(length: int) -> None:
    """Lengths around the block and buffer sizes are cut from the same stream."""
    assert _core.keystream(KEY, length) == reference.keystream(KEY, length)


@pytest.mark.parametrize("n", [0, 1, 2, 3, 64, 129, 1000])
def test_shuffle_matches_its_specification(n: int) -> None:
    """The compiled shuffle and the plain Python one agree."""
    assert _core.shuffle(n, KEY).tolist() == reference.shuffle(n, KEY)
