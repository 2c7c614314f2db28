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

from collections import deque
from dataclasses import dataclass

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
    """The alternating search over one assignment, which it changes only to fill a left-over team's first seat."""

    def __init__(self, graph: Graph, seats: npt.NDArray[np.int32]) -> None:
        self._pools = [graph.indices[begin:end] for begin, end in zip(graph.indptr[:-1], graph.indptr[1:], strict=True)]
        self._team_size: list[int] = graph.team_size.tolist()
        self._room = graph.capacity.astype(np.int64)
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

    def certificate(self, row: int) -> Certificate:
        for _ in range(self._team_size[row]):
            reached_from, entered_by = self._reach(row)
            free = next((person for person in reached_from if self._room[person] > 0), None)
            if free is None:
                self._release(row)
                return Certificate(row=row, rows=tuple(sorted(entered_by)), persons=tuple(sorted(reached_from)))
            self._fill(row, free, reached_from, entered_by)
        raise AssignError("DRAW_NOT_MAXIMAL", "An order was left over although it could have been served.")

    def _reach(self, row: int) -> tuple[dict[int, int], dict[int, int]]:
        """Each person reached with the order he was reached from; each other order with the person it has.

        Ends early, incomplete, when a person with room is reached.
        """
        unreached = np.ones(len(self._room), np.bool_)
        reached_from: dict[int, int] = {}
        entered_by: dict[int, int] = {}
        queue = deque([row])
        while queue:
            order = queue.popleft()
            pool = self._pools[order]
            fresh = pool[unreached[pool]]
            fresh = fresh[~np.isin(fresh, self.teams[order])] if len(fresh) else fresh
            unreached[fresh] = False
            for person in fresh.tolist():
                reached_from[person] = order
                for other in self._orders_of[person]:
                    if other != row and other not in entered_by:
                        entered_by[other] = person
                        queue.append(other)
            if (self._room[fresh] > 0).any():
                break
        return reached_from, entered_by

    def _fill(self, row: int, free: int, reached_from: dict[int, int], entered_by: dict[int, int]) -> None:
        """Give `row` one seat more along the path that ends at the person with room."""
        person, order = free, reached_from[free]
        self._room[free] -= 1
        while True:
            self.teams[order].append(person)
            self._orders_of[person].append(order)
            if order == row:
                return
            person = entered_by[order]
            self.teams[order].remove(person)
            self._orders_of[person].remove(order)
            order = reached_from[person]

    def _release(self, row: int) -> None:
        for person in self.teams[row]:
            self._orders_of[person].remove(row)
            self._room[person] += 1
        self.teams[row] = []
