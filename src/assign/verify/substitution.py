"""Whether an approved replacement is the one that the draw's reserve order allows, approved by whom it may."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from assign.draw.inputs import WaveInputs
from assign.draw.occupancy import Occupancy, WhyPassedOver
from assign.draw.reserves import reserve_order_of_row
from assign.names import OrderId
from assign.person import Pseudonym
from assign.rules.separation import SeparationRefusal, check_approver, check_inspector
from assign.verify.findings import Attention, Code, Findings
from assign.verify.shift import Approval, Substituted

__all__ = ["Case", "check_approval", "open_cases"]

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


def open_cases(inputs: WaveInputs, key: bytes, orders: Collection[OrderId]) -> dict[OrderId, Case]:
    """The cases of those of `orders` that are in the inputs, under the wave's draw key."""
    if not orders:
        return {}
    capacity = {person.candidate.person: person.capacity for person in inputs.persons}
    cases: dict[OrderId, Case] = {}
    for row, frozen in enumerate(inputs.orders):
        if frozen.order in orders:
            reserve = tuple(reserve_order_of_row(inputs, key, row))
            cases[frozen.order] = Case(
                reserve=reserve,
                capacity={person: capacity[person] for person in reserve},
                handled_by=frozen.handled_by,
            )
    return cases


def check_approval(
    approval: Approval,
    cases: Mapping[OrderId, Case],
    *,
    occupancy: Occupancy,
    absent: Collection[Pseudonym],
    findings: Findings,
) -> None:
    """Add a finding for whatever is wrong with `approval`, and carry it out in `occupancy`.

    Args:
        cases: of the orders in the approval that have an outcome in the wave.
        absent: reported absent before this approval.
    """
    check = _Check(approval, findings)
    check.approver()
    due = occupancy.orders_of(approval.wave, approval.absent)
    given = tuple(item.order for item in approval.substitutions)
    if given != due:
        check.add(
            Code.REPLACEMENT_NOT_DRAWN,
            f"{approval.absent} has the orders {_listed(due)} in {approval.wave}, not {_listed(given)}.",
        )
    for item in approval.substitutions:
        case = cases.get(item.order)
        if case is None or item.order not in due:
            continue
        unavailable = occupancy.unavailable(
            approval.wave, item.order, leaving=approval.absent, capacity=case.capacity, absent=absent
        )
        check.separation(item, case)
        check.order(item, case)
        check.reasons(item, unavailable)
        occupancy.replace(approval.wave, item.order, absent=approval.absent, substitute=item.substitute)


def _listed(orders: tuple[OrderId, ...]) -> str:
    return ", ".join(orders) or "none"


class _Check:
    def __init__(self, approval: Approval, findings: Findings) -> None:
        self._approval = approval
        self._findings = findings

    def add(self, code: Code, message: str) -> None:
        self._findings.add(code, message, self._approval.index)

    def approver(self) -> None:
        """A second person, not a system."""
        approval = self._approval
        if approval.by == approval.requested_by or approval.by.startswith(_SYSTEMS):
            self.add(Code.REPLACEMENT_SELF_APPROVED, "No second person approved this replacement.")

    def separation(self, item: Substituted, case: Case) -> None:
        """The approver neither handled the selection nor gains or loses, and the substitute may inspect."""
        approval, handled_by = self._approval, case.handled_by
        refusal = check_approver(
            approver=approval.by,
            requester=approval.requested_by,
            handled_by=handled_by,
            gains=item.substitute,
            loses=approval.absent,
        )
        if refusal is SeparationRefusal.APPROVER_HANDLED_SELECTION:
            self.add(Code.SEPARATION, f"{approval.by} handled the selection of {item.order} and approved.")
        elif refusal in (SeparationRefusal.APPROVER_GAINS, SeparationRefusal.APPROVER_LOSES):
            self.add(Code.REPLACEMENT_SELF_APPROVED, f"{approval.by} approved what he gains or loses: {refusal}.")
        if item.substitute is not None and check_inspector(item.substitute, handled_by):
            self.add(Code.SEPARATION, f"{item.substitute} handled the selection of {item.order} and took it over.")

    def order(self, item: Substituted, case: Case) -> None:
        """Everybody before the substitute in the reserve order was passed over, and nobody else."""
        reserve, substitute = case.reserve, item.substitute
        if substitute is not None and substitute not in reserve:
            self.add(Code.REPLACEMENT_ORDER, f"{substitute} is not in the reserve order of {item.order}.")
            return
        before = reserve if substitute is None else reserve[: reserve.index(substitute)]
        if tuple(person for person, _ in item.passed_over) != before:
            self.add(
                Code.REPLACEMENT_ORDER, f"Those passed over on {item.order} are not those first in the reserve order."
            )

    def reasons(self, item: Substituted, unavailable: Mapping[Pseudonym, str]) -> None:
        """Each was passed over for a reason that the log bears out, and the substitute was free."""
        for person, why in item.passed_over:
            if why in _ON_WORD:
                self._note(Attention.REPLACEMENT_ON_WORD, f"{person} was passed over on {item.order} as {why}.")
            elif why != unavailable.get(person):
                self.add(Code.REPLACEMENT_REASON, f"{person} was passed over as {why}; the log says otherwise.")
        if item.substitute is not None and item.substitute in unavailable:
            why = unavailable[item.substitute]
            self.add(Code.REPLACEMENT_UNAVAILABLE, f"{item.substitute} was not free for {item.order}: {why}.")
        self._note(
            Attention.REPLACED,
            f"{self._approval.absent} was replaced on {item.order} by {item.substitute or 'nobody'}.",
        )

    def _note(self, code: Attention, message: str) -> None:
        self._findings.note(code, message, self._approval.index)
