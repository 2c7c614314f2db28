"""Whatever the seed and the size, the made-up day obeys the product's own rules."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from assign.container import has_ambiguous_check_digit, parse_container_number
from assign.errors import InvalidInput
from assign.names import check_id
from assign.order import check_qualification
from assign.roster import find_overlap
from server.demo.choices import Choices
from server.demo.declarations import DeclarationFile, parse_declarations, shipped_declarations
from server.demo.planner import BRIEFING, GRID
from server.demo.port_day import DEFAULT_TERMINALS, DayPlan, make_port_day

SOURCE = shipped_declarations()
HEADER = "Declaration ID,Mode of Transport,Declarant ID,Importer ID,HS6 Code,Fraud,Critical Fraud\n"


def attempt(content: bytes) -> tuple[DeclarationFile | None, InvalidInput | None]:
    """What becomes of a file: declarations, or the refusal."""
    try:
        return parse_declarations(content, name="any.csv"), None
    except InvalidInput as refusal:
        return None, refusal


plans = st.builds(
    DayPlan,
    seed=st.integers(-(2**70), 2**70),
    terminals=st.integers(1, 6).map(lambda count: DEFAULT_TERMINALS[:count]),
    shift_count=st.integers(1, 3),
    order_count=st.integers(1, 120),
    inspector_count=st.integers(36, 80),
    selector_count=st.integers(1, 40),
)


@settings(max_examples=40, deadline=None)
@given(plans)
def test_any_day_is_well_formed(plan):
    day = make_port_day(SOURCE, plan)
    containers = [order.container for order in day.orders]
    assert len(set(containers)) == len(containers) == plan.order_count
    for order in day.orders:
        assert parse_container_number(order.container) == order.container
        assert not has_ambiguous_check_digit(order.container)
        assert order.selected_by in day.selectors
        assert all(check_qualification(need) for need in order.qualifications)
    entries = [entry for roster in day.rosters.values() for entry in roster]
    assert len(entries) == len({entry.person for entry in entries}) == plan.inspector_count
    assert find_overlap(entries) is None
    assert [person.person for person in day.persons] == sorted(entry.person for entry in entries)


@settings(max_examples=40, deadline=None)
@given(plans)
def test_any_slot_is_on_the_grid_inside_one_shift_and_matches_its_order(plan):
    day = make_port_day(SOURCE, plan)
    assert sorted(slot.order for slot in day.slots) == sorted(order.order for order in day.orders)
    assert len({slot.slot for slot in day.slots}) == len(day.slots)
    for slot in day.slots:
        shift, order = day.shift_of(slot.start), day.order(slot.order)
        assert (slot.start - shift.start) % GRID == timedelta(0)
        assert shift.start + BRIEFING <= slot.start
        assert slot.end <= shift.end
        assert (slot.terminal, slot.minutes) == (order.terminal, order.minutes)
        assert check_id(slot.slot)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_are_declarations_or_a_named_refusal(data):
    for content in (data, HEADER.encode() + data):
        source, refusal = attempt(content)
        assert source or (refusal and refusal.field)
        if source:
            make_port_day(source, DayPlan(order_count=5, inspector_count=36))


cells = st.text(st.characters(codec="utf-8", exclude_characters='",;\t\r\n\x00'), max_size=12)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(cells, cells, cells, cells, st.sampled_from(["", "0", "1", "x"])), min_size=1, max_size=8))
def test_any_cells_make_valid_orders(rows):
    body = "".join(f"{a},10,{b},{c},{d},{fraud},0\n" for a, b, c, d, fraud in rows)
    source, refusal = attempt((HEADER + body).encode())
    assert source or (refusal and refusal.reason == "DECLARATIONS_NO_SEA")
    if source:
        day = make_port_day(source, DayPlan(inspector_count=36))
        assert len(day.orders) + sum(left.count for left in source.left_out) == len(rows)
        assert all(check_id(order.order) for order in day.orders)


@given(st.integers(), st.integers(1, 2**40))
def test_below_stays_below(seed, bound):
    choices = Choices(seed, "test")
    assert all(0 <= choices.below(bound) < bound for _ in range(8))


@given(st.integers(), st.lists(st.integers(), max_size=30), st.integers(0, 40))
def test_shuffle_and_sample_keep_what_they_got(seed, items, count):
    assert sorted(Choices(seed, "test").shuffled(items)) == sorted(items)
    assert len(Choices(seed, "test").sample(items, count)) == min(count, len(items))
