"""Pages of a list (Google AIP-158): opaque tokens, bound to the list they continue."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime

from assign.encoding import canonical_json, parse_canonical_json, parse_rfc3339
from assign.errors import AssignError, InvalidInput

__all__ = ["Page", "next_token", "page_of"]

_DEFAULT_SIZE = 100
_MAX_SIZE = 1000
_MAX_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: up to `size` items beyond `after`, which is empty on the first page."""

    size: int
    after: str

    def position(self) -> int | None:
        """`after` as a position in the log. Raises InvalidInput (PAGE_TOKEN)."""
        if not self.after:
            return None
        if not (self.after.isascii() and self.after.isdecimal()) or len(self.after) > _MAX_DIGITS:
            raise _foreign()
        return int(self.after)

    def moment(self) -> datetime | None:
        """`after` as a time, aware, in UTC. Raises InvalidInput (PAGE_TOKEN)."""
        if not self.after:
            return None
        try:
            return parse_rfc3339(self.after)
        except AssignError:
            raise _foreign() from None


def _foreign() -> InvalidInput:
    return InvalidInput(
        "PAGE_TOKEN", "This page token does not belong to this list; start at the first page.", field="page_token"
    )


def page_of(listed: str, page_size: int, page_token: str) -> Page:
    """The page that a request asks for. Raises InvalidInput (PAGE_SIZE, PAGE_TOKEN).

    Args:
        listed: what is listed and where, such as `orders of ports/NLRTM`: a token is good for nothing else.
    """
    if page_size < 0:
        raise InvalidInput("PAGE_SIZE", "A page size is not negative; 0 means 100.", field="page_size")
    size = min(page_size or _DEFAULT_SIZE, _MAX_SIZE)
    if not page_token:
        return Page(size, "")
    try:
        value = parse_canonical_json(base64.b64decode(page_token, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, AssignError):
        value = None
    if not isinstance(value, list) or len(value) != 2 or value[0] != listed or not isinstance(value[1], str):
        raise _foreign()
    return Page(size, value[1])


def next_token(listed: str, page: Page, count: int, last: str) -> str:
    """The token of the page after one with `count` items that ends at `last`; empty at the end."""
    if count < page.size:
        return ""
    return base64.urlsafe_b64encode(canonical_json([listed, last])).decode()
