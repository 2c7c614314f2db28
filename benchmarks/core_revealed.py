"""What can still be guessed once part of a wave is known? Small pools, counted over many draws.

    python benchmarks/core_revealed.py [--draws 200000] [--seed 1]

An adversary knows all inputs, sees the persons of the first k of ten orders, and guesses the next one as
well as anybody could who had watched half of these draws; the other half scores him. Blind is 1 over the
number of eligible persons.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict

import numpy as np
from core_pools import random_pool

from assign import _core

ORDERS, PERSONS, ELIGIBLE = 10, 8, 5
MOST_REVEALED = 5


def odds(seats: np.ndarray, revealed: int) -> float:
    """How often the best guess at the next order is right, given the persons of the first `revealed`."""
    right = 0
    for learned, scored in ((seats[::2], seats[1::2]), (seats[1::2], seats[::2])):
        seen: dict[bytes, Counter[int]] = defaultdict(Counter)
        for row in learned:
            seen[row[:revealed].tobytes()][int(row[revealed])] += 1
        best = {known: counts.most_common(1)[0][0] for known, counts in seen.items()}
        right += sum(best.get(row[:revealed].tobytes()) == int(row[revealed]) for row in scored)
    return right / len(seats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    print(f"{'spare':>6}  " + "".join(f"{f'{k} revealed':>14}" for k in range(MOST_REVEALED + 1)) + "   (blind)")
    for spare in (2.0, 1.5, 1.2, 1.0):
        pool = random_pool(ORDERS, PERSONS, ELIGIBLE, options.seed, spare=spare)
        keys = (number.to_bytes(32, "big") for number in range(options.draws))
        seats = np.stack([_core.draw(*pool, key) for key in keys])
        line = f"{spare:6.1f}  "
        for revealed in range(MOST_REVEALED + 1):
            blind = 1 / (pool.indptr[revealed + 1] - pool.indptr[revealed])
            line += f"{odds(seats, revealed):7.3f} ({blind:.2f})"
        print(line, flush=True)


if __name__ == "__main__":
    main()
