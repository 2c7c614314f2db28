"""Who may call what: the table is whole, it is the documentation, and certain rights never meet."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest

import assign.v1
from assign.errors import Denied
from server.auth.access import Role
from server.auth.identity import Caller
from server.auth.permissions import ALLOWED, ANONYMOUS, ANY_CALLER, check_method
from server.auth.permissions_page import NARROWED, page

PAGE = Path(__file__).parents[2] / "docs/permissions.md"
REVEAL = "/assign.v1.RevealService/RevealAssignment"


def _methods_of_contract() -> set[str]:
    """Every method of every service in the committed generated code."""
    names: set[str] = set()
    for module in pkgutil.iter_modules(assign.v1.__path__, "assign.v1."):
        if module.name.endswith("_pb2"):
            descriptor = importlib.import_module(module.name).DESCRIPTOR
            for service in descriptor.services_by_name.values():
                names.update(f"/{service.full_name}/{method.name}" for method in service.methods)
    return names


def _caller(role: Role) -> Caller:
    return Caller("person", "x", role, frozenset())


def _may(role: Role, method: str) -> bool:
    try:
        check_method(_caller(role), method)
    except Denied:
        return False
    return True


def test_every_method_of_the_contract_has_a_row() -> None:
    """A new method that nobody decided about fails here; so does a row without a method."""
    assert set(ALLOWED) == _methods_of_contract()
    assert all(ALLOWED.values())


def test_page_is_what_the_table_says() -> None:
    """`make docs` was run after the last change."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_cell_of_the_page_is_how_the_server_decides() -> None:
    """Each method with each role, as a reader of the committed page sees it."""
    seen = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if "Service." in line and len(cells) == len(Role) + 2:
            service, _, method = cells[0].partition(".")
            for role, cell in zip(Role, cells[1:-1], strict=True):
                seen[f"/assign.v1.{service}/{method}", role] = cell == "✓"
    assert seen == {(method, role): _may(role, method) for method in ALLOWED for role in Role}


def test_every_condition_belongs_to_a_method() -> None:
    """A renamed method does not leave its condition behind."""
    assert set(NARROWED) <= {method.rpartition("/")[2] for method in ALLOWED}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    "method",
    [
        "",
        "/",
        "RevealAssignment",
        REVEAL.lower(),
        REVEAL + "/",
        REVEAL[1:],
        "/assign.v2.RevealService/RevealAssignment",
        "/grpc.channelz.v1.Channelz/GetServers",
    ],
)
def test_unlisted_method_is_refused_to_everyone(role: Role, method: str) -> None:
    """Default is no."""
    assert not _may(role, method)


def test_refusal_is_always_the_same() -> None:
    """Neither text nor reason tells what the method or the role was."""
    refusals = set()
    for role, method in ((Role.SELECTOR, REVEAL), (Role.AUDITOR, "/x/y"), (Role.TERMINAL_SYSTEM, REVEAL)):
        with pytest.raises(Denied) as refused:
            check_method(_caller(role), method)
        refusals.add((refused.value.reason, refused.value.message, refused.value.field))
    assert {(reason, field) for reason, _, field in refusals} == {("ROLE_NOT_ALLOWED", "")}
    assert len(refusals) == 1


def test_health_and_reflection_need_no_role() -> None:
    """A probe works with any role, and neither is part of the contract."""
    assert all(_may(role, method) for role in Role for method in ANONYMOUS | ANY_CALLER)
    assert not (ANONYMOUS | ANY_CALLER) & set(ALLOWED)


def _callable(role: Role) -> set[str]:
    return {method.rpartition("/")[2] for method in ALLOWED if _may(role, method)}


def test_selector_sees_his_orders_and_nothing_else() -> None:
    """No roster, no wave, no assignment: he cannot steer what he cannot see."""
    assert _callable(Role.SELECTOR) == {"ListOrders"}


def test_only_inspectors_reveal() -> None:
    """Nobody else reads an assignment before its wave starts."""
    assert ALLOWED[REVEAL] == {Role.INSPECTOR}


def test_inspector_sees_no_orders_slots_rosters_or_log() -> None:
    """What he could learn ahead of the reveal is not shown to him."""
    assert _callable(Role.INSPECTOR) == {
        "GetReceipt",
        "GetShift",
        "GetWave",
        "ListWaves",
        "ReportAbsence",
        "RevealAssignment",
    }


def test_systems_see_no_persons() -> None:
    """Neither rosters nor assignments go to a terminal or a declaration system."""
    with_persons = {"ListRosterEntries", "ListAssignments", "RevealAssignment", "RequestReplacement", "ExportBundle"}
    for role in (Role.TERMINAL_SYSTEM, Role.DECLARATION_SYSTEM):
        assert not _callable(role) & with_persons


def test_who_administers_persons_neither_reads_the_log_nor_operates() -> None:
    """The security officer imports screening status, and asks for erasures that another one confirms: that is all."""
    assert _callable(Role.SECURITY_OFFICER) == {"BatchImportPersons", "RequestErasure"}


def test_auditor_changes_nothing() -> None:
    """Oversight only reads."""
    assert all(name.startswith(("Get", "List", "Export")) for name in _callable(Role.AUDITOR))


def test_requester_without_approval_right_exists() -> None:
    """A replacement takes a second person: approving is for supervisors alone."""
    assert ALLOWED["/assign.v1.RevealService/ApproveReplacement"] == {Role.SUPERVISOR}
    assert Role.ROSTER_OFFICER in ALLOWED["/assign.v1.RevealService/RequestReplacement"]
