"""One made-up day at a real port: orders, slots, selectors, inspectors, shifts and sick calls.

Everything follows from the declarations, the plan and its seed, byte for byte. Container numbers, rosters
and screening status are invented; parties, goods and findings come from the declarations.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from assign.errors import InvalidInput
from assign.names import OrderId, PersonId, Port, ShiftId, TerminalCode
from assign.order import Slot
from assign.person import Person
from assign.roster import RosterEntry
from server.demo.cargo import PlannedOrder, make_orders
from server.demo.choices import Choices
from server.demo.declarations import DeclarationFile
from server.demo.people import DayShift, SickCall, is_cleared, make_people, make_rosters, make_sick_calls
from server.demo.planner import plan_slots

__all__ = ["DEFAULT_TERMINALS", "DayPlan", "PortDay", "make_port_day"]

# The deep-sea terminals of the Maasvlakte, by SMDG code.
_ROTTERDAM = Port("NLRTM")
DEFAULT_TERMINALS = tuple(TerminalCode(code) for code in ("RWG", "EMX", "DDN", "DDE", "NLMVII", "HPD2"))
_LETTERS = "ABC"
_SHIFT_HOURS = 8
_FIRST_HOUR = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class DayPlan:
    """How large the day is. The defaults are the full demonstration; tests play smaller days.

    Attributes:
        day: the local day on which the first shift starts, at 06:00.
        zone: name of the port's time zone; local times exist only here, at the edge.
        shift_count: 1 to 3 shifts of eight hours by the clock on the wall.
        inspector_count: people on the rosters, all shifts together.
        min_pool: eligible people that the planner of slots wants for every order.
    """

    seed: int = 2026
    port: Port = _ROTTERDAM
    terminals: tuple[TerminalCode, ...] = DEFAULT_TERMINALS
    day: date = date(2026, 11, 24)
    zone: str = "Europe/Amsterdam"
    shift_count: int = 3
    order_count: int = 450
    inspector_count: int = 159
    selector_count: int = 40
    sick_call_count: int = 3
    min_pool: int = 3

    def __post_init__(self) -> None:
        if not 1 <= self.shift_count <= len(_LETTERS):
            raise InvalidInput("DEMO_SHIFTS", "The day has 1 to 3 shifts.")
        if min(self.order_count, self.selector_count) < 1 or not self.terminals:
            raise InvalidInput("DEMO_SIZE", "The day has at least one order, one selector and one terminal.")
        if self.inspector_count < 2 * self.shift_count * len(self.terminals):
            raise InvalidInput("DEMO_SIZE", "The day has at least two inspectors a terminal and shift.")

    def shifts(self) -> tuple[DayShift, ...]:
        """The shifts in order, in UTC; one is 7 or 9 hours long on a night when the clocks change."""
        borders = [self._local(_FIRST_HOUR + _SHIFT_HOURS * index) for index in range(self.shift_count + 1)]
        return tuple(
            DayShift(ShiftId(f"{self.day.isoformat()}-{_LETTERS[index]}"), borders[index], borders[index + 1])
            for index in range(self.shift_count)
        )

    def _local(self, hours: int) -> datetime:
        day = self.day + timedelta(days=hours // 24)
        return datetime.combine(day, time(hours % 24), ZoneInfo(self.zone)).astimezone(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class PortDay:
    """The day as it is planned before it begins.

    Attributes:
        slots: in order of start; one for every order.
        rosters: the people on duty of every shift.
        sick_calls: who calls in sick before a freeze, and when, in order of time.
        notes: what was made up, left out or fell short, in sentences for the reader.
    """

    plan: DayPlan
    shifts: tuple[DayShift, ...]
    orders: tuple[PlannedOrder, ...]
    slots: tuple[Slot, ...]
    selectors: tuple[PersonId, ...]
    persons: tuple[Person, ...]
    rosters: dict[ShiftId, tuple[RosterEntry, ...]]
    sick_calls: tuple[SickCall, ...]
    notes: tuple[str, ...]
    _orders_by_id: dict[OrderId, PlannedOrder] = field(repr=False)
    _cleared: frozenset[PersonId] = field(repr=False)

    def order(self, order: OrderId) -> PlannedOrder:
        """The order with this id."""
        return self._orders_by_id[order]

    def is_cleared(self, person: PersonId) -> bool:
        """Whether a person's screening allows him to be drawn on this day."""
        return person in self._cleared

    def shift_of(self, moment: datetime) -> DayShift:
        """The shift in which `moment` falls. Raises KeyError outside the day."""
        for shift in self.shifts:
            if shift.start <= moment < shift.end:
                return shift
        raise KeyError(moment)


def make_port_day(source: DeclarationFile, plan: DayPlan) -> PortDay:
    """The day that `plan` and its seed make of the declarations in `source`."""
    shifts = plan.shifts()
    selectors = tuple(PersonId(f"s-{number:02d}") for number in range(1, plan.selector_count + 1))
    chosen = Choices(plan.seed, "declarations").sample(source.declarations, plan.order_count)
    orders = make_orders(chosen, selectors=selectors, terminals=plan.terminals, seed=plan.seed)
    rosters = make_rosters(shifts, orders, terminals=plan.terminals, count=plan.inspector_count, seed=plan.seed)
    entries = [entry for roster in rosters.values() for entry in roster]
    persons = make_people(entries, orders, day_end=shifts[-1].end, seed=plan.seed)
    slots = plan_slots(orders, rosters, shifts, persons=persons, min_pool=plan.min_pool, seed=plan.seed)
    return PortDay(
        plan=plan,
        shifts=shifts,
        orders=tuple(orders),
        slots=tuple(slots),
        selectors=selectors,
        persons=tuple(persons),
        rosters=rosters,
        sick_calls=make_sick_calls(shifts, rosters, persons, count=plan.sick_call_count, seed=plan.seed),
        notes=tuple(_notes(source, plan, len(orders))),
        _orders_by_id={order.order: order for order in orders},
        _cleared=frozenset(person.person for person in persons if is_cleared(person, shifts[-1].end)),
    )


def _notes(source: DeclarationFile, plan: DayPlan, order_count: int) -> list[str]:
    notes = [
        f"{source.name}: declarations: {source.row_count:,}; usable sea freight: {len(source.declarations):,}; "
        f"became orders: {order_count:,} (seed {plan.seed}).",
        *(f"{source.name}: {row}." for row in source.left_out),
        "Made up with the seed, because declarations do not carry it: container numbers (with a right ISO 6346 "
        "check digit), terminals, selectors, inspectors, shifts and screening status.",
    ]
    if order_count < plan.order_count:
        notes.append(f"The file has fewer sea rows than the {plan.order_count:,} that were wanted: all are used.")
    return notes
