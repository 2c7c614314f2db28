"""Random instances of the draw and their enumeration: what the core's tests have in common."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import permutations
from random import Random
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assign import _core

Assignment = tuple[int, ...]

STEPS_A_SEAT = 8  # the algorithm's own


class Instance(NamedTuple):
    """The draw's arguments but for the key, as plain lists."""

    indptr: list[int]
    indices: list[int]
    team_size: list[int]
    capacity: list[int]
    tier: list[int]

    def row(self, order: int) -> list[int]:
        """The order's eligible persons."""
        return self.indices[self.indptr[order] : self.indptr[order + 1]]

    def first_seats(self) -> list[int]:
        """The first seat of each order."""
        return [sum(self.team_size[:order]) for order in range(len(self.team_size))]

    def arrays(
        self,
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]]:
        """The same as the arrays that the core takes."""
        return (
            np.array(self.indptr, np.int64),
            np.array(self.indices, np.int32),
            np.array(self.team_size, np.uint8),
            np.array(self.capacity, np.int32),
            np.array(self.tier, np.int32),
        )


def make_instance(
    rows: Sequence[Sequence[int]], team_size: list[int], capacity: list[int], tier: list[int]
) -> Instance:
    """An instance of these lists of eligible persons."""
    indptr = [0]
    for row in rows:
        indptr.append(indptr[-1] + len(row))
    return Instance(indptr, [person for row in rows for person in row], team_size, capacity, tier)


def random_instance(random: Random, most_orders: int, most_persons: int) -> Instance:
    """Anything valid: empty pools, idle persons, teams, several tiers, too much work or too little."""
    persons = random.randint(0, most_persons)
    rows = [random.sample(range(persons), random.randint(0, persons)) for _ in range(random.randint(0, most_orders))]
    team_size = [random.randint(1, 2) if len(row) > 1 else 1 for row in rows]
    most = random.randint(1, 4)
    capacity = [random.randint(0, most) for _ in range(persons)]
    last_tier = random.choice((0, 1, 2, 300))
    return make_instance(rows, team_size, capacity, [random.randint(0, last_tier) for _ in rows])


def enumerable_instance(random: Random) -> Instance:
    """Small enough to list every assignment: tight, with spare chairs, or with orders left over."""
    persons = random.randint(2, 5)
    rows = [random.sample(range(persons), random.randint(1, persons)) for _ in range(random.randint(2, 6))]
    team_size = [random.randint(1, 2) if len(row) > 1 else 1 for row in rows]
    seats = sum(team_size)
    chairs = random.choice((seats, seats + random.randint(1, 4), max(1, seats - random.randint(1, 2))))
    capacity = [0] * persons
    for _ in range(chairs):
        capacity[random.randrange(persons)] += 1
    return make_instance(rows, team_size, capacity, [random.randint(0, 1) for _ in rows])


def is_served(instance: Instance, seats: Sequence[int]) -> tuple[bool, ...]:
    """Which orders have persons in this outcome."""
    return tuple(seats[first] >= 0 for first in instance.first_seats())


def loads_of(instance: Instance, seats: Sequence[int]) -> tuple[int, ...]:
    """How many seats each person has in this outcome."""
    loads = [0] * len(instance.capacity)
    for person in seats:
        if person >= 0:
            loads[person] += 1
    return tuple(loads)


def assignments(instance: Instance, served: Sequence[bool]) -> dict[tuple[int, ...], list[Assignment]]:
    """Every assignment that serves exactly these orders, by the loads it gives, within the capacities."""
    found: dict[tuple[int, ...], list[Assignment]] = defaultdict(list)
    for seats in _completions(instance, served, [], [0] * len(instance.capacity)):
        found[loads_of(instance, seats)].append(seats)
    return found


def _completions(
    instance: Instance, served: Sequence[bool], seats: list[int], loads: list[int]
) -> Iterator[Assignment]:
    first_seats = instance.first_seats()
    if len(seats) == sum(instance.team_size):
        yield tuple(seats)
        return
    order = first_seats.index(len(seats))
    size = instance.team_size[order]
    choices = permutations(instance.row(order), size) if served[order] else [(-1,) * size]
    for persons in choices:
        if all(person < 0 or loads[person] < instance.capacity[person] for person in persons):
            for person in persons:
                loads[person] += person >= 0
            yield from _completions(instance, served, seats + list(persons), loads)
            for person in persons:
                loads[person] -= person >= 0


def draw_often(instance: Instance, draws: int, seed: int, steps_a_seat: int = STEPS_A_SEAT) -> dict[Assignment, int]:
    """How often each outcome came in `draws` draws under different keys."""
    arrays = instance.arrays()
    counts: dict[Assignment, int] = defaultdict(int)
    for number in range(draws):
        key = seed.to_bytes(16, "little") + number.to_bytes(16, "little")
        counts[tuple(_core.draw_detailed(*arrays, key, steps_a_seat=steps_a_seat).seats.tolist())] += 1
    return counts
