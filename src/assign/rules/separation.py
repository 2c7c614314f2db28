"""Separation of duties, judged per natural person: who selects never inspects, who gains never approves.

Pure rules over ids. The ids of one call all come from one name space (persons, or the pseudonyms of one
shift), so that the server and the offline verifier apply the same rule to what each of them knows.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum

__all__ = ["Role", "SeparationRefusal", "check_approver", "check_inspector", "check_roles"]


class Role(StrEnum):
    """What a natural person is there for. One person may hold several roles, but not every combination."""

    SELECTOR = "selector"
    INSPECTOR = "inspector"
    ROSTER_OFFICER = "roster-officer"
    SUPERVISOR = "supervisor"
    SECURITY_OFFICER = "security-officer"
    AUDITOR = "auditor"


class SeparationRefusal(StrEnum):
    """Why separation of duties forbids something; stable codes."""

    SELECTOR_AND_INSPECTOR = "SELECTOR_AND_INSPECTOR"
    SECURITY_AND_OTHER = "SECURITY_AND_OTHER"
    AUDITOR_AND_OPERATION = "AUDITOR_AND_OPERATION"
    HANDLED_SELECTION = "HANDLED_SELECTION"
    APPROVER_IS_REQUESTER = "APPROVER_IS_REQUESTER"
    APPROVER_HANDLED_SELECTION = "APPROVER_HANDLED_SELECTION"
    APPROVER_GAINS = "APPROVER_GAINS"
    APPROVER_LOSES = "APPROVER_LOSES"


_OPERATIONAL = frozenset({Role.SELECTOR, Role.INSPECTOR, Role.ROSTER_OFFICER, Role.SUPERVISOR})


def check_roles(roles: Collection[str]) -> SeparationRefusal | None:
    """Whether one person may hold `roles` (values of `Role`) at the same time; None: yes.

    Selector and inspector exclude each other. Who decides on screening and access neither reviews the log nor
    works in the operation, and who reviews the log does not work in the operation that he reviews.
    """
    held = frozenset(roles)
    if {Role.SELECTOR, Role.INSPECTOR} <= held:
        return SeparationRefusal.SELECTOR_AND_INSPECTOR
    if Role.SECURITY_OFFICER in held and held & (_OPERATIONAL | {Role.AUDITOR}):
        return SeparationRefusal.SECURITY_AND_OTHER
    if Role.AUDITOR in held and held & _OPERATIONAL:
        return SeparationRefusal.AUDITOR_AND_OPERATION
    return None


def check_inspector(person: str, handled_by: Collection[str]) -> SeparationRefusal | None:
    """Whether `person` may inspect a container whose selection `handled_by` selected, viewed or edited."""
    return SeparationRefusal.HANDLED_SELECTION if person in handled_by else None


def check_approver(
    *, approver: str, requester: str, handled_by: Collection[str], gains: str | None, loses: str | None
) -> SeparationRefusal | None:
    """Whether `approver` may approve an exception on one order; None: yes.

    Args:
        requester: who asked for the exception.
        handled_by: who selected, viewed or edited the selection of the order.
        gains: who gets the work by it (the substitute); None where nobody does.
        loses: who is relieved of it (the absent person); None where nobody is.
    """
    if approver == requester:
        return SeparationRefusal.APPROVER_IS_REQUESTER
    if approver in handled_by:
        return SeparationRefusal.APPROVER_HANDLED_SELECTION
    if approver == gains:
        return SeparationRefusal.APPROVER_GAINS
    if approver == loses:
        return SeparationRefusal.APPROVER_LOSES
    return None
