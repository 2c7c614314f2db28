"""Small instances whose assignments can all be listed: the law of the draw, by counting."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from assign import _core
from assign.selftest.golden import Instance

__all__ = ["arrays_of", "count_draws", "list_assignments", "uneven_cells"]

NOBODY = -1
Seats = tuple[int, ...]
_WIDTHS = {
    "indptr": np.int64,
    "indices": np.int32,
    "team_size": np.uint8,
    "capacity": np.int32,
    "tier": np.int32,
}


def arrays_of(instance: Instance) -> dict[str, npt.NDArray[np.generic]]:
    """The instance as the core takes it."""
    return {name: np.array(values, _WIDTHS[name]) for name, values in instance.items()}


def count_draws(instance: Instance, keys: Sequence[bytes]) -> Counter[Seats]:
    """How often each outcome is drawn, one draw a key."""
    arrays = arrays_of(instance)
    return Counter(tuple(_core.draw(**arrays, key=key).tolist()) for key in keys)  # type: ignore[arg-type]


def list_assignments(instance: Instance, seats: Seats) -> list[Seats]:
    """Every assignment with the served orders and the loads of `seats`, by seat, in ascending order."""
    room = Counter(person for person in seats if person != NOBODY)
    order_of = [order for order, size in enumerate(instance["team_size"]) for _ in range(size)]
    chosen = [NOBODY] * len(seats)

    def place(seat: int) -> Iterator[Seats]:
        if seat == len(seats):
            yield tuple(chosen)
            return
        if seats[seat] == NOBODY:
            yield from place(seat + 1)
            return
        order = order_of[seat]
        mate = chosen[seat - 1] if seat and order_of[seat - 1] == order else NOBODY
        for person in instance["indices"][instance["indptr"][order] : instance["indptr"][order + 1]]:
            if room[person] and person != mate:
                room[person] -= 1
                chosen[seat] = person
                yield from place(seat + 1)
                room[person] += 1
        chosen[seat] = NOBODY

    return list(place(0))


def uneven_cells(instance: Instance, drawn: Counter[Seats], *, expected: int) -> tuple[list[list[int]], list[Seats]]:
    """The counts of all assignments, for each served set with its loads that was drawn often enough.

    Returns also what was drawn and is no valid assignment at all.
    """
    groups: dict[tuple[Seats, Seats], Counter[Seats]] = defaultdict(Counter)
    for seats, count in drawn.items():
        served = tuple(int(person != NOBODY) for person in seats)
        groups[served, tuple(sorted(person for person in seats if person != NOBODY))][seats] = count
    counts: list[list[int]] = []
    invalid: list[Seats] = []
    for group in groups.values():
        valid = list_assignments(instance, next(iter(group)))
        invalid += [seats for seats in group if seats not in set(valid)]
        if len(valid) > 1 and sum(group.values()) >= expected * len(valid):
            counts.append([group[seats] for seats in valid])
    return counts, invalid
