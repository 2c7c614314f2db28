"""Open a shift: commit to its master seed and fix its calendar and beacon before anybody is on it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from assign.draw.beacon import beacon_from_json, round_at_or_after
from assign.draw.commitment import commit_master
from assign.draw.constrained import ALGORITHM
from assign.draw.keys import KEY_BYTES
from assign.encoding import rfc3339
from assign.errors import AlreadyExists, Conflict, InvalidInput, NotFound
from assign.log.entries import Kind
from assign.names import ShiftName
from assign.rules.eligibility import RULES_VERSION
from assign.wave import Calendar
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.config import PortConfig
from server.escrow.escrow_master import escrow_master
from server.storage.secrets import seal_master
from server.storage.shifts import StoredShift, add_shift, load_shift, overlapping_shift
from server.storage.unit import Unit
from server.storage.waves import add_waves

__all__ = ["open_shift"]


def open_shift(unit: Unit, caller: Caller, name: ShiftName, start: datetime, end: datetime) -> StoredShift:
    """Draw a master seed from the operating system, log its commitment, and plan the waves.

    Raises AlreadyExists (SHIFT_EXISTS), Conflict (SHIFT_OVERLAP, SHIFT_TOO_LATE, BEACON_TOO_SHORT),
    InvalidInput (SHIFT_TIMES, SHIFT_WAVES), NotFound (PORT_UNKNOWN).
    """
    config = unit.config(name.port)
    calendar = Calendar(
        start=start,
        end=end,
        step_seconds=config.wave_step_seconds,
        lead_seconds=config.lead_seconds,
        margin_seconds=config.freeze_margin_seconds,
    )
    _check_new(unit, name, calendar)
    master = unit.services.entropy.bytes(KEY_BYTES)
    stored = StoredShift(
        name=name,
        calendar=calendar,
        close_time=_close_time(end, config),
        min_pool=config.min_pool,
        beacon=unit.services.beacon_pin,
        commitment=commit_master(config.origin, str(name), master),
        master_sealed=seal_master(unit, name, master),
        is_closed=False,
    )
    add_shift(unit.connection, stored)
    escrow_master(unit, stored, master)
    _plan_waves(unit, stored)
    _record(unit, caller, stored, config)
    return stored


def _close_time(end: datetime, config: PortConfig) -> datetime:
    try:
        return end + timedelta(seconds=config.embargo_seconds)
    except OverflowError:
        raise InvalidInput("SHIFT_TIMES", "This shift ends beyond the calendar.", field="shift.end_time") from None


def _check_new(unit: Unit, name: ShiftName, calendar: Calendar) -> None:
    try:
        load_shift(unit.connection, name)
    except NotFound:
        pass
    else:
        raise AlreadyExists("SHIFT_EXISTS", f"The shift {name} is open already.", field="shift_id")
    other = overlapping_shift(unit.connection, name.port, calendar.start, calendar.end)
    if other is not None:
        raise Conflict("SHIFT_OVERLAP", f"These times overlap the port's shift {other}.", field="shift.start_time")
    first_freeze = calendar.freeze_time(calendar.start)
    if unit.now >= first_freeze:
        raise Conflict(
            "SHIFT_TOO_LATE",
            f"A shift is opened before its first freeze, which was at {rfc3339(first_freeze)}.",
            field="shift.start_time",
        )


def _plan_waves(unit: Unit, stored: StoredShift) -> None:
    beacon = beacon_from_json(stored.beacon)
    calendar = stored.calendar
    if beacon.time_of_round(beacon.last_round) < calendar.draw_time(calendar.wave_starts()[-1]):
        raise Conflict("BEACON_TOO_SHORT", "The pinned beacon ends before this shift; pin a new one first.")
    add_waves(
        unit.connection,
        stored.name,
        [
            (
                start,
                calendar.freeze_time(start),
                calendar.draw_time(start),
                round_at_or_after(beacon, calendar.draw_time(start)),
            )
            for start in calendar.wave_starts()
        ],
    )


def _record(unit: Unit, caller: Caller, stored: StoredShift, config: PortConfig) -> None:
    calendar = stored.calendar
    unit.record(
        stored.name.port,
        Kind.SHIFT_OPEN,
        {
            "beacon": json.loads(stored.beacon),
            "by": name_actor(unit, caller, str(stored.name)),
            "calendar": {
                "end": rfc3339(calendar.end),
                "lead_seconds": calendar.lead_seconds,
                "margin_seconds": calendar.margin_seconds,
                "start": rfc3339(calendar.start),
                "step_seconds": calendar.step_seconds,
            },
            "commit_master": stored.commitment.hex(),
            "draw": ALGORITHM,
            "embargo_seconds": config.embargo_seconds,
            "min_pool": stored.min_pool,
            "rules": RULES_VERSION,
            "shift": str(stored.name),
        },
    )
