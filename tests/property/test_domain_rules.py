"""What holds of waves, rosters, rules and outcomes whatever the numbers are."""

from __future__ import annotations

import zoneinfo
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from stdnum import iso6346
from wave_examples import name, order_id, wave_of_table

from assign.container import check_digit, parse_container_number
from assign.draw.inputs import WaveInputs
from assign.draw.outcome import replay_wave
from assign.draw.replacement import choose_substitute
from assign.draw.reserves import reserve_order
from assign.draw.transcript import LeftOver, Transcript
from assign.errors import InvalidInput
from assign.names import PersonId, Port, ShiftId, ShiftName, TerminalCode, WaveName, parse_wave_name
from assign.person import Screening
from assign.roster import RosterEntry, find_overlap
from assign.rules.eligibility import Candidate, Need, Verdict, judge, judge_all
from assign.rules.reveal_window import Reader, RevealRefusal, check_reveal_window
from assign.rules.verdict_table import judge_wave
from assign.wave import Calendar

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_moments = st.integers(0, 366 * 24 * 3600).map(lambda seconds: EPOCH + timedelta(seconds=seconds))
_calendars = st.builds(
    lambda start, length, step, lead, margin: Calendar(
        start=start,
        end=start + timedelta(seconds=length),
        step_seconds=step,
        lead_seconds=lead,
        margin_seconds=margin,
    ),
    _moments,
    st.integers(1, 40_000),
    st.integers(150, 4000),
    st.integers(1, 4000),
    st.integers(1, 600),
)


@settings(deadline=None)
@given(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=3, max_size=3), st.sampled_from("UJZ"), st.integers(0, 999_999))
def test_container_numbers_agree_with_the_oracle(owner: str, category: str, serial: int) -> None:
    """The check digit is ISO 6346's, and the number is read back from any spelling."""
    prefix = f"{owner}{category}{serial:06d}"
    number = prefix + str(check_digit(prefix))
    assert iso6346.is_valid(number)
    assert parse_container_number(f"{number[:4]} {number[4:10]}-{number[10]}".lower()) == number


@settings(deadline=None)
@given(st.text("ABCU0123456789", min_size=11, max_size=11))
@example("U47U9109893")
def test_container_numbers_are_refused_as_the_oracle_does(text: str) -> None:
    """Neither stricter nor laxer, but that the oracle lets digits into the owner code, which ISO 6346 does not."""
    try:
        parse_container_number(text)
        accepted = True
    except InvalidInput:
        accepted = False
    assert accepted == (iso6346.is_valid(text) and text[:3].isalpha())


@settings(deadline=None)
@given(_calendars, st.integers(-100, 41_000))
def test_every_start_belongs_to_exactly_one_wave(calendar: Calendar, offset: int) -> None:
    """The waves cut the shift into pieces without gap or overlap."""
    moment = calendar.start + timedelta(seconds=offset)
    starts = calendar.wave_starts()
    assert all(later - earlier == timedelta(seconds=calendar.step_seconds) for earlier, later in pairwise(starts))
    assert calendar.waves_before(moment) == sum(start < moment for start in starts)
    holding = [s for s in starts if s <= moment < min(s + timedelta(seconds=calendar.step_seconds), calendar.end)]
    if calendar.start <= moment < calendar.end:
        assert holding == [calendar.wave_of(moment)]
    else:
        assert holding == []


@settings(deadline=None)
@given(_moments, st.sampled_from(["Europe/Amsterdam", "America/New_York", "Asia/Kolkata", "Pacific/Apia"]))
def test_wave_names_do_not_depend_on_the_zone(moment: datetime, zone: str) -> None:
    """One moment, one name, also in the hours that the clock shows twice or never."""
    shift = ShiftName(Port("NLRTM"), ShiftId("A"))
    local = moment.astimezone(zoneinfo.ZoneInfo(zone))
    assert str(WaveName(shift, local)) == str(WaveName(shift, moment))
    assert parse_wave_name(str(WaveName(shift, local))).start == moment


_entries = st.builds(
    lambda person, start, hours: RosterEntry(
        person=PersonId(f"i-{person}"),
        terminals=frozenset({TerminalCode("RWG")}),
        start=EPOCH + timedelta(hours=start),
        end=EPOCH + timedelta(hours=start + hours),
        qualifications=frozenset(),
        capacity=1,
    ),
    st.integers(0, 3),
    st.integers(0, 60),
    st.integers(1, 20),
)


@settings(deadline=None)
@given(st.lists(_entries, max_size=12))
def test_overlaps_are_found_if_there_are_any(entries: list[RosterEntry]) -> None:
    """Against all pairs."""
    overlap = any(
        one.person == other.person and one.start < other.end and other.start < one.end
        for index, one in enumerate(entries)
        for other in entries[index + 1 :]
    )
    assert (find_overlap(entries) is not None) == overlap


_words = st.frozensets(st.sampled_from("abcd"), max_size=3)
_terminals = st.sampled_from([TerminalCode("RWG"), TerminalCode("ECT")])
_spans = st.tuples(st.integers(0, 20), st.integers(1, 10)).map(
    lambda span: (EPOCH + timedelta(hours=span[0]), EPOCH + timedelta(hours=sum(span)))
)
_needs = st.builds(
    lambda terminal, span, words, parties, handlers: Need(
        terminal=terminal,
        start=span[0],
        end=span[1],
        qualifications=words,
        parties=parties,
        handled_by=frozenset(name(number) for number in handlers),
    ),
    _terminals,
    _spans,
    _words,
    _words,
    st.frozensets(st.integers(0, 2), max_size=2),
)
_candidates = st.builds(
    lambda person, terminals, duty, words, absent, until, signal, interviewed, recused, met, busy: Candidate(
        person=name(person),
        terminals=frozenset(terminals),
        duty_start=duty[0],
        duty_end=duty[1],
        qualifications=words,
        absent=absent,
        screening=Screening(certificate_until=until, signal_open=signal, interviewed=interviewed),
        recused_parties=recused,
        cooldown_parties=met,
        busy=tuple(busy),
    ),
    st.integers(0, 2),
    st.lists(_terminals),
    _spans,
    _words,
    st.booleans(),
    st.none() | _moments,
    st.booleans(),
    st.booleans(),
    _words,
    _words,
    st.lists(_spans, max_size=2),
)


@settings(max_examples=300, deadline=None)
@given(_needs, _candidates)
def test_eligible_means_that_nothing_stands_in_the_way(need: Need, candidate: Candidate) -> None:
    """Written the other way round: all conditions at once."""
    until = candidate.screening.certificate_until
    eligible = (
        not candidate.absent
        and candidate.duty_start <= need.start
        and need.end <= candidate.duty_end
        and need.terminal in candidate.terminals
        and need.qualifications.issubset(candidate.qualifications)
        and until is not None
        and need.end < until
        and not candidate.screening.signal_open
        and candidate.screening.interviewed
        and candidate.person not in need.handled_by
        and need.parties.isdisjoint(candidate.recused_parties | candidate.cooldown_parties)
        and all(end <= need.start or need.end <= start for start, end in candidate.busy)
    )
    assert (judge(need, candidate) is Verdict.ELIGIBLE) == eligible


@settings(max_examples=300, deadline=None)
@given(st.lists(_needs, max_size=5), st.lists(_candidates, max_size=3, unique_by=lambda candidate: candidate.person))
def test_whole_waves_are_judged_as_pairs_are(needs: list[Need], candidates: list[Candidate]) -> None:
    """The fast table says what the rules say, letter by letter."""
    assert judge_wave(needs, candidates) == judge_all(needs, candidates)


@settings(max_examples=300, deadline=None)
@given(_needs, _candidates)
def test_more_obstacles_never_help(need: Need, candidate: Candidate) -> None:
    """Nobody becomes eligible by an absence, a signal, a tie or another inspection."""
    assume(judge(need, candidate) is not Verdict.ELIGIBLE)
    for worse in (
        replace(candidate, absent=True),
        replace(candidate, screening=replace(candidate.screening, signal_open=True)),
        replace(candidate, recused_parties=candidate.recused_parties | need.parties),
        replace(candidate, busy=(*candidate.busy, (need.start, need.end))),
    ):
        assert judge(need, worse) is not Verdict.ELIGIBLE


@settings(deadline=None)
@given(_calendars, st.integers(0, 30), st.integers(-8000, 50_000), st.integers(-4000, 50_000), st.integers(1, 50_000))
def test_reveal_is_open_exactly_within_its_window(
    calendar: Calendar, index: int, now: int, begins: int, lasts: int
) -> None:
    """From the draw time and the duty's start, whichever is later, until the duty's end; and never undrawn."""
    wave = calendar.wave_start(index % calendar.wave_count)
    moment = calendar.start + timedelta(seconds=now)
    duty = (calendar.start + timedelta(seconds=begins), calendar.start + timedelta(seconds=begins + lasts))
    screening = Screening(certificate_until=datetime(2030, 1, 1, tzinfo=UTC), signal_open=False, interviewed=True)
    reader = Reader(is_inspector=True, is_own=True, duty=duty, absent=False, screening=screening)
    refusal = check_reveal_window(now=moment, calendar=calendar, wave_start=wave, is_drawn=True, reader=reader)
    opens = max(calendar.draw_time(wave), duty[0])
    assert (refusal is None) == (opens <= moment < duty[1])
    undrawn = check_reveal_window(now=moment, calendar=calendar, wave_start=wave, is_drawn=False, reader=reader)
    assert undrawn in {RevealRefusal.REVEAL_TOO_EARLY, RevealRefusal.REVEAL_TOO_LATE}


@st.composite
def _waves(draw: st.DrawFn) -> WaveInputs:
    persons = draw(st.integers(1, 7))
    orders = draw(st.integers(0, 9))
    pools = [draw(st.sets(st.integers(0, persons - 1))) for _ in range(orders)]
    return wave_of_table(
        pools,
        team_sizes=draw(st.lists(st.sampled_from([1, 1, 2]), min_size=orders, max_size=orders)),
        capacities=draw(st.lists(st.integers(0, 3), min_size=persons, max_size=persons)),
        tiers=draw(st.lists(st.integers(0, 2), min_size=orders, max_size=orders)),
    )


@settings(max_examples=300, deadline=None)
@given(_waves(), st.binary(min_size=32, max_size=32))
def test_outcomes_obey_the_law(inputs: WaveInputs, key: bytes) -> None:
    """Whole teams of different eligible persons, nobody over capacity, and a proof for everybody left over."""
    outcome = replay_wave(inputs, key)
    loads: dict[str, int] = {}
    for frozen, team, row in zip(inputs.orders, outcome.teams, inputs.verdicts, strict=True):
        assert len(team) in (0, frozen.team_size)
        assert len(set(team)) == len(team)
        for person in team:
            assert row[int(person, 16)] == "+"
            loads[person] = loads.get(person, 0) + 1
    for one in inputs.persons:
        assert loads.get(one.candidate.person, 0) <= one.capacity
    assert [left.order for left in outcome.left_over] == [
        order for order, team in zip(outcome.orders, outcome.teams, strict=True) if not team
    ]
    for left in outcome.left_over:
        _check_certificate(inputs, outcome, left)


def _check_certificate(inputs: WaveInputs, outcome: Transcript, left: LeftOver) -> None:
    """By counting: these orders need more seats than these persons, and pairs with others, can give."""
    size = next(frozen.team_size for frozen in inputs.orders if frozen.order == left.order)
    if len(left.persons) < size and not left.competing:
        return  # the pool itself is too small: nothing to count
    orders = {left.order, *left.competing}
    persons = {int(person, 16) for person in left.persons}
    needed = supply = 0
    for frozen, row, team in zip(inputs.orders, inputs.verdicts, outcome.teams, strict=True):
        if frozen.order in orders:
            needed += frozen.team_size
            supply += sum(letter == "+" and number not in persons for number, letter in enumerate(row))
            assert team or frozen.order == left.order
    supply += sum(inputs.persons[number].capacity for number in persons)
    assert needed > supply


@settings(deadline=None)
@given(_waves(), st.binary(min_size=32, max_size=32), st.sets(st.integers(0, 6)))
def test_substitute_is_the_first_free_of_the_reserve_order(inputs: WaveInputs, key: bytes, away: set[int]) -> None:
    """Whoever is unavailable."""
    assume(inputs.orders)
    reserve = reserve_order(inputs, key, order_id(0))
    unavailable = {name(number): "BUSY" for number in away}
    chosen = choose_substitute(reserve, unavailable=unavailable)
    free = [person for person in reserve if person not in unavailable]
    assert chosen.substitute == (free[0] if free else None)
    assert [person for person, _ in chosen.passed_over] == reserve[: len(chosen.passed_over)]
    assert len(chosen.passed_over) == (reserve.index(free[0]) if free else len(reserve))
