"""Erasure and retention on a real store: nothing that names the person is left; the log is as it was, plus a proof."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from simulation.whole_service import (
    APPROVER,
    PORT,
    SECURITY,
    SIGNER,
    SUPERVISOR,
    Beacon,
    Service,
    open_small_shift,
    utc,
)
from sqlalchemy import delete, insert, select

from assign.errors import AssignError
from assign.log.entries import Entry, Kind
from assign.log.person_keys import commit_opening, key_opening
from assign.names import PersonId, ShiftName, WaveName
from assign.person import pseudonym
from assign.verify.bundle import read_bundle
from assign.verify.findings import Attention
from assign.verify.replay import verify_bundle
from server.actions.erase_person import Erased, erase_person, request_erasure
from server.actions.read_assignments import read_assignments
from server.privacy.key_register import KeyAccount, account_for, commit_person_keys, count_ahead, open_person_key
from server.privacy.retention import apply_retention, plan_retention
from server.privacy.settings import RetentionConfig
from server.queries.export_bundle import write_port_bundle
from server.queries.read_log import Look, looks_at
from server.storage.ledger import read_entries, read_head
from server.storage.persons import person_key_context, pseudonym_of
from server.storage.schema import person_key, roster_entry

_START = utc(2026, 11, 24, 6)
_SHIFT = _START + timedelta(hours=2)
_STEP = timedelta(minutes=15)
_PEOPLE = [f"inspector-{number:04}" for number in range(1, 7)]
_ORIGIN = "assign.example/NLRTM"


def play(tmp_path: Path, story: Callable[[Service, ShiftName], Awaitable[None]]) -> None:
    """A small shift with an order in each of two waves and a replacement; everybody looks at his assignment."""

    async def run() -> None:
        beacon = Beacon(_START - timedelta(hours=1), days=1)
        service = Service(tmp_path / "assign.db", start=_START, beacon=beacon, seed=1)
        async with service.running():
            name = await open_small_shift(service, start=_SHIFT, waves=2, people=_PEOPLE)
            await service.order_at([_SHIFT, _SHIFT + _STEP])
            await service.advance(_SHIFT - timedelta(minutes=14))
            for person in _PEOPLE:
                await service.reveal(WaveName(name, _SHIFT), PersonId(person))
            await service.advance(_SHIFT)
            await service.replace(WaveName(name, _SHIFT), PersonId(_PEOPLE[0]))
            await service.act(lambda unit: read_assignments(unit, SUPERVISOR, WaveName(name, _SHIFT)))
            await story(service, name)

    asyncio.run(run())


async def closed(service: Service) -> None:
    """Let the shift be closed."""
    await service.advance(_SHIFT + 2 * _STEP + timedelta(minutes=11))


async def erase(service: Service, person: str) -> Erased:
    """Erase a person, by two others."""
    keyring = service.services.keyring
    counted = await service.reader.run(lambda connection: count_ahead(connection, keyring, [PORT], PersonId(person)))
    asked = await service.act(lambda unit: request_erasure(unit, SECURITY, PORT, PersonId(person), "left-service"))
    return await service.act(lambda unit: erase_person(unit, APPROVER, PORT, asked.request, counted=counted))


async def refused(service: Service, action: Callable[[Any], Any], reason: str) -> None:
    """The action is refused for this reason."""
    with pytest.raises(AssignError) as caught:
        await service.act(action)
    assert caught.value.reason == reason


async def log_of(service: Service) -> list[bytes]:
    """The entries as stored."""
    return await service.reader.run(
        lambda connection: read_entries(connection, PORT, 0, read_head(connection, PORT)[0].size)
    )


async def account(service: Service) -> KeyAccount:
    """Whose the pseudonyms are."""
    keyring = service.services.keyring
    return await service.reader.run(lambda connection: account_for(connection, keyring, PORT, _ORIGIN))


def bundle_of(service: Service) -> bytes:
    """The bundle as it is now."""
    file = io.BytesIO()
    with service.readers.connect() as connection:
        connection.exec_driver_sql("BEGIN")
        write_port_bundle(connection, service.services.keyring, PORT, SIGNER.verifier().vkey(), file)
    return file.getvalue()


def stored_bytes(service: Service, directory: Path) -> bytes:
    """Every byte of the store's files, the write-ahead log emptied into them."""
    with service.readers.connect() as connection:
        connection.exec_driver_sql("PRAGMA query_only=OFF")
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return b"".join(path.read_bytes() for path in directory.glob("assign.db*"))


def test_an_erased_person_is_nowhere_and_the_log_is_untouched(tmp_path: Path) -> None:
    """No byte of the store's files has his id, his key or his roster row; bundles of before and after verify."""

    async def story(service: Service, name: ShiftName) -> None:
        await closed(service)
        person, keyring = PersonId(_PEOPLE[0]), service.services.keyring
        await service.act(commit_person_keys)
        key = await service.reader.run(lambda connection: open_person_key(connection, keyring, person))
        sealed = await service.reader.run(
            lambda connection: connection.execute(
                select(person_key.c.sealed).where(person_key.c.person == person)
            ).scalar_one()
        )
        files = stored_bytes(service, tmp_path)
        assert person.encode() in files
        assert bytes(sealed) in files
        before, log = bundle_of(service), await log_of(service)
        # Some builds of SQLite overwrite what they free without being told.
        await service.act(lambda unit: unit.connection.exec_driver_sql("PRAGMA secure_delete=OFF").close())
        erased = await erase(service, person)
        after = await log_of(service)
        assert after[: len(log)] == log
        entry = Entry.from_bytes(after[erased.log_index])
        assert entry.kind is Kind.PERSON_ERASED
        assert key is not None
        assert bytes.fromhex(entry.body["opening"]) == key_opening(key, _ORIGIN)
        alias = pseudonym(key, str(name))
        assert entry.body["pseudonyms"] == 1
        assert any(alias.encode() in one for one in log)
        assert alias not in str(entry.body)
        data = stored_bytes(service, tmp_path)
        assert person.encode() not in data
        assert bytes(sealed) not in data
        for bundle in (before, bundle_of(service)):
            report = verify_bundle(read_bundle(io.BytesIO(bundle)), trusted_key=SIGNER.verifier().vkey())
            assert (report.findings, report.draws_replayed) == ((), 2)
        assert Attention.PERSON_ERASED in {one.code for one in report.attention}
        assert await service.act(lambda unit: read_assignments(unit, SUPERVISOR, WaveName(name, _SHIFT)))

    play(tmp_path, story)


def test_the_account_of_pseudonyms_balances_only_if_the_right_key_was_erased(tmp_path: Path) -> None:
    """Every pseudonym of the log is some key's or was erased on record; a key that goes otherwise is missed."""

    async def story(service: Service, _name: ShiftName) -> None:
        await closed(service)
        await service.act(commit_person_keys)
        whole = await account(service)
        assert (whole.is_balanced, whole.erased, whole.keys, whole.committed) == (True, 0, whole.keys, whole.keys)
        await erase(service, _PEOPLE[0])
        # Whoever confirmed it may be new to the log: his pseudonym is accounted for as well.
        less = await account(service)
        assert (less.is_balanced, less.erased) == (True, 1)
        await service.act(
            lambda unit: unit.connection.execute(delete(person_key).where(person_key.c.person == _PEOPLE[1]))
        )
        wrong = await account(service)
        assert (wrong.is_balanced, wrong.other_rosters) == (False, 1)

    play(tmp_path, story)


def test_an_erasure_of_another_key_than_the_one_in_use_does_not_balance(tmp_path: Path) -> None:
    """Erasing a key that was swapped in leaves pseudonyms that nobody accounts for."""

    async def story(service: Service, _name: ShiftName) -> None:
        await closed(service)
        keyring, person = service.services.keyring, PersonId(_PEOPLE[0])

        def swap(unit: Any) -> None:
            sealed = keyring.seal(b"K" * 32, context=person_key_context(person))
            unit.connection.execute(delete(person_key).where(person_key.c.person == person))
            unit.connection.execute(insert(person_key), {"person": person, "sealed": sealed})

        await service.act(swap)
        await erase(service, person)
        assert not (await account(service)).is_balanced

    play(tmp_path, story)


def test_commitments_hide_how_many_and_who(tmp_path: Path) -> None:
    """Sorted, filled up to a multiple of sixteen, each key once; nothing new, no entry."""

    async def story(service: Service, _name: ShiftName) -> None:
        count = await service.act(commit_person_keys)
        size = len(await log_of(service))
        assert await service.act(commit_person_keys) == 0
        log = await log_of(service)
        assert len(log) == size
        entry = Entry.from_bytes(log[-1])
        commitments = entry.body["commitments"]
        assert len(commitments) % 16 == 0
        assert len(commitments) >= count
        assert commitments == sorted(commitments)
        keyring = service.services.keyring
        key = await service.reader.run(lambda connection: open_person_key(connection, keyring, PersonId(_PEOPLE[0])))
        assert commit_opening(key_opening(key or b"", _ORIGIN)).hex() in commitments

    play(tmp_path, story)


def test_nobody_is_erased_who_is_needed_or_by_one_person(tmp_path: Path) -> None:
    """Not while his shift is open, nor while a container that he selected waits; never by who asked, nor by himself."""

    async def story(service: Service, _name: ShiftName) -> None:
        def ask(person: str) -> Callable[[Any], Any]:
            return lambda unit: request_erasure(unit, SECURITY, PORT, PersonId(person), "left-service")

        await refused(service, ask(_PEOPLE[0]), "PERSON_ON_DUTY")
        await refused(service, ask("nobody"), "PERSON_UNKNOWN")
        start = _SHIFT + 3 * timedelta(days=1) / 8
        await service.open("B", start, start + _STEP)
        await service.order_at([start], selected_by="s-2")
        await service.act(lambda unit: pseudonym_of(unit, PersonId("s-2"), "ports/NLRTM"))
        await refused(service, ask("s-2"), "PERSON_IN_USE")
        await closed(service)
        asked = await service.act(ask(_PEOPLE[0]))
        await refused(service, lambda unit: erase_person(unit, SECURITY, PORT, asked.request), "APPROVER_IS_REQUESTER")
        mine = await service.act(ask(APPROVER.id))
        await refused(service, lambda unit: erase_person(unit, APPROVER, PORT, mine.request), "APPROVER_LOSES")
        await service.act(lambda unit: erase_person(unit, APPROVER, PORT, asked.request))
        await refused(service, lambda unit: erase_person(unit, APPROVER, PORT, asked.request), "EXCEPTION_CONFIRMED")

    play(tmp_path, story)


def test_what_was_kept_for_long_enough_goes(tmp_path: Path) -> None:
    """Nothing before its time; then every kind, on record, and the bundle still verifies."""

    async def story(service: Service, _name: ShiftName) -> None:
        await closed(service)
        config, now = RetentionConfig(), service.clock.now()
        assert not any((await service.act(lambda unit: apply_retention(unit, config))).values())
        service.clock.advance_to(now + timedelta(days=731))
        later = service.clock.now()
        plan = await service.reader.run(lambda connection: plan_retention(connection, config, later))
        assert {kind for kind, count in plan.items() if count} == {"assignments", "rosters", "screening", "selections"}
        assert await service.act(lambda unit: apply_retention(unit, config)) == plan
        again = await service.reader.run(lambda connection: plan_retention(connection, config, later))
        assert not any(again.values())
        entry = Entry.from_bytes((await log_of(service))[-1])
        assert (entry.kind, entry.body["removed"]) == (Kind.RETENTION, plan)
        with closing(sqlite3.connect(tmp_path / "assign.db")) as connection:
            assert connection.execute("SELECT count(*) FROM roster_entry").fetchone() == (0,)
        report = await service.verify()
        assert (report.findings, report.draws_replayed) == ((), 2)

    play(tmp_path, story)


def test_periods_are_checked() -> None:
    """A person's assignments are found by his duties: those are kept at least as long."""
    with pytest.raises(ValueError, match="assignments_days"):
        RetentionConfig(assignments_days=800)


def test_looks_at_a_wave_are_told_from_the_log(tmp_path: Path) -> None:
    """Everybody who looked, in order, with what came before the start; the table of rosters is not needed for it."""

    async def story(service: Service, name: ShiftName) -> None:
        wave, keyring = WaveName(name, _SHIFT), service.services.keyring

        async def looks(**options: Any) -> list[Look]:
            return await service.reader.run(lambda connection: looks_at(connection, keyring, _ORIGIN, wave, **options))

        found = await looks()
        assert [one.kind for one in found] == [Kind.KEY_USE, Kind.KEY_USE, *[Kind.REVEAL] * 6, Kind.READ]
        assert [one.reader for one in found] == [None, None, *_PEOPLE, SUPERVISOR.id]
        assert [one.is_before_start for one in found] == [*[True] * 8, False]
        assert await looks(before_start_only=True) == found[:8]
        assert await looks(after=found[1].index, limit=2) == found[2:4]
        await service.act(lambda unit: unit.connection.execute(delete(roster_entry)))
        assert await looks() == found
        other = WaveName(name, _SHIFT + _STEP)
        nothing = await service.reader.run(
            lambda connection: looks_at(connection, keyring, _ORIGIN, other, before_start_only=True)
        )
        assert {one.kind for one in nothing} <= {Kind.KEY_USE}

    play(tmp_path, story)
