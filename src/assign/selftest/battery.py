"""Statistics on the installed build, through `assign._core`, with fixed keys.

Each statistic is a chi-square on counts. It fails if it is too large, chance being uneven, or too small, chance
being too even to be chance. `OVERALL_FALSE_ALARM` is divided evenly among all statistics and their two ends
(Bonferroni), so the whole battery calls a sound generator unsound at most that often.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from assign import _core
from assign.selftest.chi_square import chi_square, lower_and_upper_tail, merge_rare
from assign.selftest.golden import INSTANCES, key_of
from assign.selftest.instances import NOBODY, count_draws, uneven_cells
from assign.selftest.report import OVERALL_FALSE_ALARM, Check

__all__ = ["LONG", "SHORT", "Effort", "run_battery"]

_CARDS = 8
_FEW_CARDS = 5
_EXPECTED = 8  # in each cell, at least
_LONGEST_RUN = 12
_BYTE_VALUES = 256
_BLOCKS = 8
_DEGREES_THAT_VARY = 9


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is drawn: bytes of keystream, small shuffles, cards of one large shuffle, draws an instance."""

    keystream_bytes: int
    shuffles: int
    large_shuffle: int
    draws: int
    instances: tuple[str, ...]


SHORT = Effort(1 << 18, 6_000, 1 << 16, 500, ("team", "left-over"))
LONG = Effort(1 << 24, 400_000, 1 << 22, 20_000, tuple(INSTANCES))


@dataclass(frozen=True, slots=True)
class _Statistic:
    """`value` has, for a sound build, the chi-square distribution with `degrees`; None: nothing was counted."""

    name: str
    words: str
    value: float
    degrees: int
    samples: int
    problem: str = ""


def run_battery(effort: Effort) -> tuple[Check, ...]:
    """All statistics, each as a check."""
    statistics = [*_keystream(effort), *_shuffles(effort), _large_shuffle(effort), *_draws(effort)]
    limit = Fraction(*OVERALL_FALSE_ALARM) / (2 * len(statistics))
    return tuple(_judge(one, float(limit)) for one in statistics)


def _judge(one: _Statistic, limit: float) -> Check:
    if one.problem:
        return Check(name=one.name, words=one.words, is_passed=False, detail=one.problem)
    even, uneven = lower_and_upper_tail(one.value, one.degrees)
    detail = (
        f"{one.samples:,} samples, chi-square {one.value:.1f} where {one.degrees} is usual, chance of more {uneven:.3g}"
    )
    # Few cells can come out exactly even by chance; many cannot.
    is_too_even = one.degrees >= _DEGREES_THAT_VARY and even < limit
    if is_too_even:
        detail += ": too even to be chance"
    return Check(name=one.name, words=one.words, is_passed=uneven >= limit and not is_too_even, detail=detail)


def _counted(name: str, words: str, observed: Sequence[int], weights: Sequence[int] = ()) -> _Statistic:
    if not sum(observed):
        return _Statistic(name, words, 0, 1, 0, "nothing that can be counted")
    cells, expected = merge_rare(observed, weights or [1] * len(observed), expected=_EXPECTED)
    value, degrees = chi_square(cells, expected)
    return _Statistic(name, words, value, degrees, sum(observed))


def _keys(purpose: str, count: int) -> Iterator[bytes]:
    # From SHAKE-256: what is tested does not choose its own keys.
    stream = hashlib.shake_256(key_of(purpose)).digest(32 * count)
    return (stream[at : at + 32] for at in range(0, len(stream), 32))


# -- keystream -----------------------------------------------------------------------------------


def _keystream(effort: Effort) -> Iterator[_Statistic]:
    data = np.frombuffer(_core.keystream(key_of("keystream"), effort.keystream_bytes), np.uint8)
    yield _counted("keystream-bytes", "every byte value comes equally often", _tally(data, _BYTE_VALUES))
    low = data & 15
    pairs = low[0::2] * np.uint8(16) + low[1::2]
    yield _counted("keystream-serial", "a byte says nothing about the next", _tally(pairs, _BYTE_VALUES))
    bits = np.unpackbits(data)
    changes = np.flatnonzero(bits[1:] != bits[:-1])
    yield _counted(
        "keystream-runs",
        "equal bits follow each other as often as in coin tosses",
        [len(changes), len(bits) - 1 - len(changes)],
    )
    lengths = np.minimum(np.diff(changes), _LONGEST_RUN)
    yield _counted(
        "keystream-run-lengths",
        "runs of equal bits are as long as in coin tosses",
        _tally(lengths - 1, _LONGEST_RUN),
        [1 << (_LONGEST_RUN - 1 - length) for length in range(1, _LONGEST_RUN)] + [1],
    )


def _tally(values: npt.NDArray[np.generic], cells: int) -> list[int]:
    counts: list[int] = np.bincount(values.astype(np.int64), minlength=cells).tolist()
    return counts


# -- shuffle -------------------------------------------------------------------------------------


def _shuffles(effort: Effort) -> Iterator[_Statistic]:
    hands = np.stack([_core.shuffle(_CARDS, key) for key in _keys("hands", effort.shuffles)]).astype(np.int64)
    yield _positions(hands)
    for name, words, other in (
        ("shuffle-neighbours", "who comes first says nothing about who comes second", 1),
        ("shuffle-ends", "who comes first says nothing about who comes last", _CARDS - 1),
    ):
        cells = _tally(hands[:, 0] * _CARDS + hands[:, other], _CARDS**2)
        yield _counted(name, words, [cells[a * _CARDS + b] for a, b in itertools.permutations(range(_CARDS), 2)])
    descents = np.count_nonzero(hands[:, 1:] < hands[:, :-1], axis=1)
    yield _counted(
        "shuffle-runs", "rising runs are as many as in a fair deal", _tally(descents, _CARDS), _eulerian(_CARDS)
    )
    first = hands[: effort.shuffles // 2 * 2, 0]
    yield _counted(
        "shuffle-serial", "a shuffle says nothing about the next", _tally(first[0::2] * _CARDS + first[1::2], _CARDS**2)
    )
    few = Counter(tuple(_core.shuffle(_FEW_CARDS, key).tolist()) for key in _keys("few", effort.shuffles))
    every = [few.pop(order, 0) for order in itertools.permutations(range(_FEW_CARDS))]
    whole = _counted("shuffle-orders", "every order of five comes equally often", every)
    yield whole if not few else _Statistic(whole.name, whole.words, 0, 1, 0, "a shuffle that is no permutation")


def _positions(hands: npt.NDArray[np.int64]) -> _Statistic:
    """Each person comes equally often in each place: (n-1)/n times Pearson's sum has (n-1)^2 degrees."""
    cells = _tally((hands * _CARDS + np.arange(_CARDS)).ravel(), _CARDS**2)
    value, _ = chi_square(cells, [1] * len(cells))
    scaled = value * (_CARDS - 1) / _CARDS
    words = "everybody comes equally often in every place"
    return _Statistic("shuffle-positions", words, scaled, (_CARDS - 1) ** 2, len(hands))


def _eulerian(n: int) -> list[int]:
    """How many of the n! orders have k descents, k = 0 .. n-1."""
    return [sum((-1) ** j * math.comb(n + 1, j) * (k + 1 - j) ** n for j in range(k + 1)) for k in range(n)]


def _large_shuffle(effort: Effort) -> _Statistic:
    """Eighths of places against eighths of numbers in one large shuffle."""
    size = effort.large_shuffle
    name, words = "shuffle-large", "a large shuffle mixes front and back"
    order = _core.shuffle(size, key_of("large")).astype(np.int64)
    if not np.array_equal(np.sort(order), np.arange(size)):
        return _Statistic(name, words, 0, 1, 0, "a shuffle that is no permutation")
    block = size // _BLOCKS
    cells = _tally(order // block * _BLOCKS + np.arange(size) // block, _BLOCKS**2)
    value, _ = chi_square(cells, [1] * len(cells))
    return _Statistic(name, words, value * (size - 1) / size, (_BLOCKS - 1) ** 2, size)


# -- draw ----------------------------------------------------------------------------------------


def _draws(effort: Effort) -> Iterator[_Statistic]:
    for name in effort.instances:
        drawn = count_draws(INSTANCES[name], list(_keys(f"draws {name}", effort.draws)))
        yield _law(name, drawn)
        if name == "left-over":
            yield _service(drawn)


def _law(name: str, drawn: Counter[tuple[int, ...]]) -> _Statistic:
    """Given who is served and the loads, every assignment comes equally often."""
    title, words = f"draw-{name}", f"every possible assignment is equally likely (instance {name})"
    counts, invalid = uneven_cells(INSTANCES[name], drawn, expected=_EXPECTED)
    if invalid:
        return _Statistic(title, words, 0, 1, 0, f"an outcome that the rules do not allow: {[*invalid[0]]}")
    if not counts:
        return _Statistic(title, words, 0, 1, 0, "no outcome came often enough to judge")
    results = [chi_square(cells, [1] * len(cells)) for cells in counts]
    value, degrees = math.fsum(one for one, _ in results), sum(freedom for _, freedom in results)
    return _Statistic(title, words, value, degrees, sum(map(sum, counts)))


def _service(drawn: Counter[tuple[int, ...]]) -> _Statistic:
    """Five orders for three persons: the first tier always, and every pair of the other four equally often."""
    name, words = "draw-service", "within a tier, who is served is a fair lot"
    served: Counter[tuple[int, ...]] = Counter()
    for seats, count in drawn.items():
        served[tuple(order for order, person in enumerate(seats) if person != NOBODY)] += count
    pairs = [(0, *pair) for pair in itertools.combinations(range(1, 5), 2)]
    if set(served) - set(pairs):
        return _Statistic(name, words, 0, 1, 0, "an order of a later tier was served before an earlier one")
    return _counted(name, words, [served[pair] for pair in pairs])
