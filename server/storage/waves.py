"""Statements on waves, their sealed secrets, and replacements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any

from sqlalchemy import ColumnElement, bindparam, insert, select, update
from sqlalchemy.engine import Connection, RowMapping

from assign.errors import NotFound
from assign.names import PersonId, Port, ShiftName, WaveName
from server.storage.schema import replacement, wave

__all__ = [
    "StoredReplacement",
    "StoredWave",
    "WaveState",
    "add_replacement",
    "add_waves",
    "approve",
    "change_wave",
    "drawn_since",
    "find_replacement",
    "list_waves",
    "load_wave",
    "next_frozen",
    "next_planned",
    "replacements_of",
    "waves_of",
]


class WaveState(IntEnum):
    """A wave's state; the numbers of `assign.v1.Wave.State`."""

    PLANNED = 1
    FROZEN = 2
    DRAWN = 3
    MISSED = 4
    MANUAL = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredWave:
    """A wave as stored. What ends in `_sealed` opens only under the key-encryption key.

    Attributes:
        freeze_data: the freeze entry's bytes, None before the freeze.
    """

    name: WaveName
    state: WaveState
    freeze_time: datetime
    draw_time: datetime
    beacon_round: int
    freeze_index: int | None
    freeze_data: bytes | None
    draw_index: int | None
    salt_sealed: bytes | None
    inputs_sealed: bytes | None
    outcome_sealed: bytes | None
    key_sealed: bytes | None
    slot_count: int
    small_pool_count: int
    left_over_count: int


def _to_wave(row: RowMapping) -> StoredWave:
    values: dict[str, Any] = dict(row)
    name = WaveName(ShiftName(values.pop("port"), values.pop("shift")), values.pop("start"))
    return StoredWave(name=name, state=WaveState(values.pop("state")), **values)


def add_waves(
    connection: Connection, name: ShiftName, waves: Sequence[tuple[datetime, datetime, datetime, int]]
) -> None:
    """Store a new shift's calendar: (start, freeze time, draw time, beacon round) of each wave."""
    connection.execute(
        insert(wave),
        [
            {
                "port": name.port,
                "shift": name.shift,
                "start": start,
                "state": WaveState.PLANNED,
                "freeze_time": freeze_time,
                "draw_time": draw_time,
                "beacon_round": beacon_round,
                "slot_count": 0,
                "small_pool_count": 0,
                "left_over_count": 0,
            }
            for start, freeze_time, draw_time, beacon_round in waves
        ],
    )


def load_wave(connection: Connection, name: WaveName) -> StoredWave:
    """One wave. Raises NotFound (WAVE_UNKNOWN)."""
    statement = select(wave).where(
        wave.c.port == name.shift.port, wave.c.shift == name.shift.shift, wave.c.start == name.start
    )
    row = connection.execute(statement).mappings().one_or_none()
    if row is None:
        raise NotFound("WAVE_UNKNOWN", f"There is no wave {name} in the calendar.")
    return _to_wave(row)


def change_wave(connection: Connection, name: WaveName, **values: object) -> None:
    """Set columns of one wave."""
    connection.execute(
        update(wave)
        .where(wave.c.port == name.shift.port, wave.c.shift == name.shift.shift, wave.c.start == name.start)
        .values(**values)
    )


def waves_of(connection: Connection, name: ShiftName) -> list[StoredWave]:
    """All waves of a shift, by start."""
    statement = select(wave).where(wave.c.port == name.port, wave.c.shift == name.shift).order_by(wave.c.start)
    return [_to_wave(row) for row in connection.execute(statement).mappings()]


def list_waves(connection: Connection, name: ShiftName, *, after: datetime | None, limit: int) -> list[StoredWave]:
    """Waves of a shift that start after `after`, by start."""
    statement = (
        select(wave).where(wave.c.port == name.port, wave.c.shift == name.shift).order_by(wave.c.start).limit(limit)
    )
    if after is not None:
        statement = statement.where(wave.c.start > after)
    return [_to_wave(row) for row in connection.execute(statement).mappings()]


def next_planned(connection: Connection, port: Port, *, besides: Collection[object]) -> StoredWave | None:
    """The wave of a port that is to be frozen next, `besides` those."""
    return _first(connection, port, WaveState.PLANNED, wave.c.freeze_time, besides)


def next_frozen(connection: Connection, port: Port, *, besides: Collection[object]) -> StoredWave | None:
    """The earliest wave of a port that is frozen and not drawn, `besides` those."""
    return _first(connection, port, WaveState.FROZEN, wave.c.start, besides)


def _first(
    connection: Connection, port: Port, state: WaveState, order: ColumnElement[Any], besides: Collection[object]
) -> StoredWave | None:
    statement = select(wave).where(wave.c.port == port, wave.c.state == state).order_by(order).limit(len(besides) + 1)
    found = map(_to_wave, connection.execute(statement).mappings())
    return next((one for one in found if one.name not in besides), None)


def drawn_since(connection: Connection, port: Port, start: datetime) -> list[StoredWave]:
    """Drawn waves of a port with any slot that start at or after `start`, by start."""
    statement = (
        select(wave)
        .where(wave.c.port == port, wave.c.state == WaveState.DRAWN, wave.c.start >= start, wave.c.slot_count > 0)
        .order_by(wave.c.start)
    )
    return [_to_wave(row) for row in connection.execute(statement).mappings()]


_SELECT_REPLACEMENTS = (
    select(replacement)
    .where(replacement.c.port == bindparam("p"), replacement.c.wave_start == bindparam("w"))
    .order_by(replacement.c.approved_time.is_(None), replacement.c.approved_time, replacement.c.replacement)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredReplacement:
    """A replacement that was asked for, and what followed once somebody else approved it."""

    port: Port
    replacement: str
    wave: WaveName
    absent: PersonId
    reason: str
    requested_by: PersonId
    approved_by: PersonId | None
    approved_time: datetime | None
    substitutions_sealed: bytes | None


def _to_replacement(row: RowMapping) -> StoredReplacement:
    values: dict[str, Any] = dict(row)
    name = WaveName(ShiftName(values["port"], values.pop("shift")), values.pop("wave_start"))
    return StoredReplacement(wave=name, **values)


def add_replacement(connection: Connection, stored: StoredReplacement) -> None:
    """Store a replacement that waits for approval."""
    connection.execute(
        insert(replacement),
        {
            "port": stored.port,
            "replacement": stored.replacement,
            "shift": stored.wave.shift.shift,
            "wave_start": stored.wave.start,
            "absent": stored.absent,
            "reason": stored.reason,
            "requested_by": stored.requested_by,
        },
    )


def find_replacement(connection: Connection, port: Port, name: str) -> StoredReplacement | None:
    """One replacement."""
    statement = select(replacement).where(replacement.c.port == port, replacement.c.replacement == name)
    row = connection.execute(statement).mappings().one_or_none()
    return None if row is None else _to_replacement(row)


def approve(
    connection: Connection,
    stored: StoredReplacement,
    *,
    approved_by: PersonId,
    approved_time: datetime,
    substitutions_sealed: bytes,
) -> None:
    """Record who approved a replacement, when, and what followed."""
    connection.execute(
        update(replacement)
        .where(replacement.c.port == stored.port, replacement.c.replacement == stored.replacement)
        .values(approved_by=approved_by, approved_time=approved_time, substitutions_sealed=substitutions_sealed)
    )


def replacements_of(connection: Connection, wave_name: WaveName) -> list[StoredReplacement]:
    """The replacements of a wave, the approved ones first and in the order of their approval."""
    values = {"p": wave_name.shift.port, "w": wave_name.start}
    return [_to_replacement(row) for row in connection.execute(_SELECT_REPLACEMENTS, values).mappings()]
