"""What never changes about a drawn wave, kept at hand: reading an assignment is the commonest call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from assign.names import OrderId, WaveName
from assign.order import Order, Slot
from assign.wave import Calendar
from server.keyring import Keyring
from server.storage.orders import find_orders
from server.storage.outcomes import Outcome, apply_replacements, load_drawn
from server.storage.shifts import load_shift
from server.storage.slots import SlotState, slots_of_wave
from server.storage.waves import WaveState, load_wave

__all__ = ["DrawnWave", "DrawnWaves"]

_CAPACITY = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawnWave:
    """A drawn wave: its calendar, its outcome as drawn, and the slots and orders it served."""

    name: WaveName
    calendar: Calendar
    drawn: Outcome
    slots: Mapping[OrderId, Slot]
    orders: Mapping[OrderId, Order]

    def outcome(self, connection: Connection, keyring: Keyring) -> Outcome:
        """The outcome as it stands, with every approved replacement."""
        return apply_replacements(connection, keyring, self.name, self.drawn)


class DrawnWaves:
    """The most recently used drawn waves. For one thread: the sequencer's.

    A wave has one outcome, so what is kept stays right as long as the draw it was read from is committed.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[WaveName, DrawnWave] = OrderedDict()

    def forget(self) -> None:
        """Keep nothing: a transaction failed, and what was read in it may not be in the store."""
        self._kept.clear()

    def find(self, connection: Connection, keyring: Keyring, name: WaveName) -> DrawnWave | None:
        """The wave, None unless it is drawn. Raises NotFound (WAVE_UNKNOWN, SHIFT_UNKNOWN)."""
        kept = self._kept.get(name)
        if kept is not None:
            self._kept.move_to_end(name)
            return kept
        wave = load_wave(connection, name)
        if wave.state is not WaveState.DRAWN:
            return None
        drawn = load_drawn(keyring, wave)
        orders = find_orders(connection, name.shift.port, [*drawn.teams])
        found = DrawnWave(
            name=name,
            calendar=load_shift(connection, name.shift).calendar,
            drawn=drawn,
            slots={slot.order: slot for slot in slots_of_wave(connection, name, [SlotState.DRAWN])},
            orders={order: stored.order for order, stored in orders.items()},
        )
        self._kept[name] = found
        if len(self._kept) > _CAPACITY:
            self._kept.popitem(last=False)
        return found
