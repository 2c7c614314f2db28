"""The core computes without the interpreter's lock, and what it is computing cannot be changed meanwhile."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from assign import _core
from assign.errors import InvalidInput

ORDERS, PERSONS, ELIGIBLE = 40_000, 2_000, 20


def large_arrays() -> dict[str, Any]:
    """An even pool whose draw takes tens of milliseconds."""
    random = np.random.default_rng(1)
    block = PERSONS // ELIGIBLE
    picks = random.integers(block, size=(ORDERS, ELIGIBLE), dtype=np.int32)
    picks += np.arange(ELIGIBLE, dtype=np.int32) * block
    return {
        "indptr": np.arange(ORDERS + 1, dtype=np.int64) * ELIGIBLE,
        "indices": picks.ravel(),
        "team_size": np.ones(ORDERS, np.uint8),
        "capacity": np.full(PERSONS, 24, np.int32),
        "tier": np.zeros(ORDERS, np.int32),
    }


def test_python_runs_while_a_draw_does() -> None:
    """Another thread makes progress between the begin and the end of one call."""
    arrays, turns, is_done = large_arrays(), 0, threading.Event()

    def work() -> None:
        for number in range(5):
            _core.draw(**arrays, key=bytes([number] * 32))
        is_done.set()

    worker = threading.Thread(target=work)
    worker.start()
    while not is_done.wait(0.001):
        turns += 1
    worker.join()
    assert turns > 5  # with the lock held there could be at most one between two calls


def test_draws_in_threads_are_the_same_draws() -> None:
    """No state is shared: eight draws at once give what they give one by one."""
    arrays = large_arrays()
    keys = [bytes([number] * 32) for number in range(8)]
    alone = [_core.draw(**arrays, key=key).tobytes() for key in keys]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda key: _core.draw(**arrays, key=key).tobytes(), keys))
    assert together == alone


def test_inputs_changed_meanwhile_do_no_harm() -> None:
    """Garbage written into the arrays during draws gives another outcome or a refusal, never a crash."""
    arrays, is_done = large_arrays(), threading.Event()
    indices, good = arrays["indices"], arrays["indices"].copy()

    def scribble() -> None:
        random = np.random.default_rng(2)
        while not is_done.is_set():
            indices[random.integers(len(indices), size=50)] = random.integers(-(2**31), 2**31, size=50)
            indices[:] = good

    writer = threading.Thread(target=scribble)
    writer.start()
    try:
        for number in range(10):
            try:
                seats = _core.draw(**arrays, key=bytes([number] * 32))
            except InvalidInput:
                continue
            assert seats.min() >= -1
            assert seats.max() < PERSONS
    finally:
        is_done.set()
        writer.join()
