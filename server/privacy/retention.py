"""The retention job: rows that were kept for long enough are removed, and the log says how many of which kind.

The log, the committed inputs and the opened seeds stay: they name nobody, and are what the evidence is made of.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, exists, func, or_, select, update
from sqlalchemy.engine import Connection

from assign.encoding import rfc3339
from assign.log.entries import Kind
from assign.names import PersonId, Port, ShiftName, WaveName
from server.privacy.anonymise import overwrite_deleted, record_register, stand_in
from server.privacy.settings import RetentionConfig
from server.storage.outcomes import Outcome, load_drawn, seal_outcome
from server.storage.schema import (
    exception_request,
    handled_selection,
    inspection_order,
    manual_line,
    outage_sheet,
    person,
    replacement,
    request,
    roster_entry,
    shift,
    slot,
    wave,
)
from server.storage.unit import Unit
from server.storage.waves import change_wave, load_wave

__all__ = ["apply_retention", "plan_retention"]

_SYSTEM = "systems/retention"


def plan_retention(connection: Connection, config: RetentionConfig, now: datetime) -> dict[str, int]:
    """How many rows of each kind `apply_retention` would remove now, in all ports."""
    cutoffs = config.cutoffs(now)
    return {kind: sum(_count(connection, *one) for one in _rows(kind, cutoffs[kind])) for kind in cutoffs}


def apply_retention(unit: Unit, config: RetentionConfig) -> dict[str, int]:
    """Remove them, and log it in every port; how many of each kind. Nothing is logged where nothing was removed."""
    cutoffs = config.cutoffs(unit.now)
    removed = plan_retention(unit.connection, config, unit.now)
    if not any(removed.values()):
        return removed
    overwrite_deleted(unit.connection)
    registered = (
        unit.connection.execute(select(person.c.port).where(_screening(cutoffs["screening"])).distinct())
        .scalars()
        .all()
    )
    _empty_outcomes(unit, cutoffs["assignments"])
    _rename_selectors(unit, cutoffs["selections"])
    for kind in ("answers", "assignments", "screening", "rosters", "exceptions"):
        for table, condition in _rows(kind, cutoffs[kind]):
            if table is not wave:
                unit.connection.execute(delete(table).where(condition))
    unit.services.drawn_waves.forget()
    for code in unit.services.ports:
        if code in registered:
            record_register(unit, Port(code), _SYSTEM)
        body: dict[str, Any] = {
            "cutoffs": {kind: rfc3339(moment) for kind, moment in cutoffs.items()},
            "removed": removed,
        }
        unit.record(Port(code), Kind.RETENTION, body)
    return removed


def _count(connection: Connection, table: Any, condition: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(table).where(condition)).scalar_one()


def _rows(kind: str, cutoff: datetime) -> list[tuple[Any, ColumnElement[bool]]]:
    """The rows of one kind that are older than `cutoff`, by table."""
    found: Mapping[str, list[tuple[Any, ColumnElement[bool]]]] = {
        "answers": [(request, request.c.time < cutoff)],
        "assignments": [
            (wave, and_(_in_old_shift(wave, cutoff), wave.c.outcome_sealed.is_not(None), wave.c.slot_count > 0)),
            (replacement, _in_old_shift(replacement, cutoff)),
            (manual_line, _in_old_shift(manual_line, cutoff)),
            (outage_sheet, _in_old_shift(outage_sheet, cutoff)),
        ],
        "exceptions": [(exception_request, exception_request.c.requested_time < cutoff)],
        "rosters": [(roster_entry, _in_old_shift(roster_entry, cutoff))],
        "screening": [(person, _screening(cutoff))],
        "selections": [(handled_selection, _of_old_orders(cutoff))],
    }
    return found[kind]


def _in_old_shift(table: Any, cutoff: datetime) -> ColumnElement[bool]:
    return exists().where(
        shift.c.port == table.c.port, shift.c.shift == table.c.shift, shift.c.closed.is_(True), shift.c.end < cutoff
    )


def _screening(cutoff: datetime) -> ColumnElement[bool]:
    """Of people who had a duty once, and none since. Whoever never had one may be new: nobody knows since when."""
    duty = roster_entry
    return and_(
        exists().where(duty.c.person == person.c.person),
        ~exists().where(duty.c.person == person.c.person, duty.c.end >= cutoff),
    )


def _of_old_orders(cutoff: datetime) -> ColumnElement[bool]:
    """Of orders whose every slot is in an old shift, and that still name somebody."""
    mine = and_(slot.c.port == handled_selection.c.port, slot.c.order == handled_selection.c.order)
    old = exists().where(
        shift.c.port == slot.c.port, shift.c.shift == slot.c.shift, shift.c.closed.is_(True), shift.c.end < cutoff
    )
    return and_(
        ~handled_selection.c.person.startswith("erased-"),
        exists().where(mine),
        ~exists(select(slot.c.slot).where(mine, or_(~old))),
    )


def _empty_outcomes(unit: Unit, cutoff: datetime) -> None:
    """Who inspected what is gone from the store; whoever has the bundle still has it, in pseudonyms."""
    [(_, condition), *_] = _rows("assignments", cutoff)
    rows = unit.connection.execute(select(wave.c.port, wave.c.shift, wave.c.start).where(condition)).all()
    for row in rows:
        name = WaveName(ShiftName(Port(row.port), row.shift), row.start)
        load_drawn(unit.services.keyring, load_wave(unit.connection, name))  # what is damaged is not overwritten
        sealed = seal_outcome(unit.services.keyring, name, Outcome(teams={}))
        change_wave(unit.connection, name, outcome_sealed=sealed, slot_count=0)


def _rename_selectors(unit: Unit, cutoff: datetime) -> None:
    table, selected = handled_selection, inspection_order
    rows = unit.connection.execute(
        select(table.c.port, table.c.order, table.c.person).where(_of_old_orders(cutoff))
    ).all()
    for row in rows:
        other: PersonId = stand_in(unit)
        here = (table.c.port == row.port) & (table.c.order == row.order) & (table.c.person == row.person)
        unit.connection.execute(update(table).where(here).values(person=other))
        same = (selected.c.port == row.port) & (selected.c.order == row.order)
        unit.connection.execute(
            update(selected).where(same, selected.c.selected_by == row.person).values(selected_by=other)
        )
