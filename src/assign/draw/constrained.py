"""From the inputs of a wave and its key to the wave's one outcome."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from assign import _core
from assign.draw.inputs import WaveInputs

__all__ = ["ALGORITHM", "Graph", "graph_of", "seats_of"]

ALGORITHM = "frozen-chair-walk/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """The eligibility graph in compressed sparse rows: n orders, m persons, nnz eligible pairs.

    Attributes:
        rows: which orders of the inputs these are, ascending; an order whose pool is smaller than its
            team cannot be served by anyone and is not in the graph.
        indptr: int64[n+1]; order i may be served by `indices[indptr[i]:indptr[i+1]]`.
        indices: int32[nnz], ascending within an order; positions in the inputs' persons.
        team_size: uint8[n], 1 or 2. capacity: int32[m]. tier: int32[n], 0 first.
    """

    rows: tuple[int, ...]
    indptr: npt.NDArray[np.int64]
    indices: npt.NDArray[np.int32]
    team_size: npt.NDArray[np.uint8]
    capacity: npt.NDArray[np.int32]
    tier: npt.NDArray[np.int32]


def eligible_positions(verdicts: str) -> npt.NDArray[np.int32]:
    """int32 positions of the eligible persons in a row of verdicts, ascending."""
    return np.flatnonzero(np.frombuffer(verdicts.encode(), np.uint8) == ord("+")).astype(np.int32)


def graph_of(inputs: WaveInputs) -> Graph:
    """The graph that the verdicts span."""
    pools = [eligible_positions(verdicts) for verdicts in inputs.verdicts]
    rows = [
        row for row, (order, pool) in enumerate(zip(inputs.orders, pools, strict=True)) if len(pool) >= order.team_size
    ]
    indptr = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(pools[row]) for row in rows], out=indptr[1:])
    return Graph(
        rows=tuple(rows),
        indptr=indptr,
        indices=np.concatenate([pools[row] for row in rows]) if rows else np.zeros(0, np.int32),
        team_size=np.array([inputs.orders[row].team_size for row in rows], np.uint8),
        capacity=np.array([person.capacity for person in inputs.persons], np.int32),
        tier=np.array([inputs.orders[row].tier for row in rows], np.int32),
    )


def seats_of(graph: Graph, key: bytes) -> npt.NDArray[np.int32]:
    """int32[sum(team_size)]: the position of each seat's person, -1 where the order is left over."""
    seats: npt.NDArray[np.int32] = _core.draw(
        graph.indptr, graph.indices, graph.team_size, graph.capacity, graph.tier, key
    )
    return seats
