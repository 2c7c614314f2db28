"""A whole day of the simulated operator, and the report on it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

from simulated_log import OpenShift, Operator, at, shift_name

from assign.container import ContainerNumber, check_digit
from assign.draw.inputs import FrozenOrder
from assign.encoding import sha256
from assign.log.entries import Kind
from assign.names import OrderId, SlotId, TerminalCode, WaveName
from assign.person import Pseudonym
from assign.verify.bundle import read_bundle
from assign.verify.replay import verify_bundle
from assign.verify.report import Report
from assign.wave import Calendar

CALENDAR_A = Calendar(start=at(6), end=at(7), step_seconds=900, lead_seconds=600, margin_seconds=120)
CALENDAR_B = Calendar(start=at(14), end=at(14, 40), step_seconds=900, lead_seconds=600, margin_seconds=120)
NAMES_A = [f"inspector-{number}" for number in range(8)]
NAMES_B = [f"inspector-{number}" for number in range(8, 14)]


def make_orders(
    count: int, *, selector: Callable[[int], frozenset[Pseudonym]] = lambda _: frozenset()
) -> list[FrozenOrder]:
    """Orders o-00, o-01, …: every third with a team of two, every fourth for reefers."""
    orders = []
    for number in range(count):
        prefix = f"MSKU{number:06d}"
        orders.append(
            FrozenOrder(
                order=OrderId(f"o-{number:02d}"),
                slot=SlotId("none"),
                container=ContainerNumber(prefix + str(check_digit(prefix))),
                terminal=TerminalCode("RWG" if number % 2 else "ECT"),
                start=at(0),
                minutes=1,
                tier=number % 2,
                team_size=2 if number % 3 == 0 else 1,
                qualifications=frozenset({"reefer"} if number % 4 == 3 else ()),
                parties=frozenset({f"party-{number % 5}"}),
                handled_by=selector(number),
                salt=sha256(b"order salt" + bytes([number])),
            )
        )
    return orders


def run_day(operator: Operator) -> Operator:
    """Two shifts with everything in them; the log is closed and complete at the end."""
    shift_a = operator.open_shift(shift_name("A"), CALENDAR_A)
    shift_b = operator.open_shift(shift_name("B"), CALENDAR_B)
    operator.wait_until(at(4))
    operator.record(
        Kind.PERSONS_IMPORT, {"by": operator.person(shift_a.name, "security"), "count": 14, "digest": "00" * 32}
    )
    operator.import_roster(shift_a, NAMES_A[:5], reefer=("inspector-1", "inspector-2", "inspector-3"))
    operator.import_roster(shift_a, NAMES_A[5:], reefer=("inspector-6",))
    operator.import_roster(shift_b, NAMES_B, reefer=("inspector-9", "inspector-10"), capacity=2)
    selector = operator.person(shift_a.name, "selector")
    operator.import_orders(make_orders(13, selector=lambda _: frozenset({selector})))
    operator.wait_until(at(4, 30))
    operator.book(("s-00", "o-00", at(6)), ("s-01", "o-01", at(6, 5)), ("s-02", "o-02", at(6, 5)))
    operator.book(("s-03", "o-03", at(6, 15)), ("s-04", "o-04", at(6, 20)), ("s-05", "o-05", at(6, 29)))
    operator.book(("s-06", "o-06", at(6, 45)), ("s-07", "o-07", at(6, 50)), ("s-08", "o-08", at(6, 55)))
    operator.cancel("s-02")
    operator.book(("s-12", "o-02", at(6, 50)))
    run_shift_a(operator, shift_a)
    operator.book(("s-09", "o-09", at(14)), ("s-10", "o-10", at(14, 5)), ("s-11", "o-11", at(14, 30)))
    for start in CALENDAR_B.wave_starts():
        operator.freeze(shift_b, start)
        operator.draw(shift_b, start)
    for person in shift_b.persons:
        operator.reveal(shift_b, at(14, 30), person.candidate.person)
    operator.close(shift_b)
    return operator


def run_shift_a(operator: Operator, shift: OpenShift) -> None:
    """An absence before a freeze, a sick call after a draw, refused and granted reveals."""
    operator.refuse("REVEAL_TOO_EARLY")
    first, second, third, fourth = CALENDAR_A.wave_starts()
    operator.freeze(shift, first)
    operator.draw(shift, first)
    for person in shift.persons:
        operator.reveal(shift, first, person.candidate.person)
    drawn = shift.occupancy.team_of(str(WaveName(shift.name, first)), OrderId("o-00"))
    sick = (drawn or (shift.persons[0].candidate.person,))[0]
    operator.wait_until(at(5, 52))
    operator.report_absence(shift, sick)
    operator.request_replacement(shift, first, sick)
    operator.approve_replacement(shift, first, sick)
    for start in (second, third, fourth):
        operator.freeze(shift, start)
        operator.draw(shift, start)
    operator.record(
        Kind.READ,
        {"by": operator.person(shift.name, "supervisor"), "what": f"{WaveName(shift.name, fourth)}/assignments"},
    )
    operator.close(shift)


def check(operator: Operator, **arguments: Any) -> Report:
    """The report on the operator's log, which he signed as it is."""
    return verify_bundle(read_bundle(io.BytesIO(operator.to_bundle())), **arguments)


def codes(report: Report) -> set[str]:
    """The codes of what is wrong."""
    return {str(finding.code) for finding in report.findings}
