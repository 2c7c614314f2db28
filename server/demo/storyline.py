"""The story of the day: what happens when, besides the waves themselves."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from functools import partial

from assign.names import PersonId
from assign.v1 import order_service_pb2, resources_pb2, roster_service_pb2
from server.demo.notary import Saved
from server.demo.people import DayShift
from server.demo.planner import GRID
from server.demo.preparation import show_planner
from server.demo.sickness import call_in_sick, replace_somebody
from server.demo.snooping import ask_as_others, ask_for_others, ask_too_early, ask_too_late
from server.demo.stage import Stage
from server.demo.urgent import select_urgently
from server.demo.waves import Act, WaveAt, show_supervisor, wave_acts, waves_of
from server.demo.workplace import EMBARGO, SUPERVISOR

__all__ = ["play_day"]

_REPLACEMENTS = 2
_MINUTE = timedelta(minutes=1)


async def play_day(stage: Stage) -> list[Saved]:
    """Play every act at its moment; the checkpoints that the auditor saved.

    Between two acts the clock jumps; it never passes an act.
    """
    saved: list[Saved] = []
    acts = [*wave_acts(stage, saved), *_sick_calls(stage), *_snooping(stage), *_replacements(stage), *_urgent(stage)]
    acts += _shift_ends(stage)
    with stage.screens.progress(len(acts)) as passed:
        for act in sorted(acts, key=lambda one: (one.moment, one.rank)):
            stage.processes.require_alive()
            if act.moment > stage.clock.now():
                stage.clock.advance_to(act.moment)
            await stage.play(act.name, act.play())
            passed(act.moment)
    return saved


def _sick_calls(stage: Stage) -> list[Act]:
    return [Act("a sick call", call.moment, 0, partial(call_in_sick, stage, call)) for call in stage.day.sick_calls]


def _first_busy(stage: Stage) -> WaveAt:
    """The first wave of the day that has a slot."""
    waves = [wave for shift in stage.day.shifts for wave in waves_of(stage, shift)]
    return next(wave for wave in waves if stage.slots_of_wave(wave.start))


def _snooping(stage: Stage) -> list[Act]:
    wave = _first_busy(stage)
    before, between = (
        partial(ask_too_early, stage, wave, when) for when in ("before the freeze", "after the freeze, before the draw")
    )
    return [
        Act("asking before the freeze", wave.freeze_time - _MINUTE, 0, before),
        Act("asking before the draw", wave.freeze_time + _MINUTE, 0, between),
        Act("asking as others", wave.draw_time + _MINUTE, 1, partial(ask_as_others, stage, wave)),
        Act("the first screens", wave.read_time, 1, partial(_show_drawn, stage, wave)),
    ]


async def _show_drawn(stage: Stage, wave: WaveAt) -> None:
    """The four screens, minutes before the first inspections."""
    screens = stage.screens
    screens.moment(stage.clock.now(), f"the wave of {screens.clock(wave.start)} is drawn")
    await ask_for_others(stage, wave)
    answers = {person: stage.journal.answers.get((wave.name, person)) for person in stage.on_duty(wave.shift)}
    drawn, spared = [one for one in answers if answers[one]], [one for one in answers if answers[one] == ()]
    screens.say(
        f"All {len(drawn) + len(spared)} inspectors on duty and cleared have read, each with his own certificate: "
        f"{len(drawn)} were drawn, {len(spared)} for nothing. In the log their looks are alike."
    )
    # One of a team of two, if there is one: he sees with whom he goes.
    drawn.sort(key=lambda one: -len((answers[one] or ())[0].teammates))
    for person in (*drawn[:1], *spared[:1]):
        show_inspector(stage, wave, person)
    slot = stage.slots_of_wave(wave.start)[0]
    await show_planner(stage, slot.terminal)
    await show_selector(stage, stage.orders[slot.order].selected_by)
    await show_supervisor(stage, wave.shift, around=wave.start)
    show_attempts(stage)


def show_inspector(stage: Stage, wave: WaveAt, person: PersonId) -> None:
    """One inspector's screen."""
    lines = []
    for one in stage.journal.answers[wave.name, person]:
        mates = f", together with {', '.join(one.teammates)}" if one.teammates else ", alone"
        lines.append(f"{stage.screens.clock(one.start)}  {one.container} at {one.terminal}, {one.minutes} min{mates}")
    stage.screens.card(f"Inspector {person}, {stage.screens.clock(stage.clock.now())}", lines or ["nothing this time"])


async def show_selector(stage: Stage, selector: PersonId) -> None:
    """One selector's screen: his own orders, and nobody who inspects them."""
    request = order_service_pb2.ListOrdersRequest(parent=stage.messages.parent, page_size=1000)
    orders = [*(await stage.client(stage.selector(selector)).orders.ListOrders(request)).orders]
    own = stage.messages.person(selector)
    stage.promises.keep(
        "a selector sees the orders he selected, and nobody who inspects",
        bool(orders) and all(order.selected_by == own and "persons/i-" not in str(order) for order in orders),
    )
    rows = [
        (
            order.name.rpartition("/")[2],
            order.container_number,
            order.terminal.rpartition("/")[2],
            f"{order.tier}",
            " ".join(order.qualifications) or "-",
            "booked" if order.slot else "no slot",
        )
        for order in orders[:4]
    ]
    columns = ("order", "container", "terminal", "tier", "needs", "slot")
    stage.screens.table(f"Selector {selector}: his {len(orders)} orders, the first of them", columns, rows)


def show_attempts(stage: Stage) -> None:
    """What was tried and refused since the last such screen, alike attempts in one line."""
    groups = Counter(
        (one.who, one.tried, one.refusal.reason or one.refusal.code, one.refusal.message)
        for one in stage.journal.attempts[stage.journal.shown_attempts :]
    )
    stage.journal.shown_attempts = len(stage.journal.attempts)
    rows = [
        (f"{who}{f', {count} times' if count > 1 else ''}", tried, f"{reason}: {message}")
        for (who, tried, reason, message), count in groups.items()
    ]
    stage.screens.table("Tried, and refused by the server", ("who", "tried", "the server's answer"), rows)


def _replacements(stage: Stage) -> list[Act]:
    """From two hours into the first and the second shift on: the next wave in which somebody was drawn."""
    acts = []
    shifts = stage.day.shifts if len(stage.day.shifts) > 1 else stage.day.shifts * 2
    for index, shift in enumerate(shifts[:_REPLACEMENTS]):
        first = shift.start + timedelta(hours=2 + index)
        acts += [
            Act("a replacement", wave.read_time + _MINUTE, 0, partial(_replace_until, stage, wave, index + 1))
            for wave in waves_of(stage, shift)
            if first <= wave.start < first + timedelta(hours=3) and stage.slots_of_wave(wave.start)
        ]
    return acts


async def _replace_until(stage: Stage, wave: WaveAt, wanted: int) -> None:
    replaced = stage.journal.replaced
    # Where nobody is free to take over, the next wave may have somebody; but not the whole shift falls ill.
    if sum(one.substitute is not None for one in replaced) < wanted and len(replaced) < 2 * _REPLACEMENTS:
        await replace_somebody(stage, wave)


def _urgent(stage: Stage) -> list[Act]:
    shift = stage.day.shifts[len(stage.day.shifts) // 2]
    wave = waves_of(stage, shift)[-8]
    moment = wave.freeze_time - GRID + _MINUTE
    return [
        Act("the urgent containers", moment, 0, partial(select_urgently, stage, wave.start)),
        Act("the left-over screen", wave.read_time, 1, partial(_show_left_over, stage, wave)),
    ]


async def _show_left_over(stage: Stage, wave: WaveAt) -> None:
    seen = stage.journal.waves[wave.name]
    stage.promises.keep("an order that nobody can take is flagged as a small pool", seen.small_pool_count >= 1)
    stage.promises.keep("an order that nobody can take is left over, and said so", seen.left_over_count >= 1)
    stage.screens.moment(stage.clock.now(), "one container is left over, openly")
    urgent = stage.slots[-1]
    await show_planner(stage, urgent.terminal, focus=urgent.slot)
    await show_supervisor(stage, wave.shift, around=wave.start)


def _shift_ends(stage: Stage) -> list[Act]:
    acts = []
    for shift in stage.day.shifts:
        last = waves_of(stage, shift)[-1]
        acts += [
            Act("asking too late", shift.end + 3 * _MINUTE, 2, partial(ask_too_late, stage, last)),
            Act("the end of a shift", shift.end + 4 * _MINUTE, 2, partial(_show_end, stage, shift)),
            Act("the opening of a shift", shift.end + EMBARGO + _MINUTE, 2, partial(_await_close, stage, shift)),
        ]
    return acts


async def _show_end(stage: Stage, shift: DayShift) -> None:
    found = await _get_shift(stage, shift)
    is_open = found.state == resources_pb2.Shift.STATE_OPEN
    stage.promises.keep("a shift's secrets stay sealed until its embargo is over", is_open)
    waves = [stage.journal.waves[wave.name] for wave in waves_of(stage, shift)]
    stage.screens.moment(stage.clock.now(), f"shift {shift.shift} is over")
    left = sum(wave.left_over_count for wave in waves)
    slots = sum(wave.slot_count for wave in waves)
    stage.screens.say(
        f"{len(waves)} waves, {slots} slots, {slots - left} inspected, {left} left over, "
        f"{sum(wave.small_pool_count for wave in waves)} small pools; {stage.journal.reveals:,} reads so far."
    )
    show_attempts(stage)
    await stage.clients.forget(stage.inspector(entry.person) for entry in stage.day.rosters[shift.shift])


async def _get_shift(stage: Stage, shift: DayShift) -> resources_pb2.Shift:
    request = roster_service_pb2.GetShiftRequest(name=stage.messages.shift(shift.shift))
    return await stage.client(SUPERVISOR).rosters.GetShift(request)


async def _await_close(stage: Stage, shift: DayShift) -> None:
    async def is_closed() -> bool:
        return (await _get_shift(stage, shift)).state == resources_pb2.Shift.STATE_CLOSED

    await stage.until(f"{shift.shift} is closed, and what it committed to is opened", is_closed)
    stage.promises.keep("a shift opens its secrets once its embargo is over", True)
