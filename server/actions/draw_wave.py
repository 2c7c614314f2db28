"""Draw a frozen wave, as soon as its beacon round exists. There is one outcome, and no redraw."""

from __future__ import annotations

from assign.draw.beacon import beacon_value
from assign.draw.commitment import Freeze, commit_inputs, commit_seed, commit_transcript
from assign.draw.inputs import WaveInputs
from assign.draw.keys import draw_key, transcript_blind
from assign.draw.outcome import replay_wave
from assign.draw.transcript import Transcript
from assign.encoding import Json
from assign.errors import Corrupt
from assign.log.entries import Kind
from assign.names import OrderId, WaveName
from server.actions.admit_wave import admit_wave, missing_witnesses
from server.storage.ledger import read_entries
from server.storage.orders import set_slots
from server.storage.outcomes import Outcome, room_for_outcome, seal_context, seal_outcome
from server.storage.secrets import unwrap_seed
from server.storage.shifts import list_roster, load_shift
from server.storage.slots import SlotState, set_state, slots_of_wave
from server.storage.unit import Unit
from server.storage.waves import StoredWave, WaveState, change_wave, load_wave

__all__ = ["draw_wave", "open_inputs"]


def draw_wave(unit: Unit, name: WaveName, evidence: bytes) -> None:
    """Draw a frozen wave; one that is not frozen, not admitted, or drawn already, is left as it is.

    Args:
        evidence: the beacon's evidence of the wave's round, verified against the pinned beacon.

    Raises Corrupt (INPUTS_CHANGED, FREEZE_CHANGED, SEED_CHANGED and those of the formats) where the store does not hold
    what was committed to: then nothing is drawn.
    """
    if not admit_wave(unit, name):
        return
    wave = load_wave(unit.connection, name)
    _note_missing_witnesses(unit, wave)
    inputs = open_inputs(unit, wave)
    key = _derive_key(unit, wave, evidence)
    transcript = replay_wave(inputs, key)
    keyring = unit.services.keyring
    draw_index = unit.record(
        name.shift.port,
        Kind.DRAW,
        {
            "evidence": evidence.hex(),
            "round": wave.beacon_round,
            "transcript": commit_transcript(
                transcript_blind(key, inputs.origin, inputs.wave), transcript.to_bytes()
            ).hex(),
            "wave": str(name),
        },
    )
    change_wave(
        unit.connection,
        name,
        state=WaveState.DRAWN,
        draw_index=draw_index,
        outcome_sealed=_seal(unit, name, inputs, transcript),
        key_sealed=keyring.seal(key, context=seal_context("draw-key", name)),
        left_over_count=sum(1 for team in transcript.teams if not team),
    )
    _settle_slots(unit, name, transcript)


def _note_missing_witnesses(unit: Unit, wave: StoredWave) -> None:
    missing = missing_witnesses(unit, wave)
    if missing is not None:
        witnesses, quorum = missing
        body: dict[str, Json] = {"quorum": quorum, "wave": str(wave.name), "witnesses": witnesses}
        unit.record(wave.name.shift.port, Kind.UNWITNESSED, body)


def _derive_key(unit: Unit, wave: StoredWave, evidence: bytes) -> bytes:
    freeze = _logged_freeze(unit, wave)
    seed = unwrap_seed(unit, load_shift(unit.connection, wave.name.shift), wave.name, purpose="draw")
    if commit_seed(freeze.origin, freeze.wave, seed) != freeze.seed_commitment:
        raise Corrupt("SEED_CHANGED", "The stored master seed is not the one that was committed to.")
    return draw_key(
        beacon_value=beacon_value(evidence),
        seed=seed,
        origin=freeze.origin,
        wave=freeze.wave,
        leaf=freeze.leaf(),
        chain_hash=freeze.chain_hash,
        beacon_round=freeze.beacon_round,
    )


def open_inputs(unit: Unit, wave: StoredWave) -> WaveInputs:
    """The inputs of a frozen wave, checked against its freeze. Raises Corrupt (INPUTS_CHANGED, FREEZE_CHANGED)."""
    # Sealed values are bound to the wave; but whoever holds the key-encryption key could seal others.
    keyring = unit.services.keyring
    data = keyring.open(wave.inputs_sealed or b"", context=seal_context("inputs", wave.name))
    salt = keyring.open(wave.salt_sealed or b"", context=seal_context("salt", wave.name))
    if commit_inputs(salt, data) != _logged_freeze(unit, wave).inputs_commitment:
        raise Corrupt("INPUTS_CHANGED", "The stored inputs are not those that were committed to.")
    return WaveInputs.from_bytes(data)


def _logged_freeze(unit: Unit, wave: StoredWave) -> Freeze:
    """The freeze as it stands in the log, which is the one that counts."""
    index = wave.freeze_index or 0
    [entry] = read_entries(unit.connection, wave.name.shift.port, index, index + 1)
    if entry != wave.freeze_data:
        raise Corrupt("FREEZE_CHANGED", "The stored freeze is not the one in the log.")
    return Freeze.from_bytes(entry)


def _seal(unit: Unit, name: WaveName, inputs: WaveInputs, transcript: Transcript) -> bytes:
    """The outcome as persons, sealed: as long as the inputs make it, whoever was drawn."""
    persons = {one.pseudonym: one.entry.person for one in list_roster(unit.connection, name.shift)}
    teams = {
        order: tuple(persons[pseudonym] for pseudonym in team)
        for order, team in zip(transcript.orders, transcript.teams, strict=True)
        if team
    }
    room = room_for_outcome({order.order: order.team_size for order in inputs.orders}, persons.values())
    return seal_outcome(unit.services.keyring, name, Outcome(teams=teams), room=room)


def _settle_slots(unit: Unit, name: WaveName, transcript: Transcript) -> None:
    port = name.shift.port
    slots = slots_of_wave(unit.connection, name, [SlotState.FROZEN])
    served: set[OrderId] = {order for order, _ in transcript.seats()}
    left_over = [slot for slot in slots if slot.order not in served]
    set_state(unit.connection, port, [slot.slot for slot in slots if slot.order in served], SlotState.DRAWN)
    set_state(unit.connection, port, [slot.slot for slot in left_over], SlotState.LEFT_OVER)
    set_slots(unit.connection, port, [(slot.order, None) for slot in left_over])
