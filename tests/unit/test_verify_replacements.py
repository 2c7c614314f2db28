"""The verifier against an operator who uses replacements to choose who opens what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from simulated_day import CALENDAR_A, NAMES_A, check, codes, make_orders, run_day
from simulated_log import OpenShift, Operator, at, shift_name

from assign.draw.inputs import WaveInputs
from assign.draw.reserves import reserve_order
from assign.log.entries import Kind
from assign.names import OrderId, WaveName
from assign.person import Pseudonym
from assign.verify.findings import Attention, Code


class ApprovesHimself(Operator):
    """Who asks also approves."""

    def approve_replacement(
        self, shift: OpenShift, start: datetime, absent: Pseudonym, *, by: str = "requester"
    ) -> None:
        """By the requester."""
        super().approve_replacement(shift, start, absent, by=by)


class SelectorApproves(Operator):
    """Who selected the container approves who opens it."""

    def approve_replacement(
        self, shift: OpenShift, start: datetime, absent: Pseudonym, *, by: str = "selector"
    ) -> None:
        """By the selector."""
        super().approve_replacement(shift, start, absent, by=by)


class NobodyAsked(Operator):
    """A replacement out of the blue."""

    def request_replacement(self, shift: OpenShift, start: datetime, absent: Pseudonym) -> None:
        """Not."""


class PassesOverAFriendless(Operator):
    """The first in the reserve order is passed over for a reason that does not hold."""

    def unavailable(self, shift: OpenShift, wave: str, order: OrderId, absent: Pseudonym) -> dict[Pseudonym, str]:
        """Nobody but the last is free."""
        honest = super().unavailable(shift, wave, order, absent)
        others = [one.candidate.person for one in shift.persons if one.candidate.person not in honest]
        return honest | dict.fromkeys(others[:-1], "BUSY")


class TakesTheAbsent(Operator):
    """The absent person takes over from himself."""

    def unavailable(self, shift: OpenShift, wave: str, order: OrderId, absent: Pseudonym) -> Mapping[Pseudonym, str]:  # type: ignore[override]
        """Everybody but him."""
        everybody = {one.candidate.person: "BUSY" for one in shift.persons}
        return {person: why for person, why in everybody.items() if person != absent}


REPLACEMENT_CHEATS: dict[type[Operator], Code] = {
    ApprovesHimself: Code.REPLACEMENT_SELF_APPROVED,
    SelectorApproves: Code.SEPARATION,
    NobodyAsked: Code.REPLACEMENT_NOT_REQUESTED,
    PassesOverAFriendless: Code.REPLACEMENT_REASON,
    TakesTheAbsent: Code.REPLACEMENT_UNAVAILABLE,
}


@pytest.mark.parametrize(("cheat", "expected"), REPLACEMENT_CHEATS.items())
def test_cheating_with_a_replacement(cheat: type[Operator], expected: Code) -> None:
    """A replacement is not a way to choose."""
    assert expected in codes(check(run_day(cheat())))


def _edit_approval(operator: Operator, **changes: Any) -> set[str]:
    operator.edit(Kind.REPLACEMENT_APPROVE, lambda body: body.update(changes))
    return codes(check(operator))


def _edit_substitution(operator: Operator, **changes: Any) -> set[str]:
    operator.edit(Kind.REPLACEMENT_APPROVE, lambda body: body["substitutions"][0].update(changes))
    return codes(check(operator))


def _approval(operator: Operator) -> dict[str, Any]:
    found: dict[str, Any] = {}
    operator.edit(Kind.REPLACEMENT_APPROVE, found.update)
    return found


def test_replacement_approved_by_the_one_who_gains() -> None:
    """The substitute cannot approve his own work."""
    operator = run_day(Operator())
    gainer = _approval(operator)["substitutions"][0]["substitute"]
    assert Code.REPLACEMENT_SELF_APPROVED in _edit_approval(operator, by=gainer)


def test_replacement_approved_by_the_one_who_loses() -> None:
    """The absent person cannot approve his own relief."""
    operator = run_day(Operator())
    assert Code.REPLACEMENT_SELF_APPROVED in _edit_approval(operator, by=_approval(operator)["absent"])


def test_replacement_approved_by_a_system() -> None:
    """A second pair of eyes is a person's."""
    assert Code.REPLACEMENT_SELF_APPROVED in _edit_approval(run_day(Operator()), by="systems/robot")


def test_replacement_of_somebody_not_drawn() -> None:
    """Only what a person has can be taken over from him, and all of it."""
    assert Code.REPLACEMENT_NOT_DRAWN in _edit_substitution(run_day(Operator()), order="o-01")
    assert Code.REPLACEMENT_NOT_DRAWN in _edit_substitution(run_day(Operator()), order="o-77")
    assert Code.REPLACEMENT_NOT_DRAWN in _edit_approval(run_day(Operator()), substitutions=[])


def test_replacement_by_another_than_the_next() -> None:
    """A substitute who is not the next in the reserve order, or not in it, is named."""
    operator = run_day(Operator())
    first = _approval(operator)["substitutions"][0]
    others = [one.candidate.person for one in operator.shifts[str(shift_name("A"))].persons]
    wrong = next(person for person in others if person not in (first["substitute"], _approval(operator)["absent"]))
    assert Code.REPLACEMENT_ORDER in _edit_substitution(operator, substitute=wrong)
    assert Code.REPLACEMENT_ORDER in _edit_substitution(run_day(Operator()), substitute="0" * 32)
    assert Code.REPLACEMENT_ORDER in _edit_substitution(run_day(Operator()), substitute=None)


def test_replacement_before_the_draw() -> None:
    """Before a draw there is nobody to replace: an absence leaves him out."""
    operator = run_day(Operator())
    request, approve = operator.find(Kind.REPLACEMENT_REQUEST), operator.find(Kind.REPLACEMENT_APPROVE)
    entries = [operator.entries.pop(approve), operator.entries.pop(request)]
    operator.entries[operator.find(Kind.SHIFT_OPEN, 1) + 1 : operator.find(Kind.SHIFT_OPEN, 1) + 1] = entries[::-1]
    assert Code.REPLACEMENT_BEFORE_DRAW in codes(check(operator))


def test_only_absences_before_the_approval_count() -> None:
    """The next in the reserve order is absent and passed over; the one after him falls ill only afterwards."""
    operator = Operator()
    shift = operator.open_shift(shift_name("A"), replace(CALENDAR_A, end=at(6, 15)))
    operator.wait_until(at(4))
    operator.import_roster(shift, NAMES_A)
    operator.import_orders(make_orders(2))
    operator.book(("s-00", "o-01", at(6)))
    operator.freeze(shift, at(6))
    operator.draw(shift, at(6))
    wave = str(WaveName(shift.name, at(6)))
    (drawn,) = shift.occupancy.team_of(wave, OrderId("o-01"))
    reserve = reserve_order(shift.inputs[wave], shift.keys[wave], OrderId("o-01"))
    first, second = [person for person in reserve if person != drawn][:2]
    operator.report_absence(shift, first)
    operator.request_replacement(shift, at(6), drawn)
    operator.approve_replacement(shift, at(6), drawn)
    operator.report_absence(shift, second)
    operator.close(shift)
    assert check(operator).findings == ()
    (substitution,) = _approval(operator)["substitutions"]
    assert substitution["substitute"] == second
    assert {"person": first, "why": "ABSENT"} in substitution["passed_over"]


class DoubtsTheClearance(Operator):
    """Passes over the next one for a reason that only he knows."""

    def unavailable(self, shift: OpenShift, wave: str, order: OrderId, absent: Pseudonym) -> dict[Pseudonym, str]:
        """All but the last are not cleared."""
        honest = super().unavailable(shift, wave, order, absent)
        others = [one.candidate.person for one in shift.persons if one.candidate.person not in honest]
        return honest | dict.fromkeys(others[:-1], "NOT_CLEARED")


def test_reason_that_rests_on_the_operators_word_is_reported() -> None:
    """What the log cannot bear out is allowed, and shown."""
    report = check(run_day(DoubtsTheClearance()))
    assert report.findings == ()
    assert Attention.REPLACEMENT_ON_WORD in {item.code for item in report.attention}


class HandledByEverybody(Operator):
    """The orders name everybody as a handler; the verdicts do not follow."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """Bent."""
        inputs = super().collect(shift, start)
        everybody = frozenset(person.candidate.person for person in inputs.persons)
        return replace(inputs, orders=tuple(replace(order, handled_by=everybody) for order in inputs.orders))


def test_handler_who_takes_over_is_a_finding() -> None:
    """Separation holds for substitutes too."""
    report = check(run_day(HandledByEverybody()))
    assert any("took it over" in finding.message for finding in report.findings)
