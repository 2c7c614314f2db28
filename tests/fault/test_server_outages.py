"""What the service does while something it needs is away: a beacon party, itself, its clock, its disk."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from e2e.port import (
    AUDITOR,
    CALL_SECONDS,
    DECLARATIONS,
    INSPECTORS,
    MINUTE,
    PLANNERS,
    SUPERVISOR,
    Duty,
    Site,
    eventually,
    refusal,
    reveal_request,
    running_site,
    terminal,
)
from grpc_health.v1 import health_pb2, health_pb2_grpc

from assign.v1 import order_service_pb2, resources_pb2, slot_service_pb2
from assign.verify.bundle import read_bundle
from assign.verify.findings import Attention
from assign.verify.replay import verify_bundle
from assign.verify.report import Report
from server.demo.processes import run_assign
from server.storage.migrate import migrate, newest_revision
from server.storage.sqlite import open_writer

_FROZEN = resources_pb2.Wave.STATE_FROZEN
_DRAWN = resources_pb2.Wave.STATE_DRAWN
_MISSED = resources_pb2.Wave.STATE_MISSED


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for the tests of this module."""
    yield from running_site(tmp_path_factory.mktemp("outages"))


def _verify(site: Site, duty: Duty, directory: Path) -> Report:
    site.close_shift(duty)
    with read_bundle(site.export(directory / "port.bundle")) as bundle:
        report = verify_bundle(bundle, trusted_key=(site.directory / "log.vkey").read_text())
    assert (report.findings, report.is_complete) == ((), True)
    return report


def _reach(site: Site, duty: Duty, index: int) -> None:
    """Let time pass up to a freeze, whatever has become of the draws before it."""
    site.clock.advance_to(max(duty.freeze_time(index), site.now))
    site.wait_for(duty.wave(index), _FROZEN)


def test_waves_wait_for_a_party_that_is_away(site: Site, tmp_path: Path) -> None:
    """Three waves freeze on time and wait; when the party is back they are drawn in order, each with its own round."""
    duty = site.open_shift(waves=3)
    site.book_orders([duty.start(index) for index in range(3)], minutes=15)
    site.advance(duty.freeze_time() - MINUTE)
    site.stop("port")
    for index in range(3):
        _reach(site, duty, index)
    site.clock.advance_to(duty.start(2))
    early = refusal(
        site.client(INSPECTORS[0]).reveals.RevealAssignment, reveal_request(duty.assignment(INSPECTORS[0].id))
    )
    assert early.reason == "REVEAL_TOO_EARLY"
    assert [site.wait_for(duty.wave(index), _FROZEN).state for index in range(3)] == [_FROZEN] * 3
    site.start_party("port")
    waves = [site.wait_for(duty.wave(index), _DRAWN) for index in range(3)]
    assert sorted(wave.draw_index for wave in waves) == [wave.draw_index for wave in waves]
    assert len({wave.beacon_round for wave in waves}) == 3
    assert "BEACON_PARTY_SILENT" in site.output()
    report = _verify(site, duty, tmp_path)
    assert Attention.DRAW_LATE in {one.code for one in report.attention}


def test_a_server_that_is_down_over_a_freeze_misses_the_wave(site: Site, tmp_path: Path) -> None:
    """It says so in the log; the terminal books again; the other wave is drawn, and the verifier tells of it."""
    duty = site.open_shift(waves=2)
    [slot] = site.book_orders([duty.start()])
    site.advance(duty.freeze_time() - MINUTE)
    site.stop()
    site.clock.advance_to(duty.draw_time())
    site.start_server()
    assert site.wait_for(duty.wave(), _MISSED).state == _MISSED
    request = slot_service_pb2.ListSlotsRequest(parent=terminal("RWG"), page_size=1000)
    planner = site.client(PLANNERS["RWG"]).slots
    states = {one.name: one.state for one in planner.ListSlots(request, timeout=CALL_SECONDS).slots}
    assert states[slot.name] == resources_pb2.Slot.STATE_LEFT_OVER
    again = site.slot(resources_pb2.Order(name=slot.order, terminal=slot.terminal), duty.start(1))
    planner.BatchBookSlots(site.book([again]), timeout=CALL_SECONDS)
    site.advance(duty.start(1))
    assert list(site.drawn(duty, 1).values()) == [[slot.order]]
    report = _verify(site, duty, tmp_path)
    assert any(one.code is Attention.WAVE_MISSED and duty.wave() in one.message for one in report.attention)


def test_a_server_that_was_down_before_the_draw_still_freezes_in_time(site: Site, tmp_path: Path) -> None:
    """Back within the margin, after the freeze time and before the draw: the wave is frozen, late but in time."""
    duty = site.open_shift(waves=1)
    site.book_orders([duty.start()])
    site.advance(duty.freeze_time() - MINUTE)
    site.stop()
    site.clock.advance_to(duty.draw_time() - MINUTE / 2)
    site.start_server()
    assert site.wait_for(duty.wave(), _FROZEN).state == _FROZEN
    site.advance(duty.draw_time())
    assert site.wait_for(duty.wave(), _DRAWN).state == _DRAWN
    _verify(site, duty, tmp_path)


def test_a_clock_set_back_opens_nothing_early_and_repeats_nothing(site: Site, tmp_path: Path) -> None:
    """An hour back after a draw: no second freeze, no early reveal, log times in order, with and without a restart."""
    duty = site.open_shift(waves=2)
    site.book_orders([duty.start(), duty.start(1)])
    site.advance(duty.draw_time())
    moment, size = site.now, site.size()
    person = INSPECTORS[0].id
    for restart in (False, True):
        site.clock.jump(moment - 60 * MINUTE)
        if restart:
            site.kill()
            site.start_server()
        assert site.wait_for(duty.wave(), _DRAWN).state == _DRAWN
        site.reveal(duty, person)
        later = reveal_request(duty.assignment(person, 1))
        assert refusal(site.client(INSPECTORS[0]).reveals.RevealAssignment, later).reason == "REVEAL_TOO_EARLY"
    times = [entry.time for entry in site.entries(size)]
    assert min(times) >= moment
    site.clock.jump(moment)
    site.advance(duty.start(1))
    assert len(site.drawn(duty, 1)) == 1
    _verify(site, duty, tmp_path)


@contextmanager
def _full_disk(site: Site) -> Iterator[None]:
    """No file of the server can grow: what it writes to its store fails as on a full disk."""
    pid = site.pid()
    before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)


def test_a_full_disk_stores_nothing_and_passes(site: Site, tmp_path: Path) -> None:
    """Every write is refused as unavailable, reads go on, nothing is half stored; then the same requests succeed."""
    duty = site.open_shift(waves=1)
    orders = site.client(DECLARATIONS).orders
    request = site.import_orders([site.order() for _ in range(50)])
    [slot] = site.book_orders([duty.start()])
    size, count = site.size(), site.count("inspection_order")
    with _full_disk(site):
        for _ in range(3):
            answer = refusal(orders.BatchImportOrders, request)
            assert (answer.code, answer.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
        reveal = reveal_request(duty.assignment(INSPECTORS[0].id))
        answer = refusal(site.client(INSPECTORS[0]).reveals.RevealAssignment, reveal)
        assert (answer.code, answer.reason) == ("UNAVAILABLE", "STORE_UNAVAILABLE")
        listing = order_service_pb2.ListOrdersRequest(parent="ports/NLRTM")
        assert site.client(SUPERVISOR).orders.ListOrders(listing, timeout=CALL_SECONDS).orders
        health = health_pb2_grpc.HealthStub(site.client(AUDITOR).channel)
        assert health.Check(health_pb2.HealthCheckRequest(), timeout=CALL_SECONDS).status == 1
        assert (site.size(), site.count("inspection_order")) == (size, count)
        site.clock.advance_to(duty.freeze_time())
        eventually(lambda: "a step of the calendar failed" in site.output() or _is_log_cut(site) or None)
        assert site.wait_for(duty.wave(), 1).state == resources_pb2.Wave.STATE_PLANNED
    assert orders.BatchImportOrders(request, timeout=CALL_SECONDS).imported_count == 50
    assert orders.BatchImportOrders(request, timeout=CALL_SECONDS).imported_count == 50
    assert site.count("inspection_order") == count + 50
    site.wait_for(duty.wave(), _FROZEN)
    site.advance(duty.start())
    assert list(site.drawn(duty).values()) == [[slot.order]]
    _verify(site, duty, tmp_path)


def _is_log_cut(site: Site) -> bool:
    # The operator's log is on the same full disk: what is said there is lost, and that must not matter.
    return os.path.getsize(site.directory / "server.log") > 0


@pytest.fixture
def files(tmp_path: Path) -> Iterator[Site]:
    """The files of a site that nobody starts."""
    made = Site(tmp_path)
    made.write_config()
    yield made
    made.clock.close()


def _make_store(files: Site) -> None:
    engine = open_writer(f"sqlite:///{files.store}")
    migrate(engine)
    engine.dispose()


def test_a_store_of_newer_software_is_not_served(files: Site) -> None:
    """Neither `serve` nor a dry run of `migrate` touches it; both say what to do, in one line."""
    _make_store(files)
    with closing(sqlite3.connect(files.store)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = files.store.read_bytes()
    for command in (["serve"], ["migrate", "--dry-run"]):
        done = run_assign(*command, "--config", "assign.toml", cwd=files.directory)
        assert done.status == 1
        assert "STORE_NEWER" in done.errors, done.errors
        assert "Traceback" not in done.errors
    assert files.store.read_bytes() == before


def test_a_dry_run_of_a_migration_makes_nothing(files: Site) -> None:
    """It says what would be done, and the store is still not there; of a store made, that there is nothing to do."""
    dry = run_assign("migrate", "--config", "assign.toml", "--dry-run", cwd=files.directory)
    assert dry.output == f"schema none -> {newest_revision()} (dry run: nothing was done)\n"
    assert (dry.status, files.store.exists()) == (0, False)
    done = run_assign("migrate", "--config", "assign.toml", cwd=files.directory)
    assert done.output == f"schema none -> {newest_revision()}\n"
    assert files.store.exists()


def test_a_read_only_store_is_refused_in_words(files: Site) -> None:
    """The server does not start, and says why in one line; so does an export of a store that is not there."""
    missing = run_assign("export", "--config", "assign.toml", "--out", "x.bundle", cwd=files.directory)
    assert (missing.status, "STORE_MISSING" in missing.errors) == (1, True)
    assert not files.store.exists()
    with closing(sqlite3.connect(files.store)) as connection:
        connection.execute("CREATE TABLE x (y)")
    files.store = Path(f"file:{files.store}?mode=ro&uri=true")
    files.write_config()
    done = run_assign("serve", "--config", "assign.toml", cwd=files.directory)
    assert (done.status, "STORE_UNAVAILABLE" in done.errors, "Traceback" in done.errors) == (1, True, False)
