"""Secret sharing: any threshold of shares, no fewer, and the same bytes as another implementation."""

from __future__ import annotations

import itertools
from collections import Counter

import pyshamir
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seeded_entropy import SeededEntropy

from assign.errors import InvalidInput
from server.escrow.sharing import combine, split, wipe

SECRET = bytes(range(100, 132))


def _split(secret: bytes = SECRET, threshold: int = 2, count: int = 3, seed: int = 0) -> list[bytearray]:
    return split(secret, threshold=threshold, count=count, entropy=SeededEntropy(seed))


@pytest.mark.parametrize(("threshold", "count"), [(2, 2), (2, 3), (3, 5), (4, 6)])
def test_every_choice_of_enough_shares_gives_the_secret(threshold: int, count: int) -> None:
    """Whichever custodians come, and in whatever order."""
    shares = _split(threshold=threshold, count=count)
    for chosen in itertools.permutations(shares, threshold):
        assert combine(chosen) == SECRET


@settings(deadline=None, max_examples=40)
@given(secret=st.binary(min_size=1, max_size=64), count=st.integers(2, 8), data=st.data())
def test_any_secret_comes_back(secret: bytes, count: int, data: st.DataObject) -> None:
    """Any bytes, any threshold, more shares than needed as well."""
    threshold = data.draw(st.integers(2, count))
    shares = split(secret, threshold=threshold, count=count, entropy=SeededEntropy(data.draw(st.integers(0, 99))))
    given = data.draw(st.permutations(shares))[: data.draw(st.integers(threshold, count))]
    assert combine(given) == secret


def test_one_share_fewer_says_nothing() -> None:
    """Over all polynomials, every value of a single share comes equally often, whatever the secret is."""

    class Every:
        """Hands out the 256 coefficients in turn."""

        def __init__(self) -> None:
            self.next = itertools.count()

        def bytes(self, count: int) -> bytes:
            return bytes([next(self.next) % 256] * count)

    for secret in (b"\x00", b"\xa7"):
        entropy = Every()
        values = Counter(split(secret, threshold=2, count=2, entropy=entropy)[1][0] for _ in range(256))
        assert values == Counter(range(256))


def test_other_software_combines_our_shares() -> None:
    """Shares are in the format of HashiCorp Vault: a port of it gives the secret back, so they outlive us."""
    shares = _split(threshold=3, count=5)
    assert pyshamir.combine(shares[1:4]) == SECRET


def test_we_combine_shares_of_other_software() -> None:
    """And the other way round."""
    shares = pyshamir.split(SECRET, 5, 3)
    assert combine(shares[2:]) == SECRET


def test_published_format_is_kept() -> None:
    """Worked by hand: coefficients 3e 0a of x beside the secret 01 02; the values at x, byte by byte, then x."""
    assert [share.hex() for share in _split(b"\x01\x02", 2, 2, seed=7)] == ["3f0801", "7d1602"]


def test_wrong_share_gives_another_secret() -> None:
    """Sharing alone cannot tell: the commitment has to."""
    shares = _split()
    shares[0][5] ^= 1
    assert combine(shares[:2]) != SECRET


@pytest.mark.parametrize(("threshold", "count"), [(1, 3), (0, 2), (3, 2), (2, 256), (2, 1)])
def test_impossible_thresholds_are_refused(threshold: int, count: int) -> None:
    """One share is never enough, and nobody can be asked for more than there are."""
    with pytest.raises(InvalidInput, match="ESCROW_THRESHOLD"):
        _split(threshold=threshold, count=count)


def test_shares_that_cannot_be_combined_are_refused() -> None:
    """None, one of another length, the same place twice, place 0, nothing in it."""
    first, second, _ = _split()
    for shares in ([], [first, second[1:]], [first, first], [b"\x01\x00", b"\x02\x01"], [b"\x01"], [b""]):
        with pytest.raises(InvalidInput, match="ESCROW_SHARES"):
            combine(shares)


def test_wipe_overwrites_in_place() -> None:
    """The very buffer that held the secret holds zeros."""
    buffer = bytearray(SECRET)
    view = memoryview(buffer)
    wipe(buffer)
    assert bytes(view) == bytes(len(SECRET))
