"""Back-checks: a random share of a wave's inspections is done a second time, by others, in a later wave.

Whether an order is checked again follows from the wave's draw key on a stream of its own, an order at a time:

    key  = HKDF-SHA256(salt = "", ikm = K, info = LP("draw/v1","back-check/v1",origin,wave,order), 32)
    again = below(denominator) < numerator        from 64-bit words of ChaCha20(key)

with the share `numerator/denominator` of the order's tier. So the chance is exactly that share for each
order, whatever happens to the others: having seen nine that were checked, or none, tells nobody anything about
the tenth. Nobody can know it before the draw, and it is verified like the draw once the seeds are open.

Who did the first inspection, or had it at any time, and who handled the selection, is never eligible for the
second. That is what `handled_by` of an order says to the rules already, so a back-check is an order of a later
wave whose `handled_by` holds them all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Final

from assign.draw.inputs import FrozenOrder, WaveInputs
from assign.draw.streams import BACK_CHECK, KeyStream
from assign.draw.transcript import Transcript
from assign.errors import InvalidInput
from assign.names import OrderId
from assign.order import MAX_TIER
from assign.person import Pseudonym

__all__ = ["ALGORITHM", "NEVER", "BackCheck", "Share", "bar_from", "choose_back_checks", "is_checked_again"]

ALGORITHM: Final = BACK_CHECK.label
_MOST: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Share:
    """A probability as two integers: `numerator/denominator`, 0 to 1. Raises InvalidInput (SHARE_RANGE)."""

    numerator: int
    denominator: int

    def __post_init__(self) -> None:
        # bool is an int in Python, and `true` of anything is no share.
        if type(self.numerator) is not int or type(self.denominator) is not int:
            raise InvalidInput("SHARE_RANGE", "A share is two integers.")
        if not 0 <= self.numerator <= self.denominator <= _MOST or self.denominator == 0:
            raise InvalidInput("SHARE_RANGE", "A share is at least 0 and at most 1, its denominator below 2^32.")


NEVER: Final = Share(0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackCheck:
    """One order that is inspected a second time.

    Attributes:
        barred: who may not do it.
    """

    order: OrderId
    barred: frozenset[Pseudonym]


def is_checked_again(key: bytes, *, origin: str, wave: str, order: OrderId, share: Share) -> bool:
    """Whether one served order is inspected a second time.

    Args:
        key: the wave's draw key, 32 bytes.
        share: of the order's tier; fixed before the draw.
    """
    stream = KeyStream(BACK_CHECK.derive(key, origin, wave, order))
    return stream.below(share.denominator) < share.numerator


def choose_back_checks(
    inputs: WaveInputs,
    transcript: Transcript,
    key: bytes,
    *,
    shares: Mapping[int, Share],
    inspected_by: Mapping[OrderId, Collection[Pseudonym]],
) -> tuple[BackCheck, ...]:
    """The wave's back-checks, by order id. An order left over had no inspection, so there is nothing to check.

    Args:
        shares: by tier; a tier that is not listed is never checked again.
        inspected_by: everybody who had the order after the draw, the substitutes of replacements included. Who
            was drawn first is barred as well, replaced or not.

    Raises:
        InvalidInput: SHARE_TIER, a tier that no order can have; BACK_CHECK_WAVE, a transcript of another wave.
    """
    if any(not 0 <= tier <= MAX_TIER for tier in shares):
        raise InvalidInput("SHARE_TIER", f"A tier is 0 to {MAX_TIER}.")
    orders = tuple(frozen.order for frozen in inputs.orders)
    if (transcript.origin, transcript.wave, transcript.orders) != (inputs.origin, inputs.wave, orders):
        raise InvalidInput("BACK_CHECK_WAVE", "The transcript is not one of these inputs.")
    return tuple(
        BackCheck(order=frozen.order, barred=_barred(frozen, team, inspected_by.get(frozen.order, ())))
        for frozen, team in zip(inputs.orders, transcript.teams, strict=True)
        if team
        and is_checked_again(
            key,
            origin=inputs.origin,
            wave=inputs.wave,
            order=frozen.order,
            share=shares.get(frozen.tier, NEVER),
        )
    )


def bar_from(order: FrozenOrder, barred: Collection[Pseudonym]) -> FrozenOrder:
    """The order of a back-check as an input of its later wave: the rules refuse everybody in `barred`.

    Pseudonyms are those of the later wave's shift: whoever books a back-check across shifts names the persons anew.
    """
    return replace(order, handled_by=order.handled_by | frozenset(barred))


def _barred(
    order: FrozenOrder, team: Collection[Pseudonym], inspected_by: Collection[Pseudonym]
) -> frozenset[Pseudonym]:
    return frozenset(team) | frozenset(inspected_by) | order.handled_by
