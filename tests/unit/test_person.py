"""Pseudonyms: stable in one shift, unlinkable between two."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from assign.encoding import lp
from assign.errors import InvalidInput
from assign.person import pseudonym

KEY = bytes(range(32))


def test_pseudonym_is_a_truncated_hmac() -> None:
    """HMAC-SHA256 over LP("person/v1", context), 16 bytes, in hexadecimal."""
    digest = hmac.new(KEY, lp("person/v1", "ports/NLRTM/shifts/A"), hashlib.sha256).hexdigest()
    assert pseudonym(KEY, "ports/NLRTM/shifts/A") == digest[:32]


def test_pseudonyms_differ_between_shifts_and_persons() -> None:
    """Nobody is followed through the log."""
    contexts = [f"ports/NLRTM/shifts/{number}" for number in range(50)]
    keys = [bytes([number]) * 32 for number in range(20)]
    assert len({pseudonym(key, context) for key in keys for context in contexts}) == 1000


@pytest.mark.parametrize("length", [0, 31, 33])
def test_keys_have_32_bytes(length: int) -> None:
    """A short key would be guessed."""
    with pytest.raises(InvalidInput, match="PERSON_KEY"):
        pseudonym(bytes(length), "ports/NLRTM")
