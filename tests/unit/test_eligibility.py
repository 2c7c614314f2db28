"""Eligibility: one test for every verdict, at its edges, and the order in which rules are tried."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assign.names import TerminalCode
from assign.person import Pseudonym, Screening
from assign.rules.eligibility import Candidate, Need, Verdict, judge, judge_all
from assign.rules.verdict_table import judge_wave

SIX = datetime(2026, 11, 24, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
ME = Pseudonym("a" * 32)
CLEARED = Screening(certificate_until=SIX + 24 * HOUR, signal_open=False, interviewed=True)

NEED = Need(
    terminal=TerminalCode("RWG"),
    start=SIX + HOUR,
    end=SIX + 2 * HOUR,
    qualifications=frozenset({"reefer"}),
    parties=frozenset({"p-1", "p-2"}),
    handled_by=frozenset({Pseudonym("b" * 32)}),
)
CANDIDATE = Candidate(
    person=ME,
    terminals=frozenset({TerminalCode("RWG"), TerminalCode("ECT")}),
    duty_start=SIX,
    duty_end=SIX + 8 * HOUR,
    qualifications=frozenset({"reefer", "dog"}),
    absent=False,
    screening=CLEARED,
    recused_parties=frozenset({"p-8"}),
    cooldown_parties=frozenset({"p-9"}),
    busy=((SIX, SIX + HOUR), (SIX + 2 * HOUR, SIX + 3 * HOUR)),
)


def verdict(need: dict[str, Any] | None = None, **facts: Any) -> Verdict:
    """The verdict on the eligible candidate after these changes; the table of whole waves says the same."""
    changed, candidate = replace(NEED, **(need or {})), replace(CANDIDATE, **facts)
    found = judge(changed, candidate)
    assert judge_wave([changed], [candidate]) == [found.value]
    return found


def test_eligible() -> None:
    """Nothing stands in the way; busy before and after is not busy during."""
    assert verdict() is Verdict.ELIGIBLE


def test_absent() -> None:
    """Reported absent before the freeze."""
    assert verdict(absent=True) is Verdict.ABSENT


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"duty_start": NEED.start}, Verdict.ELIGIBLE),
        ({"duty_start": NEED.start + SECOND}, Verdict.NOT_ON_DUTY),
        ({"duty_end": NEED.end}, Verdict.ELIGIBLE),
        ({"duty_end": NEED.end - SECOND}, Verdict.NOT_ON_DUTY),
    ],
)
def test_on_duty_for_the_whole_slot(facts: dict[str, Any], expected: Verdict) -> None:
    """From its start to its expected end."""
    assert verdict(**facts) is expected


def test_other_terminal() -> None:
    """Serves other terminals only."""
    assert verdict(terminals=frozenset({TerminalCode("ECT")})) is Verdict.OTHER_TERMINAL


def test_not_qualified() -> None:
    """Every qualification is needed; none is asked where none is needed."""
    assert verdict(qualifications=frozenset({"dog"})) is Verdict.NOT_QUALIFIED
    assert verdict({"qualifications": frozenset({"reefer", "scan"})}) is Verdict.NOT_QUALIFIED
    assert verdict({"qualifications": frozenset()}, qualifications=frozenset()) is Verdict.ELIGIBLE


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (None, Verdict.NO_CERTIFICATE),
        (NEED.start, Verdict.NO_CERTIFICATE),
        (NEED.end, Verdict.NO_CERTIFICATE),
        (NEED.end + SECOND, Verdict.ELIGIBLE),
    ],
)
def test_certificate_lasts_beyond_the_slot(until: datetime | None, expected: Verdict) -> None:
    """One that ends with the slot has ended."""
    assert verdict(screening=replace(CLEARED, certificate_until=until)) is expected


def test_screening_signal() -> None:
    """An open signal suspends at once."""
    assert verdict(screening=replace(CLEARED, signal_open=True)) is Verdict.SCREENING_SIGNAL


def test_not_interviewed() -> None:
    """No interview, no work."""
    assert verdict(screening=replace(CLEARED, interviewed=False)) is Verdict.NOT_INTERVIEWED


def test_handled_selection() -> None:
    """Who selected, viewed or edited the selection never inspects it."""
    assert verdict({"handled_by": frozenset({ME})}) is Verdict.HANDLED_SELECTION


def test_recused() -> None:
    """A tie with one of the parties is enough."""
    assert verdict(recused_parties=frozenset({"p-2"})) is Verdict.RECUSED


def test_cooldown() -> None:
    """Met one of the parties too recently."""
    assert verdict(cooldown_parties=frozenset({"p-1"})) is Verdict.COOLDOWN


@pytest.mark.parametrize(
    "busy",
    [
        (NEED.start, NEED.end),
        (NEED.start - HOUR, NEED.start + SECOND),
        (NEED.end - SECOND, NEED.end + HOUR),
        (NEED.start - HOUR, NEED.end + HOUR),
        (NEED.start + SECOND, NEED.end - SECOND),
    ],
)
def test_busy(busy: tuple[datetime, datetime]) -> None:
    """At any moment of the slot."""
    assert verdict(busy=(busy,)) is Verdict.BUSY


def test_first_rule_that_excludes_gives_the_reason() -> None:
    """The order of the rules is part of their version: each is lifted in turn."""
    need: dict[str, Any] = {"handled_by": frozenset({ME})}
    facts: dict[str, Any] = {
        "absent": True,
        "duty_start": NEED.end,
        "terminals": frozenset({TerminalCode("ECT")}),
        "qualifications": frozenset(),
        "screening": Screening(certificate_until=None, signal_open=True, interviewed=False),
        "recused_parties": NEED.parties,
        "cooldown_parties": NEED.parties,
        "busy": ((NEED.start, NEED.end),),
    }
    lifted: list[dict[str, Any]] = [
        {},
        {"absent": False},
        {"duty_start": SIX},
        {"terminals": CANDIDATE.terminals},
        {"qualifications": CANDIDATE.qualifications},
        {"screening": Screening(certificate_until=CLEARED.certificate_until, signal_open=True, interviewed=False)},
        {"screening": Screening(certificate_until=CLEARED.certificate_until, signal_open=False, interviewed=False)},
        {"screening": CLEARED},
    ]
    seen = []
    for change in lifted:
        facts |= change
        seen.append(verdict(need, **facts))
    for change in ({}, {"recused_parties": frozenset()}, {"cooldown_parties": frozenset()}, {"busy": ()}):
        facts |= change
        seen.append(verdict(**facts))
    assert [found.value for found in seen] == list("ADTQVSIPRCB+")
    assert {found.value for found in Verdict} == set("ADTQVSIPRCB+")


def test_all_pairs_in_the_given_order() -> None:
    """One string an order, one letter a candidate."""
    others = [CANDIDATE, replace(CANDIDATE, absent=True), replace(CANDIDATE, terminals=frozenset())]
    assert judge_all([NEED, replace(NEED, terminal=TerminalCode("APM"))], others) == ["+AT", "TAT"]
    assert judge_all([], others) == []
    assert judge_all([NEED], []) == [""]
