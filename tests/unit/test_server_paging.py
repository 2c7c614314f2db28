"""Page tokens: bound to one list, and whatever comes back is checked."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assign.encoding import canonical_json
from assign.errors import InvalidInput
from server.rpc.paging import Page, next_token, page_of

_LIST = "orders of ports/NLRTM"


def _token(*values: str) -> str:
    return base64.urlsafe_b64encode(canonical_json([*values])).decode()


def test_sizes_have_a_default_and_a_limit() -> None:
    """0 means 100, and nobody gets more than 1,000."""
    assert [page_of(_LIST, size, "").size for size in (0, 1, 1000, 2**31 - 1)] == [100, 1, 1000, 1000]


def test_a_token_leads_to_the_next_page_of_its_list() -> None:
    """What `next_token` gives is understood by the same list, and by no other."""
    token = next_token(_LIST, Page(2, ""), 2, "o-2")
    assert page_of(_LIST, 2, token) == Page(2, "o-2")
    with pytest.raises(InvalidInput, match="PAGE_TOKEN"):
        page_of("entries of ports/NLRTM", 2, token)


def test_a_short_page_is_the_last() -> None:
    """Fewer items than were asked for: there is no next page."""
    assert next_token(_LIST, Page(3, ""), 2, "o-2") == ""


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "1" * 19, "\u0663", " 1", "1e3"])
def test_a_made_up_position_is_refused(after: str) -> None:
    """A well-formed token with a position that is none is refused, not an internal error."""
    page = page_of(_LIST, 0, _token(_LIST, after))
    with pytest.raises(InvalidInput, match="PAGE_TOKEN"):
        page.position()


@pytest.mark.parametrize("after", ["x", "2026-11-24", "2026-11-24T06:00:00", "9999-99-99T99:99:99Z"])
def test_a_made_up_time_is_refused(after: str) -> None:
    """A well-formed token with a time that is none is refused, not an internal error."""
    page = page_of(_LIST, 0, _token(_LIST, after))
    with pytest.raises(InvalidInput, match="PAGE_TOKEN"):
        page.moment()


@given(st.one_of(st.text(), st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode())))
def test_any_token_is_understood_or_refused(token: str) -> None:
    """Nothing else happens, whatever the token."""
    if not token:
        assert page_of(_LIST, 0, token) == Page(100, "")
        return
    with pytest.raises(InvalidInput, match="PAGE_TOKEN"):
        page_of(_LIST, 0, token)
