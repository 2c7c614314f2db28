"""The verifier against an operator who cheats while he runs: other inputs, seeds, outcomes, substitutes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from simulated_day import check, codes, run_day
from simulated_log import BEACON, OpenShift, Operator, at

from assign.draw.inputs import FrozenPerson, WaveInputs
from assign.draw.occupancy import Occupancy
from assign.draw.outcome import replay_wave
from assign.draw.transcript import Transcript
from assign.encoding import sha256
from assign.errors import AssignError
from assign.log.entries import Kind
from assign.names import WaveName
from assign.person import Pseudonym
from assign.verify import opening, reconcile
from assign.verify.findings import Attention, Code


def _rejudge(inputs: WaveInputs, **changes: Any) -> WaveInputs:
    changed = replace(inputs, **changes)
    return replace(changed, verdicts=changed.rejudge())


def _change_person(inputs: WaveInputs, index: int, **facts: Any) -> WaveInputs:
    persons = [*inputs.persons]
    persons[index] = replace(persons[index], candidate=replace(persons[index].candidate, **facts))
    return _rejudge(inputs, persons=tuple(persons))


class LeavesOutAContainer(Operator):
    """One container of every wave never meets the draw."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """All but the last order."""
        inputs = super().collect(shift, start)
        return _rejudge(inputs, orders=inputs.orders[:-1])


class LeavesOutAPerson(Operator):
    """One inspector is never in the pool."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """All but the first person."""
        inputs = super().collect(shift, start)
        return _rejudge(inputs, persons=inputs.persons[1:])


class AddsAPerson(Operator):
    """Somebody who is on no roster is in the pool."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """A stranger as well."""
        inputs = super().collect(shift, start)
        first = inputs.persons[0]
        stranger = replace(first, candidate=replace(first.candidate, person=Pseudonym("0" * 32)))
        return _rejudge(inputs, persons=(stranger, *inputs.persons))


class InventsAnAbsence(Operator):
    """A person is kept out by an absence that nobody reported."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """The first person is absent."""
        return _change_person(super().collect(shift, start), 0, absent=True)


class InventsBusyness(Operator):
    """A person is kept out by an inspection that nobody gave him."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """The first person is busy for ever."""
        return _change_person(super().collect(shift, start), 0, busy=((at(1), at(23)),))


class ForgetsBusyness(Operator):
    """A person in the middle of an inspection is drawn for another."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """Nobody is ever busy."""
        inputs = super().collect(shift, start)
        for index in range(len(inputs.persons)):
            inputs = _change_person(inputs, index, busy=())
        return inputs


class BendsAVerdict(Operator):
    """One eligible person is excluded although no rule does."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """The first one who may becomes one who is recused."""
        inputs = super().collect(shift, start)
        verdicts = tuple(row.replace("+", "R", 1) for row in inputs.verdicts)
        return replace(inputs, verdicts=verdicts)


class ExchangesAContainer(Operator):
    """The container in the draw is not the one that was selected."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """Every order has other parties."""
        inputs = super().collect(shift, start)
        orders = tuple(replace(order, parties=frozenset({"friend"})) for order in inputs.orders)
        return _rejudge(inputs, orders=orders)


class MislabelsTheInputs(Operator):
    """The inputs are for another wave."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """Named after the shift."""
        return replace(super().collect(shift, start), wave=str(shift.name))


class UsesAnotherSeed(Operator):
    """The seed is not the one that follows from the master seed."""

    def seed_of(self, shift: OpenShift, wave: str) -> bytes:
        """A lucky one."""
        return sha256(b"lucky" + wave.encode())


class ChoosesTheRound(Operator):
    """The beacon round is the one after the right one."""

    def round_of(self, shift: OpenShift, start: datetime) -> int:
        """One later."""
        return super().round_of(shift, start) + 1


class ForgesTheBeacon(Operator):
    """The beacon value is invented."""

    def evidence(self, round_number: int) -> bytes:
        """Of the right form."""
        return BEACON.evidence(round_number)[:-1] + b"\x00"


class SwapsTheOutcome(Operator):
    """The first two seats of every wave change persons."""

    def outcome(self, inputs: WaveInputs, key: bytes) -> Transcript:
        """Bent."""
        honest = replay_wave(inputs, key)
        return replace(honest, teams=tuple(reversed(honest.teams)))


class OpensAnotherSalt(Operator):
    """What is opened is not what was committed to."""

    def close(self, shift: OpenShift) -> None:
        """With other salts."""
        shift.salts = dict.fromkeys(shift.salts, bytes(32))
        super().close(shift)


class HidesTheInputs(Operator):
    """The bundle leaves the inputs of one wave out."""

    def opened_inputs(self) -> list[tuple[str, bytes]]:
        """All but the first."""
        return super().opened_inputs()[1:]


class EditsTheOpenedInputs(Operator):
    """The inputs in the bundle were improved after the draw."""

    def opened_inputs(self) -> list[tuple[str, bytes]]:
        """With another smallest pool."""
        return [(wave, data.replace(b'"min_pool":2', b'"min_pool":1')) for wave, data in super().opened_inputs()]


class OpensGarbage(Operator):
    """What was committed to are not inputs at all."""

    def opened_inputs(self) -> list[tuple[str, bytes]]:
        """Something else."""
        return [(wave, b"[]") for wave, _ in super().opened_inputs()]


def _handled_by_everybody(inputs: WaveInputs) -> WaveInputs:
    """The orders name everybody as a handler; the verdicts do not follow."""
    everybody = frozenset(person.candidate.person for person in inputs.persons)
    return replace(inputs, orders=tuple(replace(order, handled_by=everybody) for order in inputs.orders))


class DrawsASelector(Operator):
    """A person who handled the selection is judged eligible, and the verdict says so."""

    def collect(self, shift: OpenShift, start: datetime) -> WaveInputs:
        """Everybody handled everything, and is drawn all the same."""
        return _handled_by_everybody(super().collect(shift, start))


CHEATS: dict[type[Operator], Code] = {
    LeavesOutAContainer: Code.INPUTS_ORDERS,
    LeavesOutAPerson: Code.INPUTS_PERSONS,
    AddsAPerson: Code.INPUTS_PERSONS,
    InventsAnAbsence: Code.INPUTS_ABSENCE,
    InventsBusyness: Code.INPUTS_BUSY,
    ForgetsBusyness: Code.INPUTS_BUSY,
    BendsAVerdict: Code.INPUTS_VERDICTS,
    ExchangesAContainer: Code.INPUTS_ORDER_DIGEST,
    MislabelsTheInputs: Code.INPUTS_TERMS,
    UsesAnotherSeed: Code.SEED_MISMATCH,
    ChoosesTheRound: Code.FREEZE_ROUND,
    ForgesTheBeacon: Code.BEACON_EVIDENCE,
    SwapsTheOutcome: Code.REPLAY_MISMATCH,
    OpensAnotherSalt: Code.INPUTS_MISMATCH,
    HidesTheInputs: Code.INPUTS_MISSING,
    EditsTheOpenedInputs: Code.INPUTS_MISMATCH,
    OpensGarbage: Code.INPUTS_MALFORMED,
    DrawsASelector: Code.SEPARATION,
}


@pytest.mark.parametrize(("cheat", "expected"), CHEATS.items())
def test_cheating_operator(cheat: type[Operator], expected: Code) -> None:
    """Everything he commits to and signs fits together, and is found all the same."""
    assert expected in codes(check(run_day(cheat())))


def test_roster_of_quite_another_size_is_one_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever leaves out thousands does not choose how long the verifier lists them."""
    monkeypatch.setattr(reconcile, "_MANY", 0)
    report = check(run_day(LeavesOutAPerson()))
    found = [item for item in report.findings if item.code is Code.INPUTS_PERSONS]
    assert len(found) == 7  # one a wave
    assert "7 persons instead of 8" in found[0].message


def test_handler_who_is_drawn_is_named_at_the_draw() -> None:
    """Separation is checked for every seat, apart from the verdicts and from replacements."""
    report = check(run_day(DrawsASelector()))
    assert any(item.code is Code.SEPARATION and "was drawn" in item.message for item in report.findings)


def test_draw_that_the_core_refuses_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs that cannot be drawn do not stop the verification."""
    operator = run_day(Operator())

    def refuse(inputs: WaveInputs, key: bytes) -> Transcript:
        raise AssignError("DRAW", "no")

    monkeypatch.setattr(opening, "replay_wave", refuse)
    assert Code.REPLAY_REFUSED in codes(check(operator))


class ShortOfStaff(Operator):
    """Draws late, recovers a seed, and has too few people for teams of two."""

    min_pool = 3

    def import_roster(self, shift: OpenShift, names: list[str], **more: Any) -> None:
        """One person of each list."""
        super().import_roster(shift, names[:1], **more)

    def reveal(self, shift: OpenShift, start: datetime, person: Pseudonym) -> None:
        """Nobody reads."""

    def request_replacement(self, shift: OpenShift, start: datetime, absent: Pseudonym) -> None:
        """Nobody is left to replace anybody."""

    approve_replacement = request_replacement  # type: ignore[assignment]

    def report_absence(self, shift: OpenShift, person: Pseudonym) -> None:
        """Nobody is sick."""

    def draw(self, shift: OpenShift, start: datetime) -> None:
        """After the start, with a recovered seed."""
        self.record(Kind.KEY_USE, {"wave": str(WaveName(shift.name, start)), "purpose": "recover"})
        if start == at(6, 45):
            self.wait_until(at(6, 46))
        super().draw(shift, start)


def test_departures_are_reported_and_are_not_wrong() -> None:
    """What is within the rules, but is how a draw could be undermined, is listed for a supervisor."""
    report = check(run_day(ShortOfStaff()))
    assert report.findings == ()
    found = {item.code for item in report.attention}
    assert found >= {Attention.DRAW_LATE, Attention.SMALL_POOL, Attention.LEFT_OVER, Attention.KEY_RECOVERED}


def test_every_code_is_reached() -> None:
    """No finding exists that no test provokes."""
    tests = Path(__file__).parents[1]
    paths = (*tests.glob("unit/test_verify_*.py"), tests / "log_forgeries.py")
    texts = "".join(path.read_text() for path in paths)
    missing = [code for code in (*Code, *Attention) if f".{code.name}" not in texts and f'"{code}"' not in texts]
    assert missing == []


def test_person_capacity_bounds_the_day() -> None:
    """Nobody has more inspections in a wave than his capacity."""
    operator = run_day(Operator())
    for shift in operator.shifts.values():
        _check_capacity(shift.persons, shift.occupancy, [*shift.inputs])


def _check_capacity(persons: list[FrozenPerson], occupancy: Occupancy, waves: list[str]) -> None:
    for one in persons:
        for wave in waves:
            assert len(occupancy.orders_of(wave, one.candidate.person)) <= one.capacity
