"""Who may not, and when: every refusal over the real port, with its reason, and each of them in the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from e2e.port import (
    APPROVER,
    AUDITOR,
    CALL_SECONDS,
    DECLARATIONS,
    INSPECTORS,
    MINUTE,
    PARENT,
    PLANNERS,
    ROSTER_OFFICER,
    SECURITY_OFFICER,
    SELECTORS,
    STRANGER,
    SUPERVISOR,
    UNCLEARED,
    Duty,
    Site,
    person,
    refusal,
    reveal_request,
    roster_entry,
    site,
    terminal,
)

from assign.log.entries import Kind
from assign.v1 import (
    order_service_pb2,
    person_service_pb2,
    resources_pb2,
    reveal_service_pb2,
    roster_service_pb2,
    slot_service_pb2,
    wave_service_pb2,
)
from server.demo.clients import Refusal
from server.demo.workplace import Identity

__all__ = ["site"]  # the fixture

_FEW = tuple(one.id for one in INSPECTORS[:3])


def _ask(site: Site, who: Identity, duty: Duty, whose: str, index: int = 0) -> Refusal:
    return refusal(site.client(who).reveals.RevealAssignment, reveal_request(duty.assignment(whose, index)))


def _denied(answer: Refusal, reason: str) -> None:
    assert (answer.code, answer.reason) == ("PERMISSION_DENIED", reason), answer


def _import_person(site: Site, one: resources_pb2.Person) -> None:
    request = person_service_pb2.BatchImportPersonsRequest(
        parent=PARENT, persons=[one], request_id=site.fresh("person")
    )
    site.client(SECURITY_OFFICER).persons.BatchImportPersons(request, timeout=CALL_SECONDS)


def _absence(site: Site, duty: Duty, name: str) -> roster_service_pb2.ReportAbsenceRequest:
    return roster_service_pb2.ReportAbsenceRequest(
        name=duty.entry(name), reason="sick", request_id=site.fresh("absent")
    )


def _replacement(site: Site, duty: Duty, name: str, index: int = 0) -> reveal_service_pb2.RequestReplacementRequest:
    return reveal_service_pb2.RequestReplacementRequest(
        parent=PARENT,
        replacement=resources_pb2.Replacement(
            wave=duty.wave(index), absent_person=f"{PARENT}/persons/{name}", reason="no-show"
        ),
        request_id=site.fresh("replace"),
    )


def test_a_reveal_opens_at_the_draw_time_and_not_a_microsecond_before(site: Site) -> None:
    """Too early until `start - lead`; then the very same question is answered."""
    duty = site.open_shift(people=_FEW)
    site.book_orders([duty.start()])
    _denied(_ask(site, INSPECTORS[0], duty, INSPECTORS[0].id), "REVEAL_TOO_EARLY")
    site.advance(duty.draw_time() - timedelta(microseconds=1))
    _denied(_ask(site, INSPECTORS[0], duty, INSPECTORS[0].id), "REVEAL_TOO_EARLY")
    site.advance(duty.draw_time())
    seen = [site.reveal(duty, name) for name in _FEW]
    assert sum(len(one.inspections) for one in seen) == 1


def test_an_early_refusal_is_the_same_for_who_will_be_drawn_and_who_will_not(site: Site) -> None:
    """Code, reason, message and size say nothing about the outcome, at any moment before the draw."""
    duty = site.open_shift()
    site.book_orders([duty.start()] * 6)
    answers: dict[str, list[tuple[Refusal, int]]] = {one.id: [] for one in INSPECTORS}
    for moment in (site.now, duty.freeze_time(), duty.draw_time() - timedelta(microseconds=1)):
        site.advance(moment)
        for one in INSPECTORS:
            answer = _ask(site, one, duty, one.id)
            answers[one.id].append((answer, answer.wire_bytes))
    site.advance(duty.draw_time())
    drawn = {one.id for one in INSPECTORS if site.reveal(duty, one.id).inspections}
    assert 0 < len(drawn) < len(INSPECTORS)
    assert len({tuple(found) for found in answers.values()}) == 1


def test_a_frozen_wave_gives_nothing_away_in_the_slots(site: Site) -> None:
    """Between freeze and draw a slot is frozen for everybody alike; only the draw tells that a team comes."""
    duty = site.open_shift(waves=1, people=_FEW)
    site.book_orders([duty.start()])
    site.advance(duty.freeze_time())
    request = slot_service_pb2.ListSlotsRequest(parent=terminal("RWG"), page_size=1000)
    slots = site.client(PLANNERS["RWG"]).slots.ListSlots(request, timeout=CALL_SECONDS).slots
    assert {slot.state for slot in slots if slot.wave == duty.wave()} == {resources_pb2.Slot.STATE_FROZEN}


def test_nobody_reads_another_inspectors_assignment(site: Site) -> None:
    """Drawn or not, whether or not the wave exists: the answer is one and the same."""
    duty = site.open_shift(people=_FEW)
    site.book_orders([duty.start()])
    before = _ask(site, INSPECTORS[0], duty, INSPECTORS[1].id)
    site.advance(duty.draw_time())
    after = [_ask(site, INSPECTORS[0], duty, name) for name in (*_FEW[1:], "i-77")]
    nowhere = reveal_request(f"{PARENT}/shifts/none/waves/20261124T000000Z/assignments/{INSPECTORS[1].id}")
    unknown = refusal(site.client(INSPECTORS[0]).reveals.RevealAssignment, nowhere)
    _denied(before, "NOT_OWN_ASSIGNMENT")
    assert {before, *after, unknown} == {before}
    assert {one.wire_bytes for one in (before, *after, unknown)} == {before.wire_bytes}


def test_who_is_not_on_the_roster_is_not_on_duty(site: Site) -> None:
    """An inspector of another shift gets nothing, before the draw and after."""
    duty = site.open_shift(people=_FEW)
    _denied(_ask(site, INSPECTORS[5], duty, INSPECTORS[5].id), "NOT_ON_DUTY")
    site.advance(duty.draw_time())
    _denied(_ask(site, INSPECTORS[5], duty, INSPECTORS[5].id), "NOT_ON_DUTY")


def test_whose_duty_has_not_begun_waits_for_it(site: Site) -> None:
    """The reveal opens with the duty where that begins after the draw."""
    duty = site.open_shift(people=())
    entries = [roster_entry(duty, INSPECTORS[0].id, before=5 * MINUTE)]
    request = roster_service_pb2.BatchImportRosterRequest(
        parent=str(duty.name), entries=entries, request_id=site.fresh("late")
    )
    site.client(ROSTER_OFFICER).rosters.BatchImportRoster(request, timeout=CALL_SECONDS)
    site.advance(duty.draw_time())
    _denied(_ask(site, INSPECTORS[0], duty, INSPECTORS[0].id), "NOT_ON_DUTY")
    site.advance(duty.start() - 5 * MINUTE)
    assert site.reveal(duty, INSPECTORS[0].id).name == duty.assignment(INSPECTORS[0].id)


def test_after_the_duty_it_is_too_late(site: Site) -> None:
    """What was readable until the last moment of the duty is shut at its end."""
    duty = site.open_shift(people=_FEW)
    site.advance(duty.duty_ends - timedelta(microseconds=1))
    site.reveal(duty, INSPECTORS[0].id)
    site.advance(duty.duty_ends)
    _denied(_ask(site, INSPECTORS[0], duty, INSPECTORS[0].id), "REVEAL_TOO_LATE")


def test_who_was_reported_absent_reads_nothing(site: Site) -> None:
    """Absent before or after the draw: no reveal in this shift, and he was not drawn."""
    duty = site.open_shift(people=_FEW)
    site.book_orders([duty.start()] * 2)
    site.client(INSPECTORS[0]).rosters.ReportAbsence(_absence(site, duty, _FEW[0]), timeout=CALL_SECONDS)
    _denied(_ask(site, INSPECTORS[0], duty, _FEW[0]), "ABSENT")
    site.advance(duty.draw_time())
    _denied(_ask(site, INSPECTORS[0], duty, _FEW[0]), "ABSENT")
    assert site.reveal(duty, _FEW[1]).inspections
    site.client(ROSTER_OFFICER).rosters.ReportAbsence(_absence(site, duty, _FEW[1]), timeout=CALL_SECONDS)
    _denied(_ask(site, INSPECTORS[1], duty, _FEW[1]), "ABSENT")
    site.advance(duty.start())
    assert _FEW[0] not in site.drawn(duty)


def test_who_is_not_cleared_reads_nothing(site: Site) -> None:
    """No interview; or a signal that opens after the draw: shut at once, and open again when it is settled."""
    duty = site.open_shift(people=(*_FEW, UNCLEARED.id))
    site.advance(duty.draw_time())
    _denied(_ask(site, UNCLEARED, duty, UNCLEARED.id), "NOT_CLEARED")
    site.reveal(duty, _FEW[2])
    _import_person(site, person(_FEW[2], signal=True))
    _denied(_ask(site, INSPECTORS[2], duty, _FEW[2]), "NOT_CLEARED")
    _import_person(site, person(_FEW[2]))
    site.reveal(duty, _FEW[2])


@pytest.mark.parametrize(
    "who", [SELECTORS[0], PLANNERS["RWG"], ROSTER_OFFICER, SUPERVISOR, AUDITOR, SECURITY_OFFICER, DECLARATIONS],
    ids=lambda who: str(who.role),
)  # fmt: skip
def test_only_inspectors_reveal(site: Site, who: Identity) -> None:
    """Whoever else asks for an assignment is refused by his role, whatever he asks for."""
    for name in (f"{PARENT}/shifts/none/waves/20261124T000000Z/assignments/{INSPECTORS[0].id}", "nonsense"):
        answer = refusal(site.client(who).reveals.RevealAssignment, reveal_request(name))
        _denied(answer, "ROLE_NOT_ALLOWED")


@pytest.mark.parametrize(
    "who", [SELECTORS[0], PLANNERS["RWG"], ROSTER_OFFICER, INSPECTORS[0], SECURITY_OFFICER, DECLARATIONS],
    ids=lambda who: str(who.role),
)  # fmt: skip
def test_only_oversight_lists_assignments_and_reads_the_log(site: Site, who: Identity) -> None:
    """No other role gets a list, an entry of the log or a bundle."""
    client = site.client(who)
    request = reveal_service_pb2.ListAssignmentsRequest(parent=f"{PARENT}/shifts/none/waves/20261124T000000Z")
    _denied(refusal(client.reveals.ListAssignments, request), "ROLE_NOT_ALLOWED")
    for method in ("LogService/GetCheckpoint", "LogService/ListEntries", "VerificationService/ExportBundle"):
        raw = client.channel.unary_stream(f"/assign.v1.{method}", request_serializer=bytes, response_deserializer=bytes)
        _denied(refusal(lambda data, timeout, raw=raw: [*raw(data, timeout=timeout)], b""), "ROLE_NOT_ALLOWED")


def test_a_supervisor_lists_a_wave_only_once_it_has_started(site: Site) -> None:
    """Planned, frozen, drawn: not yet. From the start on, and every look is a leaf."""
    duty = site.open_shift(people=_FEW)
    site.book_orders([duty.start()])
    request = reveal_service_pb2.ListAssignmentsRequest(parent=duty.wave())
    for moment in (site.now, duty.freeze_time(), duty.draw_time(), duty.start() - timedelta(microseconds=1)):
        site.advance(moment)
        _denied(refusal(site.client(SUPERVISOR).reveals.ListAssignments, request), "WAVE_NOT_STARTED")
    site.advance(duty.start())
    size = site.size()
    assert len(site.drawn(duty)) == 1
    site.client(AUDITOR).reveals.ListAssignments(request, timeout=CALL_SECONDS)
    reads = [entry.body["what"] for entry in site.entries(size) if entry.kind is Kind.READ]
    assert reads == [f"{duty.wave()}/assignments"] * 2


def test_an_inspector_reports_nobody_else_absent(site: Site) -> None:
    """Himself, yes; a colleague, no; and nobody twice."""
    duty = site.open_shift(people=_FEW)
    rosters = site.client(INSPECTORS[0]).rosters
    _denied(refusal(rosters.ReportAbsence, _absence(site, duty, _FEW[1])), "NOT_OWN_ABSENCE")
    rosters.ReportAbsence(_absence(site, duty, _FEW[0]), timeout=CALL_SECONDS)
    again = refusal(rosters.ReportAbsence, _absence(site, duty, _FEW[0]))
    assert (again.code, again.reason) == ("FAILED_PRECONDITION", "ALREADY_ABSENT")


def test_asking_for_a_replacement_says_nothing_about_the_draw(site: Site) -> None:
    """The answers for drawn and undrawn persons are alike but for the names, in content and in size."""
    duty = site.open_shift(people=_FEW)
    site.book_orders([duty.start()])
    site.advance(duty.draw_time())
    drawn = {name for name in _FEW if site.reveal(duty, name).inspections}
    assert len(drawn) == 1
    answers: dict[str, resources_pb2.Replacement] = {}
    for name in _FEW:
        request = _replacement(site, duty, name)
        answers[name] = site.client(ROSTER_OFFICER).reveals.RequestReplacement(request, timeout=CALL_SECONDS)
    names = {name: answers[name].name for name in _FEW}
    assert len({len(name) for name in names.values()}) == 1
    for name, answer in answers.items():
        assert answer.absent_person.endswith(name)
        answer.ClearField("name")
        answer.ClearField("absent_person")
    assert len({answer.SerializeToString() for answer in answers.values()}) == 1
    undrawn = next(name for name in _FEW if name not in drawn)
    for name in (*drawn, undrawn):
        approval = reveal_service_pb2.ApproveReplacementRequest(name=names[name], request_id=site.fresh("approve"))
        answers[name] = site.client(APPROVER).reveals.ApproveReplacement(approval, timeout=CALL_SECONDS)
        answers[name].ClearField("name")
        answers[name].ClearField("absent_person")
    assert answers[undrawn] == answers[drawn.pop()]


def test_a_replacement_needs_a_second_person(site: Site) -> None:
    """Who asked cannot approve; who approved once finds it done; an unknown one is not found."""
    duty = site.open_shift(people=_FEW)
    site.book_orders([duty.start()])
    undrawn = refusal(site.client(SUPERVISOR).reveals.RequestReplacement, _replacement(site, duty, _FEW[0]))
    assert (undrawn.code, undrawn.reason) == ("FAILED_PRECONDITION", "WAVE_NOT_DRAWN")
    site.advance(duty.draw_time())
    asked = site.client(SUPERVISOR).reveals.RequestReplacement(_replacement(site, duty, _FEW[0]), timeout=CALL_SECONDS)

    def approval() -> reveal_service_pb2.ApproveReplacementRequest:
        return reveal_service_pb2.ApproveReplacementRequest(name=asked.name, request_id=site.fresh("approve"))

    _denied(refusal(site.client(SUPERVISOR).reveals.ApproveReplacement, approval()), "APPROVER_IS_REQUESTER")
    _denied(refusal(site.client(ROSTER_OFFICER).reveals.ApproveReplacement, approval()), "ROLE_NOT_ALLOWED")
    site.client(APPROVER).reveals.ApproveReplacement(approval(), timeout=CALL_SECONDS)
    twice = refusal(site.client(APPROVER).reveals.ApproveReplacement, approval())
    assert (twice.code, twice.reason) == ("FAILED_PRECONDITION", "REPLACEMENT_APPROVED")
    again = refusal(site.client(SUPERVISOR).reveals.RequestReplacement, _replacement(site, duty, _FEW[0]))
    assert (again.code, again.reason) == ("FAILED_PRECONDITION", "REPLACEMENT_EXISTS")
    unknown = reveal_service_pb2.ApproveReplacementRequest(name=f"{PARENT}/replacements/r-0", request_id="r-0")
    found = refusal(site.client(APPROVER).reveals.ApproveReplacement, unknown)
    assert (found.code, found.reason, found.fields[0][0]) == ("NOT_FOUND", "REPLACEMENT_UNKNOWN", "name")


def test_who_handled_the_selection_does_not_approve(site: Site) -> None:
    """A supervisor who selected the container has no say in who replaces its inspector."""
    duty = site.open_shift(people=_FEW)
    site.book_orders([duty.start()], selected_by=f"{PARENT}/persons/{APPROVER.id}")
    site.advance(duty.draw_time())
    drawn = next(name for name in _FEW if site.reveal(duty, name).inspections)
    request = _replacement(site, duty, drawn)
    asked = site.client(ROSTER_OFFICER).reveals.RequestReplacement(request, timeout=CALL_SECONDS)
    approval = reveal_service_pb2.ApproveReplacementRequest(name=asked.name, request_id=site.fresh("approve"))
    _denied(refusal(site.client(APPROVER).reveals.ApproveReplacement, approval), "APPROVER_HANDLED_SELECTION")
    site.client(SUPERVISOR).reveals.ApproveReplacement(approval, timeout=CALL_SECONDS)


def test_a_person_who_selected_a_container_is_not_drawn_for_it(site: Site) -> None:
    """History counts: somebody on the roster selected it once, and the other one of two is drawn, always."""
    duty = site.open_shift(waves=4, people=_FEW[:2])
    starts = [duty.start(index) for index in range(4)]
    slots = site.book_orders(starts, minutes=15, selected_by=f"{PARENT}/persons/{_FEW[0]}")
    site.advance(duty.start(3))
    assert [site.drawn(duty, index) for index in range(4)] == [{_FEW[1]: [slot.order]} for slot in slots]


def test_a_terminal_sees_and_books_its_own_slots_only(site: Site) -> None:
    """Another terminal's system lists, books and cancels nothing here."""
    duty = site.open_shift(people=_FEW)
    [slot] = site.book_orders([duty.start()])
    other = site.client(PLANNERS["EMX"])
    listing = slot_service_pb2.ListSlotsRequest(parent=terminal("RWG"))
    order = site.order()
    site.client(DECLARATIONS).orders.BatchImportOrders(site.import_orders([order]), timeout=CALL_SECONDS)
    cancel = slot_service_pb2.CancelSlotRequest(name=slot.name, reason="late", request_id=site.fresh("cancel"))
    _denied(refusal(other.slots.ListSlots, listing), "OTHER_TERMINAL")
    _denied(refusal(other.slots.BatchBookSlots, site.book([site.slot(order, duty.start())])), "OTHER_TERMINAL")
    _denied(refusal(other.slots.CancelSlot, cancel), "OTHER_TERMINAL")
    own = site.client(PLANNERS["RWG"])
    assert slot.name in {one.name for one in own.slots.ListSlots(listing, timeout=CALL_SECONDS).slots}
    assert own.slots.CancelSlot(cancel, timeout=CALL_SECONDS).state == resources_pb2.Slot.STATE_CANCELLED


def test_a_frozen_wave_takes_and_gives_up_nothing(site: Site) -> None:
    """From its freeze time on nothing is booked into the wave, and nothing is cancelled out of it."""
    duty = site.open_shift(people=_FEW)
    [slot] = site.book_orders([duty.start()])
    order = site.order()
    site.client(DECLARATIONS).orders.BatchImportOrders(site.import_orders([order]), timeout=CALL_SECONDS)
    site.advance(duty.freeze_time())
    planner = site.client(PLANNERS["RWG"]).slots
    late = refusal(planner.BatchBookSlots, site.book([site.slot(order, duty.start() + MINUTE)]))
    assert (late.code, late.reason) == ("INVALID_ARGUMENT", "WAVE_FROZEN")
    assert late.fields[0][0] == "slots[0].start_time"
    cancel = slot_service_pb2.CancelSlotRequest(name=slot.name, reason="late", request_id=site.fresh("cancel"))
    kept = refusal(planner.CancelSlot, cancel)
    assert (kept.code, kept.reason) == ("FAILED_PRECONDITION", "WAVE_FROZEN")
    planner.BatchBookSlots(site.book([site.slot(order, duty.start(1))]), timeout=CALL_SECONDS)


def test_a_slot_lies_in_an_open_shift_ahead(site: Site) -> None:
    """In the past, in no shift, in a closed shift: refused, each for its reason and with its row."""
    duty = site.open_shift(people=_FEW)
    order = site.order()
    site.client(DECLARATIONS).orders.BatchImportOrders(site.import_orders([order]), timeout=CALL_SECONDS)
    planner = site.client(PLANNERS["RWG"]).slots
    cases = {"SLOT_IN_PAST": site.now - MINUTE, "SLOT_NO_SHIFT": duty.calendar.end + MINUTE}
    for reason, start in cases.items():
        answer = refusal(planner.BatchBookSlots, site.book([site.slot(order, start)]))
        assert (answer.code, answer.reason) == ("INVALID_ARGUMENT", reason)
        assert answer.fields[0][0] == "slots[0].start_time"


def test_who_is_in_no_access_file_gets_nothing(site: Site) -> None:
    """A certificate of our authority alone opens no door, and leaves no leaf."""
    size = site.size()
    answer = refusal(site.client(STRANGER).waves.GetWave, wave_service_pb2.GetWaveRequest(name="x"))
    assert answer.code == "UNAUTHENTICATED"
    assert answer.reason
    assert site.size() == size


def test_a_selector_does_not_write_and_a_writer_does_not_list(site: Site) -> None:
    """Importing belongs to the declaration system; listing orders to selectors and supervisors."""
    request = site.import_orders([site.order()])
    _denied(refusal(site.client(SELECTORS[0]).orders.BatchImportOrders, request), "ROLE_NOT_ALLOWED")
    listing = order_service_pb2.ListOrdersRequest(parent=PARENT)
    _denied(refusal(site.client(DECLARATIONS).orders.ListOrders, listing), "ROLE_NOT_ALLOWED")
    _denied(refusal(site.client(INSPECTORS[0]).orders.ListOrders, listing), "ROLE_NOT_ALLOWED")


def test_every_refusal_is_a_leaf(site: Site) -> None:
    """Method and reason of each refused call stand in the log when the refusal arrives."""
    size = site.size()
    duty_less = reveal_request(f"{PARENT}/shifts/none/waves/20261124T000000Z/assignments/{INSPECTORS[0].id}")
    bad_slots = slot_service_pb2.BatchBookSlotsRequest(parent=PARENT, slots=[], request_id="empty")
    calls: list[tuple[Callable[..., object], object, str, str]] = [
        (site.client(INSPECTORS[0]).reveals.RevealAssignment, duty_less, "RevealAssignment", "WAVE_UNKNOWN"),
        (site.client(SELECTORS[0]).reveals.RevealAssignment, duty_less, "RevealAssignment", "ROLE_NOT_ALLOWED"),
        (site.client(PLANNERS["RWG"]).slots.BatchBookSlots, bad_slots, "BatchBookSlots", "BATCH_EMPTY"),
        (site.client(SUPERVISOR).raw("/assign.v1.LogService/ListEntries"), b"\xff", "ListEntries", "MESSAGE_MALFORMED"),
    ]
    for method, request, _, reason in calls:
        assert refusal(method, request).reason == reason
    assert site.refusals(size) == {(method, reason): 1 for _, _, method, reason in calls}
    by = {entry.body["by"] for entry in site.entries(size) if entry.kind is Kind.REFUSAL}
    assert "systems/rwg-tos" in by
    assert not any(one.id in by for one in INSPECTORS)


def test_an_order_left_over_is_booked_again(site: Site) -> None:
    """Nobody could be drawn: the terminal sees it, and books the order into a later wave."""
    duty = site.open_shift(people=_FEW)
    [slot] = site.book_orders([duty.start()], qualifications=["dog"])
    site.advance(duty.draw_time())
    wave = site.wait_for(duty.wave(), resources_pb2.Wave.STATE_DRAWN)
    assert (wave.left_over_count, wave.small_pool_count) == (1, 1)
    request = slot_service_pb2.ListSlotsRequest(parent=terminal("RWG"), page_size=1000)
    planner = site.client(PLANNERS["RWG"]).slots
    states = {one.name: one.state for one in planner.ListSlots(request, timeout=CALL_SECONDS).slots}
    assert states[slot.name] == resources_pb2.Slot.STATE_LEFT_OVER
    order = resources_pb2.Order(name=slot.order, terminal=slot.terminal)
    later = site.slot(order, duty.start(1))
    planner.BatchBookSlots(site.book([later]), timeout=CALL_SECONDS)
    assert later.start_time.ToSeconds() > slot.start_time.ToSeconds()
