"""Who has which inspections in a shift, in the pseudonyms of its log."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.engine import Connection

from assign.draw.occupancy import Inspection, Occupancy
from assign.names import ShiftName
from server.keyring import Keyring
from server.storage.outcomes import load_drawn, load_substituted
from server.storage.shifts import Rostered
from server.storage.slots import SlotState, slots_of_wave
from server.storage.waves import StoredWave, WaveState, replacements_of, waves_of

__all__ = ["load_occupancy"]


def load_occupancy(connection: Connection, keyring: Keyring, name: ShiftName, roster: Sequence[Rostered]) -> Occupancy:
    """The shift's occupancy by all draws and replacements so far. Raises Corrupt."""
    pseudonyms = {one.entry.person: one.pseudonym for one in roster}
    occupancy = Occupancy()
    drawn: list[StoredWave] = [
        wave for wave in waves_of(connection, name) if wave.state is WaveState.DRAWN and wave.slot_count
    ]
    for wave in drawn:
        slots = {slot.order: slot for slot in slots_of_wave(connection, wave.name, [SlotState.DRAWN])}
        for order, team in load_drawn(keyring, wave).teams.items():
            slot = slots[order]
            inspection = Inspection(wave=str(wave.name), order=order, start=slot.start, end=slot.end)
            occupancy.draw(inspection, [pseudonyms[person] for person in team])
        for stored in replacements_of(connection, wave.name):
            for one in load_substituted(keyring, stored):
                substitute = None if one.substitute is None else pseudonyms[one.substitute]
                occupancy.replace(str(wave.name), one.order, absent=pseudonyms[stored.absent], substitute=substitute)
    return occupancy
