"""The whole outcome of one wave from its inputs and its key: the function that draws and that replays."""

from __future__ import annotations

from assign.draw.constrained import eligible_positions, graph_of, seats_of
from assign.draw.hall import find_certificates
from assign.draw.inputs import WaveInputs
from assign.draw.transcript import LeftOver, Transcript
from assign.names import OrderId
from assign.person import Pseudonym

__all__ = ["replay_wave"]


def replay_wave(inputs: WaveInputs, key: bytes) -> Transcript:
    """The one outcome that `inputs` and the draw key (32 bytes, `assign.draw.keys.draw_key`) have.

    Raises:
        AssignError: the key or the inputs have a form that the draw refuses.
    """
    graph = graph_of(inputs)
    seats = seats_of(graph, key)
    teams: list[tuple[Pseudonym, ...]] = [()] * len(inputs.orders)
    position = 0
    for row, size in zip(graph.rows, graph.team_size.tolist(), strict=True):
        drawn = seats[position : position + size].tolist()
        position += size
        if drawn[0] >= 0:
            teams[row] = _persons(inputs, drawn)
    left_over = _too_small(inputs, graph.rows)
    # A crowded wave leaves many orders over by one competition: name it once.
    named: dict[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[OrderId, ...], tuple[Pseudonym, ...]]] = {}
    for certificate in find_certificates(graph, seats):
        found = (certificate.rows, certificate.persons)
        if found not in named:
            competing = tuple(inputs.orders[graph.rows[other]].order for other in certificate.rows)
            named[found] = (competing, _persons(inputs, certificate.persons))
        row = graph.rows[certificate.row]
        left_over[row] = LeftOver(order=inputs.orders[row].order, competing=named[found][0], persons=named[found][1])
    return Transcript(
        origin=inputs.origin,
        wave=inputs.wave,
        orders=tuple(order.order for order in inputs.orders),
        teams=tuple(teams),
        left_over=tuple(left_over[row] for row in sorted(left_over)),
    )


def _too_small(inputs: WaveInputs, rows: tuple[int, ...]) -> dict[int, LeftOver]:
    """The orders that are not in the graph: each has fewer eligible persons than its team, all listed."""
    in_graph = frozenset(rows)
    return {
        row: LeftOver(
            order=order.order,
            competing=(),
            persons=_persons(inputs, eligible_positions(inputs.verdicts[row]).tolist()),
        )
        for row, order in enumerate(inputs.orders)
        if row not in in_graph
    }


def _persons(inputs: WaveInputs, positions: list[int] | tuple[int, ...]) -> tuple[Pseudonym, ...]:
    return tuple(inputs.persons[position].candidate.person for position in positions)
