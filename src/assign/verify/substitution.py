"""Whether an approved replacement is the one that the draw's reserve order allows, approved by whom it may."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from assign.draw.inputs import WaveInputs
from assign.draw.occupancy import Occupancy, WhyPassedOver
from assign.draw.reserves import reserve_order
from assign.names import OrderId
from assign.person import Pseudonym
from assign.rules.separation import SeparationRefusal, check_approver, check_inspector
from assign.verify.findings import Attention, Code, Findings
from assign.verify.shift import Approval

__all__ = ["Case", "check_approval", "open_case"]

# What rests on facts that only the operator has: the log cannot contradict these.
_ON_WORD = frozenset({WhyPassedOver.NOT_CLEARED, WhyPassedOver.RECUSED})
_SYSTEMS = "systems/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the draw says of one order.

    Attributes:
        reserve: the reserve order. capacity: of everybody in it.
    """

    reserve: tuple[Pseudonym, ...]
    capacity: Mapping[Pseudonym, int]
    handled_by: frozenset[Pseudonym]


def open_case(inputs: WaveInputs, key: bytes, order: OrderId) -> Case | None:
    """The case of `order` under the wave's draw key; None if the order is not in the inputs."""
    frozen = next((item for item in inputs.orders if item.order == order), None)
    if frozen is None:
        return None
    reserve = tuple(reserve_order(inputs, key, order))
    eligible = frozenset(reserve)
    capacity = {
        person.candidate.person: person.capacity for person in inputs.persons if person.candidate.person in eligible
    }
    return Case(reserve=reserve, capacity=capacity, handled_by=frozen.handled_by)


def check_approval(
    approval: Approval,
    case: Case,
    *,
    occupancy: Occupancy,
    absent: Collection[Pseudonym],
    findings: Findings,
) -> None:
    """Add a finding for whatever is wrong with `approval`.

    Args:
        occupancy: before this approval.
        absent: reported absent before this approval.
    """
    check = _Check(approval, case, findings)
    check.separation()
    if approval.absent not in occupancy.team_of(approval.wave, approval.order):
        check.add(Code.REPLACEMENT_NOT_DRAWN, f"{approval.absent} does not have order {approval.order}.")
        return
    unavailable = occupancy.unavailable(
        approval.wave, approval.order, leaving=approval.absent, capacity=case.capacity, absent=absent
    )
    check.order()
    check.reasons(unavailable)
    findings.note(
        Attention.REPLACED,
        f"{approval.absent} was replaced on order {approval.order} of {approval.wave} by "
        f"{approval.substitute or 'nobody'}.",
        approval.index,
    )


class _Check:
    def __init__(self, approval: Approval, case: Case, findings: Findings) -> None:
        self._approval = approval
        self._case = case
        self._findings = findings

    def add(self, code: Code, message: str) -> None:
        self._findings.add(code, message, self._approval.index)

    def separation(self) -> None:
        """The approver is a person who may, and the substitute may inspect."""
        approval, handled_by = self._approval, self._case.handled_by
        refusal = check_approver(
            approver=approval.by,
            requester=approval.requested_by,
            handled_by=handled_by,
            gains=approval.substitute,
            loses=approval.absent,
        )
        if refusal is SeparationRefusal.APPROVER_HANDLED_SELECTION:
            self.add(Code.SEPARATION, f"{approval.by} handled the selection and approved a replacement.")
        elif refusal is not None or approval.by.startswith(_SYSTEMS):
            why = refusal or "approved by a system"
            self.add(Code.REPLACEMENT_SELF_APPROVED, f"No second person approved this replacement: {why}.")
        if approval.substitute is not None and check_inspector(approval.substitute, handled_by):
            self.add(Code.SEPARATION, f"{approval.substitute} handled the selection and took over the inspection.")

    def order(self) -> None:
        """Everybody before the substitute in the reserve order was passed over, and nobody else."""
        reserve, substitute = self._case.reserve, self._approval.substitute
        if substitute is not None and substitute not in reserve:
            self.add(Code.REPLACEMENT_ORDER, f"{substitute} is not in the reserve order.")
            return
        before = reserve if substitute is None else reserve[: reserve.index(substitute)]
        if tuple(person for person, _ in self._approval.passed_over) != before:
            self.add(Code.REPLACEMENT_ORDER, "Those passed over are not those before him in the reserve order.")

    def reasons(self, unavailable: Mapping[Pseudonym, str]) -> None:
        """Each was passed over for a reason that the log bears out, and the substitute was free."""
        approval = self._approval
        for person, why in approval.passed_over:
            if why in _ON_WORD:
                self._findings.note(
                    Attention.REPLACEMENT_ON_WORD,
                    f"{person} was passed over on order {approval.order} as {why}: the operator's word.",
                    approval.index,
                )
            elif why != unavailable.get(person):
                self.add(Code.REPLACEMENT_REASON, f"{person} was passed over as {why}; the log says otherwise.")
        if approval.substitute is not None and approval.substitute in unavailable:
            why = unavailable[approval.substitute]
            self.add(Code.REPLACEMENT_UNAVAILABLE, f"{approval.substitute} was not free: {why}.")
