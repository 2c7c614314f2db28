"""Close a shift that is over: open everything that was committed to."""

from __future__ import annotations

from assign.encoding import Json
from assign.log.entries import Kind
from assign.names import ShiftName
from server.storage.outcomes import seal_context
from server.storage.secrets import open_master
from server.storage.shifts import load_shift, mark_closed
from server.storage.unit import Unit
from server.storage.waves import WaveState, waves_of

__all__ = ["close_shift"]


def close_shift(unit: Unit, name: ShiftName) -> bool:
    """Log the master seed and every wave's salt; whether the shift is closed now.

    A shift with a wave that still waits for its beacon stays open.
    """
    stored = load_shift(unit.connection, name)
    if stored.is_closed:
        return True
    waves = waves_of(unit.connection, name)
    if unit.now < stored.close_time or any(wave.state < WaveState.DRAWN for wave in waves):
        return False
    keyring = unit.services.keyring
    salts: list[Json] = [
        {
            "salt": keyring.open(wave.salt_sealed, context=seal_context("salt", wave.name)).hex(),
            "wave": str(wave.name),
        }
        for wave in waves
        if wave.salt_sealed is not None
    ]
    unit.record(name.port, Kind.CLOSE, {"master": open_master(unit, stored).hex(), "salts": salts, "shift": str(name)})
    mark_closed(unit.connection, name)
    return True
