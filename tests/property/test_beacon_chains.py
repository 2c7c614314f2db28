"""Chains of any length: every round opens, and only by its own element."""

from __future__ import annotations

import pytest
from beacon_chains import beacon_of, chain_of, evidence_of
from hypothesis import given, settings
from hypothesis import strategies as st

from assign.draw.beacon import LocalVerifier
from assign.encoding import lp
from assign.errors import Corrupt


@settings(deadline=None)
@given(st.integers(1, 120), st.binary(min_size=32, max_size=32), st.data())
def test_any_order_of_honest_rounds_verifies(length_rounds: int, secret: bytes, data: st.DataObject) -> None:
    """Whatever the stride of the checkpoints and whatever was verified before."""
    chain = chain_of("a", length_rounds=length_rounds, secret=secret)
    verifier = LocalVerifier(beacon_of(chain))
    for round_number in data.draw(st.lists(st.integers(1, length_rounds), min_size=1, max_size=12)):
        verifier.verify(round_number, evidence_of(round_number, chain))
    assert chain.element(length_rounds) == secret


@settings(deadline=None)
@given(st.integers(1, 120), st.binary(min_size=32, max_size=32), st.data())
def test_no_other_element_opens_a_round(length_rounds: int, element: bytes, data: st.DataObject) -> None:
    """Random elements and elements of other rounds, interleaved with honest ones."""
    chain = chain_of("a", length_rounds=length_rounds)
    verifier = LocalVerifier(beacon_of(chain))
    rounds = st.integers(1, length_rounds)
    for round_number in data.draw(st.lists(rounds, min_size=1, max_size=6)):
        verifier.verify(round_number, evidence_of(round_number, chain))
        claimed = data.draw(rounds)
        wrong = element if claimed == round_number else chain.element(round_number)
        with pytest.raises(Corrupt):
            verifier.verify(claimed, lp(wrong))
