"""How many steps does a large draw need? Marginals and pair marginals against far longer runs.

    python benchmarks/core_steps.py [--draws 6000] [--large] [--only structured] [--seed 1] [--overlap]

For each pool and each number of steps a seat, as many draws as for the reference (twenty times the core's
steps) are compared with it: how often each order goes to each person, and how often two orders go to the
same person. `z` is the chi-square statistic in standard deviations from what equality gives; `bias` the
root mean square relative difference that is left after the noise is taken away. A rule of 0 steps shows
the start alone.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
from core_pools import Pool, random_pool, structured_pool
from numpy.typing import NDArray

from assign import _core

STEPS = (0, 1, 2, 4, 8, 16)
REFERENCE_STEPS = 160
LEAST_COUNT = 20
PAIRS = 20_000


class Counts(NamedTuple):
    """What a number of draws gave: per order and person, per pair of orders, and steps taken a seat."""

    marginals: NDArray[np.int64]
    pairs: NDArray[np.int64]
    steps: float
    undone: int


def pairs_of(pool: Pool) -> NDArray[np.int64]:
    """Random pairs of orders, and as many pairs of those with the shortest lists."""
    random, orders = np.random.default_rng(5), len(pool.tier)
    scarce = np.argsort(np.diff(pool.indptr))[: max(40, orders // 10)]
    pairs = np.concatenate([random.integers(orders, size=(PAIRS, 2)), random.choice(scarce, size=(PAIRS, 2))])
    pairs = np.unique(np.sort(pairs, axis=1), axis=0)  # a pair counted twice would look like evidence
    return np.asarray(pairs[pairs[:, 0] != pairs[:, 1]])


def count(pool: Pool, pairs: NDArray[np.int64], steps: int, draws: int, seed: int) -> Counts:
    """Draw `draws` times and count."""
    orders, persons = len(pool.tier), len(pool.capacity)
    order_of = np.repeat(np.arange(orders), pool.team_size)
    first = np.cumsum(pool.team_size, dtype=np.int64) - pool.team_size
    marginals, same = np.zeros((orders, persons), np.int64), np.zeros(len(pairs), np.int64)
    taken = undone = 0
    for number in range(draws):
        drawn = _core.draw_detailed(
            *pool, ((seed * 1_000 + steps) * 10**9 + number).to_bytes(32, "big"), steps_a_seat=steps
        )
        served = drawn.seats >= 0
        marginals[order_of[served], drawn.seats[served]] += 1
        persons_drawn = drawn.seats[first]
        same += (persons_drawn[pairs[:, 0]] == persons_drawn[pairs[:, 1]]) & (persons_drawn[pairs[:, 0]] >= 0)
        taken, undone = taken + drawn.steps, undone + drawn.undone
    return Counts(marginals, same, taken / draws / len(order_of), undone)


def difference(found: NDArray[np.int64], expected: NDArray[np.int64], draws: int) -> tuple[float, float]:
    """`z` and `bias` of two equally long series of counts."""
    both = (found + expected).ravel().astype(float)
    gap = (found - expected).ravel().astype(float)
    gap, both = gap[both >= LEAST_COUNT], both[both >= LEAST_COUNT]
    noise = both * (1 - both / 2 / draws)
    z = ((gap**2 / noise).sum() - len(gap)) / np.sqrt(2 * len(gap))
    bias = np.sqrt(max(0.0, float((gap**2 - noise).sum())) / float(((both / 2) ** 2).sum()))
    return float(z), float(bias)


def study(name: str, pool: Pool, draws: int, seed: int) -> None:
    """One pool: the reference, then each number of steps against it."""
    pairs = pairs_of(pool)
    reference = count(pool, pairs, REFERENCE_STEPS, draws, seed)
    print(f"{name}: reference {reference.steps:.0f} steps a seat, {reference.undone} walks undone", flush=True)
    for steps in STEPS:
        found = count(pool, pairs, steps, draws, seed)
        marginals = difference(found.marginals, reference.marginals, draws)
        together = difference(found.pairs, reference.pairs, draws)
        print(
            f"  rule {steps:3} ({found.steps:5.1f} taken): marginals z {marginals[0]:6.1f} bias {marginals[1]:.4f}"
            f"   pairs z {together[0]:6.1f} bias {together[1]:.4f}   undone {found.undone}",
            flush=True,
        )


def show_overlap(pool: Pool, draws: int) -> None:
    """How many seats keep the person of the start, beyond those that do after the longest mixing."""
    keys = [number.to_bytes(32, "little") for number in range(draws)]
    starts = [_core.draw_detailed(*pool, key, steps_a_seat=0).seats for key in keys]

    def kept(steps: int) -> tuple[float, float]:
        found = [_core.draw_detailed(*pool, key, steps_a_seat=steps) for key in keys]
        same = np.mean([(drawn.seats == begin).mean() for drawn, begin in zip(found, starts, strict=True)])
        return float(same), float(np.mean([drawn.steps for drawn in found])) / len(starts[0])

    settled, _ = kept(REFERENCE_STEPS)
    shown = [f"{kept(steps)[0] - settled:.4f} ({kept(steps)[1]:.1f} taken)" for steps in STEPS[1:]]
    print(f"  seats that still have the start's person, beyond {settled:.4f}: {', '.join(shown)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=6_000)
    parser.add_argument("--overlap", action="store_true", help="how fast the start is forgotten, instead")
    parser.add_argument("--seed", type=int, default=1, help="of the keys")
    parser.add_argument("--large", action="store_true", help="10,000 x 1,000 instead of 1,000 x 300")
    parser.add_argument("--only", default="", help="pools whose name contains this")
    options = parser.parse_args()
    orders, persons = (10_000, 1_000) if options.large else (1_000, 300)
    pools = {
        "structured": structured_pool(orders, persons, 1),
        "skewed": random_pool(orders, persons, 30, 2, skew=True, spare=1.15),
        "tight": random_pool(orders, persons, 12, 3, spare=1.0),
    }
    for name, pool in pools.items():
        if options.only in name and options.overlap:
            print(name)
            show_overlap(pool, options.draws)
        elif options.only in name:
            study(f"{name} {orders:,} x {persons:,}", pool, options.draws, options.seed)


if __name__ == "__main__":
    main()
