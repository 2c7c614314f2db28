"""The life of every wave as the day goes by: freeze, draw, reading, and the supervisor's look after the start."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import httpx2

from assign.names import OrderId, PersonId
from assign.v1 import resources_pb2, reveal_service_pb2, wave_service_pb2
from server.demo.clients import Refusal, answer_of
from server.demo.messages import moment_of
from server.demo.notary import Saved, save_checkpoint
from server.demo.people import DayShift
from server.demo.planner import GRID
from server.demo.promises import BrokenPromise
from server.demo.receipts import take_receipts
from server.demo.stage import Sighting, Stage
from server.demo.workplace import SUPERVISOR

__all__ = [
    "LEAD",
    "MARGIN",
    "Act",
    "WaveAt",
    "check_teams",
    "read_all",
    "reveal",
    "show_supervisor",
    "sightings",
    "wave_acts",
    "waves_of",
]

LEAD = timedelta(minutes=15)
MARGIN = timedelta(minutes=2)
_READ_AFTER_DRAW = timedelta(minutes=3)
_AFTER_DUTY_START = timedelta(minutes=1)
_LIST_AFTER_START = timedelta(minutes=2)
_PAGE = 1000
_TOO_EARLY = 425


@dataclass(frozen=True, slots=True)
class Act:
    """Something that happens at a moment of the day; of two at one moment the lower rank comes first."""

    name: str
    moment: datetime
    rank: int
    play: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class WaveAt:
    """A wave of the day."""

    name: str
    shift: DayShift
    start: datetime

    @property
    def freeze_time(self) -> datetime:
        """When its inputs are fixed."""
        return self.start - LEAD - MARGIN

    @property
    def draw_time(self) -> datetime:
        """When it is drawn, and the reveal opens."""
        return self.start - LEAD

    @property
    def read_time(self) -> datetime:
        """When the inspectors of the demonstration look: after the draw, and on duty."""
        return max(self.draw_time + _READ_AFTER_DRAW, self.shift.start + _AFTER_DUTY_START)


def waves_of(stage: Stage, shift: DayShift) -> list[WaveAt]:
    """The waves of a shift in order."""
    count = -((shift.start - shift.end) // GRID)
    starts = [shift.start + GRID * index for index in range(count)]
    return [WaveAt(stage.messages.wave(shift.shift, start), shift, start) for start in starts]


def wave_acts(stage: Stage, saved: list[Saved]) -> list[Act]:
    """What happens to each wave, whatever else happens; the auditor's checkpoints go to `saved`."""
    acts = []
    for shift in stage.day.shifts:
        for wave in waves_of(stage, shift):
            acts += [
                Act(f"the freeze of {wave.name}", wave.freeze_time, 5, partial(_freeze, stage, wave, saved)),
                Act(f"the draw of {wave.name}", wave.draw_time, 6, partial(_draw, stage, wave)),
                Act(f"the reading of {wave.name}", wave.read_time, 0, partial(read_all, stage, wave)),
                Act(f"the review of {wave.name}", wave.start + _LIST_AFTER_START, 0, partial(_compare, stage, wave)),
            ]
    return acts


async def _freeze(stage: Stage, wave: WaveAt, saved: list[Saved]) -> None:
    frozen = await stage.wave_reaches(wave.name, resources_pb2.Wave.STATE_FROZEN)
    planned = len(stage.slots_of_wave(wave.start))
    stage.promises.keep(
        "a wave is frozen with exactly the slots that were booked",
        frozen.slot_count == planned,
        f"{wave.name} has {frozen.slot_count} of {planned}",
    )
    stage.promises.keep("every wave is in the log before it is drawn", frozen.freeze_index > 0)
    saved.append(await save_checkpoint(stage, frozen))
    await _ask_early(stage, wave)
    if wave.start == wave.shift.start:
        await _ask_parties_early(stage, frozen)


async def _ask_early(stage: Stage, wave: WaveAt) -> None:
    """In every wave somebody on duty, each time another, asks for his own between freeze and draw."""
    people = [person for person in stage.on_duty(wave.shift) if stage.day.is_cleared(person)]
    if not people:
        return
    person = people[(wave.start - wave.shift.start) // GRID % len(people)]
    identity = stage.inspector(person)
    request = reveal_service_pb2.RevealAssignmentRequest(name=f"{wave.name}/assignments/{person}")
    call = stage.client(identity).reveals.RevealAssignment(request)
    await stage.refused(identity, "asks between a freeze and its draw", call, reasons=("REVEAL_TOO_EARLY",))


async def _ask_parties_early(stage: Stage, wave: resources_pb2.Wave) -> None:
    async with httpx2.AsyncClient() as http:
        for name, url in stage.party_urls.items():
            answer = await http.get(f"{url}/public/{wave.beacon_round}")
            promise = "at the freeze no beacon party gives its part of the wave's random value"
            stage.promises.keep(promise, answer.status_code == _TOO_EARLY, f"{name}: {answer.status_code}")


async def _draw(stage: Stage, wave: WaveAt) -> None:
    await stage.wave_reaches(wave.name, resources_pb2.Wave.STATE_DRAWN)


async def reveal(stage: Stage, wave: str, person: PersonId) -> tuple[Sighting, ...] | Refusal:
    """What `person` reads of himself in `wave`, or the refusal."""
    name = f"{wave}/assignments/{person}"
    client = stage.client(stage.inspector(person))
    call = client.reveals.RevealAssignment(reveal_service_pb2.RevealAssignmentRequest(name=name))
    answer = await answer_of(call)
    if isinstance(answer, Refusal):
        return answer
    stage.promises.keep("an inspector reads his own assignment", answer.assignment.name == name, answer.assignment.name)
    stage.journal.look_indexes.setdefault((wave, person), answer.log_index)
    return sightings(answer.assignment)


def sightings(assignment: resources_pb2.Assignment) -> tuple[Sighting, ...]:
    """The inspections of an assignment."""
    return tuple(
        Sighting(
            order=one.order.rpartition("/")[2],
            container=one.container_number,
            terminal=one.terminal.rpartition("/")[2],
            start=moment_of(one.start_time),
            minutes=one.expected_duration.seconds // 60,
            teammates=tuple(mate.rpartition("/")[2] for mate in one.teammates),
        )
        for one in assignment.inspections
    )


async def read_all(stage: Stage, wave: WaveAt) -> None:
    """Everybody on duty reads what he was drawn for; those not cleared are refused."""
    readers = [person for person in stage.on_duty(wave.shift) if stage.day.is_cleared(person)]
    started = time.monotonic()
    answers = await asyncio.gather(*(reveal(stage, wave.name, person) for person in readers))
    stage.journal.read_seconds += time.monotonic() - started
    for person, answer in zip(readers, answers, strict=True):
        if isinstance(answer, Refusal):
            promise = "everybody on duty and cleared reads his own assignment in his window"
            raise BrokenPromise(promise, f"{person} at {wave.name}: {answer.reason} {answer.message}")
        stage.journal.answers[wave.name, person] = answer
        stage.journal.reveals += 1
    check_teams(stage, wave, readers)
    if wave.start == wave.shift.start:
        await take_receipts(stage, wave.name)
        await _refuse_not_cleared(stage, wave)


def check_teams(stage: Stage, wave: WaveAt, readers: list[PersonId]) -> None:
    """Put the answers together: they are the whole wave, and nothing else."""
    answers = [(person, one) for person in readers for one in stage.journal.answers[wave.name, person]]
    seats = Counter(one.order for _, one in answers)
    left_over = 0
    for slot in stage.slots_of_wave(wave.start):
        order = stage.orders[slot.order]
        left_over += slot.order not in seats
        stage.promises.keep(
            "an order gets its whole team or nobody",
            seats.pop(slot.order, 0) in (0, order.team_size),
            f"order {slot.order} of {wave.name}",
        )
    stage.promises.keep("nobody reads of an order that is not in the wave", not seats, f"{[*seats]}")
    counted = stage.journal.waves[wave.name].left_over_count
    stage.promises.keep("an order left over is counted where the supervisor sees it", counted == left_over)
    for _, one in answers:
        order = stage.orders[OrderId(one.order)]
        same = (one.container, one.terminal) == (order.container, order.terminal)
        stage.promises.keep("an inspector reads the container that was selected", same, f"order {one.order}")
    mates = {(one.order, person): one.teammates for person, one in answers}
    for (order_id, person), others in mates.items():
        known = all(person in mates.get((order_id, PersonId(mate)), ()) for mate in others)
        stage.promises.keep("the two of a team read each other's name", known, f"order {order_id}")


async def _refuse_not_cleared(stage: Stage, wave: WaveAt) -> None:
    for person in stage.on_duty(wave.shift):
        if not stage.day.is_cleared(person):
            name = f"{wave.name}/assignments/{person}"
            identity = stage.inspector(person)
            call = stage.client(identity).reveals.RevealAssignment(
                reveal_service_pb2.RevealAssignmentRequest(name=name)
            )
            await stage.refused(identity, "asks although not cleared", call, reasons=("NOT_CLEARED",))


async def _compare(stage: Stage, wave: WaveAt) -> None:
    """After the start the supervisor may look: he sees what the inspectors were told, replacements included."""
    if not stage.slots_of_wave(wave.start):
        return
    request = reveal_service_pb2.ListAssignmentsRequest(parent=wave.name, page_size=_PAGE)
    listed = await stage.client(SUPERVISOR).reveals.ListAssignments(request)
    seen = {PersonId(one.name.rpartition("/")[2]): {i.order for i in sightings(one)} for one in listed.assignments}
    told = {
        person: {one.order for one in answer}
        for (name, person), answer in stage.journal.answers.items()
        if name == wave.name
    }
    for replaced in stage.journal.replaced:
        if replaced.wave == wave.name:
            told[replaced.absent] = set()
    for (name, person), answer in stage.journal.late_answers.items():
        if name == wave.name:
            told[person] = {one.order for one in answer}
    same = {p: o for p, o in seen.items() if o} == {p: o for p, o in told.items() if o}
    stage.promises.keep("after the start the supervisor sees what the inspectors were told", same, wave.name)


async def show_supervisor(stage: Stage, shift: DayShift, *, around: datetime) -> None:
    """The supervisor's screen: the waves around a moment, without any name."""
    request = wave_service_pb2.ListWavesRequest(parent=stage.messages.shift(shift.shift), page_size=_PAGE)
    waves = [*(await stage.client(SUPERVISOR).waves.ListWaves(request)).waves]
    past = sum(moment_of(wave.start_time) <= around for wave in waves)
    first = max(0, min(past - 2, len(waves) - 6))
    rows = [
        (
            stage.screens.clock(moment_of(wave.start_time)),
            resources_pb2.Wave.State.Name(wave.state).removeprefix("STATE_").lower(),
            f"{wave.slot_count}",
            f"{wave.small_pool_count}" if wave.freeze_index else "",
            f"{wave.left_over_count}" if wave.draw_index else "",
            f"{wave.freeze_index}" if wave.freeze_index else "",
            f"{wave.draw_index}" if wave.draw_index else "",
            f"{wave.beacon_round}",
        )
        for wave in waves[first : first + 6]
    ]
    title = f"Supervisor: {shift.shift}, waves around {stage.screens.clock(around)}"
    columns = ("wave", "state", "slots", "small pools", "left over", "freeze in log", "draw in log", "beacon round")
    stage.screens.table(title, columns, rows)
