"""Somebody with write access to the store, and in part with the key-encryption key, changes what was committed to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from simulation.whole_service import Beacon, Service, open_small_shift, utc
from sqlalchemy import select, update

from assign.draw.commitment import Freeze
from assign.draw.inputs import WaveInputs
from assign.encoding import lp, sha256
from assign.errors import Corrupt
from assign.log.entries import Entry, Kind
from assign.names import PersonId, ShiftName, WaveName
from server.actions.draw_wave import draw_wave
from server.actions.freeze_wave import freeze_wave
from server.storage.ledger import read_entries, read_head
from server.storage.outcomes import seal_context
from server.storage.schema import shift, wave
from server.storage.unit import Unit
from server.storage.waves import StoredWave, WaveState, load_wave

_START = utc(2026, 11, 24, 6)
_SHIFT = _START + timedelta(hours=2)
_STEP = timedelta(minutes=15)
_PEOPLE = [f"i-{number}" for number in range(1, 7)]

_Tamper = Callable[[Unit, StoredWave, StoredWave], None]


def _set(unit: Unit, name: WaveName, **values: object) -> None:
    unit.connection.execute(update(wave).where(wave.c.start == name.start).values(**values))


def _swap_inputs(unit: Unit, one: StoredWave, other: StoredWave) -> None:
    _set(unit, one.name, inputs_sealed=other.inputs_sealed, salt_sealed=other.salt_sealed)


def _swap_salt(unit: Unit, one: StoredWave, other: StoredWave) -> None:
    _set(unit, one.name, salt_sealed=other.salt_sealed)


def _swap_freeze(unit: Unit, one: StoredWave, other: StoredWave) -> None:
    _set(unit, one.name, freeze_data=other.freeze_data)


def _other_freeze_of_the_same_wave(unit: Unit, one: StoredWave, _other: StoredWave) -> None:
    freeze = Freeze.from_bytes(one.freeze_data or b"")
    _set(unit, one.name, freeze_data=replace(freeze, beacon_round=freeze.beacon_round + 1).to_bytes())


def _seal_other_inputs(unit: Unit, one: StoredWave, _other: StoredWave) -> None:
    keyring, context = unit.services.keyring, seal_context("inputs", one.name)
    inputs = WaveInputs.from_bytes(keyring.open(one.inputs_sealed or b"", context=context))
    fewer = replace(inputs, persons=inputs.persons[1:], verdicts=tuple(row[1:] for row in inputs.verdicts))
    _set(unit, one.name, inputs_sealed=keyring.seal(fewer.to_bytes(), context=context))


def _seal_another_master(unit: Unit, one: StoredWave, _other: StoredWave) -> None:
    sealed = unit.services.keyring.seal(sha256(b"chosen"), context=lp("master", str(one.name.shift)))
    unit.connection.execute(update(shift).values(master_sealed=sealed))


def _flip_a_bit(unit: Unit, one: StoredWave, _other: StoredWave) -> None:
    sealed = bytearray(one.inputs_sealed or b"")
    sealed[-1] ^= 1
    _set(unit, one.name, inputs_sealed=bytes(sealed))


async def _frozen(service: Service) -> tuple[ShiftName, StoredWave, StoredWave]:
    """A shift of two frozen waves with slots, the beacon being silent."""
    name = await open_small_shift(service, start=_SHIFT, waves=2, people=_PEOPLE)
    await service.order_at([_SHIFT, _SHIFT, _SHIFT + _STEP])
    service.beacon.is_down = True
    await service.advance(_SHIFT)
    first, second = await service.waves(name)
    assert (first.state, second.state) == (WaveState.FROZEN, WaveState.FROZEN)
    return name, first, second


def _play(tmp_path: Path, play: Callable[[Service], Awaitable[None]]) -> None:
    async def run() -> None:
        beacon = Beacon(_START - timedelta(hours=1), days=1)
        async with Service(tmp_path / "assign.db", start=_START, beacon=beacon, seed=1).running() as service:
            await play(service)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("tamper", "reason"),
    [
        (_swap_inputs, "SEALED_FORGED"),
        (_swap_salt, "SEALED_FORGED"),
        (_swap_freeze, "FREEZE_CHANGED"),
        (_other_freeze_of_the_same_wave, "FREEZE_CHANGED"),
        (_seal_other_inputs, "INPUTS_CHANGED"),
        (_seal_another_master, "SEED_CHANGED"),
        (_flip_a_bit, "SEALED_FORGED"),
    ],
)
def test_what_was_committed_to_cannot_be_changed_before_the_draw(tmp_path: Path, tamper: _Tamper, reason: str) -> None:
    """The draw refuses, with what is wrong, and draws nothing; what it would have drawn stays as it was."""

    async def play(service: Service) -> None:
        _, first, second = await _frozen(service)
        await service.act(lambda unit: tamper(unit, first, second))
        evidence = await Beacon.fetch(_answering(service), first.beacon_round)
        with pytest.raises(Corrupt, match=reason):
            await service.act(lambda unit: draw_wave(unit, first.name, evidence))
        assert (await service.wave(first.name)).state is WaveState.FROZEN

    _play(tmp_path, play)


def _answering(service: Service) -> Beacon:
    service.beacon.is_down = False
    return service.beacon


def test_the_outcome_of_another_wave_is_not_revealed(tmp_path: Path) -> None:
    """An outcome put into another wave's place is refused, not shown."""

    async def play(service: Service) -> None:
        name, first, second = await _frozen(service)
        service.beacon.is_down = False
        await service.until(name, WaveState.DRAWN)

        def swap(unit: Unit) -> None:
            statement = select(wave.c.outcome_sealed).where(wave.c.start == second.name.start)
            _set(unit, first.name, outcome_sealed=unit.connection.execute(statement).scalar_one())

        await service.act(swap)
        with pytest.raises(Corrupt, match="SEALED_FORGED"):
            await service.reveal(first.name, PersonId(_PEOPLE[0]))

    _play(tmp_path, play)


def test_a_wave_is_frozen_once(tmp_path: Path) -> None:
    """A second freeze, before or after the draw, changes nothing and logs nothing."""

    async def play(service: Service) -> None:
        name, first, _ = await _frozen(service)
        await service.act(lambda unit: freeze_wave(unit, first.name))
        assert await service.wave(first.name) == first
        service.beacon.is_down = False
        await service.until(name, WaveState.DRAWN)
        drawn = await service.wave(first.name)
        await service.act(lambda unit: freeze_wave(unit, first.name))
        assert await service.wave(first.name) == drawn

    _play(tmp_path, play)


def test_a_wave_is_drawn_once(tmp_path: Path) -> None:
    """A second draw, with whatever evidence, changes nothing and logs nothing."""

    async def play(service: Service) -> None:
        name, first, second = await _frozen(service)
        service.beacon.is_down = False
        await service.until(name, WaveState.DRAWN)
        before = await service.wave(first.name)
        evidence = await service.beacon.fetch(second.beacon_round)
        await service.act(lambda unit: draw_wave(unit, first.name, evidence))
        assert await service.wave(first.name) == before

        def draws(unit: Unit) -> int:
            edge, _ = read_head(unit.connection, first.name.shift.port)
            entries = read_entries(unit.connection, first.name.shift.port, 0, edge.size)
            return sum(entry.startswith(_DRAW) for entry in entries)

        assert await service.act(draws) == 2
        assert (await service.act(lambda unit: load_wave(unit.connection, first.name))).draw_index is not None

    _play(tmp_path, play)


_DRAW = Entry(kind=Kind.DRAW, origin="o", time=_START, body={}).to_bytes()[: len(lp("log/v1", "draw"))]
