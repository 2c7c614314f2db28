"""Pools of orders and persons for the core's benchmarks, made from a seed: even, skewed, tight, structured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Pool(NamedTuple):
    """The draw's arguments but for the key."""

    indptr: NDArray[np.int64]
    indices: NDArray[np.int32]
    team_size: NDArray[np.uint8]
    capacity: NDArray[np.int32]
    tier: NDArray[np.int32]


def make_pool(rows: list[NDArray[np.int64]], team_size: NDArray[np.uint8], capacity: NDArray[np.int64]) -> Pool:
    """A pool of these lists of eligible persons, all orders in one tier."""
    indptr = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=indptr[1:])
    indices = np.concatenate(rows).astype(np.int32)
    return Pool(indptr, indices, team_size, capacity.astype(np.int32), np.zeros(len(rows), np.int32))


def random_pool(orders: int, persons: int, eligible: int, seed: int, *, skew: bool = False, spare: float = 1.2) -> Pool:
    """Single seats; about `eligible` persons for each order, each person sought alike or by a power law.

    `spare` is chairs over seats: the same capacity for all, and exactly one chair a seat if it is 1.
    """
    random = np.random.default_rng(seed)
    log_weight = np.zeros(persons)
    if skew:
        log_weight = -0.7 * np.log(random.permutation(persons) + 1.0)
    degrees = np.clip(random.poisson(eligible, orders), 2, persons)
    rows = [
        np.sort(np.argpartition(-(log_weight + random.gumbel(size=persons)), degree - 1)[:degree])
        if degree < persons
        else np.arange(persons)
        for degree in degrees
    ]
    chairs = round(orders * spare)
    capacity = np.full(persons, chairs // persons) + (np.arange(persons) < chairs % persons)
    return make_pool(rows, np.ones(orders, np.uint8), capacity)


def large_pool(orders: int, persons: int, eligible: int, seed: int, spare: float = 1.2) -> Pool:
    """As an even `random_pool` with exactly `eligible` persons for each order, but quick to make."""
    random = np.random.default_rng(seed)
    block = persons // eligible
    # One person from each of `eligible` blocks: distinct without a search, and well spread.
    picks = random.integers(block, size=(orders, eligible), dtype=np.int32)
    picks += np.arange(eligible, dtype=np.int32) * block
    indptr = np.arange(orders + 1, dtype=np.int64) * eligible
    capacity = np.full(persons, -(-round(orders * spare) // persons), np.int32)
    return Pool(indptr, picks.ravel(), np.ones(orders, np.uint8), capacity, np.zeros(orders, np.int32))


def structured_pool(orders: int, persons: int, seed: int, spare: float = 1.25) -> Pool:
    """A port: five terminals, qualifications (one of them short), cooldown lists, one team in seven."""
    random = np.random.default_rng(seed)
    busy = np.array([0.35, 0.25, 0.2, 0.12, 0.08])
    home = random.integers(len(busy), size=persons)
    second = np.where(random.random(persons) < 0.25, random.integers(len(busy), size=persons), home)
    reefer, dangerous = random.random(persons) < 0.3, random.random(persons) < 0.12
    rows, team_size = [], np.ones(orders, np.uint8)
    for order in range(orders):
        terminal, kind = random.choice(len(busy), p=busy), random.random()
        able = (home == terminal) | (second == terminal)
        if kind < 0.3:
            able &= reefer if kind < 0.2 else dangerous
        row = np.flatnonzero(able & (random.random(persons) > 0.1))
        rows.append(row if len(row) > 1 else np.sort(random.choice(persons, 2, replace=False)))
        team_size[order] = 1 + (random.random() < 0.15 and len(rows[-1]) > 2)
    wanted = np.zeros(persons)
    for row, size in zip(rows, team_size, strict=True):
        wanted[row] += size / len(row)
    capacity = np.maximum(1, np.ceil(wanted * spare * random.uniform(0.7, 1.2, persons)))
    return make_pool(rows, team_size, capacity)
