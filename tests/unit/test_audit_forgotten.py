"""Audits of stores from which persons were erased or old rows removed, on record: nothing else may be missing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from simulation.whole_service import Service
from sqlalchemy import text
from unit.test_outage_actions import make_manual, silent
from unit.test_outage_actions import play as play_outage
from unit.test_privacy_actions import closed, erase, play

from assign.names import ShiftName
from server.audit.audit import AuditReport, audit_store
from server.audit.findings import Finding
from server.privacy.retention import apply_retention
from server.privacy.settings import RetentionConfig
from server.storage.sqlite import open_writer

_ERASED, _OTHER = "inspector-0001", "inspector-0002"


def _audit(service: Service, *changes: str) -> list[Finding]:
    """What an audit finds after `changes`, which are undone; requests apart, which no simulated caller makes."""
    engine = open_writer(service.url)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            for change in changes:
                assert connection.execute(text(change)).rowcount > 0, change
            report: AuditReport = audit_store(connection, service.services)
            connection.exec_driver_sql("ROLLBACK")
    finally:
        engine.dispose()
    assert report.tables
    return [one for one in report.findings if one.table != "request" and "`replacement`" not in one.message]


@pytest.mark.parametrize(
    "change",
    [
        f"DELETE FROM person_key WHERE person = '{_OTHER}'",
        f"DELETE FROM roster_entry WHERE person = '{_OTHER}'",
        f"DELETE FROM person WHERE person = '{_OTHER}'",
        f"UPDATE roster_entry SET person = 'erased-0' WHERE person = '{_OTHER}'",
        "UPDATE inspection_order SET tier = 7, selected_by = 'erased-0'",
        "UPDATE handled_selection SET person = 'erased-0'",
        "UPDATE wave SET slot_count = 0 WHERE slot_count > 0",
        "UPDATE replacement SET approved_by = 'erased-0'",
        "DELETE FROM replacement",
    ],
)
def test_an_erasure_hides_nothing_else(tmp_path: Path, change: str) -> None:
    """One person is gone, on record: the store is sound, and a hand that takes more is seen."""

    async def story(service: Service, _: ShiftName) -> None:
        await closed(service)
        assert await asyncio.to_thread(_audit, service) == []
        await erase(service, _ERASED)
        assert await asyncio.to_thread(_audit, service) == []
        assert await asyncio.to_thread(_audit, service, change) != []

    play(tmp_path, story)


@pytest.mark.parametrize("change", ["UPDATE wave SET state = 2", "DELETE FROM slot", "DELETE FROM shift"])
def test_retention_hides_nothing_else(tmp_path: Path, change: str) -> None:
    """Rows that were kept long enough are gone, on record; what stays must still follow from the log."""

    async def story(service: Service, _: ShiftName) -> None:
        await closed(service)
        service.clock.advance_to(service.clock.now() + timedelta(days=4000))
        removed = await service.act(lambda unit: apply_retention(unit, RetentionConfig()))
        assert removed["rosters"] > 0
        assert removed["assignments"] > 0
        assert await asyncio.to_thread(_audit, service) == []
        assert await asyncio.to_thread(_audit, service, change) != []

    play(tmp_path, story)


def test_a_wave_worked_by_hand_is_in_the_log(tmp_path: Path) -> None:
    """Its state and its slots follow from the entries, and from nothing else."""

    async def story(service: Service, name: ShiftName) -> None:
        wave, _ = await silent(service, name)
        await make_manual(service, wave)
        assert await asyncio.to_thread(_audit, service) == []
        for change in ("UPDATE wave SET state = 2 WHERE state = 5", "UPDATE slot SET state = 6 WHERE state = 5"):
            assert await asyncio.to_thread(_audit, service, change) != []

    play_outage(tmp_path, story)
