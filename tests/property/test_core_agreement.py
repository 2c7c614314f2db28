"""The compiled core and its specification in plain Python agree on every field of every result."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from core_instances import Instance, make_instance, random_instance
from hypothesis import given, settings
from hypothesis import strategies as st

from assign import _core, reference

BATCHES = 30
INSTANCES_A_BATCH = 40


def fields(outcome: object) -> list[object]:
    """A `Draw` of either kind as plain lists and numbers."""
    return [item.tolist() if isinstance(item, np.ndarray) else item for item in outcome]  # type: ignore[attr-defined]


def check(instance: Instance, key: bytes) -> None:
    arrays = instance.arrays()
    expected = reference.draw_detailed(*instance, key)
    found = _core.draw_detailed(*arrays, key)
    assert fields(found) == fields(expected)
    assert _core.draw(*arrays, key).tolist() == expected.seats
    reserves = _core.reserve_orders(arrays[0], arrays[1], key).tolist()
    assert reserves == reference.reserve_orders(instance.indptr, instance.indices, key)
    for order, first in enumerate(instance.first_seats()):
        if expected.seats[first] < 0:
            orders, persons = _core.hall_certificate(*arrays[:4], found, order)
            assert (orders.tolist(), persons.tolist()) == reference.hall_certificate(*instance[:4], expected, order)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_small_instances_agree(batch: int) -> None:
    """1,200 instances of every kind, each drawn, explained and given reserves by both."""
    for number in range(batch * INSTANCES_A_BATCH, (batch + 1) * INSTANCES_A_BATCH):
        random = Random(number)
        check(random_instance(random, most_orders=7, most_persons=6), random.randbytes(32))


@pytest.mark.parametrize("seed", range(12))
def test_larger_instances_agree(seed: int) -> None:
    """Searches, refills of the stream and long walks show only in larger instances."""
    random = Random(seed)
    check(random_instance(random, most_orders=120, most_persons=40), random.randbytes(32))


def ring(orders: int, teams: int, left_over: int) -> Instance:
    """Order i may go to person i or i + 1, all around, and nobody else is free: some walks are very long.

    The first `teams` orders are teams, each with one person of its own besides.
    """
    rows = [[person, (person + 1) % orders] for person in range(orders)]
    for order in range(teams):
        rows[order].append(orders + order)
    team_size = [2] * teams + [1] * (orders - teams + left_over)
    tier = [0] * orders + [1] * left_over
    return make_instance(rows + [[teams, teams + 1]] * left_over, team_size, [1] * (orders + teams), tier)


def test_undone_walks_agree() -> None:
    """Walks over the limit happen here, and are undone alike; who is left over does not count for the limit."""
    instance, undone = ring(90, 10, 40), 0
    arrays = instance.arrays()
    for number in range(8):
        key = number.to_bytes(32, "big")
        expected = reference.draw_detailed(*instance, key)
        assert fields(_core.draw_detailed(*arrays, key)) == fields(expected)
        assert sorted(expected.seats[:100]) == list(range(100))
        undone += expected.undone
    assert undone > 0


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**64), key=st.binary(min_size=32, max_size=32))
def test_any_instance_and_key_agree(seed: int, key: bytes) -> None:
    """Keys and instances that no list of seeds foresaw."""
    check(random_instance(Random(seed), most_orders=5, most_persons=5), key)


@pytest.mark.parametrize("path", _core.available_paths())
@settings(max_examples=20, deadline=None)
@given(key=st.binary(min_size=32, max_size=32), length=st.integers(0, 3000), n=st.integers(0, 300))
def test_each_path_gives_the_same_bytes(path: str, key: bytes, length: int, n: int) -> None:
    """Keystream and shuffle do not depend on what the processor can do."""
    _core.select_path(path)
    try:
        assert _core.keystream(key, length) == reference.keystream(key, length)
        assert _core.shuffle(n, key).tolist() == reference.shuffle(n, key)
    finally:
        _core.select_path(_core.available_paths()[-1])


def test_draws_are_the_same_on_each_path() -> None:
    """A draw long enough to refill every stream many times."""
    random = Random(5)
    arrays = random_instance(random, most_orders=400, most_persons=60).arrays()
    outcomes = []
    for path in _core.available_paths():
        _core.select_path(path)
        outcomes.append(fields(_core.draw_detailed(*arrays, bytes(32))))
    assert all(outcome == outcomes[0] for outcome in outcomes)
