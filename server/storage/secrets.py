"""A shift's master seed: stored sealed, opened only where the log says so."""

from __future__ import annotations

from assign.draw.keys import wave_seed
from assign.encoding import lp
from assign.log.entries import Kind
from assign.names import ShiftName, WaveName
from server.storage.shifts import StoredShift
from server.storage.unit import Unit

__all__ = ["open_master", "seal_master", "unwrap_seed"]


def _context(name: ShiftName) -> bytes:
    return lp("master", str(name))


def seal_master(unit: Unit, name: ShiftName, master: bytes) -> bytes:
    """The master seed, sealed and bound to its shift."""
    return unit.services.keyring.seal(master, context=_context(name))


def open_master(unit: Unit, stored: StoredShift) -> bytes:
    """The master seed of a shift: 32 bytes."""
    return unit.services.keyring.open(stored.master_sealed, context=_context(stored.name))


def unwrap_seed(unit: Unit, stored: StoredShift, wave: WaveName, *, purpose: str) -> bytes:
    """The seed `S` of one wave; every use of the master seed is logged."""
    port = stored.name.port
    unit.record(port, Kind.KEY_USE, {"purpose": purpose, "wave": str(wave)})
    origin = unit.config(port).origin
    return wave_seed(open_master(unit, stored), origin, str(stored.name), str(wave))
