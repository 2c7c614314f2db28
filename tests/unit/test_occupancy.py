"""Who has which inspections, after draws, replacements and cancellations."""

from __future__ import annotations

from datetime import timedelta

from wave_examples import SIX, name, order_id

from assign.draw.occupancy import Inspection, Occupancy
from assign.names import OrderId
from assign.person import Pseudonym

A, B, C, D = (name(number) for number in range(4))
MINUTE = timedelta(minutes=1)


def inspection(number: int, *, wave: str = "w-1", start: int = 0, minutes: int = 30) -> Inspection:
    """The inspection of an order, `start` minutes after six."""
    begins = SIX + start * MINUTE
    return Inspection(wave=wave, order=order_id(number), start=begins, end=begins + minutes * MINUTE)


def unavailable(
    occupancy: Occupancy, order: OrderId, *, wave: str = "w-1", leaving: Pseudonym = A, capacity: int = 1
) -> dict[Pseudonym, str]:
    """Who of four cannot take over."""
    capacities = dict.fromkeys((A, B, C, D), capacity)
    return occupancy.unavailable(wave, order, leaving=leaving, capacity=capacities, absent={D})


def test_a_drawn_person_is_busy_until_the_end() -> None:
    """Intervals that are over are left out."""
    occupancy = Occupancy()
    occupancy.draw(inspection(0), [A, B])
    assert occupancy.busy(A, after=SIX) == ((SIX, SIX + 30 * MINUTE),)
    assert occupancy.busy(A, after=SIX + 30 * MINUTE) == ()
    assert occupancy.busy(C, after=SIX) == ()
    assert occupancy.all_busy(after=SIX) == dict.fromkeys((A, B), frozenset({(SIX, SIX + 30 * MINUTE)}))
    assert occupancy.all_busy(after=SIX + 30 * MINUTE) == {}
    assert occupancy.team_of("w-1", order_id(0)) == (A, B)
    assert occupancy.orders_of("w-1", A) == (order_id(0),)


def test_equal_times_count_once() -> None:
    """Two inspections at the same time are one interval."""
    occupancy = Occupancy()
    occupancy.draw(inspection(0), [A])
    occupancy.draw(inspection(1), [A])
    assert len(occupancy.busy(A, after=SIX)) == 1
    assert occupancy.orders_of("w-1", A) == (order_id(0), order_id(1))


def test_replacement_moves_the_inspection() -> None:
    """From the absent to the substitute; nobody else moves."""
    occupancy = Occupancy()
    occupancy.draw(inspection(0), [A, B])
    occupancy.replace("w-1", order_id(0), absent=A, substitute=C)
    assert set(occupancy.team_of("w-1", order_id(0))) == {B, C}
    assert occupancy.busy(A, after=SIX) == ()
    occupancy.replace("w-1", order_id(0), absent=B, substitute=None)
    assert occupancy.team_of("w-1", order_id(0)) == (C,)


def test_cancellation_frees_the_team() -> None:
    """And is known by its wave: an order drawn again stays."""
    occupancy = Occupancy()
    occupancy.draw(inspection(0), [A])
    occupancy.draw(inspection(0, wave="w-2", start=60), [B])
    occupancy.cancel("w-1", order_id(0))
    occupancy.cancel("w-1", order_id(7))
    assert occupancy.busy(A, after=SIX) == ()
    assert occupancy.team_of("w-1", order_id(0)) == ()
    assert occupancy.team_of("w-2", order_id(0)) == (B,)


def test_who_is_unavailable() -> None:
    """The absent, the leaving one, the team mate."""
    occupancy = Occupancy()
    occupancy.draw(inspection(0), [A, B])
    assert unavailable(occupancy, order_id(0)) == {A: "ABSENT", B: "IN_TEAM", D: "ABSENT"}


def test_capacity_bounds_one_wave() -> None:
    """Full in this wave is busy; with room it is not, although the times overlap."""
    occupancy = Occupancy()
    occupancy.draw(inspection(0), [A])
    occupancy.draw(inspection(1), [B])
    assert unavailable(occupancy, order_id(0))[B] == "BUSY"
    assert B not in unavailable(occupancy, order_id(0), capacity=2)


def test_inspections_of_other_waves_overlap_or_do_not() -> None:
    """Between waves nobody is in two places, earlier or later."""
    occupancy = Occupancy()
    occupancy.draw(inspection(0, start=30), [A])
    occupancy.draw(inspection(1, wave="w-0", start=0, minutes=30), [B])
    occupancy.draw(inspection(2, wave="w-2", start=59), [C])
    assert unavailable(occupancy, order_id(0), capacity=9) == {A: "ABSENT", C: "BUSY", D: "ABSENT"}


def test_who_was_replaced_in_the_wave_does_not_come_back() -> None:
    """He cannot come: not for this order, and not for another one."""
    occupancy = Occupancy()
    occupancy.draw(inspection(0), [A])
    occupancy.draw(inspection(1), [B])
    occupancy.replace("w-1", order_id(0), absent=A, substitute=C)
    assert unavailable(occupancy, order_id(1), leaving=B)[A] == "ABSENT"
    assert unavailable(occupancy, order_id(0), leaving=C)[A] == "ABSENT"


def test_unknown_order_makes_nobody_busy() -> None:
    """Where there is no inspection there is nothing to overlap with."""
    occupancy = Occupancy()
    occupancy.replace("w-1", order_id(5), absent=A, substitute=B)
    assert occupancy.team_of("w-1", order_id(5)) == ()
    assert unavailable(occupancy, order_id(5)) == {A: "ABSENT", D: "ABSENT"}
