"""How well can one guess who gets an order, knowing all inputs? Frozen against free loads.

    python benchmarks/core_guess.py [--draws 8000] [--large] [--seed 1]

For each pool: the least mean best guess that any law could have (a linear programme over the marginals),
and what the laws reach as multiples of it:

    frozen      the algorithm of the core
    even start  the same but for the start, which picks evenly among persons with room
    free        uniform over every assignment within the capacities, sampled by its own Gibbs chain

A guess is learned on half of the draws and scored on the other half, so that noise is not taken for bias.
"worst" is the best guess at the most guessable order; "spread" the standard deviation of a person's load.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from core_pools import Pool, random_pool
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_matrix, vstack

from assign import _core

SWEEPS = 60
Draws = NDArray[np.int32]  # one row a draw, one column an order


def least_mean_best_guess(pool: Pool) -> float:
    """The linear programme: marginals within the capacities that minimise the mean of each order's largest."""
    orders, persons, edges = len(pool.tier), len(pool.capacity), len(pool.indices)
    order_of = np.repeat(np.arange(orders), np.diff(pool.indptr))
    each, ones = np.arange(edges), np.ones(edges)
    below_best = coo_matrix(
        (np.r_[ones, -ones], (np.r_[each, each], np.r_[each, edges + order_of])), (edges, edges + orders)
    )
    loads = coo_matrix((ones, (pool.indices, each)), (persons, edges + orders))
    served = coo_matrix((ones, (order_of, each)), (orders, edges + orders))
    result = linprog(
        np.r_[np.zeros(edges), np.ones(orders)],
        A_ub=vstack([below_best, loads]).tocsr(),
        b_ub=np.r_[np.zeros(edges), pool.capacity],
        A_eq=served.tocsr(),
        b_eq=pool.team_size,
        method="highs",
    )
    return float(result.fun) / orders


def frozen_draws(pool: Pool, draws: int, seed: int) -> Draws:
    """Draws of the core."""
    keys = (seed.to_bytes(16, "big") + number.to_bytes(16, "big") for number in range(draws))
    return np.stack([_core.draw(*pool, key) for key in keys])


def even_start_draws(pool: Pool, draws: int, seed: int) -> Draws:
    """The start without prices: orders in random order, each with an even choice among persons with room.

    Mixing given the loads hardly moves its marginals, so it is left out. All draws advance together.
    """
    return _sequential(pool, draws, np.random.default_rng(seed))


def _sequential(pool: Pool, draws: int, random: np.random.Generator) -> Draws:
    orders, persons = len(pool.tier), len(pool.capacity)
    lists, widths = _padded(pool)
    room = np.tile(pool.capacity, (draws, 1))
    seats = np.full((draws, orders), -1, np.int32)
    turns = np.argsort(random.random((draws, orders)), axis=1)
    every = np.arange(draws)
    for turn in range(orders):
        order = turns[:, turn]
        candidates = lists[order]
        can = (np.arange(lists.shape[1]) < widths[order, None]) & (room[every[:, None], candidates] > 0)
        pick = np.argmax(np.where(can, random.random(can.shape), -1.0), axis=1)
        chosen = candidates[every, pick]
        seats[every, order] = chosen
        room[every, chosen] -= 1
    is_whole = (room >= 0).all(axis=1)  # a draw that ran into a dead end is dropped: rare with spare chairs
    assert persons == room.shape[1]
    return seats[is_whole]


def free_draws(pool: Pool, draws: int, seed: int) -> Draws:
    """Uniform over all assignments: each seat in turn is offered a random person and goes if there is room."""
    random = np.random.default_rng(seed)
    seats = _sequential(pool, draws, random)
    draws, orders = seats.shape
    lists, widths = _padded(pool)
    every = np.arange(draws)
    room = np.tile(pool.capacity, (draws, 1))
    for order in range(orders):
        room[every, seats[:, order]] -= 1
    for _ in range(SWEEPS):
        for order in range(orders):
            offered = lists[order, random.integers(widths[order], size=draws)]
            goes = room[every, offered] > 0
            room[every[goes], seats[goes, order]] += 1
            seats[goes, order] = offered[goes]
            room[every[goes], offered[goes]] -= 1
    return seats


def _padded(pool: Pool) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    widths = np.diff(pool.indptr)
    lists = np.zeros((len(widths), int(widths.max())), np.int32)
    for order, width in enumerate(widths):
        lists[order, :width] = pool.indices[pool.indptr[order] : pool.indptr[order] + width]
    return lists, widths


def best_guesses(pool: Pool, seats: Draws) -> NDArray[np.float64]:
    """For each order how often the best guess is right, learned on one half and scored on the other."""
    persons = len(pool.capacity)
    guesses = np.zeros(seats.shape[1])
    for learned, scored in ((seats[::2], seats[1::2]), (seats[1::2], seats[::2])):
        for order in range(seats.shape[1]):
            guess = np.bincount(learned[:, order], minlength=persons).argmax()
            guesses[order] += (scored[:, order] == guess).mean() / 2
    return guesses


def load_spread(pool: Pool, seats: Draws) -> float:
    """The standard deviation of a person's load over the draws, averaged over persons."""
    persons = len(pool.capacity)
    loads = np.stack([np.bincount(row, minlength=persons) for row in seats])
    return float(loads.std(axis=0).mean())


LAWS: dict[str, Callable[[Pool, int, int], Draws]] = {
    "frozen": frozen_draws,
    "even start": even_start_draws,
    "free": free_draws,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=8_000)
    parser.add_argument("--large", action="store_true", help="1,000 x 300 instead of 200 x 60")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    orders, persons, eligible = (1_000, 300, 20) if options.large else (200, 60, 12)
    print(f"{'pool':<18}{'least':>8}  " + "".join(f"{name + ': mean worst spread':>32}" for name in LAWS))
    for skew in (False, True):
        for spare in (2.0, 1.3, 1.1, 1.0):
            pool = random_pool(orders, persons, eligible, options.seed, skew=skew, spare=spare)
            least = least_mean_best_guess(pool)
            line = f"{'skewed' if skew else 'even'}, spare {spare:<6}{least:8.4f}  "
            for name, law in LAWS.items():
                if spare == 1.0 and name != "frozen":
                    line += f"{'-':>32}"  # no spare chair: a simple start or a single move rarely succeeds
                    continue
                seats = law(pool, options.draws, options.seed)
                if len(seats) < options.draws // 2:
                    line += f"{'-':>32}"  # too many dead ends to say what the law would be
                    continue
                guesses = best_guesses(pool, seats)
                line += f"{guesses.mean() / least:17.3f}{guesses.max():7.3f}{load_spread(pool, seats):8.2f}"
            print(line, flush=True)


if __name__ == "__main__":
    main()
