"""A shift's master seed, stored sealed and opened only where the log says so; and salts that bind rows to the key.

A salt that follows from the key and from what it stands beside needs no column of its own, and its digest in the
log vouches for more than is hashed: whoever changes such a row in the database cannot give it the salt it needs.
"""

from __future__ import annotations

from datetime import datetime

from assign.draw.keys import wave_seed
from assign.encoding import lp, u64be
from assign.log.entries import Kind, microseconds
from assign.names import OrderId, PersonId, Port, ShiftName, WaveName
from server.keyring import Keyring
from server.storage.shifts import StoredShift
from server.storage.unit import Unit

__all__ = ["master_context", "open_master", "order_salt", "persons_salt", "seal_master", "unwrap_seed"]


def order_salt(keyring: Keyring, port: Port, order: OrderId, selected_by: PersonId) -> bytes:
    """The salt of an order's digest; 32 bytes. With the digest, who selected the order is fixed as well."""
    return keyring.tag(lp("order-salt", port, order, selected_by))


def persons_salt(keyring: Keyring, port: Port, moment: datetime) -> bytes:
    """The salt of the digest over a port's screening register as imported at `moment`; 32 bytes."""
    return keyring.tag(lp("persons-salt", port, u64be(microseconds(moment))))


def master_context(name: ShiftName) -> bytes:
    """What a sealed master seed is bound to."""
    return lp("master", str(name))


def seal_master(unit: Unit, name: ShiftName, master: bytes) -> bytes:
    """The master seed, sealed and bound to its shift."""
    return unit.services.keyring.seal(master, context=master_context(name))


def open_master(unit: Unit, stored: StoredShift) -> bytes:
    """The master seed of a shift: 32 bytes."""
    return unit.services.keyring.open(stored.master_sealed, context=master_context(stored.name))


def unwrap_seed(unit: Unit, stored: StoredShift, wave: WaveName, *, purpose: str) -> bytes:
    """The seed `S` of one wave; every use of the master seed is logged."""
    port = stored.name.port
    unit.record(port, Kind.KEY_USE, {"purpose": purpose, "wave": str(wave)})
    origin = unit.config(port).origin
    return wave_seed(open_master(unit, stored), origin, str(stored.name), str(wave))
