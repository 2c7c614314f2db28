"""Manual mode, reads and erasure through the door of a real server, and the commands that go with them."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from e2e.port import (
    APPROVER,
    AUDITOR,
    CALL_SECONDS,
    INSPECTORS,
    PARENT,
    PARTIES,
    ROSTER_OFFICER,
    SECURITY_OFFICER,
    SUPERVISOR,
    Site,
    refusal,
    running_site,
)

import assign.v1
from assign.log.entries import Kind
from assign.v1 import outage_service_pb2 as outage_pb2
from assign.v1 import (
    outage_service_pb2_grpc,
    privacy_service_pb2_grpc,
    reveal_service_pb2,
    review_service_pb2_grpc,
)
from assign.v1 import privacy_service_pb2 as privacy_pb2
from assign.v1 import review_service_pb2 as review_pb2
from server.auth.certificate_files import CertificateDirectory
from server.auth.permissions import ALLOWED
from server.demo.workplace import Identity

MINUTE = timedelta(minutes=1)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own: its beacon goes silent."""
    yield from running_site(tmp_path_factory.mktemp("outage"))


def outages(site: Site, who: Identity) -> outage_service_pb2_grpc.OutageServiceStub:
    """The service as somebody reaches it."""
    return outage_service_pb2_grpc.OutageServiceStub(site.client(who).channel)


def command(site: Site, who: Identity, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as somebody runs it against the server."""
    certificates = CertificateDirectory.open(site.directory / "certs")
    files = certificates.client_files(who.kind, who.id)
    environment = {
        **os.environ,
        "ASSIGN_SERVER": site.address,
        "ASSIGN_CERTIFICATE": str(files.certificate),
        "ASSIGN_KEY": str(files.key),
        "ASSIGN_AUTHORITY": str(certificates.authority_certificate),
    }
    return subprocess.run(
        [sys.executable, "-m", "server", *arguments],
        env=environment, cwd=site.directory, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    """The JSON that a command printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_shift_without_a_beacon_from_paper_to_reconciliation(port: Site) -> None:
    """Sheets are made and printed, two persons open one and declare the wave, the lines are typed in, all verifies."""
    duty = port.open_shift(waves=1)
    shift = str(duty.name)
    made = answer(command(port, ROSTER_OFFICER, "outage", "commit", "--shift", shift, "--copies", "1", "--json"))
    again = command(port, ROSTER_OFFICER, "outage", "commit", "--shift", shift)
    assert (again.returncode, "SHEETS_CURRENT" in again.stderr) == (1, True)
    done = command(port, SUPERVISOR, "outage", "print", "--config", "assign.toml", "--shift", shift, "--out", "paper")
    assert done.returncode == 0, done.stderr
    papers = sorted((port.directory / "paper").iterdir())
    assert len(papers) == 2 * len(made["sheets"])
    assert papers[0].read_bytes().startswith(b"%PDF-")
    assert papers[0].stat().st_mode & 0o777 == 0o600
    sheet = next(one["name"] for one in made["sheets"] if one["terminal"].endswith("/RWG"))
    text = port.directory / "paper" / f"sheet-{int(sheet.rpartition('/')[2]):04}.txt"
    outside, _, inside = text.read_text().partition("\f")
    assert all(one.id in inside and one.id not in outside for one in INSPECTORS)
    [slot] = port.book_orders([duty.start()])
    port.advance(duty.freeze_time() + MINUTE)
    for party in PARTIES:
        port.stop(party)
    port.forget_due()
    port.clock.advance_to(duty.start() + MINUTE)
    sealed = outage_pb2.GetSheetOrderRequest(name=sheet)
    assert refusal(outages(port, SUPERVISOR).GetSheetOrder, sealed).reason == "SHEET_SEALED"
    asked = answer(command(port, SUPERVISOR, "outage", "request-open", sheet, "--reason", "beacon-down", "--json"))
    alone = command(port, SUPERVISOR, "outage", "open", asked["name"])
    assert (alone.returncode, "APPROVER_IS_REQUESTER" in alone.stderr) == (1, True)
    answer(command(port, APPROVER, "outage", "open", asked["name"], "--json"))
    wave = answer(
        command(port, SUPERVISOR, "outage", "request-manual", duty.wave(), "--reason", "beacon-down", "--json")
    )
    answer(command(port, APPROVER, "outage", "confirm-manual", wave["name"], "--json"))
    first = outages(port, SUPERVISOR).GetSheetOrder(sealed, timeout=CALL_SECONDS).persons[0].rpartition("/")[2]
    assert inside.split()[3] == first
    when = f"{duty.start() + MINUTE:%Y-%m-%dT%H:%M:%SZ}"
    lines = port.directory / "lines.csv"
    name = slot.name.rpartition("/")[2]
    lines.write_text(f"line,person,time,slot,why\n1,{first},{when},{name},\n")
    typed = answer(command(port, SUPERVISOR, "outage", "import", sheet, "--lines", str(lines), "--json"))
    assert typed == {"imported_count": 1}
    port.stop()
    for party in PARTIES:
        port.start_party(party)
    port.start_server()
    port.close_shift(duty)
    done = subprocess.run(
        [sys.executable, "-m", "server", "export", "--config", "assign.toml", "--out", "day.bundle"],
        cwd=port.directory, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(command(port, AUDITOR, "verify", "day.bundle", "--json").stdout)
    assert report["findings"] == []
    assert [wave["state"] for wave in report["shifts"][-1]["waves"]] == ["manual"]


def test_who_saw_what_is_told_from_the_log(port: Site) -> None:
    """By the command, as JSON: the inspector's look, before the start, by name."""
    duty = port.open_shift(waves=1)
    port.book_orders([duty.start()])
    port.advance(duty.draw_time() + MINUTE)
    port.reveal(duty, INSPECTORS[3].id)
    done = command(port, AUDITOR, "review", "reads", "--wave", duty.wave(), "--before-start", "--json")
    assert done.returncode == 0, done.stderr
    looks = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["kind"], one["reader"]) for one in looks] == [
        ("key-use", "the server"),
        ("key-use", "the server"),
        ("reveal", f"{PARENT}/persons/{INSPECTORS[3].id}"),
    ]
    assert all(one["before_start"] for one in looks)


def _says_who(message: Any, seen: frozenset[str] = frozenset()) -> bool:
    """Whether a message can hold who inspects what, at whatever depth."""
    if message.full_name in {"assign.v1.Assignment", "assign.v1.Inspection", "assign.v1.SheetOrder"}:
        return True
    if message.full_name in seen:
        return False
    below = seen | {message.full_name}
    return any(field.message_type is not None and _says_who(field.message_type, below) for field in message.fields)


def test_no_call_returns_an_assignment_without_a_leaf(port: Site) -> None:
    """All calls of the contract are walked; each that can say who inspects what adds an entry every time it does."""

    modules = [
        m.name for m in pkgutil.iter_modules(assign.v1.__path__, "assign.v1.") if m.name.endswith("_service_pb2")
    ]
    services = [
        service
        for module in modules
        if module.endswith("_service_pb2")
        for service in importlib.import_module(module).DESCRIPTOR.services_by_name.values()
    ]
    methods = {f"/{one.full_name}/{method.name}": method for one in services for method in one.methods}
    assert set(methods) == set(ALLOWED)
    telling = {name for name, method in methods.items() if _says_who(method.output_type)}
    assert telling == {
        "/assign.v1.OutageService/GetSheetOrder",
        "/assign.v1.RevealService/ListAssignments",
        "/assign.v1.RevealService/RevealAssignment",
    }
    duty = port.open_shift(waves=1)
    port.book_orders([duty.start()])
    sheets = outages(port, SUPERVISOR).CommitSheets(
        outage_pb2.CommitSheetsRequest(parent=str(duty.name), copies=1, request_id=port.fresh("r")),
        timeout=CALL_SECONDS,
    )
    port.advance(duty.start() + MINUTE)
    asked = outages(port, SUPERVISOR).RequestSheetOpening(
        outage_pb2.RequestSheetOpeningRequest(name=sheets.sheets[0].name, reason="drill", request_id=port.fresh("r")),
        timeout=CALL_SECONDS,
    )
    outages(port, APPROVER).OpenSheet(
        outage_pb2.OpenSheetRequest(name=asked.name, request_id=port.fresh("r")), timeout=CALL_SECONDS
    )
    looks = [
        lambda: port.reveal(duty, INSPECTORS[0].id),
        lambda: port.client(SUPERVISOR).reveals.ListAssignments(
            reveal_service_pb2.ListAssignmentsRequest(parent=duty.wave()), timeout=CALL_SECONDS
        ),
        lambda: outages(port, SUPERVISOR).GetSheetOrder(
            outage_pb2.GetSheetOrderRequest(name=sheets.sheets[0].name), timeout=CALL_SECONDS
        ),
    ]
    for look in looks:
        for _ in range(2):  # a repetition is a look as well
            before = port.size()
            look()
            added = [entry.kind for entry in port.entries(before)]
            assert added in ([Kind.REVEAL], [Kind.READ])
    everyone = f"{PARENT}/persons/".encode()
    reads = review_service_pb2_grpc.ReviewServiceStub(port.client(AUDITOR).channel)
    listed = reads.ListReads(review_pb2.ListReadsRequest(parent=duty.wave()), timeout=CALL_SECONDS)
    # Readers are named; what they saw is not.
    assert everyone in listed.SerializeToString()
    assert b"/orders/" not in listed.SerializeToString()


def test_an_erasure_takes_two_persons_and_balances(port: Site) -> None:
    """A security officer asks, a supervisor confirms; the account of pseudonyms balances before and after."""
    person = INSPECTORS[11].id
    duty = port.open_shift(waves=1, people=[INSPECTORS[10].id, person])
    request = privacy_pb2.RequestErasureRequest(
        name=f"{PARENT}/persons/{person}", reason="left-service", request_id=port.fresh("r")
    )
    privacy = privacy_service_pb2_grpc.PrivacyServiceStub(port.client(SECURITY_OFFICER).channel)
    assert refusal(privacy.RequestErasure, request).reason == "PERSON_ON_DUTY"
    port.close_shift(duty)
    asked = answer(command(
        port, SECURITY_OFFICER, "privacy", "request-erase", "--person", request.name, "--reason", "left", "--json"
    ))  # fmt: skip
    refused = command(port, SECURITY_OFFICER, "privacy", "erase", asked["name"])
    assert (refused.returncode, "ROLE_NOT_ALLOWED" in refused.stderr) == (1, True)
    erased = answer(command(port, SUPERVISOR, "privacy", "erase", asked["name"], "--json"))
    assert erased["pseudonyms"] >= 1
    balance = answer(command(port, AUDITOR, "privacy", "account", "--config", "assign.toml", "--json"))
    assert (balance["is_balanced"], balance["committed"] <= balance["keys"]) == (True, True)
    assert port.rows("SELECT count(*) FROM roster_entry WHERE person = ?", person) == [(0,)]
    plan = answer(command(port, AUDITOR, "privacy", "retention", "--config", "assign.toml", "--dry-run", "--json"))
    assert plan["dry_run"] is True
