"""Sealed sheets, for whatever roster: complete, unpredictable, and read back as they were written."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from assign.draw.sheets import Sheet, SheetPerson, deal_sheets, group_for, groups_of
from assign.encoding import sha256
from assign.names import TerminalCode
from assign.person import Pseudonym

ORIGIN, SHIFT = "assign.example/NLRTM", "ports/NLRTM/shifts/A"
TERMINALS = st.frozensets(st.sampled_from([TerminalCode("RWG"), TerminalCode("ECT")]), min_size=1)
WORDS = st.frozensets(st.sampled_from(["dog", "reefer", "scan"]))


@st.composite
def rosters(draw: st.DrawFn) -> list[SheetPerson]:
    """Up to nine people."""
    numbers = draw(st.lists(st.integers(0, 2**64), min_size=1, max_size=9, unique=True))
    return [
        SheetPerson(person=Pseudonym(f"{number:032x}"), terminals=draw(TERMINALS), qualifications=draw(WORDS))
        for number in numbers
    ]


@given(rosters(), st.integers(1, 3), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=60)
def test_sheets_follow_from_the_roster_alone(people: list[SheetPerson], copies: int, random: object) -> None:
    """In whatever order the roster comes, the sheets are the same, and each is what its bytes say."""
    made = deal_sheets(sha256(b"m"), ORIGIN, SHIFT, people, first=1, copies=copies)
    other = [*people]
    random.shuffle(other)  # type: ignore[attr-defined]
    assert made == deal_sheets(sha256(b"m"), ORIGIN, SHIFT, other, first=1, copies=copies)
    assert [Sheet.from_bytes(sheet.to_bytes()) for sheet in made] == made


@given(rosters(), WORDS, st.sampled_from(["RWG", "ECT"]))
@settings(deadline=None, max_examples=100)
def test_the_sheet_of_an_order_has_only_people_who_can_do_it(
    people: list[SheetPerson], needs: frozenset[str], terminal: str
) -> None:
    """And there is one wherever somebody at the terminal has all that is needed."""
    group = group_for(groups_of(people), TerminalCode(terminal), needs)
    able = [one for one in people if terminal in one.terminals and one.qualifications >= needs]
    assert (group is None) == (not able)
    assert group is None or needs <= set(group.qualifications)


def test_who_comes_first_is_uniform() -> None:
    """Over 6,000 sheets of three people each of the six orders comes a thousand times, give or take five sigma."""
    people = [
        SheetPerson(
            person=Pseudonym(f"{n:032x}"), terminals=frozenset({TerminalCode("RWG")}), qualifications=frozenset()
        )
        for n in range(3)
    ]
    seen: Counter[tuple[str, ...]] = Counter()
    for number in range(300):
        for sheet in deal_sheets(sha256(b"m%d" % number), ORIGIN, SHIFT, people, first=1, copies=20):
            seen[sheet.persons] += 1
    assert len(seen) == 6
    assert all(abs(count - 1000) < 5 * (6000 * 5 / 36) ** 0.5 for count in seen.values())
