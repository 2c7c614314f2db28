"""The selectors' deal: work is dealt one item at a time, at random, and nobody chooses what he works on.

A claim is a log entry. Its position in the log, who claims, and the items that he may handle fix the deal:

    D    = HKDF-SHA256(salt = "", ikm = M, info = LP("draw/v1","deal-seed/v1",origin,shift), 32)
    P    = H(LP("deal/v1","pool",salt32,item…))          items ascending by id
    key  = HKDF-SHA256(salt = "", ikm = D, info = LP("draw/v1","deal/v1",origin,shift,u64be(position),caller,P), 32)
    item = pool[below(len(pool))]                          from 64-bit words of ChaCha20(key)

`M` is committed to when the shift opens and opened at its close: then every deal is recomputed like a draw.
Whoever claims can neither know nor move what he gets: he has not the seed, and a further claim is a further
position. A deal is immediate, so it waits for no beacon: unlike a draw, an operator who takes the master seed
out of its seal could look ahead and time his entries. Each use of the seed is on record for that reason.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from assign.draw.streams import DEAL, DEAL_SEED, KeyStream
from assign.encoding import lp, sha256, u64be
from assign.errors import InvalidInput
from assign.names import check_id
from assign.person import Pseudonym

__all__ = ["ALGORITHM", "Claim", "Selector", "WaitingItem", "deal", "deal_seed", "pool_of", "verify_deal"]

ALGORITHM: Final = DEAL.label
_SALT_BYTES: Final = 32
_MOST_ITEMS: Final = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingItem:
    """A risk item in the queue.

    Attributes:
        qualifications: what a selector needs for it.
        parties: trade parties as opaque ids; who has a tie with one never gets it.
        returned_by: who had it and gave it back: it goes to somebody else.
    """

    item: str
    qualifications: frozenset[str]
    parties: frozenset[str]
    returned_by: frozenset[Pseudonym]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """Who claims."""

    person: Pseudonym
    qualifications: frozenset[str]
    recused_parties: frozenset[str]

    def may_handle(self, item: WaitingItem) -> bool:
        """Whether the item may be dealt to him."""
        return (
            item.qualifications <= self.qualifications
            and not item.parties & self.recused_parties
            and self.person not in item.returned_by
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """Everything that decides a deal but the seed. Raises InvalidInput (CLAIM_POOL, CLAIM_SALT, ID_FORM).

    Attributes:
        position: of the claim's entry in the log.
        pool: ids of the items that the caller may handle, ascending, each once.
        salt: 32 random bytes, opened with the seed: a small queue cannot be guessed from the log.
    """

    origin: str
    shift: str
    position: int
    caller: Pseudonym
    pool: tuple[str, ...]
    salt: bytes

    def __post_init__(self) -> None:
        for item in self.pool:
            check_id(item, field="pool")
        if list(self.pool) != sorted(set(self.pool)) or len(self.pool) > _MOST_ITEMS:
            raise InvalidInput("CLAIM_POOL", "The items of a claim are listed in ascending order, each once.")
        if len(self.salt) != _SALT_BYTES:
            raise InvalidInput("CLAIM_SALT", f"The salt of a claim has {_SALT_BYTES} bytes.")

    def pool_digest(self) -> bytes:
        """`P`, the 32 bytes that go into the log with the claim."""
        return sha256(lp(ALGORITHM, "pool", self.salt, *self.pool))


def deal_seed(master: bytes, origin: str, shift: str) -> bytes:
    """`D`, the seed of a shift's deals: 32 bytes. Raises InvalidInput (KEY_LENGTH)."""
    return DEAL_SEED.derive(master, origin, shift)


def pool_of(items: Iterable[WaitingItem], selector: Selector) -> tuple[str, ...]:
    """The ids of the waiting items that may be dealt to `selector`, as a claim lists them."""
    return tuple(sorted({item.item for item in items if selector.may_handle(item)}))


def deal(claim: Claim, seed: bytes) -> str | None:
    """The one item that the claim gets; None where nothing waits that he may handle.

    Args:
        seed: `D`, 32 bytes.
    """
    if not claim.pool:
        return None
    key = DEAL.derive(seed, claim.origin, claim.shift, u64be(claim.position), claim.caller, claim.pool_digest())
    return claim.pool[KeyStream(key).below(len(claim.pool))]


def verify_deal(
    claim: Claim, *, master: bytes, logged_pool: bytes, dealt: str | None, waiting: Collection[str] | None = None
) -> bool:
    """Whether `dealt` is what the claim had to get.

    Args:
        master: `M`, opened at the close and checked against its commitment.
        logged_pool: the pool digest in the claim's entry.
        waiting: the ids that he could have handled by the log, where the verifier can tell.
    """
    if claim.pool_digest() != logged_pool:
        return False
    if waiting is not None and tuple(sorted(waiting)) != claim.pool:
        return False
    return deal(claim, deal_seed(master, claim.origin, claim.shift)) == dealt
