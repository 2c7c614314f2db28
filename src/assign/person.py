"""Natural persons: pseudonyms and screening status. Separation is judged per person, never per account."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from assign.encoding import lp
from assign.errors import InvalidInput
from assign.names import PersonId

__all__ = ["PERSON_KEY_BYTES", "Person", "Pseudonym", "Screening", "pseudonym"]

Pseudonym = NewType("Pseudonym", str)

PERSON_KEY_BYTES = 32
_PSEUDONYM_BYTES = 16


def pseudonym(person_key: bytes, context: str) -> Pseudonym:
    """How a person appears in the log of one shift: 32 hexadecimal digits.

    HMAC-SHA256 (RFC 2104) under the person's own 32-byte key over `LP("person/v1", context)`, cut to
    16 bytes. `context` is the shift's resource name, so that two shifts cannot be linked; erasing the
    key makes every pseudonym of the person unlinkable for ever. Raises InvalidInput (PERSON_KEY).
    """
    if len(person_key) != PERSON_KEY_BYTES:
        raise InvalidInput("PERSON_KEY", f"A person's key has {PERSON_KEY_BYTES} bytes.")
    digest = hmac.new(person_key, lp("person/v1", context), hashlib.sha256).digest()
    return Pseudonym(digest[:_PSEUDONYM_BYTES].hex())


@dataclass(frozen=True, slots=True, kw_only=True)
class Screening:
    """Screening status, never its content.

    Attributes:
        certificate_until: the certificate of conduct (VOG) is valid before this moment; None: there is none.
        signal_open: continuous screening has an open signal; it suspends at once.
        interviewed: the vulnerability interview was held.
    """

    certificate_until: datetime | None
    signal_open: bool
    interviewed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A natural person who may be drawn.

    Attributes:
        recused_parties: trade parties (opaque ids) the person has declared a tie with.
    """

    person: PersonId
    screening: Screening
    recused_parties: frozenset[str]
