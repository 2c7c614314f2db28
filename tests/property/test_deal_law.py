"""The law of the deal: every item of the pool comes equally often, whatever the pool."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from assign.draw.deal import Claim, deal, deal_seed, verify_deal
from assign.person import Pseudonym
from assign.selftest.chi_square import chi_square, upper_gamma

MASTER = b"\x05" * 32
SEED = deal_seed(MASTER, "o", "s")
IDS = st.lists(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,12}", fullmatch=True), unique=True, max_size=20)


def _claim(pool: tuple[str, ...], position: int) -> Claim:
    return Claim(origin="o", shift="s", position=position, caller=Pseudonym("aa" * 16), pool=pool, salt=bytes(32))


@settings(deadline=None)
@given(pool=IDS, position=st.integers(0, 2**63))
def test_any_deal_verifies(pool: list[str], position: int) -> None:
    """What is dealt is in the pool and verifies."""
    claim = _claim(tuple(sorted(pool)), position)
    dealt = deal(claim, SEED)
    assert (dealt in pool) if pool else dealt is None
    assert verify_deal(claim, master=MASTER, logged_pool=claim.pool_digest(), dealt=dealt, waiting=pool)


def test_items_come_equally_often() -> None:
    """Seven items over 7,000 positions, by chi-square at one in a million (the keys are fixed)."""
    claim = _claim(tuple("abcdefg"), 0)
    counts = Counter(deal(replace(claim, position=position), SEED) for position in range(7000))
    statistic, degrees = chi_square([counts[item] for item in claim.pool], [1] * 7)
    assert upper_gamma(degrees / 2, statistic / 2) > 1e-6
