"""The canonical inputs of a wave: the same whatever order things arrived in, and strict when read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from wave_examples import SIX, order, person, wave

from assign.draw.inputs import WaveInputs
from assign.encoding import canonical_json
from assign.errors import Corrupt
from assign.rules.eligibility import RULES_VERSION

INPUTS = wave([order(0, team_size=2), order(1)], [person(0), person(1, capacity=3), person(2)])


def test_round_trip() -> None:
    """Reading undoes writing."""
    assert WaveInputs.from_bytes(INPUTS.to_bytes()) == INPUTS


def test_order_of_arrival_does_not_matter() -> None:
    """Sorted by id: the bytes are the same."""
    again = wave([order(1), order(0, team_size=2)], [person(2), person(1, capacity=3), person(0)])
    assert again.to_bytes() == INPUTS.to_bytes()


def test_bytes_name_every_version() -> None:
    """What the draw depends on is written out."""
    value = json.loads(INPUTS.to_bytes())
    assert (value["format"], value["rules"], value["draw"]) == (
        "inputs/v1",
        RULES_VERSION,
        "frozen-chair-walk/v1",
    )
    assert value["verdicts"] == ["+++", "+++"]


def test_verdicts_follow_from_the_facts() -> None:
    """A bent verdict is not what the rules give."""
    assert INPUTS.rejudge() == INPUTS.verdicts
    bent = replace(INPUTS, verdicts=("R++", "+++"))
    assert bent.rejudge() != bent.verdicts


def test_small_pools_are_named() -> None:
    """Fewer eligible persons than the minimum; three of three are enough."""
    assert INPUTS.small_pools() == []
    assert replace(INPUTS, verdicts=("R++", "+++")).small_pools() == ["o-000"]


def test_empty_wave_has_inputs_too() -> None:
    """A wave without orders is frozen and drawn like any other."""
    empty = wave([], [person(0)])
    assert WaveInputs.from_bytes(empty.to_bytes()) == empty


Change = Callable[[dict[str, Any]], object]

CHANGES: dict[str, Change] = {
    "other format": lambda v: v.update(format="inputs/v2"),
    "other rules": lambda v: v.update(rules="whim/v1"),
    "a field more": lambda v: v.update(comment=""),
    "a field less": lambda v: v.pop("code"),
    "wave no text": lambda v: v.update(wave=1),
    "pool no number": lambda v: v.update(min_pool="3"),
    "pool true": lambda v: v.update(min_pool=True),
    "pool negative": lambda v: v.update(min_pool=-1),
    "orders no list": lambda v: v.update(orders={}),
    "orders swapped": lambda v: v["orders"].reverse(),
    "order twice": lambda v: [v["orders"].append(v["orders"][1]), v["verdicts"].append("+++")],
    "persons swapped": lambda v: v["persons"].reverse(),
    "verdict too short": lambda v: v["verdicts"].__setitem__(0, "++"),
    "verdict missing": lambda v: v["verdicts"].pop(),
    "verdict of no letter": lambda v: v["verdicts"].__setitem__(0, "+x+"),
    "verdict no text": lambda v: v["verdicts"].__setitem__(0, ["+", "+", "+"]),
    "verdict of wide letters": lambda v: v["verdicts"].__setitem__(0, "++\u00e9"),
    "order with a field more": lambda v: v["orders"][0].update(note=""),
    "order id empty": lambda v: v["orders"][0].update(order=""),
    "slot no text": lambda v: v["orders"][0].update(slot=None),
    "container wrong": lambda v: v["orders"][0].update(container="MSKU0000001"),
    "container spelled otherwise": lambda v: v["orders"][0].update(container="msku 000000 6"),
    "terminal wrong": lambda v: v["orders"][0].update(terminal="rwg"),
    "start no time": lambda v: v["orders"][0].update(start="today"),
    "start without end": lambda v: v["orders"][0].update(start="9999-12-31T23:59:59Z"),
    "minutes zero": lambda v: v["orders"][0].update(minutes=0),
    "minutes text": lambda v: v["orders"][0].update(minutes="30"),
    "minutes endless": lambda v: v["orders"][0].update(minutes=1441),
    "tier ten": lambda v: v["orders"][0].update(tier=10),
    "team of three": lambda v: v["orders"][0].update(team_size=3),
    "team of none": lambda v: v["orders"][0].update(team_size=0),
    "parties unsorted": lambda v: v["orders"][0].update(parties=["b", "a"]),
    "parties twice": lambda v: v["orders"][0].update(parties=["a", "a"]),
    "parties a text": lambda v: v["orders"][0].update(parties="ab"),
    "parties of numbers": lambda v: v["orders"][0].update(parties=[1]),
    "handler no pseudonym": lambda v: v["orders"][0].update(handled_by=["jan"]),
    "salt no hex": lambda v: v["orders"][0].update(salt="xy"),
    "salt upper case": lambda v: v["orders"][0].update(salt="AB" * 32),
    "person no pseudonym": lambda v: v["persons"][0].update(person="jan"),
    "capacity negative": lambda v: v["persons"][0].update(capacity=-1),
    "capacity endless": lambda v: v["persons"][0].update(capacity=2**40),
    "capacity true": lambda v: v["persons"][0].update(capacity=True),
    "absent a number": lambda v: v["persons"][0].update(absent=0),
    "signal a text": lambda v: v["persons"][0].update(signal_open="no"),
    "interview null": lambda v: v["persons"][0].update(interviewed=None),
    "certificate no time": lambda v: v["persons"][0].update(certificate_until="never"),
    "duty of one time": lambda v: v["persons"][0].update(duty=["2026-11-24T06:00:00Z"]),
    "duty of three": lambda v: v["persons"][0]["duty"].append("2026-11-24T06:00:00Z"),
    "busy of one time": lambda v: v["persons"][0].update(busy=[["2026-11-24T06:00:00Z"]]),
    "busy unsorted": lambda v: v["persons"][0].update(
        busy=[["2026-11-24T07:00:00Z"] * 2, ["2026-11-24T06:00:00Z"] * 2]
    ),
    "terminals of one letter each": lambda v: v["persons"][0].update(terminals="RWG"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_anything_else_is_refused(change: str) -> None:
    """Of the right form, but with one thing that was never written: Corrupt, and nothing but Corrupt."""
    value = json.loads(INPUTS.to_bytes())
    CHANGES[change](value)
    with pytest.raises(Corrupt, match="INPUTS_MALFORMED"):
        WaveInputs.from_bytes(canonical_json(value))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"7", b"null", b'"orders"', INPUTS.to_bytes()[:-1], INPUTS.to_bytes() + b" "]
)
def test_other_bytes_are_refused(data: bytes) -> None:
    """Not even an object."""
    with pytest.raises(Corrupt, match="INPUTS_MALFORMED"):
        WaveInputs.from_bytes(data)


def test_need_spans_the_slot() -> None:
    """From the start for the expected minutes."""
    need = order(0).need()
    assert (need.start, (need.end - need.start).seconds) == (SIX, 1800)
