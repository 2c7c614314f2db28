"""The guarantee of a draw in words: who would have had to conspire, for each kind of beacon."""

from __future__ import annotations

from dataclasses import replace

import pytest
from simulated_log import BEACON

from assign.draw.beacon import BeaconInfo, Party, quicknet
from assign.verify.guarantee import Seen, describe_guarantee

ONE = replace(BEACON.info, parties=BEACON.info.parties[:1])
THREE = replace(BEACON.info, parties=(*BEACON.info.parties, Party(name="c.example", anchor=bytes(32))))
OTHER = replace(quicknet(), beacon_id="slownet")


@pytest.mark.parametrize(
    ("beacon", "words"),
    [
        (ONE, "the one beacon party, beacon-a.example; if both sit under one roof, that roof alone"),
        (BEACON.info, "both beacon parties, beacon-a.example, beacon-b.example"),
        (THREE, "all 3 beacon parties"),
        (quicknet(), "a threshold of the organisations that run drand's quicknet"),
        (OTHER, "a threshold of whoever runs that drand chain"),
    ],
)
def test_whom_predicting_takes(beacon: BeaconInfo, words: str) -> None:
    """The master seed's holder together with these; changing takes them too."""
    guarantee = describe_guarantee(beacon)
    assert f"master seed together with {words}" in guarantee.know_early
    assert words in guarantee.change


def test_chain_that_is_not_the_public_one_is_named_so() -> None:
    """Nobody passes his own chain off as drand's."""
    assert describe_guarantee(quicknet()).beacon == "drand quicknet, the public beacon"
    assert "not the public quicknet" in describe_guarantee(OTHER).beacon


def test_without_witnesses_the_operator_alone_could_date_back() -> None:
    """Said in so many words; with witnesses it takes them as well."""
    assert "or the operator alone" in describe_guarantee(quicknet()).change
    seen = Seen(quorum=2, witnesses=2, draws=9)
    assert "operator alone" not in describe_guarantee(quicknet(), seen).change
    assert "both witnesses" in describe_guarantee(quicknet(), seen).change
    assert "2 of the 3 witnesses" in describe_guarantee(quicknet(), replace(seen, witnesses=3)).change
    assert "all 3 witnesses" in describe_guarantee(quicknet(), replace(seen, quorum=3, witnesses=3)).change
    assert "the one witness" in describe_guarantee(quicknet(), replace(seen, quorum=1, witnesses=1)).change


def test_draws_that_witnesses_did_not_see_are_counted() -> None:
    """For those the operator alone suffices, and the sentence says of how many."""
    change = describe_guarantee(quicknet(), Seen(quorum=2, witnesses=2, draws=9, unseen=4)).change
    assert "or the operator alone" in change
    assert "of 4 of 9 draws" in change
    unnamed = describe_guarantee(quicknet(), Seen(is_cosigned=True)).change
    assert "no witness was named to this verifier" in unnamed
