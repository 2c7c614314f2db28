"""The selectors' deal: at random among what the caller may handle, and recomputed by anybody later."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from assign.draw.deal import ALGORITHM, Claim, Selector, WaitingItem, deal, deal_seed, pool_of, verify_deal
from assign.encoding import lp, sha256
from assign.errors import InvalidInput
from assign.person import Pseudonym

MASTER = bytes(range(32))
ORIGIN, SHIFT = "assign.example/NLRTM", "ports/NLRTM/shifts/2026-11-24-A"
SEED = deal_seed(MASTER, ORIGIN, SHIFT)
CALLER, OTHER = Pseudonym("aa" * 16), Pseudonym("bb" * 16)
CLAIM = Claim(
    origin=ORIGIN,
    shift=SHIFT,
    position=1000,
    caller=CALLER,
    pool=tuple(f"item-{number}" for number in range(8)),
    salt=b"\x07" * 32,
)


def _item(item: str, **changes: frozenset[str]) -> WaitingItem:
    none: frozenset[str] = frozenset()
    values = {"qualifications": none, "parties": none, "returned_by": none} | changes
    return WaitingItem(item=item, **values)  # type: ignore[arg-type]


def _selector(person: Pseudonym = CALLER, *qualifications: str, recused: tuple[str, ...] = ()) -> Selector:
    return Selector(person=person, qualifications=frozenset(qualifications), recused_parties=frozenset(recused))


def test_published_deal_is_kept() -> None:
    """The algorithm id stands for these very deals, which an implementation apart from this one found as well."""
    assert ALGORITHM == "deal/v1"
    dealt = [deal(replace(CLAIM, position=position), SEED) for position in range(6)]
    assert dealt == ["item-7", "item-4", "item-1", "item-1", "item-0", "item-0"]


def test_pool_digest_is_what_the_page_says() -> None:
    """`H(LP("deal/v1","pool",salt32,item…))`."""
    assert CLAIM.pool_digest() == sha256(lp("deal/v1", "pool", CLAIM.salt, *CLAIM.pool))


def test_pool_holds_what_the_caller_may_handle() -> None:
    """By qualification, by ties with trade parties, and not what he returned before; sorted, each once."""
    items = [
        _item("e"),
        _item("d", qualifications=frozenset({"drugs"})),
        _item("c", parties=frozenset({"party-1"})),
        _item("b", returned_by=frozenset({CALLER})),
        _item("a", returned_by=frozenset({OTHER})),
        _item("a", returned_by=frozenset({OTHER})),
    ]
    assert pool_of(items, _selector()) == ("a", "c", "e")
    assert pool_of(items, _selector(CALLER, "drugs", recused=("party-1",))) == ("a", "d", "e")
    assert pool_of(items, _selector(OTHER)) == ("b", "c", "e")
    assert pool_of([], _selector()) == ()


def test_deal_is_one_of_the_pool() -> None:
    """Whatever the position; a pool of one gives that one, an empty one nothing."""
    for position in range(50):
        assert deal(replace(CLAIM, position=position), SEED) in CLAIM.pool
    assert deal(replace(CLAIM, pool=("only",)), SEED) == "only"
    assert deal(replace(CLAIM, pool=()), SEED) is None


@pytest.mark.parametrize(
    "change",
    [{"position": 1001}, {"caller": OTHER}, {"origin": "assign.example/BEANR"}, {"shift": "x"}, {"salt": bytes(32)}],
)
def test_every_part_of_a_claim_counts(change: dict[str, object]) -> None:
    """Each field leads to other deals: over 40 positions at least one of them differs."""
    positions = range(2000, 2040)
    before = [deal(replace(CLAIM, position=position), SEED) for position in positions]
    if "position" in change:
        positions = range(3000, 3040)
        change = {}
    after = [deal(replace(CLAIM, position=position, **change), SEED) for position in positions]  # type: ignore[arg-type]
    assert before != after


def test_items_elsewhere_in_the_pool_count() -> None:
    """An item more is another deal, not the same one with a chance for the new item."""
    longer = replace(CLAIM, pool=(*CLAIM.pool, "item-9"))
    same = [
        deal(replace(CLAIM, position=position), SEED) == deal(replace(longer, position=position), SEED)
        for position in range(60)
    ]
    assert sum(same) < 30


def test_deals_of_two_callers_say_nothing_about_each_other() -> None:
    """At one position two callers get what two independent deals give: equal about one time in eight."""
    equal = sum(
        deal(replace(CLAIM, position=position), SEED) == deal(replace(CLAIM, position=position, caller=OTHER), SEED)
        for position in range(800)
    )
    assert 60 < equal < 145  # five standard deviations around 100


def test_verification_recomputes_the_deal() -> None:
    """The opened seed, the logged pool and the position leave one answer."""
    dealt = deal(CLAIM, SEED)
    logged = CLAIM.pool_digest()
    assert verify_deal(CLAIM, master=MASTER, logged_pool=logged, dealt=dealt)
    assert verify_deal(CLAIM, master=MASTER, logged_pool=logged, dealt=dealt, waiting=[*reversed(CLAIM.pool)])
    for other in itertools.chain([None, "item-77"], (item for item in CLAIM.pool if item != dealt)):
        assert not verify_deal(CLAIM, master=MASTER, logged_pool=logged, dealt=other)


def test_verification_finds_a_bent_pool() -> None:
    """A pool other than the logged one, or other than what was waiting by the log, is found."""
    dealt, logged = deal(CLAIM, SEED), CLAIM.pool_digest()
    shorter = replace(CLAIM, pool=CLAIM.pool[1:])
    assert not verify_deal(shorter, master=MASTER, logged_pool=logged, dealt=deal(shorter, SEED))
    assert not verify_deal(CLAIM, master=MASTER, logged_pool=logged, dealt=dealt, waiting=CLAIM.pool[1:])
    assert not verify_deal(CLAIM, master=bytes(32), logged_pool=logged, dealt=dealt)


@pytest.mark.parametrize("pool", [("b", "a"), ("a", "a"), ("a", "c", "b")])
def test_pool_is_in_one_order(pool: tuple[str, ...]) -> None:
    """Otherwise whoever lists it chooses the deal."""
    with pytest.raises(InvalidInput, match="CLAIM_POOL"):
        replace(CLAIM, pool=pool)


def test_claim_checks_its_parts() -> None:
    """A short salt would let the pool be guessed; an id is an id; a position is one of a log."""
    with pytest.raises(InvalidInput, match="CLAIM_SALT"):
        replace(CLAIM, salt=bytes(31))
    with pytest.raises(InvalidInput, match="ID_FORM"):
        replace(CLAIM, pool=("a b",))
    with pytest.raises(InvalidInput, match="INTEGER_OUT_OF_RANGE"):
        deal(replace(CLAIM, position=-1), SEED)
    with pytest.raises(InvalidInput, match="KEY_LENGTH"):
        deal(CLAIM, SEED[:-1])
