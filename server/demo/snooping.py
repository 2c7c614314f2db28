"""Who tries to know what he may not, and what he gets: the same answer whatever is hidden."""

from __future__ import annotations

from assign.names import PersonId
from assign.v1 import resources_pb2, reveal_service_pb2, roster_service_pb2
from server.demo.clients import Refusal
from server.demo.stage import Stage
from server.demo.waves import WaveAt
from server.demo.workplace import AUDITOR, DECLARATIONS, ROSTER_OFFICER, SUPERVISOR, Identity, terminal_system

__all__ = ["ask_as_others", "ask_for_others", "ask_too_early", "ask_too_late"]


async def _ask(stage: Stage, who: Identity, wave: WaveAt, person: PersonId, tried: str, *reasons: str) -> Refusal:
    request = reveal_service_pb2.RevealAssignmentRequest(name=f"{wave.name}/assignments/{person}")
    return await stage.refused(who, tried, stage.client(who).reveals.RevealAssignment(request), reasons=reasons)


async def ask_too_early(stage: Stage, wave: WaveAt, when: str) -> None:
    """Everybody on duty asks before the draw; all get the same words."""
    people = stage.on_duty(wave.shift)[:8]
    cleared = [person for person in people if stage.day.is_cleared(person)]
    answers = {
        await _ask(stage, stage.inspector(person), wave, person, f"asks for his own {when}", "REVEAL_TOO_EARLY")
        for person in cleared
    }
    stage.promises.keep("who asks too early gets the same words as everybody else", len(answers) == 1, f"{answers}")


async def ask_for_others(stage: Stage, wave: WaveAt) -> None:
    """An inspector asks for a colleague who was drawn, for one who was not, and for one who does not exist."""
    journal, people = stage.journal, stage.on_duty(wave.shift)
    drawn = [person for person in people if journal.answers.get((wave.name, person))]
    spared = [person for person in people if journal.answers.get((wave.name, person)) == ()]
    who = stage.inspector(people[-1])
    others = [one for one in (*drawn[:2], *spared[:2]) if one != people[-1]]
    hidden = (*others, PersonId("i-9999"))
    answers = [await _ask(stage, who, wave, other, "asks for a colleague's", "NOT_OWN_ASSIGNMENT") for other in hidden]
    same = len(set(answers)) == 1 and len({answer.wire_bytes for answer in answers}) == 1
    stage.promises.keep(
        "a refusal is the same for a colleague who was drawn, one who was not, and one who does not exist",
        same,
        f"{answers}",
    )


async def ask_as_others(stage: Stage, wave: WaveAt) -> None:
    """Selector, terminal, roster officer and supervisor ask through the inspector's gate, and early through theirs."""
    person = stage.on_duty(wave.shift)[0]
    slot = stage.slots_of_wave(wave.start)[0]
    selector = stage.selector(stage.orders[slot.order].selected_by)
    quay = terminal_system(stage.day.plan.port, slot.terminal)
    for who in (selector, quay, ROSTER_OFFICER, SUPERVISOR, DECLARATIONS):
        await _ask(stage, who, wave, person, "asks who was drawn", "ROLE_NOT_ALLOWED", "NOT_OWN_ASSIGNMENT")
    for who in (SUPERVISOR, AUDITOR):
        request = reveal_service_pb2.ListAssignmentsRequest(parent=wave.name)
        listing = stage.client(who).reveals.ListAssignments(request)
        await stage.refused(who, "lists a wave before it starts", listing, reasons=("WAVE_NOT_STARTED",))
    listing = stage.client(selector).reveals.ListAssignments(
        reveal_service_pb2.ListAssignmentsRequest(parent=wave.name)
    )
    await stage.refused(selector, "lists a wave", listing, reasons=("ROLE_NOT_ALLOWED",))
    sick = roster_service_pb2.ReportAbsenceRequest(
        name=stage.messages.roster_entry(wave.shift.shift, person),
        reason="sick",
        request_id=stage.messages.request_id("push aside"),
    )
    colleague = stage.inspector(stage.on_duty(wave.shift)[1])
    call = stage.client(colleague).rosters.ReportAbsence(sick)
    await stage.refused(colleague, "reports a colleague sick", call, reasons=("NOT_OWN_ABSENCE",))


async def ask_too_late(stage: Stage, wave: WaveAt) -> None:
    """After his duty the inspector's gate is shut."""
    person = next((one for one in stage.on_duty(wave.shift) if stage.day.is_cleared(one)), None)
    if person is None:
        return
    await _ask(stage, stage.inspector(person), wave, person, "asks after his duty", "REVEAL_TOO_LATE")
    await stage.wave_reaches(wave.name, resources_pb2.Wave.STATE_DRAWN)
