"""A shift worked by hand: sealed sheets, two persons, lines that follow the sheet, and every way to cheat refused."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from simulation.whole_service import (
    APPROVER,
    OFFICER,
    PORT,
    SUPERVISOR,
    TERMINALS,
    Beacon,
    Service,
    duty,
    open_small_shift,
    utc,
)

from assign.draw.sheets import Line, commit_sheet
from assign.errors import AssignError, Conflict, Denied, InvalidInput
from assign.log.entries import Entry, Kind
from assign.names import PersonId, ShiftName, SlotId, WaveName
from server.actions.commit_sheets import commit_sheets
from server.actions.import_manual_assignments import TypedLine, import_manual_assignments
from server.actions.mark_wave_manual import confirm_manual_wave, request_manual_wave
from server.actions.open_sheet import open_sheet, read_sheet, request_sheet_opening
from server.actions.print_sheets import print_sheets
from server.outage.sheet_store import StoredSheet, lines_of, list_sheets, open_sealed
from server.storage.ledger import read_entries, read_head
from server.storage.shifts import list_roster
from server.storage.slots import SlotState, find_slot
from server.storage.waves import WaveState

_START = utc(2026, 11, 24, 6)
_SHIFT = _START + timedelta(hours=2)
_STEP = timedelta(minutes=15)
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)
_PEOPLE = [f"i-{number}" for number in range(1, 7)]


def play(tmp_path: Path, story: Callable[[Service, ShiftName], Awaitable[None]], *, waves: int = 2) -> None:
    """A small shift with one order a wave, and sheets for it."""

    async def run() -> None:
        beacon = Beacon(_START - timedelta(hours=1), days=1)
        service = Service(tmp_path / "assign.db", start=_START, beacon=beacon, seed=1)
        async with service.running():
            name = await open_small_shift(service, start=_SHIFT, waves=waves, people=_PEOPLE)
            await service.act(lambda unit: commit_sheets(unit, OFFICER, name, 3))
            await story(service, name)

    asyncio.run(run())


async def refused(service: Service, action: Callable[[Any], Any], reason: str) -> None:
    """The action is refused for this reason."""
    with pytest.raises(AssignError) as caught:
        await service.act(action)
    assert caught.value.reason == reason


async def sheets(service: Service, name: ShiftName) -> list[StoredSheet]:
    """The sheets of the shift."""
    return await service.reader.run(lambda connection: list_sheets(connection, name))


async def entries(service: Service, kind: Kind) -> list[Entry]:
    """The entries of one kind."""

    def read(connection: Any) -> list[Entry]:
        edge, _ = read_head(connection, PORT)
        data = read_entries(connection, PORT, 0, edge.size)
        return [Entry.from_bytes(one) for one in data if b"draw/v1" not in one[:12]]

    return [entry for entry in await service.reader.run(read) if entry.kind is kind]


async def open_first(service: Service, name: ShiftName, terminal: str = "RWG") -> tuple[StoredSheet, list[PersonId]]:
    """Open the first sheet of a terminal by two persons; its people in order."""
    first = next(one for one in await sheets(service, name) if one.group.terminal == terminal)
    asked = await service.act(
        lambda unit: request_sheet_opening(unit, SUPERVISOR, name, first.number, reason="no-network", claimed=None)
    )
    opened = await service.act(lambda unit: open_sheet(unit, APPROVER, PORT, asked.request))
    order, _ = await service.act(lambda unit: read_sheet(unit, SUPERVISOR, name, first.number))
    roster = await service.reader.run(lambda connection: list_roster(connection, name))
    people = {one.pseudonym: one.entry.person for one in roster}
    return opened, [people[one] for one in order.persons]


async def make_manual(service: Service, wave: WaveName) -> None:
    """Work a wave by hand, by two persons."""
    asked = await service.act(lambda unit: request_manual_wave(unit, SUPERVISOR, wave, "beacon-down"))
    await service.act(lambda unit: confirm_manual_wave(unit, APPROVER, PORT, asked.request))


async def silent(service: Service, name: ShiftName) -> tuple[WaveName, SlotId]:
    """The first wave has an order, and its beacon is silent until after its start."""
    [slot] = await service.order_at([_SHIFT])
    service.beacon.is_down = True
    await service.advance(_SHIFT)
    return WaveName(name, _SHIFT), slot.slot


def line(number: int, person: str, time: datetime, slot: str | None = None, why: str | None = None) -> TypedLine:
    """A typed line."""
    return TypedLine(
        line=number, person=PersonId(person), time=time, slot=None if slot is None else SlotId(slot), why=why
    )


def test_sheets_are_committed_to_and_their_order_is_sealed(tmp_path: Path) -> None:
    """Every hash in the log is that of a sheet; the order is neither in the log nor in clear in the store."""

    async def story(service: Service, name: ShiftName) -> None:
        made = await sheets(service, name)
        [entry] = await entries(service, Kind.SHEETS_COMMIT)
        assert [row["hash"] for row in entry.body["sheets"]] == [one.commitment.hex() for one in made]
        for stored in made:
            salt, sheet = open_sealed(service.services.keyring, stored)
            assert commit_sheet(salt, sheet) == stored.commitment
            assert sheet.persons[0].encode() not in stored.sealed
        assert len({open_sealed(service.services.keyring, one)[1].persons for one in made}) == len(made)

    play(tmp_path, story)


def test_sheets_are_made_again_only_for_another_roster(tmp_path: Path) -> None:
    """Otherwise somebody could make them until he liked one; the unopened ones of before are void."""

    async def story(service: Service, name: ShiftName) -> None:
        await refused(service, lambda unit: commit_sheets(unit, OFFICER, name, 3), "SHEETS_CURRENT")
        opened, _ = await open_first(service, name)
        end = _SHIFT + 3 * _STEP
        await service.roster(name, [duty("i-9", _SHIFT - _STEP, end)])
        made = await service.act(lambda unit: commit_sheets(unit, OFFICER, name, 1))
        assert made[0].number == 13
        before = [one for one in await sheets(service, name) if one.number < 13]
        assert {one.number for one in before if not one.is_void} == {opened.number}

    async def at_freeze(service: Service, name: ShiftName) -> None:
        await service.advance(_SHIFT - timedelta(minutes=17))
        await story(service, name)

    play(tmp_path, at_freeze)


def test_two_persons_open_the_next_sheet_and_no_other(tmp_path: Path) -> None:
    """One alone opens nothing, and nobody takes an envelope from the middle of the pile or reads a sealed sheet."""

    async def story(service: Service, name: ShiftName) -> None:
        await service.advance(_SHIFT - timedelta(minutes=17))
        first, *others = [one for one in await sheets(service, name) if one.group.terminal == "RWG"]

        def ask(number: int, claimed: datetime | None = None) -> Callable[[Any], Any]:
            return lambda unit: request_sheet_opening(
                unit, SUPERVISOR, name, number, reason="no-network", claimed=claimed
            )

        await refused(service, ask(others[0].number), "SHEET_NOT_NEXT")
        await refused(service, ask(first.number, _START), "SHEET_OPEN_TIME")
        await refused(service, ask(first.number, service.clock.now() + _SECOND), "SHEET_OPEN_TIME")
        await refused(service, lambda unit: read_sheet(unit, SUPERVISOR, name, first.number), "SHEET_SEALED")
        asked = await service.act(ask(first.number))
        await refused(service, lambda unit: open_sheet(unit, SUPERVISOR, PORT, asked.request), "APPROVER_IS_REQUESTER")
        await refused(
            service, lambda unit: confirm_manual_wave(unit, APPROVER, PORT, asked.request), "EXCEPTION_UNKNOWN"
        )
        await service.act(lambda unit: open_sheet(unit, APPROVER, PORT, asked.request))
        await refused(service, lambda unit: open_sheet(unit, APPROVER, PORT, asked.request), "EXCEPTION_CONFIRMED")
        await refused(service, ask(first.number), "SHEET_OPENED")
        before = len(await entries(service, Kind.READ))
        for _ in range(2):
            await service.act(lambda unit: read_sheet(unit, SUPERVISOR, name, first.number))
        assert len(await entries(service, Kind.READ)) == before + 2

    play(tmp_path, story)


def test_a_wave_is_worked_by_hand_only_once_it_cannot_start_otherwise(tmp_path: Path) -> None:
    """Not before its start, nor once drawn; then it is never drawn, whatever the beacon says later."""

    async def story(service: Service, name: ShiftName) -> None:
        wave = WaveName(name, _SHIFT)
        await service.order_at([_SHIFT])
        await refused(service, lambda unit: request_manual_wave(unit, SUPERVISOR, wave, "x"), "WAVE_NOT_WAITING")
        service.beacon.is_down = True
        await service.advance(_SHIFT - _SECOND)
        await refused(service, lambda unit: request_manual_wave(unit, SUPERVISOR, wave, "x"), "WAVE_NOT_WAITING")
        await service.advance(_SHIFT)
        asked = await service.act(lambda unit: request_manual_wave(unit, SUPERVISOR, wave, "beacon-down"))
        await refused(
            service, lambda unit: confirm_manual_wave(unit, SUPERVISOR, PORT, asked.request), "APPROVER_IS_REQUESTER"
        )
        await service.act(lambda unit: confirm_manual_wave(unit, APPROVER, PORT, asked.request))
        service.beacon.is_down = False
        second = WaveName(name, _SHIFT + _STEP)
        async with asyncio.timeout(30):
            while (await service.wave(second)).state is not WaveState.DRAWN:
                await service.advance(_SHIFT + _STEP)
                await asyncio.sleep(0.02)
        assert (await service.wave(wave)).state is WaveState.MANUAL
        assert len(await entries(service, Kind.DRAW)) == 1
        await refused(service, lambda unit: request_manual_wave(unit, SUPERVISOR, second, "x"), "WAVE_NOT_WAITING")

    play(tmp_path, story)


def test_what_was_handed_out_is_reconciled_with_the_sheet(tmp_path: Path) -> None:
    """The next person, a reason for everybody passed over, after the opening, in the wave: anything else is refused."""

    async def story(service: Service, name: ShiftName) -> None:
        wave, slot = await silent(service, name)
        sealed = next(one for one in await sheets(service, name) if one.group.terminal == "RWG")
        now = _SHIFT + _MINUTE

        def typed(*lines: TypedLine) -> Callable[[Any], Any]:
            return lambda unit: import_manual_assignments(unit, SUPERVISOR, name, sealed.number, lines)

        await refused(service, typed(line(1, "i-1", now, slot)), "SHEET_SEALED")
        opened, people = await open_first(service, name)
        await service.advance(now)
        await refused(service, typed(), "LINES_EMPTY")
        await refused(service, typed(line(1, people[0], now, slot)), "WAVE_NOT_MANUAL")
        await make_manual(service, wave)
        await refused(service, typed(line(1, people[1], now, slot)), "SHEET_LINES")
        await refused(service, typed(line(2, people[1], now, slot)), "SHEET_LINES")
        await refused(service, typed(line(1, people[0], now, None, "ABSENT")), "SHEET_LINES")
        await refused(service, typed(line(1, people[0], now, None, "TIRED")), "SHEET_LINES")
        await refused(service, typed(line(1, people[0], now, slot), line(2, people[1], now, slot)), "ORDER_ASSIGNED")
        await refused(service, typed(line(1, people[0], _SHIFT - _SECOND, slot)), "LINE_OUTSIDE_OUTAGE")
        await refused(service, typed(line(1, people[0], now + _SECOND, slot)), "LINE_OUTSIDE_OUTAGE")
        await refused(service, typed(line(1, "i-99", now, slot)), "PERSON_NOT_ON_ROSTER")
        await refused(service, typed(line(1, people[0], now, "slot-no")), "SLOT_UNKNOWN")
        await service.report_absent(name, people[0])
        await refused(service, typed(line(1, people[0], now, slot)), "SHEET_LINES")
        count = await service.act(
            typed(
                line(1, people[0], now, None, "ABSENT"),
                line(2, people[1], now, None, "NOT_THERE"),
                line(3, people[2], now, slot),
            )
        )
        assert count == 3
        stored = await service.reader.run(lambda connection: find_slot(connection, PORT, slot))
        assert stored is not None
        assert stored.state is SlotState.ASSIGNED_BY_HAND
        done: list[Line] = await service.reader.run(lambda connection: lines_of(connection, opened))
        assert [(one.order is None, one.why) for one in done] == [(True, "ABSENT"), (True, "NOT_THERE"), (False, None)]
        [entry] = await entries(service, Kind.MANUAL_ASSIGNMENT)
        assert [row["person"] for row in entry.body["lines"]] == [one.person for one in done]
        await refused(service, typed(line(4, people[3], now, slot)), "ORDER_ASSIGNED")

    play(tmp_path, story)


def test_an_order_goes_by_the_sheet_of_its_terminal(tmp_path: Path) -> None:
    """The open sheet of another terminal is none of its business."""

    async def story(service: Service, name: ShiftName) -> None:
        wave, slot = await silent(service, name)
        opened, people = await open_first(service, name, TERMINALS[1])
        await make_manual(service, wave)
        typed = [line(1, people[0], _SHIFT, slot)]
        await refused(
            service,
            lambda unit: import_manual_assignments(unit, SUPERVISOR, name, opened.number, typed),
            "SHEET_OTHER_GROUP",
        )

    play(tmp_path, story)


def test_printing_is_on_record_and_needs_sealed_sheets(tmp_path: Path) -> None:
    """Whoever prints could look, so the log says so; opened sheets are not printed again."""

    async def story(service: Service, name: ShiftName) -> None:
        printed = await service.act(lambda unit: print_sheets(unit, name))
        [entry] = await entries(service, Kind.SHEETS_PRINT)
        assert entry.body["sheets"] == [one.sheet.number for one in printed] == list(range(1, 13))
        assert {*printed[0].persons} == {*_PEOPLE}
        await service.advance(_SHIFT - timedelta(minutes=17))
        opened, _ = await open_first(service, name)
        again = await service.act(lambda unit: print_sheets(unit, name))
        assert opened.number not in [one.sheet.number for one in again]
        await refused(service, lambda unit: print_sheets(unit, name, only=[opened.number]), "SHEETS_NONE")

    play(tmp_path, story)


def test_errors_have_their_classes() -> None:
    """A state that forbids is a conflict, a wrong field is an input, a wrong person is denied."""
    assert {Conflict.status, InvalidInput.status, Denied.status} == {
        "FAILED_PRECONDITION", "INVALID_ARGUMENT", "PERMISSION_DENIED"
    }  # fmt: skip
