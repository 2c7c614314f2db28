"""A tamper campaign on a small bundle: every byte flipped, whoever repairs which digests afterwards.

Three attackers: a clumsy one repairs nothing; a careful one repairs the digest at the end; a thorough one
repairs every digest in the file. None has the log's key. All that they do is found, and nothing crashes.
"""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import pytest
from bundle_surgery import repair, split
from simulated_day import CALENDAR_A, make_orders
from simulated_log import Operator, at, shift_name

from assign.encoding import sha256
from assign.errors import Corrupt
from assign.verify.bundle import read_bundle
from assign.verify.replay import verify_bundle


def _small_bundle() -> bytes:
    operator = Operator()
    calendar = replace(CALENDAR_A, end=CALENDAR_A.start + timedelta(minutes=15))
    shift = operator.open_shift(shift_name("A"), calendar)
    operator.import_roster(shift, ["inspector-0", "inspector-1", "inspector-2"])
    operator.import_orders(make_orders(2))
    operator.book(("s-00", "o-00", at(6)), ("s-01", "o-01", at(6, 5)))
    operator.freeze(shift, at(6))
    operator.draw(shift, at(6))
    operator.reveal(shift, at(6), shift.persons[0].candidate.person)
    operator.close(shift)
    return operator.to_bundle()


BUNDLE = _small_bundle()
RECORDS = split(BUNDLE)


def is_caught(data: bytes) -> bool:
    """Whether the reader or the verifier finds something wrong. Any other exception fails the test."""
    try:
        bundle = read_bundle(io.BytesIO(data))
    except Corrupt:
        return True
    return not verify_bundle(bundle).is_sound


def _flip(data: bytes, index: int) -> bytes:
    changed = bytearray(data)
    changed[index] ^= 1 << (index % 8)
    return bytes(changed)


def test_the_bundle_is_sound_before() -> None:
    """The campaign starts from a bundle without a finding."""
    report = verify_bundle(read_bundle(io.BytesIO(BUNDLE)))
    assert report.is_sound
    assert report.is_complete


def test_clumsy_attacker() -> None:
    """Each byte flipped, no digest repaired: the reader refuses every one."""
    for index in range(len(BUNDLE)):
        with pytest.raises(Corrupt):
            read_bundle(io.BytesIO(_flip(BUNDLE, index)))


def test_careful_attacker() -> None:
    """Each byte flipped, the digest at the end repaired."""
    body = BUNDLE[:-32]
    missed = []
    for index in range(len(body)):
        changed = _flip(body, index)
        if not is_caught(changed + sha256(changed)):
            missed.append(index)
    assert missed == []


@pytest.mark.parametrize("name", [name for name, _ in RECORDS[1:]])
def test_thorough_attacker(name: str) -> None:
    """Each byte of a record flipped, every digest repaired: signature, root and commitments remain."""
    body = dict(RECORDS)[name]
    missed = [index for index in range(len(body)) if not is_caught(repair(BUNDLE, name, _flip(body, index)))]
    assert missed == []


@pytest.mark.parametrize("length", range(0, len(BUNDLE), 97))
def test_truncating_attacker(length: int) -> None:
    """The file is cut, and the digest made to fit what is left."""
    cut = BUNDLE[:length]
    assert is_caught(cut)
    assert is_caught(cut + sha256(cut))
