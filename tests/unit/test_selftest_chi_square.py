"""The tail of chi-square in plain Python against SciPy's, and what is counted against it."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from assign.selftest.chi_square import chi_square, lower_and_upper_tail, merge_rare, upper_gamma


@given(a=st.floats(0.5, 5000), factor=st.floats(0.01, 5))
def test_gamma_is_scipys(a: float, factor: float) -> None:
    """Q(a, x) on both sides of its mean, to nine digits wherever a verdict can fall."""
    expected = float(special.gammaincc(a, a * factor))
    assert math.isclose(upper_gamma(a, a * factor), expected, rel_tol=1e-9, abs_tol=1e-13)


@pytest.mark.parametrize("degrees", [1, 2, 5, 49, 255, 65_535])
def test_tails_are_scipys(degrees: int) -> None:
    """From the smallest probabilities that a verdict looks at to the largest."""
    for probability in (1e-9, 1e-6, 0.01, 0.5, 0.99):
        value = float(stats.chi2.isf(probability, degrees))
        lower, upper = lower_and_upper_tail(value, degrees)
        assert math.isclose(upper, probability, rel_tol=1e-6)
        assert math.isclose(lower, 1 - probability, abs_tol=1e-9)


def test_ends_of_the_gamma_function() -> None:
    """Nothing below 0, nothing left far out."""
    assert upper_gamma(3, 0) == 1
    assert upper_gamma(3, -1) == 1
    assert upper_gamma(0.5, 700) < 1e-300


@given(st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 50)), min_size=2, max_size=20))
def test_statistic_is_pearsons(cells: list[tuple[int, int]]) -> None:
    """The sum of (observed - expected)^2 / expected, in exact fractions."""
    observed, weights = [one for one, _ in cells], [one for _, one in cells]
    if not sum(observed):
        return
    total = Fraction(sum(observed), sum(weights))
    exact = sum((one - weight * total) ** 2 / (weight * total) for one, weight in cells)
    value, degrees = chi_square(observed, weights)
    assert math.isclose(value, float(exact), rel_tol=1e-9, abs_tol=1e-9)
    assert degrees == len(cells) - 1


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=30), st.integers(1, 10))
def test_merged_cells_lose_nothing(cells: list[tuple[int, int]], expected: int) -> None:
    """All counts and weights are still there, and no cell is rarer than asked unless only one is left."""
    observed, weights = merge_rare([one for one, _ in cells], [one for _, one in cells], expected=expected)
    assert sum(observed) == sum(one for one, _ in cells)
    assert sum(weights) == sum(one for _, one in cells)
    if len(weights) > 1:
        assert all(weight * sum(observed) >= expected * sum(weights) for weight in weights)
