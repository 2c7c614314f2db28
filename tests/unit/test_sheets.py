"""Sealed sheets: who is on them, in which order, and how lines follow them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from assign import reference
from assign.draw import sheets
from assign.draw.sheets import Group, Line, Sheet, SheetPerson, WhySkipped, Work
from assign.draw.streams import SHEET, SHEET_SALT
from assign.encoding import canonical_json, lp, sha256, u64be
from assign.errors import Corrupt, InvalidInput
from assign.names import OrderId, TerminalCode
from assign.person import Pseudonym

MASTER = sha256(b"master")
ORIGIN, SHIFT = "assign.example/NLRTM", "ports/NLRTM/shifts/A"
RWG, ECT = TerminalCode("RWG"), TerminalCode("ECT")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
WAVE = f"{SHIFT}/waves/20261124T120000Z"


def person(number: int, *qualifications: str, terminals: tuple[TerminalCode, ...] = (RWG,)) -> SheetPerson:
    """Somebody on the roster."""
    return SheetPerson(
        person=Pseudonym(f"{number:032x}"), terminals=frozenset(terminals), qualifications=frozenset(qualifications)
    )


PEOPLE = [person(1), person(2, "dog"), person(3, "dog", "reefer"), person(4, terminals=(RWG, ECT)), person(5, "reefer")]


def deal(people: list[SheetPerson] | None = None, *, first: int = 1, copies: int = 2) -> list[Sheet]:
    """The sheets of some people."""
    return sheets.deal_sheets(MASTER, ORIGIN, SHIFT, people or PEOPLE, first=first, copies=copies)


def test_groups_are_what_the_roster_allows() -> None:
    """Each terminal, with no qualification, each one that somebody has, and the whole set of each person."""
    assert sheets.groups_of(PEOPLE) == [
        Group(ECT),
        Group(RWG),
        Group(RWG, ("dog",)),
        Group(RWG, ("dog", "reefer")),
        Group(RWG, ("reefer",)),
    ]


def test_everybody_who_may_be_on_a_sheet_is_on_it_once() -> None:
    """At the terminal, with all the qualifications, and nobody else."""
    for sheet in deal():
        wanted = {
            one.person
            for one in PEOPLE
            if sheet.group.terminal in one.terminals and one.qualifications >= set(sheet.group.qualifications)
        }
        assert set(sheet.persons) == wanted
        assert len(sheet.persons) == len(wanted)


def test_order_is_the_keyed_shuffle_of_the_specification() -> None:
    """By the plain Python of the draw's specification, under the stream that the protocol page names."""
    sheet = deal()[1]
    able = sorted(one.person for one in PEOPLE)
    info = lp("draw/v1", "sheet/v1", ORIGIN, SHIFT, u64be(2), "RWG", lp())
    key = SHEET.derive(MASTER, ORIGIN, SHIFT, u64be(2), "RWG", lp())
    assert SHEET.info(ORIGIN, SHIFT, u64be(2), "RWG", lp()) == info
    assert list(sheet.persons) == [able[at] for at in reference.shuffle(len(able), key)]


def test_commitment_by_hand() -> None:
    """`H(LP("draw/v1","commit-sheet",salt32,sheet))`, the salt from a stream of its own."""
    sheet = deal()[0]
    salt = sheets.sheet_salt(MASTER, ORIGIN, SHIFT, 1)
    assert salt == SHEET_SALT.derive(MASTER, ORIGIN, SHIFT, u64be(1))
    data = canonical_json(
        {"format": "sheet/v1", "origin": ORIGIN, "persons": [*sheet.persons], "qualifications": [], "sheet": 1,
         "shift": SHIFT, "terminal": "ECT"}
    )  # fmt: skip
    assert sheet.to_bytes() == data
    assert sheets.commit_sheet(salt, sheet) == sha256(lp("draw/v1", "commit-sheet", salt, data))


def test_numbers_go_copy_by_copy() -> None:
    """The next sheet of a kind has the next higher number of that kind."""
    made = deal(first=7)
    assert [one.number for one in made] == list(range(7, 17))
    assert [one.group for one in made[:5]] == [one.group for one in made[5:]]
    assert made[0].name == f"{SHIFT}/sheets/7"


def test_copies_of_a_sheet_differ() -> None:
    """Each number has an order of its own: one opened sheet says nothing about the next."""
    twenty = [person(number) for number in range(20)]
    assert len({one.persons for one in deal(twenty, copies=20)}) == 20


@pytest.mark.parametrize(
    ("needs", "qualifications"),
    [
        ((), ()),
        (("dog",), ("dog",)),
        (("reefer", "dog"), ("dog", "reefer")),
    ],
)
def test_order_goes_by_the_least_qualified_sheet_that_will_do(
    needs: tuple[str, ...], qualifications: tuple[str, ...]
) -> None:
    """Those who can do more are not used up where less is needed."""
    group = sheets.group_for(sheets.groups_of(PEOPLE), RWG, needs)
    assert group == Group(RWG, qualifications)


def test_no_sheet_where_nobody_has_it_all() -> None:
    """A container that needs more than anybody has waits."""
    assert sheets.group_for(sheets.groups_of(PEOPLE), RWG, ("scan",)) is None
    assert sheets.group_for(sheets.groups_of(PEOPLE), ECT, ("dog",)) is None


@pytest.mark.parametrize(
    ("people", "copies", "first", "reason"),
    [
        ([], 1, 1, "SHEETS_NOBODY"),
        (PEOPLE, 0, 1, "SHEET_COPIES"),
        (PEOPLE, 21, 1, "SHEET_COPIES"),
        (PEOPLE, 1, 9998, "SHEETS_TOO_MANY"),
    ],
)
def test_what_cannot_be_dealt(people: list[SheetPerson], copies: int, first: int, reason: str) -> None:
    """Each with its reason."""
    with pytest.raises(InvalidInput, match=reason):
        sheets.deal_sheets(MASTER, ORIGIN, SHIFT, people, first=first, copies=copies)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "sheet/v2"},
        {"persons": []},
        {"persons": ["0" * 32, "0" * 32]},
        {"persons": ["i-1"]},
        {"persons": [1]},
        {"qualifications": ["dog", "a"]},
        {"qualifications": ["Dog"]},
        {"sheet": 0},
        {"sheet": True},
        {"sheet": 10**6},
        {"shift": 1},
        {"terminal": "nowhere"},
        {"more": 1},
    ],
)
def test_bytes_that_are_no_sheet(change: dict[str, object]) -> None:
    """Only Corrupt escapes."""
    value: dict[str, object] = {
        "format": "sheet/v1", "origin": ORIGIN, "persons": ["0" * 32], "qualifications": ["dog"], "sheet": 1,
        "shift": SHIFT, "terminal": "RWG",
    }  # fmt: skip
    assert Sheet.from_bytes(canonical_json(value)).number == 1  # type: ignore[arg-type]
    with pytest.raises(Corrupt, match="SHEET_MALFORMED"):
        Sheet.from_bytes(canonical_json(value | change))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "x", f"{SHIFT}/sheets/0", f"{SHIFT}/sheets/01", f"{SHIFT}/sheets/", "/sheets/x"])
def test_names_that_are_no_sheets(text: str) -> None:
    """A sheet has one name."""
    with pytest.raises(InvalidInput, match="NAME_FORM"):
        sheets.parse_sheet_name(text)
    assert sheets.parse_sheet_name(f"{SHIFT}/sheets/12") == (SHIFT, 12)


SHEET_3 = Sheet(
    origin=ORIGIN, shift=SHIFT, number=1, group=Group(RWG), persons=tuple(Pseudonym(f"{n:032x}") for n in (7, 5, 9))
)


def line(number: int, *, order: str | None = None, why: str | None = None, at: int = 0) -> Line:
    """A line that names whom the sheet names."""
    return Line(
        line=number,
        person=SHEET_3.persons[(number - 1) % 3],
        time=NOON + timedelta(minutes=at),
        order=None if order is None else OrderId(order),
        wave=None if order is None else WAVE,
        why=why,
    )


def problems(*lines: Line, before: tuple[Line, ...] = (), absent: tuple[Pseudonym, ...] = ()) -> list[int]:
    """The positions of the lines that do not follow the sheet."""
    work = Work(SHEET_3, before)
    return [at for at, one in enumerate(lines) if work.add(one, is_absent=one.person in absent)]


def test_lines_that_follow_the_sheet() -> None:
    """One after the other, a team of two next to each other, around the end, with reasons for everybody skipped."""
    lines = (
        line(1, order="a"),
        line(2, order="a"),
        line(3, why=WhySkipped.NOT_THERE),
        line(4, order="b"),
        line(5, why=WhySkipped.BUSY),
        line(6, why=WhySkipped.BUSY),
        line(7, why=WhySkipped.IN_TEAM),
        line(8, order="b"),
    )
    assert problems(*lines) == []
    assert problems(*lines[3:], before=lines[:3]) == []
    assert problems(line(1, why=WhySkipped.ABSENT), line(2, order="a"), absent=SHEET_3.persons[:1]) == []


@pytest.mark.parametrize(
    "wrong",
    [
        line(2, order="b"),  # there already
        line(4, order="b"),  # leaves somebody out
        replace(line(3, order="b"), person=SHEET_3.persons[0]),  # somebody else
        line(3, order="b", at=-1),  # earlier than the line before it
        line(3, why="TIRED"),
        line(3),
        line(3, order="b", why=WhySkipped.BUSY),
        replace(line(3, order="b"), wave=None),
        line(3, why=WhySkipped.ABSENT),  # not in the log
        line(3, why=WhySkipped.IN_TEAM),  # not so
    ],
)
def test_lines_that_do_not_follow_the_sheet(wrong: Line) -> None:
    """Each is named by its position."""
    assert problems(line(1, order="a"), line(2, why=WhySkipped.BUSY), wrong) == [2]


def test_nobody_is_his_own_teammate_or_works_while_absent() -> None:
    """The two that would put the wrong person into a team."""
    assert problems(line(1, order="a"), line(2, why="BUSY"), line(3, why="BUSY"), line(4, order="a")) == [3]
    assert problems(line(1, order="a"), absent=SHEET_3.persons) == [0]


def test_a_shift_has_so_many_places_and_no_more() -> None:
    """What a verifier has to shuffle again is bounded, whatever a log says."""
    places = sum(len(one.persons) for one in deal(copies=1)) + 100
    assert sheets.deal_sheets(MASTER, ORIGIN, SHIFT, PEOPLE, first=1, copies=1, places_left=places)
    with pytest.raises(InvalidInput, match="SHEETS_TOO_MANY"):
        sheets.deal_sheets(MASTER, ORIGIN, SHIFT, PEOPLE, first=1, copies=1, places_left=3)


def test_no_line_of_a_roster_makes_the_work_explode() -> None:
    """Thousands of terminals times thousands of qualifications are refused, not multiplied out."""
    words = frozenset(f"q{number}" for number in range(3000))
    hostile = SheetPerson(
        person=Pseudonym("0" * 32), terminals=frozenset(map(TerminalCode, words)), qualifications=words
    )
    with pytest.raises(InvalidInput, match="SHEETS_TOO_MANY"):
        sheets.deal_sheets(MASTER, ORIGIN, SHIFT, [hostile], first=1, copies=1)
