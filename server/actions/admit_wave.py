"""Whether a frozen wave may be drawn: enough witnesses must have seen its freeze before its beacon value existed."""

from __future__ import annotations

from assign.draw.beacon import beacon_from_json, time_of_round
from assign.names import WaveName
from server.actions.freeze_wave import miss_wave
from server.storage.cosignatures import count_witnesses
from server.storage.shifts import load_shift
from server.storage.slots import SlotState, slots_of_wave
from server.storage.unit import Unit
from server.storage.waves import StoredWave, WaveState, load_wave

__all__ = ["admit_wave", "missing_witnesses"]


def admit_wave(unit: Unit, name: WaveName) -> bool:
    """Whether a frozen wave may be drawn; one that may not, because witnesses are strictly needed, is missed.

    To be asked before the wave's beacon value is fetched: a wave is given up by somebody who does not know what
    would have come of it.
    """
    wave = load_wave(unit.connection, name)
    if wave.state is not WaveState.FROZEN:
        return False
    witnesses = unit.services.witnesses.get(name.shift.port)
    if witnesses is None or not witnesses.is_strict or missing_witnesses(unit, wave) is None:
        return True
    slots = slots_of_wave(unit.connection, name, [SlotState.FROZEN])
    miss_wave(unit, name, slots, reason="not-witnessed")
    return False


def missing_witnesses(unit: Unit, wave: StoredWave) -> tuple[int, int] | None:
    """`(how many cosigned the freeze in time, how many should have)`; None where enough did or none are needed."""
    witnesses = unit.services.witnesses.get(wave.name.shift.port)
    if witnesses is None or wave.freeze_index is None:
        return None
    beacon = beacon_from_json(load_shift(unit.connection, wave.name.shift).beacon)
    counted = count_witnesses(
        unit.connection,
        wave.name.shift.port,
        witnesses.policy,
        index=wave.freeze_index,
        before=time_of_round(beacon, wave.beacon_round),
    )
    quorum = witnesses.policy.quorum
    return None if counted >= quorum else (counted, quorum)
