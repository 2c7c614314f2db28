"""How a draw grows with its edges, and two draws at once. `core_growth.py` goes on to a million orders, with memory."""

from __future__ import annotations

import threading
import time
from statistics import median
from typing import Any

from core_growth import ELIGIBLE, draws, key
from core_pools import Pool, large_pool

from assign import _core

_SIZES = (10_000, 100_000, 300_000)
_SMALLEST = 1_000
_TURNS = 5


def _nanoseconds_an_edge(pool: Pool, number: int) -> float:
    begin = time.thread_time()
    _core.draw(*pool, key(number))
    return 1e9 * (time.thread_time() - begin) / len(pool.indices)


def _growth_entry(orders: int, smallest: Pool) -> dict[str, Any]:
    pool = large_pool(orders, max(100, orders // 20), ELIGIBLE, seed=1)
    pairs = [(_nanoseconds_an_edge(pool, turn), _nanoseconds_an_edge(smallest, turn)) for turn in range(_TURNS)]
    ours, baseline = median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)
    return {
        "name": f"an edge in a draw of {orders:,} orders, against one in a draw of {_SMALLEST:,}",
        "value": ours,
        "unit": "ns",
        "baseline": baseline,
        "ratio": ours / baseline,
        "better": "lower",
    }


def _seconds(pool: Pool, threads: int, count: int) -> float:
    workers = [threading.Thread(target=draws, args=(pool, at * count, count // threads)) for at in range(threads)]
    begin = time.perf_counter()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return time.perf_counter() - begin


def entries() -> list[dict[str, Any]]:
    """Growth from 1,000 orders, and the speed-up of a second thread."""
    smallest = large_pool(_SMALLEST, 100, ELIGIBLE, seed=1)
    found = [_growth_entry(orders, smallest) for orders in _SIZES]
    pool, count = large_pool(10_000, 1_000, ELIGIBLE, seed=1), 40
    pairs = [(_seconds(pool, 2, count), _seconds(pool, 1, count)) for _ in range(_TURNS)]
    two, one = (count / median(pair[side] for pair in pairs) for side in (0, 1))
    found.append(
        {
            "name": "draws a second in two threads, against one thread",
            "value": two,
            "unit": "1/s",
            "baseline": one,
            "ratio": two / one,
            "better": "higher",
        }
    )
    return found
