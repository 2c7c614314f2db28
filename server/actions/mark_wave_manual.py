"""A wave that was missed, or still waits for its beacon when it should start, is worked by hand; never drawn after."""

from __future__ import annotations

from assign.errors import Conflict
from assign.log.entries import Kind
from assign.names import OrderId, PersonId, Port, WaveName, parse_wave_name
from server.auth.identity import Caller
from server.outage.exceptions import (
    ExceptionAction,
    StoredException,
    confirm_exception,
    load_exception,
    request_exception,
    who_asked,
)
from server.storage.orders import handlers_of, set_slots
from server.storage.shifts import load_shift
from server.storage.slots import SlotState, set_state, slots_of_wave
from server.storage.unit import Unit
from server.storage.waves import StoredWave, WaveState, change_wave, load_wave

__all__ = ["confirm_manual_wave", "request_manual_wave"]


def request_manual_wave(unit: Unit, caller: Caller, name: WaveName, reason: str) -> StoredException:
    """Ask that a wave is worked by hand; a second person must confirm it.

    Raises NotFound (WAVE_UNKNOWN, SHIFT_UNKNOWN), Conflict (WAVE_NOT_WAITING, SHIFT_CLOSED).
    """
    _check(unit, name)
    return request_exception(
        unit,
        caller,
        name.shift.port,
        action=ExceptionAction.WAVE_MANUAL,
        subject=str(name),
        logged_as=str(name),
        reason=reason,
        context=str(name.shift),
    )


def confirm_manual_wave(unit: Unit, caller: Caller, port: Port, request: str) -> StoredWave:
    """Confirm it. Raises as `request_manual_wave`, `load_exception` and `confirm_exception`."""
    asked = load_exception(unit, port, request, ExceptionAction.WAVE_MANUAL)
    name = parse_wave_name(asked.subject)
    slots = slots_of_wave(unit.connection, name, [SlotState.FROZEN, SlotState.LEFT_OVER])
    handlers = handlers_of(unit.connection, port, [slot.order for slot in slots])
    confirmed = confirm_exception(unit, caller, asked, handled_by=set[PersonId]().union(*handlers.values()))
    wave = _check(unit, name)
    if wave.state is WaveState.FROZEN:
        released: list[tuple[OrderId, None]] = [(slot.order, None) for slot in slots]
        set_state(unit.connection, port, [slot.slot for slot in slots], SlotState.LEFT_OVER)
        set_slots(unit.connection, port, released)
    change_wave(unit.connection, name, state=WaveState.MANUAL)
    unit.record(port, Kind.WAVE_MANUAL, {**who_asked(unit, caller, confirmed, str(name.shift)), "wave": str(name)})
    return load_wave(unit.connection, name)


def _check(unit: Unit, name: WaveName) -> StoredWave:
    """The wave, if it may be worked by hand now."""
    wave = load_wave(unit.connection, name)
    if load_shift(unit.connection, name.shift).is_closed:
        raise Conflict("SHIFT_CLOSED", "This shift is closed.")
    # A frozen wave has an outcome that cannot be known, until its beacon value exists; before its start there is
    # time to wait, and nobody may choose between that outcome and a sheet.
    is_waiting = wave.state is WaveState.FROZEN and unit.now >= name.start
    if wave.state is not WaveState.MISSED and not is_waiting:
        raise Conflict(
            "WAVE_NOT_WAITING",
            "A wave is worked by hand if it was missed, or if it still waits for its beacon at its start.",
            field="name",
        )
    return wave
