"""The demonstration's own checks: each turns a lie of the server into a broken promise."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from assign.names import OrderId, PersonId
from assign.v1 import resources_pb2
from server.demo.declarations import shipped_declarations
from server.demo.messages import Messages
from server.demo.port_day import DEFAULT_TERMINALS, DayPlan, make_port_day
from server.demo.promises import BrokenPromise, Promises
from server.demo.stage import Sighting, Stage
from server.demo.waves import WaveAt, check_teams

DAY = make_port_day(
    shipped_declarations(), DayPlan(terminals=DEFAULT_TERMINALS[:2], shift_count=1, order_count=20, inspector_count=20)
)
NOBODY = cast(Any, None)


def make_stage() -> Stage:
    """A stage without processes or connections."""
    return Stage(
        day=DAY,
        clock=NOBODY,
        clients=NOBODY,
        processes=NOBODY,
        promises=Promises(),
        screens=NOBODY,
        messages=Messages(DAY.plan.port, 1),
        party_urls={},
        log_key="",
        orders={order.order: order for order in DAY.orders},
        slots=[*DAY.slots],
    )


@pytest.fixture
def honest() -> tuple[Stage, WaveAt, list[PersonId]]:
    """A wave with a team of two, as an honest server reveals it."""
    stage = make_stage()
    slot = next(slot for slot in stage.slots if stage.orders[slot.order].team_size == 2)
    stage.slots = [slot]
    wave = WaveAt("wave", DAY.shifts[0], slot.start)
    order = stage.orders[slot.order]
    people = [PersonId("i-1"), PersonId("i-2"), PersonId("i-3")]
    for person, mate in zip(people[:2], reversed(people[:2]), strict=True):
        one = Sighting(order.order, order.container, order.terminal, slot.start, slot.minutes, (mate,))
        stage.journal.answers["wave", person] = (one,)
    stage.journal.answers["wave", people[2]] = ()
    stage.journal.waves["wave"] = resources_pb2.Wave(left_over_count=0)
    return stage, wave, people


def test_honest_wave_keeps_every_promise(honest):
    stage, wave, people = honest
    check_teams(stage, wave, people)
    assert sum(stage.promises.kept.values()) >= 5


@pytest.mark.parametrize(
    "lie",
    [
        "half a team",
        "three in a team",
        "another container",
        "an order from elsewhere",
        "wrong mate",
        "hidden left-over",
    ],
)
def test_lie_is_a_broken_promise(honest, lie):
    stage, wave, people = honest
    answers = stage.journal.answers
    first, second, third = (("wave", person) for person in people)
    (one,) = answers[first]
    if lie == "half a team":
        answers[second] = ()
    elif lie == "three in a team":
        answers[third] = (one,)
    elif lie == "another container":
        answers[first] = (replace(one, container="DEMU0000000"),)
    elif lie == "an order from elsewhere":
        answers[third] = (replace(one, order=OrderId("elsewhere")),)
    elif lie == "wrong mate":
        answers[first] = (replace(one, teammates=(people[2],)),)
    else:
        stage.journal.waves["wave"] = resources_pb2.Wave(left_over_count=1)
    with pytest.raises(BrokenPromise):
        check_teams(stage, wave, people)


def test_broken_promise_says_what_was_seen():
    promises = Promises()
    promises.keep("water is wet", True)
    promises.keep("water is wet", True)
    with pytest.raises(BrokenPromise, match=r"Broken promise: grass is green\. Seen: blue\."):
        promises.keep("grass is green", False, "blue")
    assert promises.kept == {"water is wet": 2}


def test_slots_of_a_wave_are_those_of_its_quarter():
    stage = make_stage()
    start = stage.slots[0].start
    assert all(start <= slot.start < start + timedelta(minutes=15) for slot in stage.slots_of_wave(start))
    assert stage.slots[0] in stage.slots_of_wave(start)
