"""Separation of duties: every forbidden pair, and who may approve."""

from __future__ import annotations

from itertools import combinations

import pytest

from assign.rules.separation import Role, SeparationRefusal, check_approver, check_inspector, check_roles

FORBIDDEN = {
    frozenset({Role.SELECTOR, Role.INSPECTOR}): SeparationRefusal.SELECTOR_AND_INSPECTOR,
    frozenset({Role.SECURITY_OFFICER, Role.SELECTOR}): SeparationRefusal.SECURITY_AND_OTHER,
    frozenset({Role.SECURITY_OFFICER, Role.INSPECTOR}): SeparationRefusal.SECURITY_AND_OTHER,
    frozenset({Role.SECURITY_OFFICER, Role.ROSTER_OFFICER}): SeparationRefusal.SECURITY_AND_OTHER,
    frozenset({Role.SECURITY_OFFICER, Role.SUPERVISOR}): SeparationRefusal.SECURITY_AND_OTHER,
    frozenset({Role.SECURITY_OFFICER, Role.AUDITOR}): SeparationRefusal.SECURITY_AND_OTHER,
    frozenset({Role.AUDITOR, Role.SELECTOR}): SeparationRefusal.AUDITOR_AND_OPERATION,
    frozenset({Role.AUDITOR, Role.INSPECTOR}): SeparationRefusal.AUDITOR_AND_OPERATION,
    frozenset({Role.AUDITOR, Role.ROSTER_OFFICER}): SeparationRefusal.AUDITOR_AND_OPERATION,
    frozenset({Role.AUDITOR, Role.SUPERVISOR}): SeparationRefusal.AUDITOR_AND_OPERATION,
}


@pytest.mark.parametrize(
    "pair", [frozenset(pair) for pair in combinations(Role, 2)], ids=lambda pair: "+".join(sorted(pair))
)
def test_pairs_of_roles(pair: frozenset[Role]) -> None:
    """Exactly these pairs exclude each other, whatever else the person holds."""
    assert check_roles(pair) is FORBIDDEN.get(pair)


@pytest.mark.parametrize("pair", FORBIDDEN)
def test_a_third_role_heals_nothing(pair: frozenset[Role]) -> None:
    """A forbidden pair stays forbidden among others."""
    for role in Role:
        assert check_roles([*pair, role]) is not None


def test_one_role_is_never_refused() -> None:
    """And words that are no role exclude nothing."""
    for role in Role:
        assert check_roles([role]) is None
    assert check_roles([]) is None
    assert check_roles(["inspector", "terminal-system"]) is None
    assert check_roles(["inspector", "selector"]) is SeparationRefusal.SELECTOR_AND_INSPECTOR


def test_who_handled_a_selection_never_inspects_it() -> None:
    """Others do."""
    assert check_inspector("a", {"a", "b"}) is SeparationRefusal.HANDLED_SELECTION
    assert check_inspector("c", {"a", "b"}) is None


def approver(name: str, *, gains: str | None = "gainer", loses: str | None = "loser") -> SeparationRefusal | None:
    """Whether `name` may approve."""
    return check_approver(approver=name, requester="asker", handled_by={"selector"}, gains=gains, loses=loses)


@pytest.mark.parametrize(
    ("name", "refusal"),
    [
        ("asker", SeparationRefusal.APPROVER_IS_REQUESTER),
        ("selector", SeparationRefusal.APPROVER_HANDLED_SELECTION),
        ("gainer", SeparationRefusal.APPROVER_GAINS),
        ("loser", SeparationRefusal.APPROVER_LOSES),
        ("somebody", None),
    ],
)
def test_who_may_approve(name: str, refusal: SeparationRefusal | None) -> None:
    """Neither who asked, nor who selected, nor who gains or loses."""
    assert approver(name) is refusal


def test_nobody_gains_where_nobody_is_left() -> None:
    """None is no person."""
    assert approver("gainer", gains=None, loses=None) is None
