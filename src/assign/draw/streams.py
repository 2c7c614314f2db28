"""Every use that the protocol makes of a secret, in one table: no two uses can ever share a key.

A use has its own HKDF-SHA256 info (RFC 5869), `LP("draw/v1", label, fields…)`. `LP` puts each field's length
before it, so that two infos are equal only if all their fields are, and none is the beginning of another
with another label. A label that ends in `/vN` names an algorithm: a changed algorithm is a new label, and
the old one replays for ever.

`assign.draw.keys` derives the first four; the tests compare them with this table byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from assign import _core
from assign.draw.commitment import PROTOCOL
from assign.encoding import lp
from assign.errors import InvalidInput

__all__ = [
    "BACK_CHECK",
    "DEAL",
    "DEAL_SEED",
    "DRAW_KEY",
    "RESERVE",
    "SHEET",
    "SHEET_SALT",
    "SLOT_SEED",
    "STREAMS",
    "TRANSCRIPT_BLIND",
    "KeyStream",
    "StreamUse",
    "hkdf",
]

_KEY_BYTES: Final = 32
_WORD_BYTES: Final = 8
_WORD_BITS: Final = 64
_FIRST_WORDS: Final = 8  # one ChaCha20 block


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamUse:
    """One use of a secret.

    Attributes:
        parent: the secret it comes from: `M` master seed, `S` wave seed, `K` draw key, `D` deal seed.
        fields: what follows the label in the info, in words.
        purpose: what the result is for.
    """

    label: str
    parent: str
    fields: tuple[str, ...]
    purpose: str

    def info(self, *values: bytes | str) -> bytes:
        """`LP("draw/v1", label, values…)`. Raises InvalidInput (STREAM_FIELDS) unless every field has a value."""
        if len(values) != len(self.fields):
            raise InvalidInput("STREAM_FIELDS", f"The stream {self.label} is named by {', '.join(self.fields)}.")
        return lp(PROTOCOL, self.label, *values)

    def derive(self, secret: bytes, *values: bytes | str, salt: bytes = b"") -> bytes:
        """The 32 bytes of this use of `secret`. Raises InvalidInput (KEY_LENGTH, STREAM_FIELDS)."""
        if len(secret) != _KEY_BYTES:
            raise InvalidInput("KEY_LENGTH", f"Key material has {_KEY_BYTES} bytes.")
        return hkdf(salt=salt, secret=secret, info=self.info(*values), length=_KEY_BYTES)


SLOT_SEED: Final = StreamUse(
    label="slot-seed", parent="M", fields=("origin", "shift", "wave"), purpose="the seed S of one wave"
)
DRAW_KEY: Final = StreamUse(
    label="draw-key",
    parent="S",
    fields=("origin", "wave", "leaf", "chain_hash", "u64be(R)"),
    purpose="the key K of one wave's draw; the salt is the beacon's value",
)
RESERVE: Final = StreamUse(
    label="reserve", parent="K", fields=("origin", "wave", "order"), purpose="the reserve order of one order"
)
TRANSCRIPT_BLIND: Final = StreamUse(
    label="transcript-blind", parent="K", fields=("origin", "wave"), purpose="hides the transcript behind its hash"
)
BACK_CHECK: Final = StreamUse(
    label="back-check/v1",
    parent="K",
    fields=("origin", "wave", "order"),
    purpose="whether one order is inspected a second time",
)
DEAL_SEED: Final = StreamUse(
    label="deal-seed/v1", parent="M", fields=("origin", "shift"), purpose="the seed D of a shift's deals to selectors"
)
DEAL: Final = StreamUse(
    label="deal/v1",
    parent="D",
    fields=("origin", "shift", "u64be(position)", "caller", "pool digest"),
    purpose="which waiting item one selector is dealt",
)
SHEET: Final = StreamUse(
    label="sheet/v1",
    parent="M",
    fields=("origin", "shift", "u64be(sheet)", "terminal", "qualifications"),
    purpose="the order of the persons on one sealed sheet",
)
SHEET_SALT: Final = StreamUse(
    label="sheet-salt/v1",
    parent="M",
    fields=("origin", "shift", "u64be(sheet)"),
    purpose="hides a sealed sheet behind its hash",
)

STREAMS: Final = (
    SLOT_SEED,
    DRAW_KEY,
    RESERVE,
    TRANSCRIPT_BLIND,
    BACK_CHECK,
    DEAL_SEED,
    DEAL,
    SHEET,
    SHEET_SALT,
)


def hkdf(*, salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869): `length` bytes."""
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


class KeyStream:
    """ChaCha20 keystream (RFC 8439, nonce 0) of one derived key, read as uniform bounded integers.

    64-bit little-endian words and Lemire's unbiased method (arXiv 1805.10941), as in the shuffle of the core.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._words = _FIRST_WORDS
        self._stream = _core.keystream(key, _FIRST_WORDS * _WORD_BYTES)
        self._read = 0

    def below(self, bound: int) -> int:
        """A uniform integer in 0 .. bound-1, `1 <= bound < 2^32`. Raises InvalidInput (STREAM_BOUND)."""
        if not 1 <= bound < 2**32:
            raise InvalidInput("STREAM_BOUND", "A bound is an integer from 1 to 2^32 - 1.")
        rejected = 2**_WORD_BITS % bound
        while True:
            product = self._word() * bound
            if product % 2**_WORD_BITS >= rejected:
                return product >> _WORD_BITS

    def _word(self) -> int:
        if self._read == self._words:
            self._words *= 2
            self._stream = _core.keystream(self._key, self._words * _WORD_BYTES)
        at = self._read * _WORD_BYTES
        self._read += 1
        return int.from_bytes(self._stream[at : at + _WORD_BYTES], "little")

    def __repr__(self) -> str:
        return "KeyStream(…)"
