"""One walk's exact transition matrix on tiny instances: symmetric, hence uniform; and it reaches everything.

The matrix is computed from the walk's rules alone, by linear algebra over all states with one seat in
hand. What the compiled core does is tied to it by the expected length of a walk.
"""

from __future__ import annotations

from collections import defaultdict
from random import Random
from typing import NamedTuple

import numpy as np
import pytest
from core_instances import (
    Assignment,
    Instance,
    assignments,
    enumerable_instance,
    is_served,
    loads_of,
    make_instance,
)
from numpy.typing import NDArray

from assign import _core

Matrix = NDArray[np.float64]
MOST_STATES = 60
LEAST_STEPS = 2048  # what a draw walks at least


class Lifted(NamedTuple):
    """A state inside a walk: `seat` is in hand (-1 in `persons`), the empty chair is at `home`."""

    persons: Assignment
    seat: int
    home: int


def put(persons: Assignment, seat: int, person: int) -> Assignment:
    """`persons` with `seat` at `person`."""
    return (*persons[:seat], person, *persons[seat + 1 :])


def steps_from(here: Lifted, instance: Instance, loads: tuple[int, ...]) -> dict[Lifted | Assignment, float]:
    """One step by the rules: the next lifted state, or the assignment that ends the walk, with its chance."""
    order_of = [order for order, size in enumerate(instance.team_size) for _ in range(size)]
    order = order_of[here.seat]
    row = [person for person in instance.row(order) if loads[person] > 0]
    mates = {here.persons[seat] for seat in range(len(order_of)) if seat != here.seat and order_of[seat] == order}
    chances: dict[Lifted | Assignment, float] = defaultdict(float)
    for person in row:
        if person in mates:
            chances[here] += 1 / len(row)
        elif person == here.home:
            chances[put(here.persons, here.seat, person)] += 1 / len(row)
        else:
            seated = put(here.persons, here.seat, person)
            for other, there in enumerate(here.persons):
                if there == person:
                    chances[Lifted(put(seated, other, -1), other, here.home)] += 1 / len(row) / loads[person]
    return chances


def walk_kernel(instance: Instance, states: list[Assignment]) -> tuple[Matrix, float]:
    """The transition matrix of one walk over `states`, and the mean number of steps of a walk."""
    loads = loads_of(instance, states[0])
    seated = [seat for seat, person in enumerate(states[0]) if person >= 0]
    number = {state: place for place, state in enumerate(states)}
    lifts = [(state, Lifted(put(state, seat, -1), seat, state[seat])) for state in states for seat in seated]
    places: dict[Lifted, int] = {}
    chances: dict[Lifted, dict[Lifted | Assignment, float]] = {}
    waiting = [lifted for _, lifted in lifts]
    while waiting:
        here = waiting.pop()
        if here not in places:
            places[here] = len(places)
            chances[here] = steps_from(here, instance, loads)
            waiting += [there for there in chances[here] if isinstance(there, Lifted)]
    lift, move = np.zeros((len(states), len(places))), np.zeros((len(places), len(places)))
    end = np.zeros((len(places), len(states)))
    for state, lifted in lifts:
        lift[number[state], places[lifted]] += 1 / len(seated)
    for here, place in places.items():
        for there, chance in chances[here].items():
            if isinstance(there, Lifted):
                move[place, places[there]] += chance
            else:
                end[place, number[there]] += chance
    stay = np.eye(len(places)) - move
    mean_steps = float((lift @ np.linalg.solve(stay, np.ones(len(places)))).mean())
    return lift @ np.linalg.solve(stay, end), mean_steps


def coin_kernel(instance: Instance, states: list[Assignment]) -> Matrix:
    """The final coin tosses: each served team's two persons in either order."""
    number = {state: place for place, state in enumerate(states)}
    kernel = np.eye(len(states))
    for order, seat in enumerate(instance.first_seats()):
        if instance.team_size[order] == 2:
            swap = np.zeros_like(kernel)
            for state, place in number.items():
                swap[place, number[put(put(state, seat, state[seat + 1]), seat + 1, state[seat])]] = 1
            kernel = kernel @ (np.eye(len(states)) + swap) / 2
    return kernel


def state_spaces(seed: int) -> tuple[Instance, list[list[Assignment]]]:
    """A random tiny instance and, for each load vector, all assignments with it."""
    random = Random(seed)
    while True:
        instance = enumerable_instance(random)
        seats = _core.draw(*instance.arrays(), bytes(32)).tolist()
        spaces = [
            states
            for states in assignments(instance, is_served(instance, seats)).values()
            if 1 < len(states) <= MOST_STATES and -1 * len(states[0]) != sum(states[0])
        ]
        if spaces:
            return instance, spaces[:6]


@pytest.mark.parametrize("seed", range(40))
def test_walks_are_reversible_uniform_and_reach_everything(seed: int) -> None:
    """Tight and spare, teams of two, unequal capacities, orders left over."""
    instance, spaces = state_spaces(seed)
    for states in spaces:
        kernel, mean_steps = walk_kernel(instance, states)
        assert np.allclose(kernel.sum(axis=1), 1)
        assert np.allclose(kernel, kernel.T)
        coin = coin_kernel(instance, states)
        whole = coin @ kernel @ coin
        size_of_second = np.sort(np.abs(np.linalg.eigvalsh((whole + whole.T) / 2)))[-2]
        assert size_of_second < 1 - 1e-6  # one class, no period: the powers tend to the uniform law
        assert size_of_second ** (LEAST_STEPS / mean_steps) < 1e-12


def test_walks_alone_do_not_order_a_team() -> None:
    """Why the coin: one team of two over two persons never changes seats by walking."""
    instance = make_instance([[0, 1]], [2], [1, 1], [0])
    states: list[Assignment] = [(0, 1), (1, 0)]
    kernel, _ = walk_kernel(instance, states)
    assert np.allclose(kernel, np.eye(2))
    assert np.allclose(kernel @ coin_kernel(instance, states), 0.5)


@pytest.mark.parametrize("seed", range(8))
def test_walks_of_the_core_have_the_exact_mean_length(seed: int) -> None:
    """Loads forced by a tight instance: the core's steps a walk are those of the matrix (4.5 deviations)."""
    random = Random(seed)
    while True:
        instance, _ = state_spaces(random.randrange(10**6))
        seats = _core.draw(*instance.arrays(), bytes(32)).tolist()
        states = assignments(instance, is_served(instance, seats)).get(tuple(instance.capacity), [])
        if sum(instance.capacity) == sum(instance.team_size) and 1 < len(states) <= MOST_STATES:
            break
    _, mean_steps = walk_kernel(instance, states)
    draws = [
        _core.draw_detailed(*instance.arrays(), bytes([seed, *number.to_bytes(31, "big")])) for number in range(300)
    ]
    excess = np.array([drawn.steps - mean_steps * drawn.walks for drawn in draws])
    assert all(drawn.undone == 0 for drawn in draws)
    assert abs(excess.mean()) < 4.5 * excess.std() / np.sqrt(len(excess)) + 1e-9
