"""Why an order is left over: a Hall certificate, "these orders compete for these persons".

Think of the draw as a flow: every served order sends its team's seats to persons, an order to a person
at most one, a person takes at most his capacity. From an order that is left over, go to every eligible
person it does not have, from a person to every order that has him, and so on. What is reached is closed:
every person in it is full, so that the left-over order and the orders reached need more seats than

    sum of the capacities of the persons  +  their eligible pairs with nobody in the set

A team of two of which only one seat could be filled is searched with that seat filled. The set is the
smallest minimum cut, which is unique (Picard and Queyranne 1980): it depends on who is served alone, not
on which of the valid assignments was drawn, so it tells nobody who opens what.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_

import numpy as np
import numpy.typing as npt

from assign.draw.constrained import Graph
from assign.errors import AssignError

__all__ = ["Certificate", "find_certificates"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """The closed set of one left-over order, as ascending positions.

    Attributes:
        row: the left-over order, a position in `Graph.team_size`.
        rows: the served orders reached from it.
        persons: the persons reached, positions in `Graph.capacity`; all of them are full.
    """

    row: int
    rows: tuple[int, ...]
    persons: tuple[int, ...]


def find_certificates(graph: Graph, seats: npt.NDArray[np.int32]) -> list[Certificate]:
    """One certificate for each order of `graph` that `seats` leaves over, ascending.

    Args:
        seats: int32[sum(team_size)] as `assign.draw.constrained.seats_of` gives it.

    Raises:
        AssignError: DRAW_NOT_MAXIMAL, an order could have been added: not an outcome of the draw's law.
    """
    search = _Search(graph, seats)
    return [search.certificate(row) for row in range(len(graph.rows)) if not search.teams[row]]


class _Search:
    """The alternating search over one assignment, which it changes only to fill a left-over team's first seat.

    Sets of persons are integers with a bit for each: a step of the search is then one union, however large
    the pools are, and a crowded wave of a thousand orders takes milliseconds.
    """

    def __init__(self, graph: Graph, seats: npt.NDArray[np.int32]) -> None:
        self._pools = [
            _bits(graph.indices[begin:end], len(graph.capacity))
            for begin, end in zip(graph.indptr[:-1], graph.indptr[1:], strict=True)
        ]
        self._team_size: list[int] = graph.team_size.tolist()
        self._room: list[int] = graph.capacity.tolist()
        self._competitions: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        self.teams: list[list[int]] = []
        self._orders_of: list[list[int]] = [[] for _ in graph.capacity]
        position = 0
        for row, size in enumerate(self._team_size):
            team = [person for person in seats[position : position + size].tolist() if person >= 0]
            position += size
            self.teams.append(team)
            for person in team:
                self._orders_of[person].append(row)
                self._room[person] -= 1
        self._leads_to = [self._reach_of(person) for person in range(len(self._room))]
        self._with_room = _union(1 << person for person, room in enumerate(self._room) if room > 0)

    def certificate(self, row: int) -> Certificate:
        for _ in range(self._team_size[row]):
            reached, parent = self._search(row)
            free = reached & self._with_room
            if not free:
                self._release(row)
                rows, persons = self._competition(reached)
                return Certificate(row=row, rows=rows, persons=persons)
            self._fill(row, _lowest(free), parent)
        raise AssignError("DRAW_NOT_MAXIMAL", "An order was left over although it could have been served.")

    def _search(self, row: int) -> tuple[int, dict[int, int | None]]:
        """Persons reached from `row`, and for each the person before him on the way; None: the order itself."""
        reached = new = self._pools[row] & ~_union(1 << person for person in self.teams[row])
        parent: dict[int, int | None] = dict.fromkeys(_persons(new))
        while new:
            person = _lowest(new)
            new &= new - 1
            fresh = self._leads_to[person] & ~reached
            if fresh:
                reached |= fresh
                new |= fresh
                parent.update(dict.fromkeys(_persons(fresh), person))
        return reached, parent

    def _competition(self, reached: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The served orders that have the persons reached, and those persons; often the same for many orders."""
        if reached not in self._competitions:
            persons = tuple(_persons(reached))
            rows = tuple(sorted({row for person in persons for row in self._orders_of[person]}))
            self._competitions[reached] = (rows, persons)
        return self._competitions[reached]

    def _reach_of(self, person: int) -> int:
        """Whom the orders that have `person` could have instead."""
        return _union(
            self._pools[row] & ~_union(1 << mate for mate in self.teams[row]) for row in self._orders_of[person]
        )

    def _fill(self, row: int, free: int, parent: dict[int, int | None]) -> None:
        """Give `row` one seat more along the path that ends at `free`, who has room."""
        moves: list[tuple[int, int, int | None]] = []
        person = free
        while (before := parent[person]) is not None:
            taker = next(
                order
                for order in self._orders_of[before]
                if self._pools[order] >> person & 1 and person not in self.teams[order]
            )
            moves.append((taker, person, before))
            person = before
        moves.append((row, person, None))
        for taker, gained, given_up in moves:
            self._move(taker, gained, given_up)
        self._room[free] -= 1
        self._refresh({taker for taker, _, _ in moves} | {row}, free)

    def _move(self, row: int, gained: int, given_up: int | None) -> None:
        if given_up is not None:
            self.teams[row].remove(given_up)
            self._orders_of[given_up].remove(row)
        self.teams[row].append(gained)
        self._orders_of[gained].append(row)

    def _release(self, row: int) -> None:
        for person in self.teams[row]:
            self._orders_of[person].remove(row)
            self._room[person] += 1
        released, self.teams[row] = self.teams[row], []
        for person in released:
            self._refresh(set(), person)

    def _refresh(self, rows: set[int], changed: int) -> None:
        """Bring up to date what depends on the teams of `rows` and on the room of the person `changed`."""
        self._competitions.clear()
        for person in {changed} | {mate for row in rows for mate in self.teams[row]}:
            self._leads_to[person] = self._reach_of(person)
        mask = 1 << changed
        self._with_room = self._with_room | mask if self._room[changed] > 0 else self._with_room & ~mask


def _bits(positions: npt.NDArray[np.int32], size: int) -> int:
    flags = np.zeros(size, np.bool_)
    flags[positions] = True
    return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")


def _union(masks: Iterable[int]) -> int:
    return reduce(or_, masks, 0)


def _lowest(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _persons(mask: int) -> list[int]:
    """Positions of the bits in `mask`, ascending."""
    data = np.frombuffer(mask.to_bytes(mask.bit_length() // 8 + 1, "little"), np.uint8)
    positions: list[int] = np.flatnonzero(np.unpackbits(data, bitorder="little")).tolist()
    return positions
