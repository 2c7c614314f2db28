"""The draw follows its law: uniform over all assignments with the same orders served and the same loads.

Every p-value is compared with a threshold that keeps the chance of any false alarm in this file, if all
is well, at 1 in 1,000 (Bonferroni). Seeds are fixed, so the tests pass or fail alike on every run; other
seeds can be tried with `python benchmarks/core_law.py`.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from core_instances import (
    STEPS_A_SEAT,
    Instance,
    assignments,
    draw_often,
    enumerable_instance,
    is_served,
    loads_of,
    make_instance,
)
from scipy.stats import chi2

from assign import _core

FALSE_ALARM_RATE = 0.001
INSTANCES = 30
OTHER_TESTS = 6
THRESHOLD = FALSE_ALARM_RATE / (INSTANCES + OTHER_TESTS)
DRAWS = 6_000
LEAST_EXPECTED = 5


def law_p_value(instance: Instance, draws: int, seed: int, steps_a_seat: int = STEPS_A_SEAT) -> float:
    """Chi-square of the outcomes given who is served and the loads, summed over what was seen of these."""
    counts = draw_often(instance, draws, seed, steps_a_seat)
    totals: Counter[tuple[tuple[bool, ...], tuple[int, ...]]] = Counter()
    for seats, count in counts.items():
        totals[is_served(instance, seats), loads_of(instance, seats)] += count
    possible = {served: assignments(instance, served) for served, _ in totals}
    statistic, freedom = 0.0, 0
    for (served, loads), total in totals.items():
        outcomes = possible[served][loads]
        expected = total / len(outcomes)
        if expected >= LEAST_EXPECTED:
            statistic += sum((counts.get(seats, 0) - expected) ** 2 / expected for seats in outcomes)
            freedom += len(outcomes) - 1
    assert set(counts) <= {seats for by_loads in possible.values() for some in by_loads.values() for seats in some}
    return float(chi2.sf(statistic, freedom)) if freedom else 1.0


def interesting_instance(seed: int, least: int = 4) -> Instance:
    """A random instance with something to mix, but few enough assignments to count."""
    random = Random(seed)
    while True:
        instance = enumerable_instance(random)
        seats = _core.draw(*instance.arrays(), bytes(32)).tolist()
        by_loads = assignments(instance, is_served(instance, seats))
        if least <= len(by_loads.get(loads_of(instance, seats), [])) <= 400:
            return instance


@pytest.mark.parametrize("seed", range(INSTANCES))
def test_outcomes_are_uniform(seed: int) -> None:
    """Tight, spare and overfull instances with teams, unequal capacities and tiers."""
    assert law_p_value(interesting_instance(seed), DRAWS, seed) > THRESHOLD


def skewed_instance() -> Instance:
    """Two persons are sought by all, the third and fourth by some: where choosing in turn shows most."""
    rows = [[0, 1], [0, 2], [1, 2, 3], [0, 1, 2, 3], [0, 3]]
    return make_instance(rows, [1, 1, 2, 1, 1], [2, 2, 1, 2], [0] * 5)


def test_greedy_alone_is_rejected() -> None:
    """The control: the random start without mixing does not follow the law, and this test can tell."""
    instance = skewed_instance()
    assert law_p_value(instance, 20_000, 1, steps_a_seat=0) < 1e-9
    assert law_p_value(instance, 20_000, 2) > THRESHOLD


def test_greedy_alone_is_rejected_on_most() -> None:
    """The same on random instances with room to differ: the test has power where it is used."""
    instances = [interesting_instance(seed, least=12) for seed in range(12)]
    p_values = [law_p_value(instance, 3 * DRAWS, 7, steps_a_seat=0) for instance in instances]
    assert sum(p_value < THRESHOLD for p_value in p_values) > len(p_values) // 2


def test_service_order_is_uniform() -> None:
    """Who is served, among equals, is a fair draw: each of 24 turns equally often."""
    instance = make_instance([[0]] * 4, [1] * 4, [1], [0] * 4)
    draws = 12_000
    turns = Counter(
        tuple(_core.draw_detailed(*instance.arrays(), number.to_bytes(32, "little")).service_order.tolist())
        for number in range(draws)
    )
    expected = draws / 24
    statistic = sum((turns[turn] - expected) ** 2 / expected for turn in turns)
    assert len(turns) == 24
    assert chi2.sf(statistic, 23) > THRESHOLD


def test_shuffle_is_uniform() -> None:
    """Each of the 120 permutations of five is equally likely."""
    draws = 60_000
    counts = Counter(tuple(_core.shuffle(5, number.to_bytes(32, "big")).tolist()) for number in range(draws))
    expected = draws / 120
    statistic = sum((counts[order] - expected) ** 2 / expected for order in counts)
    assert len(counts) == 120
    assert chi2.sf(statistic, 119) > THRESHOLD


def test_reserve_orders_are_uniform_and_independent_of_the_draw() -> None:
    """First reserve and drawn person of one order: all pairs equally likely."""
    persons, draws = 4, 20_000
    instance = make_instance([list(range(persons))], [1], [1] * persons, [0])
    arrays = instance.arrays()
    pairs: Counter[tuple[int, int]] = Counter()
    for number in range(draws):
        key = number.to_bytes(32, "little")
        pairs[int(_core.draw(*arrays, key)[0]), int(_core.reserve_orders(*arrays[:2], key)[0])] += 1
    expected = draws / persons**2
    statistic = sum((pairs[a, b] - expected) ** 2 / expected for a in range(persons) for b in range(persons))
    assert chi2.sf(statistic, persons**2 - 1) > THRESHOLD
