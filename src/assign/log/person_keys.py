"""Commitments to the keys behind pseudonyms, so that it can be shown which key an erasure destroyed.

A key's *opening* is a value that only its holder can compute and that says nothing about any pseudonym: both are
HMAC-SHA256 under the same key, of inputs that never meet. The log gets the hash of the opening when the key comes
into use, and the opening itself once the key is destroyed.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final

from assign.encoding import lp, sha256
from assign.errors import InvalidInput
from assign.person import PERSON_KEY_BYTES

__all__ = ["COMMITMENTS_MULTIPLE", "commit_opening", "key_opening", "padded_commitments", "padding_count"]

_DOMAIN: Final = "person-key/v1"
COMMITMENTS_MULTIPLE: Final = 16
"""A `person-keys` entry always holds a multiple of this many commitments: how many people are new, it does not say."""


def key_opening(person_key: bytes, origin: str) -> bytes:
    """`HMAC-SHA256(k_person, LP("person-key/v1","opening",origin))`: 32 bytes, other ones for another log.

    Raises InvalidInput (PERSON_KEY).
    """
    if len(person_key) != PERSON_KEY_BYTES:
        raise InvalidInput("PERSON_KEY", f"A person's key has {PERSON_KEY_BYTES} bytes.")
    return hmac.new(person_key, lp(_DOMAIN, "opening", origin), hashlib.sha256).digest()


def commit_opening(opening: bytes) -> bytes:
    """`H(LP("person-key/v1","commit",opening))`: what the log holds from the key's first use on."""
    return sha256(lp(_DOMAIN, "commit", opening))


def padding_count(count: int) -> int:
    """How many random values stand beside `count` commitments."""
    return -count % COMMITMENTS_MULTIPLE


def padded_commitments(commitments: Sequence[bytes], padding: Sequence[bytes]) -> list[str]:
    """The list of a `person-keys` entry: real and random values in hexadecimal, sorted, so that none stands out."""
    return sorted(value.hex() for value in (*commitments, *padding))
