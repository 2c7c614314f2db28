"""Everything a caller can get wrong at the core's door is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from assign import _core
from assign.errors import InvalidInput

KEY = bytes(range(32))


def valid() -> dict[str, Any]:
    """Two orders, the second one a team, over three persons."""
    return {
        "indptr": np.array([0, 2, 5], np.int64),
        "indices": np.array([0, 1, 0, 1, 2], np.int32),
        "team_size": np.array([1, 2], np.uint8),
        "capacity": np.array([1, 1, 1], np.int32),
        "tier": np.array([0, 1], np.int32),
        "key": KEY,
    }


def changed(name: str, items: Any, dtype: Any = None) -> Callable[[], dict[str, Any]]:
    def make() -> dict[str, Any]:
        arguments = valid()
        arguments[name] = np.array(items, dtype or arguments[name].dtype)
        return arguments

    return make


def replaced(name: str, value: Any) -> Callable[[], dict[str, Any]]:
    return lambda: {**valid(), name: value}


def misaligned() -> Any:
    return np.frombuffer(bytes(13), np.uint8)[1:].view(np.int32)


REFUSALS = {
    "list instead of an array": (replaced("capacity", [1, 1, 1]), "ARRAY_TYPE", "capacity"),
    "None": (replaced("tier", None), "ARRAY_TYPE", "tier"),
    "indptr of 32 bits": (changed("indptr", [0, 2, 5], np.int32), "ARRAY_DTYPE", "indptr"),
    "indices of 64 bits": (changed("indices", [0, 1, 0, 1, 2], np.int64), "ARRAY_DTYPE", "indices"),
    "unsigned indices": (changed("indices", [0, 1, 0, 1, 2], np.uint32), "ARRAY_DTYPE", "indices"),
    "foreign byte order": (changed("indices", [0, 1, 0, 1, 2], ">i4"), "ARRAY_DTYPE", "indices"),
    "signed team size": (changed("team_size", [1, 2], np.int8), "ARRAY_DTYPE", "team_size"),
    "float capacity": (changed("capacity", [1.0, 1.0, 1.0], np.float32), "ARRAY_DTYPE", "capacity"),
    "bool tier": (changed("tier", [False, True], np.bool_), "ARRAY_DTYPE", "tier"),
    "two dimensions": (changed("capacity", [[1, 1, 1]]), "ARRAY_SHAPE", "capacity"),
    "no dimension": (changed("capacity", 1), "ARRAY_SHAPE", "capacity"),
    "every second item": (replaced("capacity", np.ones(6, np.int32)[::2]), "ARRAY_LAYOUT", "capacity"),
    "backwards": (replaced("capacity", np.ones(3, np.int32)[::-1]), "ARRAY_LAYOUT", "capacity"),
    "misaligned": (replaced("capacity", misaligned()), "ARRAY_LAYOUT", "capacity"),
    "indptr too short": (changed("indptr", [0, 5]), "ARRAY_SHAPE", "indptr"),
    "indptr empty": (changed("indptr", []), "ARRAY_SHAPE", "indptr"),
    "tier too long": (changed("tier", [0, 1, 2]), "ARRAY_SHAPE", "tier"),
    "indptr begins late": (changed("indptr", [1, 2, 5]), "INDPTR_START", "indptr[0]"),
    "indptr begins below": (changed("indptr", [-1, 2, 5]), "INDPTR_START", "indptr[0]"),
    "indptr falls": (changed("indptr", [0, 6, 5]), "INDPTR_END", "indptr[0]"),
    "indptr falls back": (changed("indptr", [0, 2, 1]), "INDPTR_ORDER", "indptr[1]"),
    "indptr below zero": (changed("indptr", [0, -(2**63), 5]), "INDPTR_ORDER", "indptr[0]"),
    "indptr overflows": (changed("indptr", [0, 2**63 - 1, 5]), "INDPTR_END", "indptr[0]"),
    "indptr ends early": (changed("indptr", [0, 2, 4]), "INDPTR_END", "indptr[2]"),
    "indptr ends late": (changed("indptr", [0, 2, 6]), "INDPTR_END", "indptr[1]"),
    "nobody needed": (changed("team_size", [0, 2]), "TEAM_SIZE", "team_size[0]"),
    "team of three": (changed("team_size", [1, 3]), "TEAM_SIZE", "team_size[1]"),
    "team larger than its pool": (changed("indptr", [0, 4, 5]), "TEAM_LARGER_THAN_POOL", "team_size[1]"),
    "capacity below zero": (changed("capacity", [1, -1, 1]), "CAPACITY_NEGATIVE", "capacity[1]"),
    "person below zero": (changed("indices", [0, 1, -1, 1, 2]), "PERSON_OUT_OF_RANGE", "indices[2]"),
    "person beyond the last": (changed("indices", [0, 1, 0, 1, 3]), "PERSON_OUT_OF_RANGE", "indices[4]"),
    "person far beyond": (changed("indices", [0, 1, 0, 1, 2**31 - 1]), "PERSON_OUT_OF_RANGE", "indices[4]"),
    "the same person twice": (changed("indices", [0, 1, 2, 1, 2]), "EDGE_DUPLICATE", "indices[4]"),
    "team of one person twice": (changed("indices", [0, 1, 2, 2, 1]), "EDGE_DUPLICATE", "indices[3]"),
    "tier below zero": (changed("tier", [0, -1]), "TIER_NEGATIVE", "tier"),
    "short key": (replaced("key", bytes(31)), "DRAW_KEY", "key"),
    "long key": (replaced("key", bytes(33)), "DRAW_KEY", "key"),
    "key of another type": (replaced("key", bytearray(32)), "DRAW_KEY", "key"),
    "key as text": (replaced("key", "0" * 32), "DRAW_KEY", "key"),
    "no key": (replaced("key", None), "DRAW_KEY", "key"),
}


@pytest.mark.parametrize("name", sorted(REFUSALS))
def test_draw_refuses(name: str) -> None:
    """Each kind of bad input has its reason, names its field, and is never repeated in the message."""
    make, reason, field = REFUSALS[name]
    with pytest.raises(InvalidInput) as refusal:
        _core.draw(**make())
    assert (refusal.value.reason, refusal.value.field) == (reason, field)
    assert "\\x" not in refusal.value.message


def test_valid_arguments_are_taken() -> None:
    """What the refusals start from is itself fine, also read-only."""
    arguments = valid()
    for array in list(arguments.values())[:-1]:
        array.flags.writeable = False
    assert len(_core.draw(**arguments)) == 3


@pytest.mark.parametrize(("orders", "persons"), [(0, 0), (0, 3), (3, 0), (3, 3)])
def test_nothing_to_choose_from(orders: int, persons: int) -> None:
    """No orders, no persons or no edges: every single seat is left over, and nothing breaks."""
    seats = _core.draw(
        np.zeros(orders + 1, np.int64),
        np.zeros(0, np.int32),
        np.ones(orders, np.uint8),
        np.ones(persons, np.int32),
        np.zeros(orders, np.int32),
        KEY,
    )
    assert seats.dtype == np.int32
    assert seats.tolist() == [-1] * orders


def test_largest_capacity() -> None:
    """A capacity costs no memory: the largest one is fine."""
    arguments = changed("capacity", [2**31 - 1] * 3)()
    assert -1 not in _core.draw(**arguments)


@pytest.mark.parametrize("length", [-1, 2**38 + 1, 1.0, True, "1", None])
def test_keystream_refuses_a_length(length: Any) -> None:
    """A length is an integer from 0 to 2^38, which is what a 32-bit block counter gives."""
    with pytest.raises(InvalidInput, match="KEYSTREAM_LENGTH"):
        _core.keystream(KEY, length)


@pytest.mark.parametrize("n", [-1, 2**32, 1.0, False, None])
def test_shuffle_refuses_a_size(n: Any) -> None:
    """A permutation of uint32 has at most 2^32 - 1 places."""
    with pytest.raises(InvalidInput, match="SHUFFLE_SIZE"):
        _core.shuffle(n, KEY)


@pytest.mark.parametrize("key", [b"", bytes(31), bytearray(32), None])
def test_keys_are_32_bytes(key: Any) -> None:
    """Whatever takes a key takes exactly 32 bytes."""
    for call in (lambda: _core.keystream(key, 1), lambda: _core.shuffle(1, key)):
        with pytest.raises(InvalidInput, match="DRAW_KEY"):
            call()
    with pytest.raises(InvalidInput, match="DRAW_KEY"):
        _core.reserve_orders(np.zeros(1, np.int64), np.zeros(0, np.int32), key)


@pytest.mark.parametrize(
    ("indptr", "reason"),
    [([], "INDPTR_START"), ([1], "INDPTR_START"), ([0, 3, 2], "INDPTR_ORDER"), ([0, 1], "INDPTR_END")],
)
def test_reserve_orders_refuses(indptr: list[int], reason: str) -> None:
    """Row pointers are checked as for the draw."""
    with pytest.raises(InvalidInput, match=reason):
        _core.reserve_orders(np.array(indptr, np.int64), np.zeros(2, np.int32), KEY)


def test_hall_certificate_refuses() -> None:
    """It explains orders that were left over, from the outcome of the same arrays."""
    arguments = valid()
    outcome = _core.draw_detailed(**arguments)
    arrays: dict[str, Any] = {name: arguments[name] for name in ("indptr", "indices", "team_size", "capacity")}
    for order, reason in ((0, "ORDER_SERVED"), (2, "ORDER_OUT_OF_RANGE"), (-1, "ORDER_OUT_OF_RANGE")):
        with pytest.raises(InvalidInput, match=reason):
            _core.hall_certificate(**arrays, outcome=outcome, order=order)
    nobody = outcome._replace(seats=np.full(3, -1, np.int32))
    twice = outcome._replace(seats=np.array([0, -1, -1], np.int32), service_order=np.array([0, 0], np.int32))
    strange = outcome._replace(seats=np.array([7, -1, -1], np.int32), service_order=np.array([0, 1], np.int32))
    for wrong in (nobody, twice, strange):
        with pytest.raises(InvalidInput, match="OUTCOME_MISMATCH"):
            _core.hall_certificate(**arrays, outcome=wrong, order=1)


def test_unknown_path() -> None:
    """Only the processor's own paths can be selected."""
    with pytest.raises(InvalidInput, match="CORE_PATH"):
        _core.select_path("neon")
    assert _core.available_paths()[0] == "portable"
