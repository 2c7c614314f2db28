"""Sick calls: before a freeze the draw leaves the person out; after a draw a second person approves a replacement."""

from __future__ import annotations

from assign.names import PersonId, ShiftId
from assign.v1 import resources_pb2, reveal_service_pb2, roster_service_pb2
from server.demo.clients import Refusal
from server.demo.people import SickCall
from server.demo.promises import BrokenPromise
from server.demo.stage import Replaced, Sighting, Stage
from server.demo.waves import WaveAt, reveal
from server.demo.workplace import APPROVER, ROSTER_OFFICER, SUPERVISOR

__all__ = ["call_in_sick", "replace_somebody"]


async def report_sick(stage: Stage, shift: ShiftId, person: PersonId) -> None:
    """The roster officer notes that somebody is ill."""
    request = roster_service_pb2.ReportAbsenceRequest(
        name=stage.messages.roster_entry(shift, person),
        reason="sick",
        request_id=stage.messages.request_id(f"sick {person}"),
    )
    answer = await stage.client(ROSTER_OFFICER).rosters.ReportAbsence(request)
    stage.promises.keep("a sick call counts at once", answer.roster_entry.HasField("absent_time"))
    stage.journal.absent.add(person)


async def call_in_sick(stage: Stage, call: SickCall) -> None:
    """Before the freeze: he is in no pool of the shift."""
    await report_sick(stage, call.shift, call.person)
    stage.screens.say(
        f"{stage.screens.clock(stage.clock.now())}  {call.person} calls in sick, before the first freeze of "
        f"{call.shift}: he is in none of its pools."
    )


async def replace_somebody(stage: Stage, wave: WaveAt) -> bool:
    """One who was drawn falls ill after the draw; whether there was one, and somebody free to take over."""
    drawn = [
        (person, answer[0])
        for person in stage.on_duty(wave.shift)
        if (answer := stage.journal.answers.get((wave.name, person)))
    ]
    if not drawn:
        return False
    absent, inspection = drawn[0]
    await report_sick(stage, wave.shift.shift, absent)
    replacement = await _request(stage, wave, absent)
    await _approve(stage, replacement)
    await _refuse_absent(stage, wave, absent)
    substitute = await _find_substitute(stage, wave, absent, inspection)
    stage.journal.replaced.append(Replaced(wave.name, inspection.order, absent, substitute))
    _show(stage, wave, absent, inspection, substitute)
    return substitute is not None


async def _request(stage: Stage, wave: WaveAt, absent: PersonId) -> resources_pb2.Replacement:
    request = reveal_service_pb2.RequestReplacementRequest(
        parent=stage.messages.parent,
        replacement=resources_pb2.Replacement(
            wave=wave.name, absent_person=stage.messages.person(absent), reason="sick"
        ),
        request_id=stage.messages.request_id(f"replace {absent}"),
    )
    asked = await stage.client(SUPERVISOR).reveals.RequestReplacement(request)
    waits = asked.state == resources_pb2.Replacement.STATE_REQUESTED
    stage.promises.keep("a replacement waits for a second person", waits)
    return asked


async def _approve(stage: Stage, replacement: resources_pb2.Replacement) -> None:
    request = reveal_service_pb2.ApproveReplacementRequest(
        name=replacement.name, request_id=stage.messages.request_id(f"approve {replacement.name}")
    )
    own = stage.client(SUPERVISOR).reveals.ApproveReplacement(request)
    await stage.refused(SUPERVISOR, "approves his own request", own, reasons=("APPROVER_IS_REQUESTER",))
    approved = await stage.client(APPROVER).reveals.ApproveReplacement(request)
    both = approved.requested_by.endswith(SUPERVISOR.id) and approved.approved_by.endswith(APPROVER.id)
    stage.promises.keep(
        "a replacement takes two different people",
        both and approved.state == resources_pb2.Replacement.STATE_APPROVED,
        f"{approved.requested_by}, {approved.approved_by}",
    )


async def _refuse_absent(stage: Stage, wave: WaveAt, absent: PersonId) -> None:
    identity = stage.inspector(absent)
    request = reveal_service_pb2.RevealAssignmentRequest(name=f"{wave.name}/assignments/{absent}")
    call = stage.client(identity).reveals.RevealAssignment(request)
    await stage.refused(identity, "asks after he called in sick", call, reasons=("ABSENT",))


async def _find_substitute(stage: Stage, wave: WaveAt, absent: PersonId, inspection: Sighting) -> PersonId | None:
    """Everybody reads again: one person has the inspection now, and nothing else changed."""
    found: PersonId | None = None
    for (name, person), before in [*stage.journal.answers.items()]:
        if name != wave.name or person in stage.journal.absent:
            continue
        after = await reveal(stage, wave.name, person)
        if isinstance(after, Refusal):
            raise BrokenPromise("everybody on duty reads again after a replacement", f"{person}: {after.reason}")
        stage.journal.reveals += 1
        gained = {one.order for one in after} - {one.order for one in before}
        lost = {one.order for one in before} - {one.order for one in after}
        stage.promises.keep(
            "a replacement moves one inspection to one person, and nobody else",
            not lost and (not gained or (found is None and gained == {inspection.order})),
            f"{person} gained {gained} and lost {lost} when {absent} fell ill",
        )
        if gained:
            found = person
            stage.journal.late_answers[wave.name, person] = after
    return found


def _show(stage: Stage, wave: WaveAt, absent: PersonId, inspection: Sighting, substitute: PersonId | None) -> None:
    screens = stage.screens
    screens.moment(stage.clock.now(), "somebody drawn falls ill after the draw")
    screens.say(
        f"{absent} was drawn for {inspection.container} at {inspection.terminal}, {screens.clock(inspection.start)}. "
        f"{SUPERVISOR.id} asks for a replacement and may not approve it himself; {APPROVER.id} does. Nobody chooses: "
        f"the order's reserve order, part of the one outcome of {wave.name.rpartition('/')[2]}, says who."
    )
    if substitute is None:
        screens.say("Nobody in the reserve order is free: the inspection has one inspector fewer, and the log says so.")
    else:
        screens.say(f"{substitute} finds the inspection on his own screen. All others read again: nothing moved.")
