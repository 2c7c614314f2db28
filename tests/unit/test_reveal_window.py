"""The reveal window: who may read his own assignment, when, and that no refusal depends on the outcome."""

from __future__ import annotations

import inspect
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assign.person import Screening
from assign.rules import reveal_window
from assign.rules.reveal_window import Reader, RevealRefusal, check_reveal_window, is_cleared
from assign.wave import Calendar

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
CALENDAR = Calendar(start=SIX, end=SIX + timedelta(hours=8), step_seconds=900, lead_seconds=900, margin_seconds=60)
WAVE = SIX + timedelta(hours=1)
OPENS = WAVE - timedelta(minutes=15)
DUTY = (SIX, SIX + timedelta(hours=8))
CLEARED = Screening(certificate_until=SIX + timedelta(days=9), signal_open=False, interviewed=True)
READER = Reader(is_inspector=True, is_own=True, duty=DUTY, absent=False, screening=CLEARED)


def ask(now: datetime = OPENS, *, is_drawn: bool = True, **facts: Any) -> RevealRefusal | None:
    """Whether the reader may read after these changes."""
    reader = replace(READER, **facts)
    return check_reveal_window(now=now, calendar=CALENDAR, wave_start=WAVE, is_drawn=is_drawn, reader=reader)


def test_window_opens_at_the_draw_time() -> None:
    """Not a microsecond before `start - lead`."""
    assert ask(OPENS - MICROSECOND) is RevealRefusal.REVEAL_TOO_EARLY
    assert ask(OPENS) is None


def test_window_waits_for_the_draw() -> None:
    """A wave that is not drawn has nothing to read, however late it is."""
    assert ask(OPENS, is_drawn=False) is RevealRefusal.REVEAL_TOO_EARLY
    assert ask(WAVE + timedelta(hours=1), is_drawn=False) is RevealRefusal.REVEAL_TOO_EARLY


def test_window_ends_with_the_duty() -> None:
    """The end of a duty is outside of it."""
    assert ask(DUTY[1] - MICROSECOND) is None
    assert ask(DUTY[1]) is RevealRefusal.REVEAL_TOO_LATE


def test_window_begins_with_the_duty() -> None:
    """Who is not yet on duty does not read, although the wave is drawn."""
    duty = (WAVE, DUTY[1])
    assert ask(WAVE - MICROSECOND, duty=duty) is RevealRefusal.NOT_ON_DUTY
    assert ask(WAVE, duty=duty) is None


@pytest.mark.parametrize(
    ("facts", "refusal"),
    [
        ({"is_inspector": False}, RevealRefusal.ROLE_NOT_INSPECTOR),
        ({"is_own": False}, RevealRefusal.NOT_OWN_ASSIGNMENT),
        ({"duty": None}, RevealRefusal.NOT_ON_DUTY),
        ({"absent": True}, RevealRefusal.ABSENT),
        ({"screening": replace(CLEARED, signal_open=True)}, RevealRefusal.NOT_CLEARED),
        ({"screening": replace(CLEARED, interviewed=False)}, RevealRefusal.NOT_CLEARED),
        ({"screening": replace(CLEARED, certificate_until=None)}, RevealRefusal.NOT_CLEARED),
        ({"screening": replace(CLEARED, certificate_until=OPENS)}, RevealRefusal.NOT_CLEARED),
    ],
)
def test_person_who_may_not(facts: dict[str, Any], refusal: RevealRefusal) -> None:
    """Each with its reason, in the window and after the duty."""
    for now in (OPENS, DUTY[1] + timedelta(hours=1)):
        assert ask(now, **facts) is refusal


def test_role_and_ownership_are_looked_at_first() -> None:
    """Whoever fails them learns nothing about a roster: the answer is the same for anybody at any time."""
    worst: dict[str, Any] = {
        "duty": None,
        "absent": True,
        "screening": Screening(certificate_until=None, signal_open=True, interviewed=False),
    }
    assert ask(SIX, is_inspector=False, is_own=False, **worst) is RevealRefusal.ROLE_NOT_INSPECTOR
    assert ask(SIX, is_own=False, **worst) is RevealRefusal.NOT_OWN_ASSIGNMENT


def test_rule_cannot_see_the_outcome() -> None:
    """Nothing that was drawn is among its arguments or imports."""
    assert set(inspect.signature(check_reveal_window).parameters) == {
        "now",
        "calendar",
        "wave_start",
        "is_drawn",
        "reader",
    }
    assert set(Reader.__dataclass_fields__) == {"is_inspector", "is_own", "duty", "absent", "screening"}
    assert "draw" not in {name.split(".")[1] for name in _imports()}


def _imports() -> set[str]:
    source = inspect.getsource(reveal_window)
    return {line.split()[1] for line in source.splitlines() if line.startswith("from assign.")}


@pytest.mark.parametrize(
    ("until", "expected"), [(OPENS, False), (OPENS + MICROSECOND, True), (OPENS - MICROSECOND, False)]
)
def test_certificate_is_valid_before_its_end(until: datetime, expected: bool) -> None:
    """Not at it."""
    assert is_cleared(OPENS, replace(CLEARED, certificate_until=until)) is expected
