"""A draw against OR-Tools' min-cost flow on the plain graph: what picks without chance, with costs in its stead.

OR-Tools wants an older protobuf than the service, so it lives in an environment of its own, made on first use in
`build/`. Where that cannot be made, this says so and reports nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from core_pools import Pool, large_pool

from assign import _core

_ORTOOLS = "ortools==9.15.6755"
_ENVIRONMENT = Path(__file__).parent.parent / "build" / "bench-ortools"
_ELIGIBLE = 50
_SIZES = ((1_000, 300, 15), (10_000, 1_000, 7))


def _interpreter() -> Path | None:
    python = _ENVIRONMENT / "bin" / "python"
    if python.exists():
        return python
    made = subprocess.run([sys.executable, "-m", "venv", str(_ENVIRONMENT)], capture_output=True, check=False)
    pip = [str(python), "-m", "pip", "install", "--quiet", _ORTOOLS]
    if made.returncode == 0 and subprocess.run(pip, capture_output=True, check=False).returncode == 0:
        return python
    sys.stderr.write(f"bench_flow: skipped, {_ORTOOLS} cannot be installed here\n")
    return None


def _compare(python: Path, pool: Pool, turns: int) -> tuple[float, float]:
    """Median CPU seconds of a draw and of a flow, in turns; both serve every order that can be served."""
    keys = iter(number.to_bytes(32, "big") for number in range(10**6))
    ours: list[float] = []
    theirs: list[float] = []
    with tempfile.NamedTemporaryFile(suffix=".npz") as file:
        np.savez(file, indptr=pool.indptr, indices=pool.indices, capacity=pool.capacity)
        file.flush()
        command = [str(python), str(Path(__file__).parent / "flow_peer.py"), file.name]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            assert peer.stdin is not None
            assert peer.stdout is not None
            for _ in range(turns):
                begin = time.thread_time()
                seats = _core.draw(*pool, next(keys))
                ours.append(time.thread_time() - begin)
                peer.stdin.write("go\n")
                peer.stdin.flush()
                seconds, served = peer.stdout.readline().split()
                theirs.append(float(seconds))
                if int(served) != int(np.count_nonzero(seats >= 0)):
                    raise AssertionError("the two do not serve the same number of orders")
            peer.stdin.close()
    return median(ours), median(theirs)


def entries() -> list[dict[str, Any]]:
    """CPU milliseconds at two sizes, 50 eligible persons each."""
    python = _interpreter()
    found = []
    for orders, persons, turns in _SIZES if python is not None else ():
        assert python is not None
        ours, theirs = _compare(python, large_pool(orders, persons, _ELIGIBLE, seed=1), turns)
        found.append(
            {
                "name": f"draw of {orders:,} x {persons:,} against OR-Tools min-cost flow",
                "value": 1000 * ours,
                "unit": "ms",
                "baseline": 1000 * theirs,
                "ratio": ours / theirs,
                "better": "lower",
            }
        )
    return found
