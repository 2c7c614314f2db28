"""OR-Tools' min-cost flow on a pool, timed when told to. Runs in an environment of its own: see `bench_flow`.

python flow_peer.py POOL.npz      each line on standard input is one run; its CPU seconds are printed
"""

from __future__ import annotations

import sys
import time

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python import min_cost_flow

__all__ = ["solve"]


def solve(
    indptr: NDArray[np.int64], indices: NDArray[np.int32], capacity: NDArray[np.int32], costs: NDArray[np.int64]
) -> int:
    """How many orders are served: each sends one unit to an eligible person, at random costs."""
    orders, persons = len(indptr) - 1, len(capacity)
    flow = min_cost_flow.SimpleMinCostFlow()
    tails = np.repeat(np.arange(orders, dtype=np.int32), np.diff(indptr))
    flow.add_arcs_with_capacity_and_unit_cost(tails, indices + np.int32(orders), np.ones(len(indices), np.int64), costs)
    sink = orders + persons
    ends = np.arange(orders, sink, dtype=np.int32)
    flow.add_arcs_with_capacity_and_unit_cost(
        ends, np.full(persons, sink, np.int32), capacity.astype(np.int64), np.zeros(persons, np.int64)
    )
    supplies = np.ones(orders + 1, np.int64)
    supplies[orders] = -orders
    flow.set_nodes_supplies(np.append(np.arange(orders, dtype=np.int32), np.int32(sink)), supplies)
    flow.solve_max_flow_with_min_cost()
    return int(flow.maximum_flow())


def main() -> None:
    """Serve runs until the input ends."""
    pool = np.load(sys.argv[1])
    costs = np.random.default_rng(1).integers(1000, size=len(pool["indices"]), dtype=np.int64)
    for _ in sys.stdin:
        begin = time.thread_time()
        served = solve(pool["indptr"], pool["indices"], pool["capacity"], costs)
        sys.stdout.write(f"{time.thread_time() - begin} {served}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
