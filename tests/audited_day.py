"""A store with a little of everything, as the real server wrote it, for audits to look at and for tampering with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from e2e.port import (
    APPROVER,
    CALL_SECONDS,
    INSPECTORS,
    MINUTE,
    PARENT,
    PLANNERS,
    SUPERVISOR,
    UNCLEARED,
    Duty,
    Site,
    eventually,
    refusal,
)
from pyrage.x25519 import Identity

from assign.names import PersonId
from assign.v1 import log_service_pb2, resources_pb2, reveal_service_pb2, roster_service_pb2, slot_service_pb2
from server.config import load_config
from server.storage.unit import Services
from server.wiring import build_services

__all__ = ["AuditedDay", "play_day", "settings"]

_REFUSALS = 230
_PEOPLE = (*(one.id for one in INSPECTORS), UNCLEARED.id)


@dataclass
class AuditedDay:
    """The site and its shifts: one that was missed, one that is closed, one in the middle of its life.

    Attributes:
        looks: the positions in the log of the looks at assignments, by person.
    """

    site: Site
    missed: Duty
    closed: Duty
    open: Duty
    looks: dict[str, int]

    @property
    def services(self) -> Services:
        """What the server's units of work share: the keys that an audit needs."""
        return build_services(load_config(self.site.config))


def settings() -> str:
    """Custodians, and a mirror that publishes everything."""
    recipients = ", ".join(f'"{Identity.generate().to_public()}"' for _ in range(3))
    return f'[escrow]\nrecipients = [{recipients}]\n[mirror]\npublish_entries = "all"\n'


def play_day(site: Site, *, halfway: Callable[[], None] = lambda: None) -> AuditedDay:
    """Play it on a site that runs; it still runs afterwards. `halfway` is called when the closed shift is closed."""
    missed = _miss_a_wave(site)
    closed, looks = _close_a_shift(site)
    halfway()
    _refuse_often(site)
    return AuditedDay(site, missed, closed, _leave_a_shift_open(site), looks)


def _refuse_often(site: Site) -> None:
    """Refusals are entries too: enough of them for a tree of two levels of tiles."""
    request = log_service_pb2.GetCheckpointRequest(parent=PARENT)
    for _ in range(_REFUSALS):
        refusal(site.client(INSPECTORS[0]).log.GetCheckpoint, request)


def _pass_a_minute(site: Site) -> None:
    # So that no two acts of one caller share a moment: the steered clock stands still otherwise.
    site.advance(site.now + MINUTE / 2)


def _miss_a_wave(site: Site) -> Duty:
    """The server is down over the only freeze of a shift, which is then closed."""
    duty = site.open_shift(waves=1, people=_PEOPLE[:4])
    site.book_orders([duty.start()])
    site.forget_due()
    site.stop()
    site.clock.advance_to(duty.draw_time() + MINUTE)
    site.start_server()
    site.wait_for(duty.wave(), resources_pb2.Wave.STATE_MISSED)
    site.close_shift(duty)
    return duty


def _close_a_shift(site: Site) -> tuple[Duty, dict[str, int]]:
    """Two waves: a team of two, an order nobody can take, a sick call, a cancelled slot, a replacement."""
    _pass_a_minute(site)
    duty = site.open_shift(waves=2, people=_PEOPLE)
    site.book_orders([duty.start()] * 3 + [duty.start(1)] * 2)
    _pass_a_minute(site)
    site.book_orders([duty.start()], team_size=2, tier=1, parties=["party-1"])
    _pass_a_minute(site)
    site.book_orders([duty.start()], qualifications=["dog"], parties=["party-2", "party-3"])
    _pass_a_minute(site)
    _cancel_and_book_again(site, duty)
    _report_sick(site, duty)
    site.advance(duty.draw_time())
    looks: dict[str, int] = {}
    for person in duty.people[:6]:
        reveals = site.client(next(one for one in (*INSPECTORS, UNCLEARED) if one.id == person)).reveals
        request = reveal_service_pb2.RevealAssignmentRequest(name=duty.assignment(person))
        looks[person] = reveals.RevealAssignment(request, timeout=CALL_SECONDS).log_index
    site.advance(duty.start())
    drawn = site.drawn(duty)
    _replace(site, duty, next(name for name, orders in sorted(drawn.items()) if orders), approve=True)
    site.close_shift(duty)
    return duty, looks


def _leave_a_shift_open(site: Site) -> Duty:
    """Four waves: one drawn, with a replacement approved and one asked for; one frozen; two to come."""
    _pass_a_minute(site)
    duty = site.open_shift(waves=4, people=_PEOPLE)
    site.book_orders([duty.start(index) for index in (0, 0, 0, 1, 2)], parties=["party-1"])
    site.advance(duty.draw_time())
    names = [person for person in duty.people if person != UNCLEARED.id]
    for at, person in enumerate(names[:4]):
        _pass_a_minute(site)
        _replace(site, duty, person, approve=at < 3)
    site.advance(duty.freeze_time(1) + timedelta(seconds=10))
    eventually(lambda: site.rows("SELECT 1 FROM wave WHERE state = 2") or None)
    return duty


def _cancel_and_book_again(site: Site, duty: Duty) -> None:
    (slot,) = site.book_orders([duty.start(1)])
    request = slot_service_pb2.CancelSlotRequest(
        name=slot.name, reason="vessel-delayed", request_id=site.fresh("cancel")
    )
    site.client(PLANNERS["RWG"]).slots.CancelSlot(request, timeout=CALL_SECONDS)
    _pass_a_minute(site)
    other = resources_pb2.Slot()
    other.CopyFrom(slot)
    other.name = f"{PARENT}/slots/{site.fresh('slot')}"
    site.client(PLANNERS["RWG"]).slots.BatchBookSlots(site.book([other]), timeout=CALL_SECONDS)
    # And one that stays cancelled.
    _pass_a_minute(site)
    (last,) = site.book_orders([duty.start(1)])
    request = slot_service_pb2.CancelSlotRequest(
        name=last.name, reason="vessel-delayed", request_id=site.fresh("cancel")
    )
    site.client(PLANNERS["RWG"]).slots.CancelSlot(request, timeout=CALL_SECONDS)


def _report_sick(site: Site, duty: Duty) -> None:
    sick = INSPECTORS[11]
    request = roster_service_pb2.ReportAbsenceRequest(
        name=duty.entry(sick.id), reason="sick", request_id=site.fresh("sick")
    )
    site.client(sick).rosters.ReportAbsence(request, timeout=CALL_SECONDS)


def _replace(site: Site, duty: Duty, absent: str, *, approve: bool) -> None:
    asked = reveal_service_pb2.RequestReplacementRequest(
        parent=PARENT,
        replacement=resources_pb2.Replacement(
            wave=duty.wave(), absent_person=f"{PARENT}/persons/{PersonId(absent)}", reason="no-show"
        ),
        request_id=site.fresh("replace"),
    )
    requested = site.client(SUPERVISOR).reveals.RequestReplacement(asked, timeout=CALL_SECONDS)
    if approve:
        request = reveal_service_pb2.ApproveReplacementRequest(name=requested.name, request_id=site.fresh("approve"))
        site.client(APPROVER).reveals.ApproveReplacement(request, timeout=CALL_SECONDS)
