"""ISO 6346 freight container numbers: owner code, category, serial number, check digit."""

from __future__ import annotations

import re
from typing import NewType

from assign.errors import InvalidInput

__all__ = ["ContainerNumber", "check_digit", "has_ambiguous_check_digit", "parse_container_number"]

ContainerNumber = NewType("ContainerNumber", str)

_FORM = re.compile(r"[A-Z]{3}[UJZ][0-9]{7}", re.ASCII)
_SEPARATORS = str.maketrans("", "", " -")


def _letter_values() -> dict[str, int]:
    # ISO 6346 annex A skips the multiples of 11 so that the check digit sees every letter.
    values = [value for value in range(10, 39) if value % 11]
    return dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", values, strict=True))


_VALUES = {**_letter_values(), **{str(digit): digit for digit in range(10)}}


def _remainder(prefix: str) -> int:
    return sum(_VALUES[character] << position for position, character in enumerate(prefix)) % 11


def check_digit(prefix: str) -> int:
    """The check digit 0..9 of the first ten characters (ISO 6346 annex A; remainder 10 maps to 0).

    Raises InvalidInput unless `prefix` is four capital letters and six digits.
    """
    if not _FORM.fullmatch(prefix + "0"):
        raise InvalidInput("CONTAINER_FORM", "A container number starts with four letters and six digits.")
    return _remainder(prefix) % 10


def has_ambiguous_check_digit(number: ContainerNumber) -> bool:
    """Whether the remainder is 10, which ISO 6346 advises owners not to issue: flag it, don't refuse it."""
    return _remainder(number[:10]) == 10


def parse_container_number(text: str, *, field: str = "") -> ContainerNumber:
    """The container number in `text`, capitals without spaces or hyphens: `CSQU3054383`.

    Raises InvalidInput (CONTAINER_FORM, CONTAINER_CHECK_DIGIT) naming `field`.
    """
    compact = text.upper().translate(_SEPARATORS)
    if not _FORM.fullmatch(compact):
        raise InvalidInput(
            "CONTAINER_FORM",
            "A container number is an owner code, U, J or Z, and seven digits, as in CSQU3054383 (ISO 6346).",
            field=field,
        )
    if check_digit(compact[:10]) != int(compact[10]):
        raise InvalidInput(
            "CONTAINER_CHECK_DIGIT",
            "The container number's check digit is wrong (ISO 6346); read the number again from the box.",
            field=field,
        )
    return ContainerNumber(compact)
