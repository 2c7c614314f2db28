"""Is the draw uniform given who is served and the loads? Random enumerable instances, any seed.

    python benchmarks/core_law.py [--instances 200] [--draws 20000] [--seed 0] [--greedy]

Prints how far the draws are from uniform beyond what as many truly uniform draws would show, and how many
instances a chi-square rejects at a family-wise false-alarm rate of 1 in 1,000 (Bonferroni).
`--greedy` draws without mixing instead, as a control that should fail.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter, defaultdict
from pathlib import Path
from random import Random

import numpy as np
from scipy.stats import chi2

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from core_instances import STEPS_A_SEAT, Instance, assignments, draw_often, enumerable_instance, is_served, loads_of

FALSE_ALARM_RATE = 0.001
LEAST_EXPECTED = 5


def find_instance(seed: int) -> Instance:
    """A random instance with between 4 and 2,000 assignments of one served set."""
    random = Random(seed)
    while True:
        instance = enumerable_instance(random)
        counts = draw_often(instance, 1, seed)
        served = is_served(instance, next(iter(counts)))
        if 4 <= sum(map(len, assignments(instance, served).values())) <= 2_000:
            return instance


def measure(instance: Instance, counts: dict[tuple[int, ...], int]) -> tuple[float, float]:
    """The chi-square p-value, and total variation less that expected of uniform draws."""
    draws = sum(counts.values())
    totals: Counter[tuple[tuple[bool, ...], tuple[int, ...]]] = Counter()
    for seats, count in counts.items():
        totals[is_served(instance, seats), loads_of(instance, seats)] += count
    possible = {served: assignments(instance, served) for served, _ in totals}
    statistic, freedom, variation, noise = 0.0, 0, 0.0, 0.0
    for (served, loads), total in totals.items():
        outcomes = possible[served][loads]
        expected = total / len(outcomes)
        if len(outcomes) == 1 or expected < LEAST_EXPECTED:
            continue
        found = np.array([counts.get(seats, 0) for seats in outcomes])
        statistic += float(((found - expected) ** 2).sum() / expected)
        freedom += len(outcomes) - 1
        variation += float(np.abs(found - expected).sum()) / 2 / draws
        noise += len(outcomes) * np.sqrt(2 / np.pi * expected * (1 - 1 / len(outcomes))) / 2 / draws
    return float(chi2.sf(statistic, freedom)) if freedom else 1.0, variation - noise


def joint_entropy(instance: Instance, counts: dict[tuple[int, ...], int]) -> tuple[float, float]:
    """Entropy of the outcome given who is served, and the most any law could have, in bits.

    Estimated from counts with the Miller-Madow correction.
    """
    by_served: dict[tuple[bool, ...], list[int]] = defaultdict(list)
    for seats, count in counts.items():
        by_served[is_served(instance, seats)].append(count)
    draws, found, most = sum(counts.values()), 0.0, 0.0
    for served, each in by_served.items():
        total = sum(each)
        chances = np.array(each) / total
        entropy = float(-(chances * np.log2(chances)).sum()) + (len(each) - 1) / 2 / total / np.log(2)
        found += total / draws * entropy
        most += total / draws * float(np.log2(sum(map(len, assignments(instance, served).values()))))
    return found, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=200)
    parser.add_argument("--draws", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--greedy", action="store_true")
    arguments = parser.parse_args()
    steps_a_seat = 0 if arguments.greedy else STEPS_A_SEAT
    results, entropies = [], []
    for number in range(arguments.instances):
        seed = arguments.seed * 10**6 + number
        instance = find_instance(seed)
        counts = draw_often(instance, arguments.draws, seed, steps_a_seat)
        results.append(measure(instance, counts))
        found, most = joint_entropy(instance, counts)
        entropies.append(found / most if most else 1.0)
    p_values, excess = (np.array(column) for column in zip(*results, strict=True))
    rejected = int((p_values < FALSE_ALARM_RATE / len(p_values)).sum())
    print(f"{len(p_values)} instances, {arguments.draws} draws each: {rejected} rejected at 1 in 1,000 overall")
    print(
        f"least p-value {p_values.min():.2g}; excess total variation mean {excess.mean():.4f}, most {excess.max():.4f}"
    )
    print(f"joint entropy over the most possible: mean {np.mean(entropies):.3f}, least {min(entropies):.3f}")


if __name__ == "__main__":
    main()
