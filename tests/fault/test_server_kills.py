"""SIGKILL at random moments: whatever was acknowledged is there afterwards, and nothing is there twice."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from e2e.port import CALL_SECONDS, DECLARATIONS, INSPECTORS, Duty, Site, eventually, reveal_request, running_site

from assign.log.entries import Kind
from assign.v1 import order_service_pb2
from assign.verify.bundle import read_bundle
from assign.verify.replay import verify_bundle
from assign.verify.report import Report

_KILLS = 12
_IMPORTS, _REVEALS = 120, 40


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site of its own: its server is killed again and again."""
    yield from running_site(tmp_path_factory.mktemp("kills"))


class _Burst:
    """Imports and reveals, all in flight when the server is killed."""

    def __init__(self, site: Site, duty: Duty) -> None:
        orders = site.client(DECLARATIONS).orders
        self.requests = [site.import_orders([site.order()]) for _ in range(_IMPORTS)]
        self._imports = [orders.BatchImportOrders.future(one, timeout=CALL_SECONDS) for one in self.requests]
        self._reveals = [
            site.client(who).reveals.RevealAssignment.future(
                reveal_request(duty.assignment(who.id)), timeout=CALL_SECONDS
            )
            for who in INSPECTORS
            for _ in range(_REVEALS // len(INSPECTORS))
        ]

    def wait_for(self, answers: int) -> None:
        """Return when that many imports were answered: a moment amidst them, on fast machines and slow ones."""
        eventually(lambda: True if sum(call.done() for call in self._imports) >= answers else None)

    def acknowledged(self) -> tuple[list[order_service_pb2.BatchImportOrdersRequest], int]:
        """The imports that were answered, and how many reveals were."""
        imports = [one for one, call in zip(self.requests, self._imports, strict=True) if _is_answered(call)]
        return imports, sum(_is_answered(call) for call in self._reveals)


def _is_answered(call: Any) -> bool:
    try:
        call.result()
    except grpc.RpcError:
        return False
    return True


@pytest.mark.slow
def test_a_killed_server_keeps_what_it_acknowledged(site: Site, tmp_path: Path) -> None:
    """Twelve kills in bursts of imports and reveals; then every import is sent again, and each is there once."""
    chance = random.Random(2026)
    duty = site.open_shift()
    site.book_orders([duty.start()] * 3)
    site.advance(duty.draw_time())
    acknowledged, sent, reveals = [], [], 0
    starts = _starts(site)
    for _ in range(_KILLS):
        burst = _Burst(site, duty)
        burst.wait_for(chance.randrange(_IMPORTS - 10))
        time.sleep(chance.uniform(0.0, 0.005))
        site.kill()
        imports, revealed = burst.acknowledged()
        acknowledged += imports
        sent += burst.requests
        reveals += revealed
        site.start_server()
    assert 0 < len(acknowledged) < len(sent), "every kill came before or after the burst: nothing was tested"
    stored = Counter(name for (name,) in site.rows('SELECT "order" FROM inspection_order'))
    logged = _logged_orders(site)
    names = [request.orders[0].name.rpartition("/")[2] for request in acknowledged]
    assert all(stored[name] == logged[name] == 1 for name in names)
    assert stored == logged
    assert Counter(entry.kind for entry in site.entries())[Kind.REVEAL] >= reveals
    orders = site.client(DECLARATIONS).orders
    for request in sent:
        assert orders.BatchImportOrders(request, timeout=CALL_SECONDS).imported_count == 1
    assert _logged_orders(site) == Counter(stored.keys() | {one.orders[0].name.rpartition("/")[2] for one in sent})
    site.close_shift(duty)
    with read_bundle(site.export(tmp_path / "kills.bundle")) as bundle:
        report = verify_bundle(bundle)
    assert (report.findings, report.is_complete) == ((), True)
    assert report.entries[Kind.SERVER_START] == starts + _KILLS


def _starts(site: Site) -> int:
    return sum(entry.kind is Kind.SERVER_START for entry in site.entries())


def _logged_orders(site: Site) -> Counter[str]:
    return Counter(
        row["order"] for entry in site.entries() if entry.kind is Kind.ORDERS_IMPORT for row in entry.body["orders"]
    )


def test_a_kill_between_freeze_and_draw_leaves_one_outcome(site: Site, tmp_path: Path) -> None:
    """Frozen, killed, drawn after the restart with the same freeze; killed again, the reveals are the same."""
    duty = site.open_shift()
    site.book_orders([duty.start()] * 4)
    site.advance(duty.freeze_time())
    frozen = site.wait_for(duty.wave(), 2)
    for _ in range(2):
        site.kill()
        site.start_server()
    assert site.wait_for(duty.wave(), 2).freeze_index == frozen.freeze_index
    site.advance(duty.draw_time())
    drawn = site.wait_for(duty.wave(), 3)
    assert drawn.freeze_index == frozen.freeze_index
    before = [site.reveal(duty, one.id) for one in INSPECTORS]
    for _ in range(2):
        site.kill()
        site.start_server()
    assert [site.reveal(duty, one.id) for one in INSPECTORS] == before
    assert sum(len(one.inspections) for one in before) == 4
    _verify(site, duty, tmp_path)


def test_a_kill_at_the_moment_of_freeze_and_draw_leaves_one_of_each(site: Site, tmp_path: Path) -> None:
    """Killed while it freezes, and while it draws: each is done once, before the kill or after the restart."""
    chance = random.Random(7)
    duty = site.open_shift(waves=2)
    site.book_orders([duty.start(), duty.start(1)])
    for index in range(2):
        for moment, state in ((duty.freeze_time(index), 2), (duty.draw_time(index), 3)):
            site.clock.advance_to(max(moment, site.now))
            time.sleep(chance.uniform(0.0, 0.02))
            site.kill()
            site.start_server()
            site.wait_for(duty.wave(index), state)
    report = _verify(site, duty, tmp_path)
    assert report.draws_replayed >= 2


def _verify(site: Site, duty: Duty, directory: Path) -> Report:
    site.close_shift(duty)
    with read_bundle(site.export(directory / "port.bundle")) as bundle:
        report = verify_bundle(bundle, trusted_key=(site.directory / "log.vkey").read_text())
    assert (report.findings, report.is_complete) == ((), True)
    return report
