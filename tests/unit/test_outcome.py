"""The outcome of a wave: teams, those left over and why, reserve orders, substitutes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from wave_examples import WAVE, name, order_id, wave_of_table

from assign.draw.constrained import graph_of, seats_of
from assign.draw.hall import find_certificates
from assign.draw.inputs import WaveInputs
from assign.draw.outcome import replay_wave
from assign.draw.replacement import choose_substitute
from assign.draw.reserves import reserve_order
from assign.draw.transcript import LeftOver
from assign.encoding import parse_canonical_json, sha256
from assign.errors import AssignError

KEYS = [sha256(bytes([number])) for number in range(40)]


def test_everybody_is_served_where_there_is_room() -> None:
    """Each seat has a different person who is eligible, and nobody is over his capacity."""
    inputs = wave_of_table([{0, 1, 2}, {0, 1}, {2, 3}], team_sizes=[2, 1, 1], capacities=[1, 1, 1, 1])
    for key in KEYS:
        outcome = replay_wave(inputs, key)
        assert [len(team) for team in outcome.teams] == [2, 1, 1]
        assert len({person for _, person in outcome.seats()}) == 4
        assert outcome.left_over == ()


def test_outcome_is_the_same_every_time() -> None:
    """One key, one transcript, byte for byte; another key, another."""
    inputs = wave_of_table([set(range(9))] * 5, team_sizes=[1] * 5, capacities=[1] * 9)
    transcripts = {replay_wave(inputs, key).to_bytes() for key in KEYS}
    assert len(transcripts) > 30
    assert {replay_wave(inputs, key).to_bytes() for key in KEYS} == transcripts


def test_order_whose_pool_is_too_small() -> None:
    """Its certificate is itself and its pool."""
    inputs = wave_of_table([{0, 1}, {1}, set()], team_sizes=[1, 2, 1], capacities=[1, 1])
    outcome = replay_wave(inputs, KEYS[0])
    assert outcome.left_over == (
        LeftOver(order=order_id(1), competing=(), persons=(name(1),)),
        LeftOver(order=order_id(2), competing=(), persons=()),
    )
    assert outcome.teams[1:] == ((), ())


def test_wave_without_orders_and_wave_without_persons() -> None:
    """Both have an outcome."""
    assert replay_wave(wave_of_table([], team_sizes=[], capacities=[1]), KEYS[0]).teams == ()
    assert replay_wave(wave_of_table([set()], team_sizes=[1], capacities=[]), KEYS[0]).teams == ((),)


def test_competition_is_a_closed_set() -> None:
    """Three orders want two persons; a fourth has its own and does not compete."""
    inputs = wave_of_table([{0, 1}, {0, 1}, {0, 1}, {2}], team_sizes=[1] * 4, capacities=[1, 1, 1])
    for key in KEYS:
        (left,) = replay_wave(inputs, key).left_over
        assert left.persons == (name(0), name(1))
        assert {left.order, *left.competing} == {order_id(0), order_id(1), order_id(2)}


def test_competition_of_a_team_of_two() -> None:
    """One of two can be found: the free one is not part of the competition, the full one is."""
    inputs = wave_of_table([{0, 1}, {1}], team_sizes=[2, 1], capacities=[1, 1], tiers=[1, 0])
    for key in KEYS:
        (left,) = replay_wave(inputs, key).left_over
        assert left == LeftOver(order=order_id(0), competing=(order_id(1),), persons=(name(1),))


def test_certificate_fills_one_seat_along_a_path() -> None:
    """Freeing a person for the first seat takes a detour over another order."""
    pools = [{0, 1}, {0, 2}, {1}]
    inputs = wave_of_table(pools, team_sizes=[2, 1, 1], capacities=[1, 1, 1], tiers=[1, 0, 0])
    for key in KEYS:
        (left,) = replay_wave(inputs, key).left_over
        assert (left.order, left.persons) == (order_id(0), (name(1),))
        assert left.competing == (order_id(2),)


def test_certificate_says_nothing_about_who_got_what() -> None:
    """It depends on who is served alone: the same for every assignment of the same orders."""
    pools = [{0, 1, 2}] * 4 + [{2, 3}]
    inputs = wave_of_table(pools, team_sizes=[1] * 5, capacities=[1] * 4)
    by_served: dict[frozenset[str], set[str]] = {}
    assignments = set()
    for key in KEYS:
        outcome = replay_wave(inputs, key)
        served = frozenset(order for order, _ in outcome.seats())
        by_served.setdefault(served, set()).add(json.dumps(str(outcome.left_over)))
        assignments.add(outcome.teams)
    assert len(assignments) > 5
    assert all(len(certificates) == 1 for certificates in by_served.values())


def test_orders_of_one_competition_share_one_item() -> None:
    """Otherwise a crowded wave would repeat it for each of them."""
    inputs = wave_of_table([{0}] * 6, team_sizes=[1] * 6, capacities=[1])
    value = parse_canonical_json(replay_wave(inputs, KEYS[0]).to_bytes())
    (item,) = value["left_over"]
    assert len(item["left_over"]) == 5
    assert len(item["competing"]) == 1
    assert item["persons"] == [name(0)]
    assert sorted(item["left_over"] + item["competing"]) == value["orders"]


def test_assignment_that_is_not_maximal_has_no_certificate() -> None:
    """An order that could have been served was not left over by the draw's law."""
    inputs = wave_of_table([{0}, {0, 1}], team_sizes=[1, 1], capacities=[1, 1])
    graph = graph_of(inputs)
    with pytest.raises(AssignError, match="DRAW_NOT_MAXIMAL"):
        find_certificates(graph, np.array([0, -1], np.int32))
    with pytest.raises(AssignError, match="DRAW_NOT_MAXIMAL"):
        find_certificates(graph, np.array([-1, 0], np.int32))
    assert find_certificates(graph, seats_of(graph, KEYS[0])) == []


def test_transcript_by_hand() -> None:
    """The bytes that the page describes."""
    inputs = wave_of_table([{0}, {0}], team_sizes=[1, 1], capacities=[1], tiers=[0, 1])
    expected = {
        "format": "transcript/v1",
        "left_over": [{"competing": ["o-000"], "left_over": ["o-001"], "persons": [name(0)]}],
        "orders": ["o-000", "o-001"],
        "origin": inputs.origin,
        "teams": [[name(0)], []],
        "wave": WAVE,
    }
    assert parse_canonical_json(replay_wave(inputs, KEYS[0]).to_bytes()) == expected


def _reserves(inputs: WaveInputs, key: bytes) -> list[str]:
    return [*reserve_order(inputs, key, order_id(0))]


def test_reserve_order_is_a_keyed_permutation_of_the_eligible() -> None:
    """Everybody eligible, once; nobody else; another key, another order."""
    inputs = wave_of_table([{0, 2, 3, 5}, {1}], team_sizes=[1, 1], capacities=[1] * 6)
    orders = {tuple(_reserves(inputs, key)) for key in KEYS}
    assert all(sorted(found) == [name(number) for number in (0, 2, 3, 5)] for found in orders)
    assert len(orders) > 10
    assert reserve_order(inputs, KEYS[0], order_id(1)) == [name(1)]
    with pytest.raises(ValueError, match="not in list"):
        reserve_order(inputs, KEYS[0], order_id(7))


def test_substitute_is_the_first_who_is_free() -> None:
    """Everybody before him is named, with the reason."""
    reserve = [name(3), name(1), name(2)]
    chosen = choose_substitute(reserve, unavailable={name(3): "ABSENT", name(2): "BUSY"})
    assert chosen == (name(1), ((name(3), "ABSENT"),))
    assert choose_substitute(reserve, unavailable={}) == (name(3), ())


def test_nobody_is_left() -> None:
    """Then everybody was passed over."""
    reserve = [name(3), name(1)]
    chosen = choose_substitute(reserve, unavailable=dict.fromkeys(reserve, "ABSENT"))
    assert chosen.substitute is None
    assert [person for person, _ in chosen.passed_over] == reserve
    assert choose_substitute([], unavailable={}) == (None, ())
