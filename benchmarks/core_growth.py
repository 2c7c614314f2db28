"""Time and memory from 1,000 to 1,000,000 orders with 50 eligible persons each, and two draws at once.

    python benchmarks/core_growth.py [--most 1000000]

Each size runs in a process of its own, so that its peak memory can be read.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import threading
import time

from core_pools import Pool, large_pool

from assign import _core

ELIGIBLE = 50
TURNS = 5


def key(number: int) -> bytes:
    return number.to_bytes(32, "big")


def measure(orders: int) -> None:
    """CPU time a draw and an edge, and memory beyond the inputs as a multiple of them."""
    pool = large_pool(orders, max(100, orders // 20), ELIGIBLE, seed=1)
    size = sum(array.nbytes for array in pool)
    _core.draw(*large_pool(100, 100, ELIGIBLE, seed=1), key(0))  # what a first call loads is not the draw's
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    times = []
    for number in range(TURNS):
        begin = time.thread_time()
        drawn = _core.draw_detailed(*pool, key(number))
        times.append(time.thread_time() - begin)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    print(
        f"{orders:>9,} orders {len(pool.indices):>11,} edges {min(times) * 1e3:9.2f} ms"
        f" {min(times) / len(pool.indices) * 1e9:6.1f} ns an edge, memory {max(0, grown) / size:4.2f} x inputs,"
        f" {drawn.steps / orders:.1f} steps a seat, {drawn.undone} undone",
        flush=True,
    )


def draws(pool: Pool, first: int, count: int) -> None:
    for number in range(first, first + count):
        _core.draw(*pool, key(number))


def measure_two() -> None:
    """Wall time of as many draws one after the other and in two threads."""
    pool, count = large_pool(10_000, 1_000, ELIGIBLE, seed=1), 40
    times: dict[int, float] = {}
    for threads in (1, 2, 1, 2, 1, 2):
        workers = [threading.Thread(target=draws, args=(pool, i * count, count // threads)) for i in range(threads)]
        begin = time.perf_counter()
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        times[threads] = min(times.get(threads, 1e9), time.perf_counter() - begin)
    print(f"two threads draw {times[1] / times[2]:.2f} times as fast as one")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=1_000_000)
    parser.add_argument("--one", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        measure(options.one)
        return
    orders = 1_000
    while orders <= options.most:
        subprocess.run([sys.executable, __file__, "--one", str(orders)], check=True)
        orders *= 10
    measure_two()


if __name__ == "__main__":
    main()
