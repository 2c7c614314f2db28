"""Reserve orders: who replaces whom is part of the one outcome, so that no redraw is ever needed."""

from __future__ import annotations

from assign import _core
from assign.draw.inputs import WaveInputs
from assign.draw.keys import reserve_key
from assign.names import OrderId
from assign.person import Pseudonym

__all__ = ["reserve_order", "reserve_order_of_row"]


def reserve_order(inputs: WaveInputs, key: bytes, order: OrderId) -> list[Pseudonym]:
    """The keyed permutation of an order's eligible persons; the first one free is the replacement.

    Args:
        key: the wave's draw key, 32 bytes.

    Raises:
        ValueError: the order is not in the inputs (a programming error).
    """
    return reserve_order_of_row(inputs, key, [frozen.order for frozen in inputs.orders].index(order))


def reserve_order_of_row(inputs: WaveInputs, key: bytes, row: int) -> list[Pseudonym]:
    """The reserve order of `inputs.orders[row]`."""
    eligible = [
        person.candidate.person
        for person, letter in zip(inputs.persons, inputs.verdicts[row], strict=True)
        if letter == "+"
    ]
    derived = reserve_key(key, inputs.origin, inputs.wave, inputs.orders[row].order)
    return [eligible[int(position)] for position in _core.shuffle(len(eligible), derived)]
