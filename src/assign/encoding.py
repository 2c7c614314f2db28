"""The canonical byte formats: length-prefixed fields and canonical JSON.

Whatever is hashed, signed, committed to or replayed is made and read here, and nowhere else.
Both formats are injective: two different values never have the same bytes, and bytes that are not
exactly what the writer would have made are refused.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from assign.errors import Corrupt, InvalidInput

__all__ = [
    "Json",
    "canonical_json",
    "lp",
    "parse_canonical_json",
    "parse_lp",
    "parse_rfc3339",
    "rfc3339",
    "sha256",
    "u64be",
]

Json = dict[str, "Json"] | list["Json"] | str | int | bool | None

_LENGTH_BYTES = 4
_MAX_FIELD_BYTES = 2**32 - 1
_MAX_JSON_INTEGER = 2**53 - 1
_MAX_JSON_DEPTH = 32


def sha256(data: bytes) -> bytes:
    """SHA-256 (FIPS 180-4) of `data`: 32 bytes."""
    return hashlib.sha256(data).digest()


def u64be(value: int) -> bytes:
    """`value` as 8 bytes, unsigned, big-endian. Raises InvalidInput outside 0..2^64-1."""
    if not 0 <= value < 2**64:
        raise InvalidInput("INTEGER_OUT_OF_RANGE", f"{value} does not fit in 64 unsigned bits.")
    return value.to_bytes(8, "big")


def lp(*fields: bytes | str) -> bytes:
    """Every field as a 4-byte big-endian length followed by its bytes (`str` as UTF-8)."""
    parts: list[bytes] = []
    for field in fields:
        data = field.encode() if isinstance(field, str) else field
        if len(data) > _MAX_FIELD_BYTES:
            raise InvalidInput("FIELD_TOO_LONG", "A field is longer than 4 GiB.")
        parts.append(len(data).to_bytes(_LENGTH_BYTES, "big"))
        parts.append(data)
    return b"".join(parts)


def parse_lp(data: bytes, *, max_fields: int = 64) -> list[bytes]:
    """The fields of `lp` output. Raises Corrupt unless `data` is exactly a whole number of fields."""
    fields: list[bytes] = []
    position = 0
    while position < len(data):
        if len(fields) == max_fields:
            raise Corrupt("LP_TOO_MANY_FIELDS", f"More than {max_fields} length-prefixed fields.")
        body = position + _LENGTH_BYTES
        if body > len(data):
            raise Corrupt("LP_TRUNCATED", "A length prefix is cut short.")
        end = body + int.from_bytes(data[position:body], "big")
        if end > len(data):
            raise Corrupt("LP_TRUNCATED", "A field is shorter than its length prefix says.")
        fields.append(data[body:end])
        position = end
    return fields


def canonical_json(value: Json) -> bytes:
    """RFC 8785 (JCS) bytes of `value`, restricted to what needs no number formatting.

    Objects with ASCII keys (so that code-point order is UTF-16 order), arrays, strings, booleans,
    null and integers within ±(2^53-1). Raises InvalidInput for anything else, floats included.
    """
    _check_json(value)
    try:
        return _ENCODER.encode(value).encode()
    except UnicodeEncodeError:
        raise InvalidInput("JSON_TEXT", "Canonical JSON text must be valid Unicode.") from None


def _check_json(value: Json) -> None:
    """Level by level: a recursive walk would cost three times as much, and every entry of a log passes here."""
    level: list[Json] = [value]
    for _ in range(_MAX_JSON_DEPTH + 1):
        below: list[Json] = []
        for item in level:
            kind = type(item)
            if kind is str or kind is bool or item is None:
                continue
            if isinstance(item, dict):
                _check_keys(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, int):
                if abs(item) > _MAX_JSON_INTEGER:
                    raise InvalidInput("JSON_INTEGER", "Canonical JSON integers stay within ±(2^53-1).")
            elif not isinstance(item, str):
                raise InvalidInput("JSON_TYPE", f"Canonical JSON has no {kind.__name__}.")
        if not below:
            return
        level = below
    raise InvalidInput("JSON_TOO_DEEP", f"Canonical JSON is nested over {_MAX_JSON_DEPTH} deep.")


def _check_keys(value: dict[str, Json]) -> None:
    try:
        are_ascii = "".join(value).isascii()
    except TypeError:
        are_ascii = False
    if not are_ascii:
        raise InvalidInput("JSON_KEY", "Canonical JSON keys are ASCII strings.")


def parse_canonical_json(data: bytes) -> Any:
    """The value of `canonical_json` output. Raises Corrupt unless re-encoding gives the same bytes."""
    try:
        value = _DECODER.decode(data.decode())
        again = canonical_json(value)
    except (ValueError, RecursionError, InvalidInput):
        raise Corrupt("JSON_MALFORMED", "These bytes are not canonical JSON.") from None
    if again != data:
        raise Corrupt("JSON_NOT_CANONICAL", "This JSON is not in its canonical form.")
    return value


def _refuse_number(text: str) -> Json:
    raise ValueError(text)


# `json.dumps` and `json.loads` would build these anew for every entry of a log.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
_DECODER = json.JSONDecoder(parse_float=_refuse_number, parse_constant=_refuse_number)


def rfc3339(moment: datetime) -> str:
    """`moment` (aware) as RFC 3339 UTC with whole seconds: `2026-11-24T06:00:00Z`.

    Raises InvalidInput for a naive time or one with a fraction of a second: what is replayed
    has no rounding.
    """
    if moment.tzinfo is None:
        raise InvalidInput("TIME_NAIVE", "A time needs a time zone.")
    if moment.microsecond:
        raise InvalidInput("TIME_FRACTION", "A scheduled time is in whole seconds.")
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat() + "Z"


def parse_rfc3339(text: str) -> datetime:
    """The aware UTC time of `rfc3339` output. Raises Corrupt for any other form."""
    try:
        moment = datetime.fromisoformat(text)
        # fromisoformat takes many forms: only the one that `rfc3339` writes is canonical.
        same = rfc3339(moment) == text
    except (ValueError, TypeError, OverflowError, InvalidInput):
        same = False
    if not same:
        raise Corrupt("TIME_MALFORMED", "Not a UTC time of the form 2026-11-24T06:00:00Z.")
    return moment
