"""What the text formats of C2SP have in common: strict decimal numbers and strict base64.

Both refuse every spelling but the one that the writer makes, so a parsed text encodes to the same bytes.
"""

from __future__ import annotations

import base64
import binascii

from assign.errors import Corrupt

__all__ = ["encode_base64", "parse_base64", "parse_decimal"]

_MAX_DECIMAL = 2**63 - 1
_MAX_DIGITS = len(str(_MAX_DECIMAL))


def parse_decimal(text: str) -> int:
    """A number 0..2^63-1 in ASCII digits without leading zeros. Raises Corrupt DECIMAL_MALFORMED."""
    if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS:
        value = int(text)
        if value <= _MAX_DECIMAL and str(value) == text:
            return value
    raise Corrupt("DECIMAL_MALFORMED", "Not a decimal number below 2^63 without leading zeros.")


def encode_base64(data: bytes) -> str:
    """`data` in the standard alphabet with padding (RFC 4648 section 4)."""
    return base64.b64encode(data).decode()


def parse_base64(text: str) -> bytes:
    """The bytes of `encode_base64` output. Raises Corrupt BASE64_MALFORMED, stray padding bits included."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        data = b""
    # Also refuses set bits behind the last byte, which decoders otherwise drop in silence.
    if not text or encode_base64(data) != text:
        raise Corrupt("BASE64_MALFORMED", "Not canonical base64 (RFC 4648 section 4).")
    return data
