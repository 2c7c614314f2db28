"""Ask for a replacement: somebody cannot come to a drawn wave."""

from __future__ import annotations

from assign.errors import Conflict, NotFound
from assign.log.entries import Kind
from assign.names import PersonId, WaveName
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.storage.shifts import find_duty, load_shift
from server.storage.unit import Unit
from server.storage.waves import StoredReplacement, WaveState, add_replacement, load_wave, replacements_of

__all__ = ["request_replacement"]

_ID_BYTES = 8


def request_replacement(unit: Unit, caller: Caller, name: WaveName, absent: PersonId, reason: str) -> StoredReplacement:
    """Store a request that a second person must approve. Nothing tells whether `absent` was drawn.

    Raises NotFound (WAVE_UNKNOWN, ROSTER_ENTRY_UNKNOWN), Conflict (WAVE_NOT_DRAWN, SHIFT_CLOSED,
    REPLACEMENT_EXISTS).
    """
    wave = load_wave(unit.connection, name)
    if wave.state is not WaveState.DRAWN:
        raise Conflict(
            "WAVE_NOT_DRAWN", "This wave is not drawn; report the absence, and the draw leaves the person out."
        )
    if load_shift(unit.connection, name.shift).is_closed:
        raise Conflict("SHIFT_CLOSED", "This shift is closed.")
    rostered = find_duty(unit.connection, name.shift, absent)
    if rostered is None:
        raise NotFound("ROSTER_ENTRY_UNKNOWN", "This person is not on the roster of this shift.")
    if any(one.absent == absent for one in replacements_of(unit.connection, name)):
        raise Conflict("REPLACEMENT_EXISTS", "A replacement of this person in this wave was asked for before.")
    stored = StoredReplacement(
        port=name.shift.port,
        replacement=f"r-{unit.services.entropy.bytes(_ID_BYTES).hex()}",
        wave=name,
        absent=absent,
        reason=reason,
        requested_by=PersonId(caller.id),
        approved_by=None,
        approved_time=None,
        substitutions_sealed=None,
    )
    add_replacement(unit.connection, stored)
    unit.record(
        name.shift.port,
        Kind.REPLACEMENT_REQUEST,
        {
            "absent": rostered.pseudonym,
            "by": name_actor(unit, caller, str(name.shift)),
            "reason": reason,
            "wave": str(name),
        },
    )
    return stored
