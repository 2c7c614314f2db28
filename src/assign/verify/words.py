"""A report as lines of text for a person."""

from __future__ import annotations

from collections.abc import Iterator

from assign.verify.findings import Finding
from assign.verify.guarantee import Guarantee
from assign.verify.report import Report, ShiftReport, WaveState

__all__ = ["report_in_words", "verdict_in_words"]

_LISTED = 20


def verdict_in_words(report: Report) -> str:
    """One sentence: all is well, or the first thing that is wrong."""
    if not report.is_sound:
        more = report.findings_count - 1
        return f"WRONG: {_plain(str(report.findings[0]))}" + (f" And {more} more." if more else "")
    if not report.is_complete:
        waiting = report.draws - report.draws_replayed
        return (
            f"NOT COMPLETE: nothing is wrong so far, but {waiting} of {report.draws} draws cannot be replayed "
            "before their shift is closed. Export again after that."
        )
    steered = " The clock was steered: a test or demonstration, not evidence." if report.is_clock_steered else ""
    return f"OK: all {report.draws} draws replay byte for byte and every proof holds.{steered}"


def report_in_words(report: Report) -> Iterator[str]:
    """The whole report, line by line, without the verdict."""
    yield f"Log      {_plain(report.origin)}, {report.tree_size} entries, root {report.root.hex()}"
    source = "the key you gave" if report.is_key_trusted else "from the bundle itself: weaker, see below"
    yield f"Key      {_plain(report.log_key)} ({source})"
    if report.witnesses:
        yield f"Witness  {report.quorum} needed of {', '.join(map(_plain, report.witnesses))} (the keys you gave)"
    if report.is_clock_steered:
        yield "Clock    steered: this is a test or demonstration, not evidence"
    yield ""
    yield "Shifts"
    for shift in report.shifts:
        yield f"  {_shift(shift)}"
    yield ""
    yield "Checked"
    for what, count in report.checked:
        yield f"  {count:>9,}  {what}"
    yield ""
    yield "Not checked"
    for item in report.not_checked:
        yield f"  {_plain(item.what)}: {_plain(item.why)}"
    for guarantee, names in _guarantees(report):
        yield ""
        yield f"What the draws of {names} rest on: {_plain(guarantee.beacon)}"
        yield f"  To know an outcome early: {_plain(guarantee.know_early)}"
        yield f"  To change an outcome: {_plain(guarantee.change)}"
    yield from _listed("Worth a look", report.attention, report.attention_count)
    yield from _listed("Wrong", report.findings, report.findings_count)
    yield ""


def _shift(shift: ShiftReport) -> str:
    counts = {state: shift.count(state) for state in WaveState}
    parts = [f"{count} {state}" for state, count in counts.items() if count]
    state = "closed" if shift.is_closed else "still open"
    return f"{_plain(shift.name)}: {state}; of {shift.calendar_waves} waves {', '.join(parts) or 'none begun'}"


def _guarantees(report: Report) -> list[tuple[Guarantee, str]]:
    """Each guarantee once, with the shifts it holds for."""
    names: dict[Guarantee, list[str]] = {}
    for shift in report.shifts:
        names.setdefault(shift.guarantee, []).append(shift.name)
    return [
        (guarantee, _plain(shifts[0]) if len(shifts) == 1 else f"{len(shifts)} shifts")
        for guarantee, shifts in names.items()
    ]


def _listed(title: str, items: tuple[Finding, ...], count: int) -> Iterator[str]:
    if not count:
        return
    yield ""
    yield f"{title} ({count})"
    for item in items[:_LISTED]:
        yield f"  {_plain(str(item))}"
    if count > _LISTED:
        yield f"  … and {count - _LISTED} more; --json lists {len(items)}"


def _plain(text: str) -> str:
    """`text` without anything that a terminal would obey: it may come from a hostile log."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
