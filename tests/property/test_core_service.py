"""What a draw may and must do: eligibility, capacity, whole teams, and who is served."""

from __future__ import annotations

from itertools import combinations
from random import Random

import numpy as np
import pytest
from core_instances import Instance, is_served, loads_of, random_instance
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow

from assign import _core

BATCHES = 20
INSTANCES_A_BATCH = 500


def subsets(persons: int) -> list[frozenset[int]]:
    """Every set of persons."""
    return [frozenset(some) for size in range(persons + 1) for some in combinations(range(persons), size)]


def need(instance: Instance, order: int, persons: frozenset[int]) -> int:
    """How many of these persons the order must have, whoever else it gets."""
    return max(0, instance.team_size[order] - len(set(instance.row(order)) - persons))


def lexicographic_service(instance: Instance, service_order: list[int]) -> set[int]:
    """Who must be served, by counting alone (the cuts of the max-flow min-cut theorem, all of them).

    A set of orders can be served together unless some set of persons is needed beyond its capacity.
    """
    slack = {some: sum(instance.capacity[person] for person in some) for some in subsets(len(instance.capacity))}
    served = set()
    for order in service_order:
        needs = {some: need(instance, order, some) for some in slack}
        if all(needs[some] <= slack[some] for some in slack):
            served.add(order)
            slack = {some: slack[some] - needs[some] for some in slack}
    return served


def check_outcome(instance: Instance, seats: list[int]) -> None:
    """The rules that hold for every draw."""
    assert len(seats) == sum(instance.team_size)
    assert all(load <= most for load, most in zip(loads_of(instance, seats), instance.capacity, strict=True))
    for order, first in enumerate(instance.first_seats()):
        persons = seats[first : first + instance.team_size[order]]
        if -1 in persons:
            assert set(persons) == {-1}
        else:
            assert set(persons) <= set(instance.row(order))
            assert len(set(persons)) == len(persons)


@pytest.mark.parametrize("batch", range(BATCHES))
def test_service_is_lexicographic(batch: int) -> None:
    """10,000 instances: exactly those are served who can be, tier by tier and in the drawn order."""
    for number in range(batch * INSTANCES_A_BATCH, (batch + 1) * INSTANCES_A_BATCH):
        random = Random(number)
        instance = random_instance(random, most_orders=8, most_persons=5)
        drawn = _core.draw_detailed(*instance.arrays(), random.randbytes(32), steps_a_seat=number % 2)
        seats, service_order = drawn.seats.tolist(), drawn.service_order.tolist()
        check_outcome(instance, seats)
        assert sorted(service_order) == list(range(len(instance.tier)))
        tiers = [instance.tier[order] for order in service_order]
        assert tiers == sorted(tiers)
        served = {order for order, is_in in enumerate(is_served(instance, seats)) if is_in}
        assert served == lexicographic_service(instance, service_order), number


def can_serve(instance: Instance, orders: list[int]) -> bool:
    """Whether these orders can all be served together, by SciPy's maximum flow."""
    persons = len(instance.capacity)
    source, sink = len(orders) + persons, len(orders) + persons + 1
    edges = [(source, place, instance.team_size[order]) for place, order in enumerate(orders)]
    edges += [(place, len(orders) + person, 1) for place, order in enumerate(orders) for person in instance.row(order)]
    edges += [(len(orders) + person, sink, most) for person, most in enumerate(instance.capacity)]
    starts, ends, most = np.array(edges, np.int32).T
    graph = csr_matrix((most, (starts, ends)), shape=(sink + 1, sink + 1))
    wanted = sum(instance.team_size[order] for order in orders)
    return bool(maximum_flow(graph, source, sink).flow_value == wanted)


@pytest.mark.parametrize("seed", range(20))
def test_service_of_larger_instances(seed: int) -> None:
    """Too large to try every set of persons: whoever was left over could not have been added."""
    random = Random(seed)
    instance = random_instance(random, most_orders=60, most_persons=12)
    drawn = _core.draw_detailed(*instance.arrays(), random.randbytes(32))
    seats = drawn.seats.tolist()
    check_outcome(instance, seats)
    is_in = is_served(instance, seats)
    before: list[int] = []
    for order in drawn.service_order.tolist():
        if is_in[order]:
            before.append(order)
        else:
            assert not can_serve(instance, [*before, order])
    assert not before or can_serve(instance, before)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_hall_certificates_prove_themselves(seed: int) -> None:
    """The counts of a certificate, taken from the inputs alone, exceed the persons' capacities."""
    random = Random(seed)
    instance = random_instance(random, most_orders=12, most_persons=6)
    arrays = instance.arrays()
    drawn = _core.draw_detailed(*arrays, random.randbytes(32))
    place = {order: turn for turn, order in enumerate(drawn.service_order.tolist())}
    for order, is_in in enumerate(is_served(instance, drawn.seats.tolist())):
        if is_in:
            continue
        orders, persons = _core.hall_certificate(*arrays[:4], drawn, order)
        scarce = frozenset(persons.tolist())
        needed = sum(need(instance, other, scarce) for other in orders.tolist())
        assert needed > sum(instance.capacity[person] for person in scarce)
        assert all(place[other] <= place[order] for other in orders.tolist())
        assert need(instance, order, scarce) > 0


def test_a_failed_team_leaves_its_place_to_others() -> None:
    """Many teams that cannot be whole, one free chair: the single order behind them still gets it."""
    teams, persons = 200, 30
    instance = Instance(
        [persons * order for order in range(teams + 2)],
        list(range(persons)) * (teams + 1),
        [2] * teams + [1],
        [0] * (persons - 1) + [1],
        [0] * teams + [1],
    )
    seats = _core.draw(*instance.arrays(), bytes(32)).tolist()
    assert seats == [-1] * (2 * teams) + [persons - 1]
