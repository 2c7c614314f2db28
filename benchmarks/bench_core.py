"""The core against its peers: NumPy's shuffle, OpenSSL's ChaCha20, SciPy's bipartite matching.

    python benchmarks/bench_core.py [--large]      --large adds 100,000 orders x 5,000 persons

Both sides of an entry are timed in turns, in the same process, by CPU time, and the medians compared: other
processes on the machine then disturb both alike.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
from core_pools import Pool, large_pool
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching

from assign import _core

KEY = bytes(range(32))
ELIGIBLE = 50
SIZES = [(1_000, 300), (10_000, 1_000)]
LARGE_SIZE = (100_000, 5_000)
Timed = Callable[[], object]


def seconds_each(ours: Timed, theirs: Timed, turns: int, repeats: int = 1) -> tuple[float, float]:
    """Median CPU seconds of one call on each side, the sides taking turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for side, call in enumerate((ours, theirs)):
            begin = time.thread_time()
            for _ in range(repeats):
                call()
            times[side].append((time.thread_time() - begin) / repeats)
    return median(times[0]), median(times[1])


def entry(name: str, value: float, baseline: float, unit: str, better: str) -> dict[str, Any]:
    """One line of the report."""
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "baseline": baseline,
        "ratio": value / baseline,
        "better": better,
    }


def shuffle_entry(n: int, turns: int, repeats: int) -> dict[str, Any]:
    """A keyed permutation against NumPy's seeded one."""
    random = np.random.Generator(np.random.PCG64(1))
    ours, theirs = seconds_each(lambda: _core.shuffle(n, KEY), lambda: random.permutation(n), turns, repeats)
    name = f"shuffle of {n:,} against NumPy PCG64 permutation"
    return entry(name, n / ours / 1e6, n / theirs / 1e6, "million/s", "higher")


def keystream_entry() -> dict[str, Any]:
    """A mebibyte of keystream against OpenSSL's, through `cryptography`."""
    length = 1 << 20
    zeros = bytes(length)

    def theirs() -> bytes:
        return Cipher(ChaCha20(KEY, bytes(16)), mode=None).encryptor().update(zeros)

    assert _core.keystream(KEY, length) == theirs()
    own, other = seconds_each(lambda: _core.keystream(KEY, length), theirs, 31, 4)
    return entry("ChaCha20 keystream against cryptography", length / own / 1e9, length / other / 1e9, "GB/s", "higher")


def seat_and_chair_graph(pool: Pool) -> csr_matrix:
    """One row a seat, one column a chair: what a matcher without capacities needs."""
    chairs = int(pool.capacity[0])
    columns = (pool.indices[:, None] * chairs + np.arange(chairs, dtype=np.int32)).ravel()
    data = np.ones(len(columns), np.int8)
    return csr_matrix((data, columns, pool.indptr * chairs), shape=(len(pool.tier), len(pool.capacity) * chairs))


def draw_entry(orders: int, persons: int, turns: int) -> dict[str, Any]:
    """A whole draw against one maximum matching, which picks without chance."""
    pool = large_pool(orders, persons, ELIGIBLE, seed=1)
    graph = seat_and_chair_graph(pool)
    keys = iter(number.to_bytes(32, "big") for number in range(10**6))
    ours, theirs = seconds_each(
        lambda: _core.draw(*pool, next(keys)), lambda: maximum_bipartite_matching(graph, "column"), turns
    )
    name = f"draw of {orders:,} x {persons:,} against SciPy maximum_bipartite_matching"
    return entry(name, ours * 1e3, theirs * 1e3, "ms", "lower")


def entries(*, large: bool = True) -> list[dict[str, Any]]:
    """Every comparison, each measured side by side now."""
    found = [shuffle_entry(100, 31, 500), shuffle_entry(10_000, 31, 20), shuffle_entry(1_000_000, 9, 1)]
    found.append(keystream_entry())
    found += [draw_entry(orders, persons, 25) for orders, persons in SIZES]
    if large:
        found.append(draw_entry(*LARGE_SIZE, 7))
    return found


def main() -> None:
    for measured in entries(large="--large" in sys.argv[1:]):
        print("{name}: {value:.4g} {unit}, baseline {baseline:.4g}, ratio {ratio:.3f}".format_map(measured))


if __name__ == "__main__":
    main()
