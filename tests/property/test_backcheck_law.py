"""The law of back-checks: each order by itself, with exactly its share."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assign.draw.backcheck import Share, is_checked_again
from assign.names import OrderId
from assign.selftest.chi_square import chi_square, upper_gamma

KEY = b"\x09" * 32


def _is_checked(number: int, share: Share) -> bool:
    return is_checked_again(KEY, origin="o", wave="w", order=OrderId(f"o-{number}"), share=share)


@pytest.mark.parametrize("share", [Share(1, 2), Share(1, 20), Share(19, 20), Share(3, 7), Share(10**9, 4 * 10**9)])
def test_share_is_kept(share: Share) -> None:
    """Over 4,000 orders, within five standard deviations (the key is fixed)."""
    probability, orders = share.numerator / share.denominator, 4000
    chosen = sum(_is_checked(number, share) for number in range(orders))
    assert abs(chosen - orders * probability) < 5 * math.sqrt(orders * probability * (1 - probability))


def test_one_order_says_nothing_about_the_next() -> None:
    """Pairs of orders over four cells, by chi-square at one in a million."""
    chosen = [_is_checked(number, Share(1, 3)) for number in range(6000)]
    cells = [0] * 4
    for first, second in zip(chosen[0::2], chosen[1::2], strict=True):
        cells[2 * first + second] += 1
    statistic, degrees = chi_square(cells, [4, 2, 2, 1])
    assert upper_gamma(degrees / 2, statistic / 2) > 1e-6


@settings(deadline=None)
@given(number=st.integers(0, 10**6), denominator=st.integers(1, 2**32 - 1), data=st.data())
def test_raising_the_share_never_frees(number: int, denominator: int, data: st.DataObject) -> None:
    """With one denominator, a checked order stays checked under a larger numerator."""
    low = data.draw(st.integers(0, denominator))
    high = data.draw(st.integers(low, denominator))
    assert _is_checked(number, Share(low, denominator)) <= _is_checked(number, Share(high, denominator))
