"""Pearson's chi-square with the tail of its distribution, in plain Python: nothing to install, nothing to trust.

The tail is the regularised incomplete gamma function Q(a, x): its series below a + 1 (DLMF 8.11.4), its continued
fraction above (DLMF 8.9.2, evaluated by Lentz's method). The tests compare it with SciPy's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["chi_square", "lower_and_upper_tail", "merge_rare", "upper_gamma"]

_SMALL = 1e-300
_ENOUGH = 1e-15
_MOST_TERMS = 100_000


def upper_gamma(a: float, x: float) -> float:
    """Q(a, x), the regularised upper incomplete gamma function, for a > 0 and x >= 0."""
    if x <= 0:
        return 1.0
    scale = math.exp(a * math.log(x) - x - math.lgamma(a))
    return 1.0 - scale * _series(a, x) if x < a + 1 else scale * _fraction(a, x)


def _series(a: float, x: float) -> float:
    term = total = 1 / a
    for n in range(1, _MOST_TERMS):
        term *= x / (a + n)
        total += term
        if term < total * _ENOUGH:
            break
    return total


def _fraction(a: float, x: float) -> float:
    b = x + 1 - a
    c, d = 1 / _SMALL, 1 / b
    value = d
    for n in range(1, _MOST_TERMS):
        numerator = n * (a - n)
        b += 2
        d = 1 / (numerator * d + b or _SMALL)
        c = b + numerator / c or _SMALL
        value *= c * d
        if abs(c * d - 1) < _ENOUGH:
            break
    return value


def lower_and_upper_tail(statistic: float, degrees: int) -> tuple[float, float]:
    """How likely chi-square with these degrees of freedom is to be at most, and at least, `statistic`."""
    upper = upper_gamma(degrees / 2, statistic / 2)
    return 1 - upper, upper


def chi_square(observed: Sequence[int], weights: Sequence[int]) -> tuple[float, int]:
    """Pearson's statistic and its degrees of freedom for counts against integer weights."""
    counts, total = sum(observed), sum(weights)
    # One division at the end of exact integers: sum of (n*W - N*w)^2 / (N*W*w).
    statistic = math.fsum(
        (count * total - counts * weight) ** 2 / (counts * total * weight)
        for count, weight in zip(observed, weights, strict=True)
    )
    return statistic, len(observed) - 1


def merge_rare(observed: Sequence[int], weights: Sequence[int], *, expected: int) -> tuple[list[int], list[int]]:
    """Neighbouring cells joined until each is expected at least `expected` times (Cochran's rule of thumb)."""
    counts, total = sum(observed), sum(weights)
    merged: list[tuple[int, int]] = []
    count = weight = 0
    for one, its_weight in zip(observed, weights, strict=True):
        count, weight = count + one, weight + its_weight
        if weight * counts >= expected * total:
            merged.append((count, weight))
            count = weight = 0
    if weight:
        last_count, last_weight = merged.pop() if merged else (0, 0)
        merged.append((last_count + count, last_weight + weight))
    return [one for one, _ in merged], [one for _, one in merged]
