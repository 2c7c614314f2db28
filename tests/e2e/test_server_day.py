"""A small day through the real service, over its port: what everybody sees, and that it verifies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from e2e.port import (
    APPROVER,
    CALL_SECONDS,
    INSPECTORS,
    PARENT,
    PLANNERS,
    ROSTER_OFFICER,
    SELECTORS,
    SUPERVISOR,
    UNCLEARED,
    Duty,
    Site,
    refusal,
    reveal_request,
    running_site,
)

from assign.log.entries import Kind
from assign.v1 import (
    order_service_pb2,
    resources_pb2,
    reveal_service_pb2,
    roster_service_pb2,
    slot_service_pb2,
    wave_service_pb2,
)
from server.demo.processes import Finished, run_assign

_PEOPLE = (*(one.id for one in INSPECTORS), UNCLEARED.id)
_SICK = INSPECTORS[11].id


@dataclass
class _Day:
    """What was seen over the day."""

    site: Site
    duty: Duty
    slots: list[resources_pb2.Slot]
    revealed: dict[str, list[resources_pb2.Inspection]] = field(default_factory=dict)
    absent: str = ""
    substitute: str = ""
    replaced_order: str = ""
    replacement: resources_pb2.Replacement = field(default_factory=resources_pb2.Replacement)
    bundle: Path = Path()
    verified: Finished = field(default_factory=lambda: Finished(-1, "", ""))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Day]:
    """A shift of two waves: five orders in the first, one a team of two; one in the second; a sick call; a no-show."""
    directory = tmp_path_factory.mktemp("day")
    for site in running_site(directory):
        yield _play(site, directory)


def _play(site: Site, directory: Path) -> _Day:
    duty = site.open_shift(waves=2, people=_PEOPLE)
    slots = site.book_orders([duty.start()] * 4 + [duty.start(1)])
    slots += site.book_orders([duty.start()], team_size=2, tier=1)
    day = _Day(site, duty, slots)
    _report_sick(day)
    site.advance(duty.draw_time())
    for person in _PEOPLE:
        if person not in (_SICK, UNCLEARED.id):
            day.revealed[person] = [*site.reveal(duty, person).inspections]
    _replace_one(day)
    site.close_shift(duty)
    day.bundle = site.export(directory / "day.bundle")
    day.verified = run_assign("verify", str(day.bundle), "--key", "log.vkey", "--json", cwd=directory)
    return day


def _report_sick(day: _Day) -> None:
    request = roster_service_pb2.ReportAbsenceRequest(
        name=day.duty.entry(_SICK), reason="sick", request_id=day.site.fresh("sick")
    )
    answer = day.site.client(INSPECTORS[11]).rosters.ReportAbsence(request, timeout=CALL_SECONDS)
    assert answer.roster_entry.HasField("absent_time")


def _replace_one(day: _Day) -> None:
    """Somebody with one order and no team mate does not show up."""
    site = day.site
    day.absent = next(name for name, found in day.revealed.items() if len(found) == 1 and not found[0].teammates)
    day.replaced_order = day.revealed[day.absent][0].order
    asked = reveal_service_pb2.RequestReplacementRequest(
        parent=PARENT,
        replacement=resources_pb2.Replacement(
            wave=day.duty.wave(), absent_person=f"{PARENT}/persons/{day.absent}", reason="no-show"
        ),
        request_id=site.fresh("replace"),
    )
    requested = site.client(SUPERVISOR).reveals.RequestReplacement(asked, timeout=CALL_SECONDS)
    approval = reveal_service_pb2.ApproveReplacementRequest(name=requested.name, request_id=site.fresh("approve"))
    own = refusal(site.client(SUPERVISOR).reveals.ApproveReplacement, approval)
    assert (own.code, own.reason) == ("PERMISSION_DENIED", "APPROVER_IS_REQUESTER")
    day.replacement = site.client(APPROVER).reveals.ApproveReplacement(approval, timeout=CALL_SECONDS)
    site.advance(day.duty.start())
    before = {name: {one.order for one in found} for name, found in day.revealed.items()}
    after = {name: set(orders) for name, orders in site.drawn(day.duty).items()}
    gained = [name for name, orders in after.items() if day.replaced_order in orders - before[name]]
    assert len(gained) == 1
    day.substitute = gained[0]


def test_everybody_drawn_reads_his_own_order(day: _Day) -> None:
    """Five orders with six places: six seats are read, each order by as many as its team has."""
    seats = Counter(one.order for found in day.revealed.values() for one in found)
    first = [slot.order for slot in day.slots if slot.start_time.ToSeconds() == day.duty.start().timestamp()]
    assert sorted(seats) == sorted(first)
    assert seats[day.slots[-1].order] == 2
    assert sum(seats.values()) == 6


def test_team_mates_see_each_other(day: _Day) -> None:
    """Both persons of a team of two read the other's name, and nobody else has a team mate."""
    team = {
        name: one.teammates[0]
        for name, found in day.revealed.items()
        for one in found
        if one.order == day.slots[-1].order
    }
    assert len(team) == 2
    assert {name: mate.rpartition("/")[2] for name, mate in team.items()} == dict(
        zip(team, reversed(team), strict=True)
    )


def test_an_inspection_says_where_and_when(day: _Day) -> None:
    """The place, the start, the duration and the container are those that were booked."""
    slots = {slot.order: slot for slot in day.slots}
    for found in day.revealed.values():
        for one in found:
            slot = slots[one.order]
            assert (one.terminal, one.start_time, one.expected_duration) == (
                slot.terminal,
                slot.start_time,
                slot.expected_duration,
            )
            assert one.container_number.startswith("TSTU")


def test_no_selector_sick_or_uncleared_person_was_drawn(day: _Day) -> None:
    """Who must not be drawn was not."""
    drawn = {name for name, found in day.revealed.items() if found} | {day.substitute}
    assert not drawn & {_SICK, UNCLEARED.id, *(one.id for one in SELECTORS)}


def test_the_replacement_moved_nobody_else(day: _Day) -> None:
    """The order went to one other person; every other person keeps what he read."""
    after = day.site.drawn(day.duty)
    before = {name: [one.order for one in found] for name, found in day.revealed.items() if found}
    assert day.absent not in after
    assert day.replaced_order in after.pop(day.substitute)
    before.pop(day.absent)
    before.pop(day.substitute, None)
    assert {name: sorted(orders) for name, orders in after.items()} == {
        name: sorted(orders) for name, orders in before.items()
    }


def test_the_replacement_names_both_pairs_of_eyes(day: _Day) -> None:
    """Who asked and who approved are two persons; who takes over is not in the answer."""
    assert day.replacement.state == resources_pb2.Replacement.STATE_APPROVED
    assert day.replacement.requested_by == f"{PARENT}/persons/{SUPERVISOR.id}"
    assert day.replacement.approved_by == f"{PARENT}/persons/{APPROVER.id}"
    assert day.substitute not in str(day.replacement)


def test_the_terminal_learns_that_a_team_comes(day: _Day) -> None:
    """Every slot is drawn, and no slot names a person."""
    request = slot_service_pb2.ListSlotsRequest(parent=f"{PARENT}/terminals/RWG")
    slots = day.site.client(PLANNERS["RWG"]).slots.ListSlots(request, timeout=CALL_SECONDS).slots
    assert {slot.state for slot in slots} == {resources_pb2.Slot.STATE_DRAWN}
    assert "/persons/" not in str(slots)


def test_a_selector_sees_his_orders_and_no_inspector(day: _Day) -> None:
    """Another selector sees none of them."""
    request = order_service_pb2.ListOrdersRequest(parent=PARENT)
    mine = day.site.client(SELECTORS[0]).orders.ListOrders(request, timeout=CALL_SECONDS).orders
    theirs = day.site.client(SELECTORS[1]).orders.ListOrders(request, timeout=CALL_SECONDS).orders
    assert {order.name for order in mine} == {slot.order for slot in day.slots}
    assert not theirs
    assert not any(one.id in str(mine) for one in INSPECTORS)


def test_waves_tell_their_life_without_persons(day: _Day) -> None:
    """Both waves are drawn, with the place of freeze and draw in the log, in that order."""
    request = wave_service_pb2.ListWavesRequest(parent=str(day.duty.name))
    waves = day.site.client(PLANNERS["RWG"]).waves.ListWaves(request, timeout=CALL_SECONDS).waves
    assert [wave.state for wave in waves] == [resources_pb2.Wave.STATE_DRAWN] * 2
    assert [wave.slot_count for wave in waves] == [5, 1]
    assert all(0 < wave.freeze_index < wave.draw_index for wave in waves)
    assert not any(wave.left_over_count for wave in waves)


def test_every_step_is_in_the_log(day: _Day) -> None:
    """Each action left its leaf, reveals one a look, and the seed's uses are counted."""
    kinds = Counter(entry.kind for entry in day.site.entries())
    assert kinds[Kind.REVEAL] == len(day.revealed)
    assert kinds[Kind.KEY_USE] == 4
    assert kinds[Kind.DRAW] == 2
    assert kinds[Kind.REPLACEMENT_REQUEST] == kinds[Kind.REPLACEMENT_APPROVE] == kinds[Kind.CLOSE] == 1
    assert kinds[Kind.ABSENCE] == 1


def test_no_person_is_named_in_the_log(day: _Day) -> None:
    """The log speaks of pseudonyms only."""
    everything = b"".join(day.site.raw_entries())
    for name in (*_PEOPLE, *(one.id for one in (*SELECTORS, SUPERVISOR, APPROVER, ROSTER_OFFICER))):
        assert b'"' + name.encode() + b'"' not in everything


def test_the_bundle_verifies(day: _Day) -> None:
    """`assign verify` replays both draws byte for byte and finds nothing wrong."""
    report = json.loads(day.verified.output)
    assert (day.verified.status, report["findings"]) == (0, []), day.verified.errors
    states = [wave["state"] for shift in report["shifts"] for wave in shift["waves"]]
    assert states == ["replayed", "replayed"]


def test_export_from_the_store_is_the_same_log(day: _Day, tmp_path: Path) -> None:
    """`assign export`, beside the running server, writes a bundle that verifies as well."""
    out = tmp_path / "store.bundle"
    done = run_assign("export", "--config", str(day.site.config), "--out", str(out), "--json", cwd=tmp_path)
    assert done.status == 0, done.errors
    assert json.loads(done.output)["size"] == out.stat().st_size
    assert run_assign("verify", str(out), "--quiet", cwd=tmp_path) == Finished(0, "", "")


def test_after_the_close_the_assignments_stay_shut_to_late_readers(day: _Day) -> None:
    """The shift is closed and the duty over: the inspector's window does not open again."""
    day.site.advance(day.duty.duty_ends)
    asked = reveal_request(day.duty.assignment(INSPECTORS[0].id))
    late = refusal(day.site.client(INSPECTORS[0]).reveals.RevealAssignment, asked)
    assert (late.code, late.reason) == ("PERMISSION_DENIED", "REVEAL_TOO_LATE")


def test_orders_know_their_slots(day: _Day) -> None:
    """An order names the slot it is booked into."""
    request = order_service_pb2.ListOrdersRequest(parent=PARENT)
    orders = day.site.client(SUPERVISOR).orders.ListOrders(request, timeout=CALL_SECONDS).orders
    assert {order.name: order.slot for order in orders} == {slot.order: slot.name for slot in day.slots}
