"""Manual mode and erasures before the verifier: an honest outage is sound, and every forgery of it has its finding."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from simulated_day import CALENDAR_A, NAMES_A, check, codes, make_orders
from simulated_log import ORIGIN, OpenShift, Operator, at, shift_name

from assign.draw.sheets import Sheet, SheetPerson, commit_sheet, deal_sheets, sheet_salt
from assign.encoding import rfc3339, sha256
from assign.log.entries import Kind
from assign.log.person_keys import commit_opening, key_opening
from assign.names import WaveName
from assign.verify.findings import Attention, Code
from assign.verify.report import WaveState

FIRST = at(6)
KEY = sha256(b"somebody's key")
OPENING = key_opening(KEY, ORIGIN)
COMMITMENT = commit_opening(OPENING).hex()


class Outage:
    """The first wave is frozen and never gets its beacon value; the others are drawn."""

    def __init__(self) -> None:
        self.operator = Operator()
        self.shift: OpenShift = self.operator.open_shift(shift_name("A"), CALENDAR_A)
        self.operator.wait_until(at(4))
        self.operator.record(Kind.PERSON_KEYS, {"commitments": sorted([COMMITMENT, *(f"{n:064x}" for n in range(15))])})
        self.operator.import_roster(self.shift, NAMES_A[:5], reefer=("inspector-1", "inspector-2"))
        self.operator.import_orders(make_orders(3))
        self.operator.book(("s-00", "o-00", FIRST), ("s-01", "o-01", FIRST), ("s-02", "o-02", FIRST))
        self.wave = str(WaveName(self.shift.name, FIRST))
        self.sheets: list[Sheet] = []
        self.used = 0

    def by(self, name: str) -> str:
        """A pseudonym."""
        return self.operator.person(self.shift.name, name)

    def commit(self) -> None:
        """Make the sheets, two of each kind."""
        persons = [
            SheetPerson(
                person=one.candidate.person,
                terminals=one.candidate.terminals,
                qualifications=one.candidate.qualifications,
            )
            for one in self.shift.persons
        ]
        name, first = str(self.shift.name), len(self.sheets) + 1
        made = deal_sheets(self.shift.master, ORIGIN, name, persons, first=first, copies=2)
        self.sheets += made
        rows = [
            {
                "hash": commit_sheet(sheet_salt(self.shift.master, ORIGIN, name, one.number), one).hex(),
                "persons": len(one.persons),
                "qualifications": [*one.group.qualifications],
                "sheet": one.number,
                "terminal": one.group.terminal,
            }
            for one in made
        ]
        body = {"by": self.by("officer"), "copies": 2, "first": first, "shift": name, "sheets": rows}
        self.operator.record(Kind.KEY_USE, {"wave": name, "purpose": "sheets"})
        self.operator.record(Kind.SHEETS_COMMIT, body)
        self.operator.record(Kind.SHEETS_PRINT, {"shift": name, "sheets": [one.number for one in made]})

    def two(self, action: str, what: str, kind: Kind, *, time: datetime | None = None, **fields: Any) -> None:
        """Something that one person asks for and another one confirms."""
        request, self.used = f"x-{self.used}", self.used + 1
        asked = {"action": action, "by": self.by("sup-1"), "reason": "no-network", "request": request, "what": what}
        self.operator.record(Kind.EXCEPTION_REQUEST, {**asked, "time": None if time is None else rfc3339(time)})
        who = {"by": self.by("sup-2"), "requested_by": self.by("sup-1"), "request": request, "reason": "no-network"}
        self.operator.record(kind, {**who, **fields})

    def open(self, sheet: Sheet, *, opened: datetime = FIRST) -> None:
        """Open a sheet."""
        fields = {"opened": rfc3339(opened), "sheet": sheet.number, "shift": str(self.shift.name)}
        self.two("sheet-open", sheet.name, Kind.SHEET_OPEN, time=opened, **fields)

    def manual(self) -> None:
        """The wave is worked by hand."""
        self.two("wave-manual", self.wave, Kind.WAVE_MANUAL, wave=self.wave)

    def sheet_at(self, terminal: str) -> Sheet:
        """The first sheet of a terminal that needs no qualification."""
        return next(one for one in self.sheets if (one.group.terminal, one.group.qualifications) == (terminal, ()))

    def line(self, sheet: Sheet, number: int, order: str | None, why: str | None = None) -> dict[str, Any]:
        """A line that follows the sheet."""
        return {
            "line": number,
            "order": order,
            "person": sheet.persons[number - 1],
            "time": rfc3339(FIRST + timedelta(minutes=1)),
            "wave": None if order is None else self.wave,
            "why": why,
        }

    def work(self, sheet: Sheet, *lines: dict[str, Any]) -> None:
        """Type lines in."""
        body = {"by": self.by("sup-1"), "lines": [*lines], "sheet": sheet.number, "shift": str(self.shift.name)}
        self.operator.record(Kind.MANUAL_ASSIGNMENT, body)

    def finish(self) -> Operator:
        """The other waves, and the close."""
        self.operator.wait_until(at(7))
        for start in CALENDAR_A.wave_starts()[1:]:
            self.operator.miss(self.shift, start)
        self.operator.close(self.shift)
        return self.operator


def honest(*, before: Callable[[Outage], None] = lambda _: None, after: Callable[[Outage], None] = lambda _: None,
           sheet: str = "ECT") -> Outage:  # fmt: skip
    """A day with an outage: o-00 (a team of two) and o-02 stand at ECT, o-01 at RWG, and nobody is handed that."""
    outage = Outage()
    outage.commit()
    outage.operator.freeze(outage.shift, FIRST)
    outage.operator.wait_until(FIRST + timedelta(minutes=2))
    before(outage)
    opened = outage.sheet_at(sheet)
    outage.open(opened)
    outage.manual()
    line = outage.line
    outage.work(opened, line(opened, 1, "o-00"), line(opened, 2, None, "NOT_THERE"))
    outage.work(opened, line(opened, 3, "o-00"), line(opened, 4, "o-02"))
    outage.two(
        "person-erase", f"personKeys/{COMMITMENT}", Kind.PERSON_ERASED, commitment=COMMITMENT, opening=OPENING.hex(),
        pseudonyms=3, rows=7,
    )  # fmt: skip
    after(outage)
    outage.finish()
    return outage


def test_an_honest_outage_is_sound_and_seen() -> None:
    """Nothing is wrong; every step is shown to the supervisor; one wave counts as manual, the others as missed."""
    report = check(honest().operator)
    assert codes(report) == set()
    assert {item.code for item in report.attention} >= {
        Attention.SHEET_OPENED,
        Attention.WAVE_MANUAL,
        Attention.MANUAL_ON_WORD,
        Attention.MANUAL_LEFT,
        Attention.PERSON_ERASED,
    }
    [shift] = report.shifts
    assert (shift.count(WaveState.MANUAL), shift.count(WaveState.MISSED)) == (1, 3)
    assert shift.ends() == {"drawn": 0, "manual": 1, "missed": 3, "open": 0}
    assert shift.to_json()["ends"] == shift.ends()  # type: ignore[call-overload,index]


def edit(kind: Kind, nth: int = 0, **changes: Any) -> Callable[[Outage], object]:
    """Change fields of the nth entry of a kind."""
    return lambda outage: outage.operator.edit(kind, lambda body: body.update(changes), nth=nth)


def edit_line(nth: int, line: int, **changes: Any) -> Callable[[Outage], object]:
    """Change fields of a line."""
    return lambda outage: outage.operator.edit(
        Kind.MANUAL_ASSIGNMENT, lambda body: body["lines"][line].update(changes), nth=nth
    )


def edit_sheet(**changes: Any) -> Callable[[Outage], object]:
    """Change fields of the first committed sheet."""
    return lambda outage: outage.operator.edit(Kind.SHEETS_COMMIT, lambda body: body["sheets"][0].update(changes))


def copy(kind: Kind) -> Callable[[Outage], object]:
    """Log an entry again, just after it."""

    def repeat(outage: Outage) -> None:
        index = outage.operator.find(kind)
        outage.operator.entries.insert(index + 1, outage.operator.entries[index])

    return repeat


def drop(kind: Kind, nth: int = 0) -> Callable[[Outage], object]:
    """Leave an entry out."""
    return lambda outage: outage.operator.entries.pop(outage.operator.find(kind, nth))


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (drop(Kind.EXCEPTION_REQUEST), Code.EXCEPTION_NOT_REQUESTED),
        (edit(Kind.EXCEPTION_REQUEST, 0, action="wave-manual"), Code.EXCEPTION_NOT_REQUESTED),
        (edit(Kind.EXCEPTION_REQUEST, 1, by="0" * 32), Code.EXCEPTION_NOT_REQUESTED),
        (edit(Kind.SHEET_OPEN, 0, by="systems/server"), Code.EXCEPTION_SELF_CONFIRMED),
        (edit_sheet(hash="00" * 32), Code.SHEETS_MISMATCH),
        (edit_sheet(persons=4), Code.SHEETS_MISMATCH),
        (edit(Kind.SHEETS_COMMIT, 0, copies=3), Code.SHEETS_MISMATCH),
        (edit(Kind.SHEETS_COMMIT, 0, first=2), Code.SHEETS_MISMATCH),
        (edit(Kind.SHEET_OPEN, 0, sheet=999), Code.SHEET_UNKNOWN),
        (copy(Kind.SHEET_OPEN), Code.SHEET_OPENED_TWICE),
        (edit(Kind.SHEET_OPEN, 0, opened=rfc3339(at(5))), Code.SHEET_OPEN_TIME),
        (edit(Kind.SHEET_OPEN, 0, opened=rfc3339(at(6, 30))), Code.SHEET_OPEN_TIME),
        (copy(Kind.WAVE_MANUAL), Code.MANUAL_TWICE),
        (drop(Kind.WAVE_MANUAL), Code.MANUAL_ORDER),
        (drop(Kind.WAVE_MANUAL), Code.DRAW_MISSING),
        (drop(Kind.SHEET_OPEN), Code.MANUAL_LINES),
        (drop(Kind.MANUAL_ASSIGNMENT), Code.MANUAL_LINES),
        (copy(Kind.MANUAL_ASSIGNMENT), Code.MANUAL_LINES),
        (edit_line(0, 0, person="0" * 32), Code.MANUAL_LINES),
        (edit_line(0, 1, why="ABSENT"), Code.MANUAL_LINES),
        (edit_line(0, 1, why="TIRED"), Code.MANUAL_LINES),
        (edit_line(0, 0, time=rfc3339(at(5, 59))), Code.MANUAL_TIME),
        (edit_line(1, 1, time=rfc3339(at(6, 20))), Code.MANUAL_TIME),
        (edit_line(1, 1, order="o-00"), Code.MANUAL_ORDER),
        (edit_line(1, 1, order="o-01"), Code.MANUAL_ORDER),
        (edit_line(1, 1, order="o-99"), Code.MANUAL_ORDER),
        (edit(Kind.PERSON_ERASED, 0, opening="00" * 32), Code.ERASURE_OPENING),
        (drop(Kind.PERSON_KEYS), Code.ERASURE_UNKNOWN),
        (copy(Kind.PERSON_ERASED), Code.ERASURE_UNKNOWN),
    ],
)
def test_each_forgery_has_its_finding(forge: Callable[[Outage], object], code: Code) -> None:
    """The operator writes his log as he likes, and signs it; the finding tells what he did."""
    outage = honest()
    forge(outage)
    assert str(code) in codes(check(outage.operator))


def test_self_confirmed_exceptions_are_found() -> None:
    """One person is not two."""
    outage = honest()
    outage.operator.edit(Kind.WAVE_MANUAL, lambda body: body.update(by=body["requested_by"]))
    assert codes(check(outage.operator)) == {str(Code.EXCEPTION_SELF_CONFIRMED)}


def test_an_envelope_from_the_middle_of_the_pile_is_found() -> None:
    """The second sheet of a kind before the first; only the pile's order is wrong."""

    def second_first(outage: Outage) -> None:
        first = outage.sheet_at("ECT")
        outage.open(next(one for one in outage.sheets if one.group == first.group and one.number != first.number))

    assert codes(check(honest(before=second_first).operator)) == {str(Code.SHEET_NOT_NEXT)}


def test_sheets_made_again_make_the_sealed_ones_void() -> None:
    """It is shown, and none of the old ones can be opened any more."""

    def again(outage: Outage) -> None:
        outage.operator.import_roster(outage.shift, NAMES_A[5:6])
        outage.commit()

    report = check(honest(before=again).operator)
    assert Attention.SHEETS_AGAIN in {item.code for item in report.attention}
    assert str(Code.SHEET_UNKNOWN) in codes(report)


def test_manual_mode_is_not_a_choice() -> None:
    """Not before the wave's start, and not beside a draw, in either order."""
    early = Outage()
    early.operator.freeze(early.shift, FIRST)
    early.manual()
    early.finish()
    assert str(Code.MANUAL_EARLY) in codes(check(early.operator))
    for is_drawn_first in (True, False):
        both = Outage()
        both.operator.freeze(both.shift, FIRST)
        if is_drawn_first:
            both.operator.draw(both.shift, FIRST)
        both.operator.wait_until(FIRST)
        both.manual()
        if not is_drawn_first:
            both.operator.draw(both.shift, FIRST)
        both.finish()
        assert str(Code.MANUAL_DRAWN) in codes(check(both.operator))


def test_who_selected_is_never_handed_the_container() -> None:
    """Separation holds on paper as well."""
    outage = Outage()
    person = outage.operator.person(outage.shift.name, NAMES_A[0])
    outage.operator.orders.clear()
    orders = make_orders(5, selector=lambda number: frozenset({person} if number == 4 else ()))
    outage.operator.import_orders(orders[4:])
    outage.operator.book(("s-04", "o-04", FIRST))
    outage.commit()
    outage.operator.freeze(outage.shift, FIRST)
    outage.operator.wait_until(FIRST + timedelta(minutes=2))
    sheet = outage.sheet_at("ECT")
    outage.open(sheet)
    outage.manual()
    place = sheet.persons.index(person) + 1
    outage.work(
        sheet,
        *(outage.line(sheet, number, None, "BUSY") for number in range(1, place)),
        outage.line(sheet, place, "o-04"),
    )
    assert str(Code.SEPARATION) in codes(check(outage.finish()))


def test_an_order_that_was_handed_out_is_not_drawn_again_unseen() -> None:
    """Booked into a later wave, it is shown."""

    def book_again(outage: Outage) -> None:
        outage.operator.book(("s-10", "o-02", at(6, 45)))

    report = check(honest(after=book_again).operator)
    assert Attention.DRAWN_AGAIN in {item.code for item in report.attention}
