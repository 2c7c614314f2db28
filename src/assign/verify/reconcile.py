"""Whether the opened inputs of a wave are what the log says they must be: nobody left out, nothing bent."""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import datetime
from itertools import islice

from assign.draw.constrained import ALGORITHM
from assign.draw.inputs import FrozenOrder, FrozenPerson, WaveInputs
from assign.names import OrderId
from assign.person import Pseudonym
from assign.rules.eligibility import RULES_VERSION
from assign.verify.findings import Code, Findings
from assign.verify.shift import Booking, RosterLine, Shift, Wave

__all__ = ["BusyTimes", "reconcile"]

_MANY = 1000

BusyTimes = Mapping[Pseudonym, Set[tuple[datetime, datetime]]]
"""The `(start, end)` of each person's inspections that end after the wave's start, at its freeze."""


def reconcile(
    *,
    inputs: WaveInputs,
    shift: Shift,
    wave: Wave,
    busy: BusyTimes | None,
    codes: Set[str],
    order_digests: Mapping[OrderId, str],
    findings: Findings,
) -> None:
    """Add a finding at the freeze entry for whatever in `inputs` differs from the log before the freeze.

    Args:
        busy: None where it is not known, because an earlier wave of the shift could not be replayed.
        codes: the software versions that the log named before the close.
        order_digests: lower-case hexadecimal, of every order imported before the close.
    """
    check = _Reconciliation(inputs, shift, wave, findings)
    check.terms(codes)
    check.orders(order_digests)
    check.persons(busy)
    check.verdicts()


class _Reconciliation:
    def __init__(self, inputs: WaveInputs, shift: Shift, wave: Wave, findings: Findings) -> None:
        self._inputs = inputs
        self._shift = shift
        self._wave = wave
        self._findings = findings

    def _add(self, code: Code, message: str) -> None:
        self._findings.add(code, f"{self._wave.name}: {message}", self._wave.freeze_index)

    def terms(self, codes: Set[str]) -> None:
        """The names and the versions."""
        inputs, shift = self._inputs, self._shift
        freeze = self._wave.freeze
        for what, given, due in (
            ("origin", inputs.origin, freeze.origin if freeze else ""),
            ("shift", inputs.shift, str(shift.name)),
            ("wave", inputs.wave, self._wave.name),
            ("smallest pool", inputs.min_pool, shift.min_pool),
            ("draw", inputs.draw_algorithm, shift.draw),
        ):
            if given != due:
                self._add(Code.INPUTS_TERMS, f"the inputs are for the {what} {given}, not {due}.")
        if inputs.code_version not in codes:
            self._add(Code.INPUTS_TERMS, "the inputs name software that never started in this log.")
        if shift.draw != ALGORITHM or shift.rules != RULES_VERSION:
            self._add(Code.INPUTS_TERMS, f"draw {shift.draw} or rules {shift.rules} are not known here.")

    def orders(self, order_digests: Mapping[OrderId, str]) -> None:
        """Exactly the slots that stood at the freeze, as booked, and the orders as they arrived."""
        due = {booking.order: booking for booking in self._wave.orders_at_freeze()}
        given = {order.order: order for order in self._inputs.orders}
        for order in sorted(due.keys() - given.keys()):
            self._add(Code.INPUTS_ORDERS, f"order {order} was booked for this wave and left out.")
        for order in sorted(given.keys() - due.keys()):
            self._add(Code.INPUTS_ORDERS, f"order {order} has no slot in this wave by the log.")
        for order in sorted(given.keys() & due.keys()):
            if not _same_slot(given[order], due[order]):
                self._add(Code.INPUTS_ORDERS, f"the slot of order {order} is not the one that was booked.")
        for order, frozen in given.items():
            if frozen.digest().hex() != order_digests.get(order):
                self._add(Code.INPUTS_ORDER_DIGEST, f"order {order} is not the order that arrived.")

    def persons(self, busy: BusyTimes | None) -> None:
        """Exactly the roster at the freeze, each as listed, absent and busy as the log tells."""
        count = self._shift.roster_size_at(self._wave.freeze_index)
        if abs(count - len(self._inputs.persons)) > _MANY:
            # Whoever leaves out thousands is not to choose how long the verifier is busy listing them.
            self._add(Code.INPUTS_PERSONS, f"{len(self._inputs.persons)} persons instead of {count} on the roster.")
            return
        due = dict(islice(self._shift.roster.items(), count))
        given = {person.candidate.person: person for person in self._inputs.persons}
        for person in sorted(due.keys() - given.keys()):
            self._add(Code.INPUTS_PERSONS, f"{person} was on the roster and is left out.")
        for person in sorted(given.keys() - due.keys()):
            self._add(Code.INPUTS_PERSONS, f"{person} was not on the roster at the freeze.")
        for person in sorted(given.keys() & due.keys()):
            self._person(person, given[person], due[person])
            if busy is not None:
                self._busy(person, given[person], due[person], busy)

    def _person(self, person: Pseudonym, given: FrozenPerson, due: RosterLine) -> None:
        if not _same_duty(given, due):
            self._add(Code.INPUTS_PERSONS, f"{person} is not as the roster says.")
        absent_index = self._shift.absent.get(person)
        if given.candidate.absent != (absent_index is not None and absent_index < self._wave.freeze_index):
            self._add(Code.INPUTS_ABSENCE, f"{person} is not absent or present as the log says.")

    def _busy(self, person: Pseudonym, given: FrozenPerson, due: RosterLine, busy: BusyTimes) -> None:
        # What ends before the wave and the duty start excludes nobody from anything: it may be of another shift.
        since = max(self._wave.start, due.start)
        relevant = {times for times in given.candidate.busy if times[1] > since}
        if relevant != {times for times in busy.get(person, ()) if times[1] > since}:
            self._add(Code.INPUTS_BUSY, f"{person} is not busy as earlier draws and replacements say.")

    def verdicts(self) -> None:
        """What the rules give for the facts in the inputs."""
        if self._inputs.rejudge() != self._inputs.verdicts:
            self._add(Code.INPUTS_VERDICTS, "a verdict is not the one that the rules give.")


def _same_slot(order: FrozenOrder, booking: Booking) -> bool:
    return (order.slot, order.terminal, order.start, order.minutes) == (
        booking.slot,
        booking.terminal,
        booking.start,
        booking.minutes,
    )


def _same_duty(person: FrozenPerson, line: RosterLine) -> bool:
    facts = person.candidate
    return (facts.terminals, facts.duty_start, facts.duty_end, facts.qualifications, person.capacity) == (
        line.terminals,
        line.start,
        line.end,
        line.qualifications,
        line.capacity,
    )
