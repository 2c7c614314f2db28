"""The made-up day: its size, its law and its odd inputs."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from assign.errors import InvalidInput
from assign.names import TerminalCode
from server.demo.cargo import needs_of_chapter
from server.demo.declarations import parse_declarations, shipped_declarations
from server.demo.port_day import DayPlan, make_port_day
from server.terminals import TerminalRegister

# Order, terminal and container of the first slot of the default day.
VECTOR = ("13361663", "HPD2", "EXAU6308004")
HEADER = "Declaration ID,Mode of Transport,Declarant ID,Importer ID,HS6 Code,Fraud,Critical Fraud\n"


@pytest.fixture(scope="module")
def day():
    return make_port_day(shipped_declarations(), DayPlan())


def test_full_day_has_the_promised_size(day):
    assert len(day.orders) == len(day.slots) >= 400
    assert len(day.selectors) == 40
    assert len(day.persons) >= 150
    assert len(day.shifts) == len(day.rosters) == 3
    assert len({order.terminal for order in day.orders}) >= 5
    assert len(day.sick_calls) == 3


def test_full_day_has_teams_qualifications_and_tiers(day):
    assert sum(order.team_size == 2 for order in day.orders) >= 20
    needs = Counter(need for order in day.orders for need in order.qualifications)
    assert needs["reefer"] >= 5
    assert needs["dangerous-goods"] >= 5
    assert {order.tier for order in day.orders} == {0, 1, 2}


def test_some_people_serve_two_terminals_and_some_are_not_cleared_or_recused(day):
    entries = [entry for roster in day.rosters.values() for entry in roster]
    assert 30 <= sum(len(entry.terminals) == 2 for entry in entries) <= 80
    assert 4 <= sum(not day.is_cleared(person.person) for person in day.persons) <= 10
    assert 4 <= sum(bool(person.recused_parties) for person in day.persons) <= 30


def test_terminals_are_real(day):
    register = TerminalRegister.shipped()
    for order in day.orders:
        register.check(day.plan.port, order.terminal, on=day.plan.day)


def test_same_seed_same_day_and_another_seed_another_day(day):
    assert make_port_day(shipped_declarations(), DayPlan()) == day
    other = make_port_day(shipped_declarations(), DayPlan(seed=1))
    assert [order.container for order in other.orders] != [order.container for order in day.orders]
    assert other.slots != day.slots


def test_frozen_vector_of_the_default_day(day):
    """A change of these values changes everybody's demonstration: make it on purpose."""
    first = day.slots[0]
    assert (first.order, first.terminal, day.order(first.order).container) == VECTOR


def test_shifts_are_local_times_in_utc(day):
    assert day.shifts[0].start == datetime(2026, 11, 24, 5, tzinfo=UTC)
    assert day.shifts[2].end == datetime(2026, 11, 25, 5, tzinfo=UTC)


@pytest.mark.parametrize(("night", "hours"), [(date(2026, 3, 28), 7), (date(2026, 10, 24), 9)])
def test_night_of_a_clock_change_is_shorter_or_longer(night, hours):
    last = DayPlan(day=night).shifts()[-1]
    assert (last.end - last.start).total_seconds() == hours * 3600


def test_small_file_is_used_whole_and_said_so():
    source = parse_declarations((HEADER + "1,10,D,I,071080,0,0\n2,10,,,,,\n").encode(), name="small.csv")
    day = make_port_day(source, DayPlan())
    assert {order.order for order in day.orders} == {"1", "2"}
    assert any("fewer sea rows" in note for note in day.notes)


def test_one_party_and_one_kind_of_goods_still_make_a_day():
    """A file of dangerous goods of one importer: hard to staff, but a day."""
    rows = "".join(f"{number},10,SAME,SAME,293329,1,2\n" for number in range(600))
    day = make_port_day(parse_declarations((HEADER + rows).encode(), name="hard.csv"), DayPlan())
    assert len(day.slots) == 450
    assert all(order.team_size == 2 and order.qualifications == {"dangerous-goods"} for order in day.orders)
    entries = [entry for roster in day.rosters.values() for entry in roster]
    assert all("dangerous-goods" in entry.qualifications for entry in entries)


def test_sick_people_are_cleared_on_duty_and_different(day):
    on_duty = {(shift, entry.person) for shift, roster in day.rosters.items() for entry in roster}
    cleared = {person.person for person in day.persons if day.is_cleared(person.person)}
    assert len({call.person for call in day.sick_calls}) == len(day.sick_calls)
    assert all((call.shift, call.person) in on_duty and call.person in cleared for call in day.sick_calls)


@pytest.mark.parametrize(
    "change",
    [
        {"shift_count": 0},
        {"shift_count": 4},
        {"order_count": 0},
        {"selector_count": 0},
        {"inspector_count": 35},
        {"terminals": ()},
    ],
)
def test_impossible_plan_is_refused(change):
    with pytest.raises(InvalidInput):
        replace(DayPlan(), **change)


@pytest.mark.parametrize(
    ("chapter", "need"),
    [("01", ""), ("02", "reefer"), ("08", "reefer"), ("09", ""), ("16", "reefer"), ("21", "reefer"), ("22", ""),
     ("28", "dangerous-goods"), ("29", "dangerous-goods"), ("36", "dangerous-goods"), ("38", "dangerous-goods"),
     ("85", ""), ("", "")],
)  # fmt: skip
def test_needs_of_chapter(chapter, need):
    assert needs_of_chapter(chapter) == need


def test_other_terminals_can_be_planned():
    plan = DayPlan(
        terminals=(TerminalCode("RWG"), TerminalCode("KRM")), shift_count=1, inspector_count=12, order_count=9
    )
    day = make_port_day(shipped_declarations(), plan)
    assert {order.terminal for order in day.orders} == {"RWG", "KRM"}
