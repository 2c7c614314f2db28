"""The golden vectors: stored once, matched by the compiled core and by its specification for ever."""

from __future__ import annotations

import hashlib
import json
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assign import _core, reference

FOLDER = Path(__file__).parents[1] / "vectors" / "core"
TYPES = {"indptr": np.int64, "indices": np.int32, "team_size": np.uint8, "capacity": np.int32, "tier": np.int32}


def load(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def plain(item: Any) -> Any:
    return item.tolist() if isinstance(item, np.ndarray) else item


@pytest.mark.parametrize("path", _core.available_paths())
def test_keystream_and_shuffle_vectors(path: str) -> None:
    """Each path of the core gives the stored bytes and permutations."""
    _core.select_path(path)
    try:
        for vector in load("keystream.json")["vectors"]:
            stream = _core.keystream(bytes.fromhex(vector["key"]), 5000)
            assert stream[:100].hex() == vector["first_100_bytes"]
            assert hashlib.sha256(stream).hexdigest() == vector["sha256_of_5000_bytes"]
        for vector in load("shuffle.json")["vectors"]:
            key = bytes.fromhex(vector["key"])
            assert _core.shuffle(10, key).tolist() == vector["n_10"]
            assert _core.shuffle(100, key).tolist() == vector["n_100"]
            long = _core.shuffle(2000, key).astype("<u4").tobytes()
            assert hashlib.sha256(long).hexdigest() == vector["sha256_of_n_2000"]
    finally:
        _core.select_path(_core.available_paths()[-1])


@pytest.mark.parametrize("path", _core.available_paths())
def test_draw_vectors(path: str) -> None:
    """Outcome, health figures and reserve orders are the stored ones on each path."""
    _core.select_path(path)
    try:
        content = load("frozen-chair-walk-v1.json")
        assert content["algorithm"] == _core.ALGORITHM == reference.ALGORITHM
        for vector in content["vectors"]:
            arrays: Any = {name: np.array(vector[name], dtype) for name, dtype in TYPES.items()}
            key = bytes.fromhex(vector["key"])
            drawn = _core.draw_detailed(**arrays, key=key)
            assert {name: plain(item) for name, item in drawn._asdict().items()} == vector["outcome"]
            reserves = _core.reserve_orders(arrays["indptr"], arrays["indices"], key)
            assert reserves.tolist() == vector["reserve_orders"]
    finally:
        _core.select_path(_core.available_paths()[-1])


def test_vectors_are_what_the_specification_makes() -> None:
    """The stored files come from reference.py and from nothing else."""
    made = runpy.run_path(str(FOLDER / "make_vectors.py"))["make"]()
    for name, content in made.items():
        assert load(name) == json.loads(json.dumps(content)), name
