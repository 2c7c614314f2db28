"""The battery has power: each kind of bias is rejected by name, and sound keys are not."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from assign import _core
from assign.selftest import battery, golden
from assign.selftest.battery import SHORT, run_battery
from assign.selftest.golden import INSTANCES
from assign.selftest.instances import arrays_of, list_assignments
from assign.selftest.report import Check

_keystream, _shuffle, _draw = _core.keystream, _core.shuffle, _core.draw
Permutation = npt.NDArray[np.uint32]
QUICK = replace(SHORT, keystream_bytes=1 << 16, shuffles=3000, large_shuffle=1 << 12, draws=400)


def _failed(checks: tuple[Check, ...]) -> set[str]:
    return {check.name for check in checks if not check.is_passed}


def _words(key: bytes) -> Iterator[int]:
    return iter(np.frombuffer(_keystream(key, 512), "<u8").tolist())


def _swap_anywhere(n: int, key: bytes) -> Permutation:
    """The naive shuffle: every card is swapped with any card."""
    cards, words = list(range(n)), _words(key)
    for place in range(n):
        other = next(words) % n
        cards[place], cards[other] = cards[other], cards[place]
    return np.array(cards, np.uint32)


def _never_stay(n: int, key: bytes) -> Permutation:
    """Off by one (Sattolo): no card can stay where it was."""
    cards, words = list(range(n)), _words(key)
    for last in range(n - 1, 0, -1):
        other = next(words) % last
        cards[last], cards[other] = cards[other], cards[last]
    return np.array(cards, np.uint32)


def _few_bits(n: int, key: bytes) -> Permutation:
    """Indices from four bits: remainders are uneven."""
    cards, words = list(range(n)), _words(key)
    for last in range(n - 1, 0, -1):
        other = next(words) % 16 % (last + 1)
        cards[last], cards[other] = cards[other], cards[last]
    return np.array(cards, np.uint32)


def _cut(n: int, key: bytes) -> Permutation:
    """A cut of the pack: everybody in every place equally often, and the order never changes."""
    return np.roll(np.arange(n, dtype=np.uint32), next(_words(key)) % n)


def _favour(n: int, key: bytes) -> Permutation:
    """One time in ten, card 0 is put in front."""
    cards = _shuffle(n, key).tolist()
    if next(_words(bytes(reversed(key)))) % 10 == 0:
        cards.remove(0)
        cards.insert(0, 0)
    return np.array(cards, np.uint32)


_BIASED_SHUFFLES: dict[Callable[[int, bytes], Permutation], str] = {
    _swap_anywhere: "shuffle-orders",
    _never_stay: "shuffle-positions",
    _few_bits: "shuffle-orders",
    _cut: "shuffle-neighbours",
    _favour: "shuffle-positions",
}


@pytest.mark.parametrize("biased", _BIASED_SHUFFLES)
def test_biased_shuffle_is_rejected(
    biased: Callable[[int, bytes], Permutation], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Classic mistakes and a favour, each by the statistic that is there for it."""
    monkeypatch.setattr(_core, "shuffle", biased)
    effort = replace(SHORT, large_shuffle=8, draws=100)
    assert _BIASED_SHUFFLES[biased] in _failed(run_battery(effort))


def test_shuffle_that_is_too_even_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dealing every order in turn looks even, and is no chance at all."""
    every = {n: itertools.cycle(itertools.permutations(range(n))) for n in (5, 8)}
    monkeypatch.setattr(
        _core, "shuffle", lambda n, key: np.array(next(every[n]), np.uint32) if n in every else _shuffle(n, key)
    )
    checks = run_battery(QUICK)
    (whole,) = (check for check in checks if check.name == "shuffle-orders")
    assert not whole.is_passed
    assert whole.detail.endswith("too even to be chance")


def test_shuffle_that_loses_a_card_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a permutation: said in so many words."""
    monkeypatch.setattr(_core, "shuffle", lambda n, key: _shuffle(n, key) // 2 * 2)
    found = {check.name: check.detail for check in run_battery(QUICK) if not check.is_passed}
    assert found["shuffle-large"] == found["shuffle-orders"] == "a shuffle that is no permutation"


_BIASED_STREAMS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "one value in 64 is missing half the time": (
        lambda data: bytes(byte ^ 1 if byte == 64 and at % 2 else byte for at, byte in enumerate(data)),
        "keystream-bytes",
    ),
    "every byte twice": (
        lambda data: b"".join(bytes([byte, byte]) for byte in data[: len(data) // 2]),
        "keystream-serial",
    ),
    "bits alternate a little": (
        lambda data: bytes(
            byte ^ 0x01 if byte & 3 in {0, 3} and at % 16 == 0 else byte for at, byte in enumerate(data)
        ),
        "keystream-runs",
    ),
}


@pytest.mark.parametrize("name", _BIASED_STREAMS)
def test_biased_keystream_is_rejected(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that comes too rarely, values that repeat, bits that lean."""
    bend, statistic = _BIASED_STREAMS[name]
    monkeypatch.setattr(_core, "keystream", lambda key, length: bend(_keystream(key, length)))
    assert statistic in _failed(run_battery(replace(QUICK, keystream_bytes=SHORT.keystream_bytes)))


def test_draw_that_prefers_an_assignment_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sixth draw is bent to the first possible assignment with the same served orders and loads."""
    count = itertools.count()

    def bent(**arrays: object) -> npt.NDArray[np.int32]:
        seats = _draw(**arrays)  # type: ignore[arg-type]
        if next(count) % 6 == 0 and len(seats) == 5 and len(arrays["tier"]) == 4:  # type: ignore[arg-type]
            seats = np.array(list_assignments(INSTANCES["team"], tuple(seats.tolist()))[0], np.int32)
        return seats

    monkeypatch.setattr(_core, "draw", bent)
    assert _failed(run_battery(replace(QUICK, draws=SHORT.draws))) == {"draw-team"}


def test_draw_that_serves_a_favourite_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second order of the crowded instance is served more often than its peers."""
    count = itertools.count()

    def favour(**arrays: object) -> npt.NDArray[np.int32]:
        seats = _draw(**arrays)  # type: ignore[arg-type]
        if len(seats) == 5 and next(count) % 3 == 0 and seats[1] < 0 and seats[0] >= 0:
            other = int(np.flatnonzero(seats >= 0)[-1])
            seats[1], seats[other] = seats[other], -1
        return seats

    monkeypatch.setattr(_core, "draw", favour)
    effort = replace(QUICK, instances=("left-over",), draws=SHORT.draws)
    assert "draw-service" in _failed(run_battery(effort))


def test_draw_outside_the_rules_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who is not eligible, however rarely."""
    drawn = itertools.count()

    def outside(**arrays: object) -> npt.NDArray[np.int32]:
        seats = _draw(**arrays)  # type: ignore[arg-type]
        if next(drawn) == 20:
            seats[:] = seats[::-1].copy()
        return seats

    monkeypatch.setattr(_core, "draw", outside)
    found = {
        check.name: check.detail for check in run_battery(replace(QUICK, instances=("tight",))) if not check.is_passed
    }
    assert found["draw-tight"].startswith("an outcome that the rules do not allow")


@pytest.mark.parametrize("name", INSTANCES)
def test_listed_assignments_are_all_there_are(name: str) -> None:
    """Against trying every combination: each valid, each once, and every draw is among them."""
    instance = INSTANCES[name]
    seats = tuple(_draw(**arrays_of(instance), key=bytes(32)).tolist())  # type: ignore[arg-type]
    order_of = [order for order, size in enumerate(instance["team_size"]) for _ in range(size)]
    rows = [instance["indices"][start:end] for start, end in itertools.pairwise(instance["indptr"])]
    pools = [[-1] if seats[at] < 0 else rows[order] for at, order in enumerate(order_of)]
    valid = [
        one
        for one in itertools.product(*pools)
        if sorted(one) == sorted(seats)
        and all(one[at] != one[at - 1] or one[at] < 0 for at in range(1, len(one)) if order_of[at] == order_of[at - 1])
    ]
    assert list_assignments(instance, seats) == sorted(valid)
    assert seats in valid


def test_other_keys_pass_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verdict does not hang on lucky keys: ten other sets of keys, none rejected."""
    for number in range(10):
        monkeypatch.setattr(
            battery, "key_of", lambda purpose, number=number: hashlib.sha256(f"{number} {purpose}".encode()).digest()
        )
        assert _failed(run_battery(QUICK)) == set(), number
    assert golden.key_of("keystream") != hashlib.sha256(b"9 keystream").digest()
