"""What the day came to: the totals, what was left over and why, and what all of it rests on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from assign.encoding import Json
from assign.rules.eligibility import Verdict
from server.demo.evidence import Evidence
from server.demo.replayed import Unserved
from server.demo.stage import Stage
from server.demo.workplace import Workplace

__all__ = ["Summary", "show_end", "summarise"]

_COLUMNS = 4
_UNSERVED_SHOWN = 6
_WORDS = {
    Verdict.ABSENT: "absent",
    Verdict.NOT_ON_DUTY: "off duty by its end",
    Verdict.OTHER_TERMINAL: "at other terminals",
    Verdict.NOT_QUALIFIED: "without the qualification",
    Verdict.NO_CERTIFICATE: "without a certificate of conduct",
    Verdict.SCREENING_SIGNAL: "with an open screening signal",
    Verdict.NOT_INTERVIEWED: "not interviewed",
    Verdict.HANDLED_SELECTION: "in its selection",
    Verdict.RECUSED: "recused",
    Verdict.COOLDOWN: "with the same trade party lately",
    Verdict.BUSY: "in another inspection",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What the day came to. `promises` counts the checks behind each promise; all of them held."""

    counts: dict[str, int]
    refusals: dict[str, int]
    promises: dict[str, int]
    guarantee: dict[str, str]
    notes: tuple[str, ...]
    tampered: tuple[str, ...]
    bundle: str
    bundle_sha256: str
    seconds: float

    def to_json(self) -> dict[str, Json]:
        """An object of the attributes; seconds in thousandths."""
        return {
            "bundle": self.bundle,
            "bundle_sha256": self.bundle_sha256,
            "counts": dict(self.counts),
            "guarantee": dict(self.guarantee),
            "milliseconds": round(self.seconds * 1000),
            "notes": [*self.notes],
            "promises": dict(self.promises),
            "refusals": dict(self.refusals),
            "tampered": [*self.tampered],
        }


def summarise(stage: Stage, workplace: Workplace, evidence: Evidence, seconds: float) -> Summary:
    """The totals of a day that went as promised."""
    refusals = Counter(one.refusal.reason or one.refusal.code for one in stage.journal.attempts)
    guarantee: dict[str, Any] = evidence.report["shifts"][0]["guarantee"]
    return Summary(
        counts={**_count_day(stage), **_count_evidence(stage, evidence)},
        refusals=dict(sorted(refusals.items())),
        promises=stage.promises.kept,
        guarantee={key: str(value) for key, value in guarantee.items()},
        notes=stage.day.notes,
        tampered=evidence.tampered,
        bundle=str(workplace.bundle),
        bundle_sha256=evidence.bundle_sha256,
        seconds=seconds,
    )


def _count_day(stage: Stage) -> dict[str, int]:
    journal, day = stage.journal, stage.day
    waves = journal.waves.values()
    left_over = sum(wave.left_over_count for wave in waves)
    slots = sum(wave.slot_count for wave in waves)
    return {
        "declarations_used": len(day.orders),
        "orders": len(stage.orders),
        "slots": slots,
        "inspections": slots - left_over,
        "left_over": left_over,
        "teams_of_two": sum(order.team_size == 2 for order in stage.orders.values()),
        "small_pools": sum(wave.small_pool_count for wave in waves),
        "inspectors": len(day.persons),
        "selectors": len(day.selectors),
        "terminals": len(day.plan.terminals),
        "shifts": len(day.shifts),
        "waves": len(journal.waves),
        "reads": journal.reveals,
        "receipts": len(journal.looks),
        "sick_calls": len(day.sick_calls) + len(journal.replaced),
        "replacements": sum(one.substitute is not None for one in journal.replaced),
        "refused": len(journal.attempts),
    }


def _count_evidence(stage: Stage, evidence: Evidence) -> dict[str, int]:
    report = evidence.report
    return {
        "draws": int(report["draws"]),
        "draws_replayed": int(report["draws_replayed"]),
        "witnesses": len(stage.witness_keys),
        "freezes_witnessed": evidence.freezes_witnessed,
        "checkpoints_cosigned": evidence.checkpoints_cosigned,
        "checkpoints_kept": evidence.checkpoints_kept,
        "log_entries": int(report["tree_size"]),
        "refusals_in_log": int(report["entries"].get("refusal", 0)),
        "bundle_bytes": evidence.bundle_bytes,
        "server_peak_bytes": stage.processes.peak_memory_bytes("server") or 0,
    }


def show_end(stage: Stage, summary: Summary, evidence: Evidence) -> None:
    """The auditor's result, then the totals."""
    _show_evidence(stage, summary, evidence)
    _show_unserved(stage, evidence.replayed.unserved)
    screens = stage.screens
    screens.moment(stage.clock.now(), "totals")
    items = [f"{name.replace('_', ' ')}: {count:,}" for name, count in summary.counts.items()]
    items += [""] * (-len(items) % _COLUMNS)
    rows = [items[row : row + _COLUMNS] for row in range(0, len(items), _COLUMNS)]
    screens.table("The day", [""] * _COLUMNS, rows)
    screens.say("Refused: " + ", ".join(f"{reason} {count}" for reason, count in summary.refusals.items()) + ".")
    checks = sum(summary.promises.values())
    screens.say(f"{len(summary.promises)} promises, {checks:,} checks, none broken; {summary.seconds:.1f} s.")


def _show_evidence(stage: Stage, summary: Summary, evidence: Evidence) -> None:
    say, counts = stage.screens.say, summary.counts
    say(f"Exported {summary.bundle}, {counts['bundle_bytes']:,} bytes, SHA-256 {summary.bundle_sha256}.")
    say(
        f"`assign verify`, given the public keys of log and witnesses apart: sound; {counts['draws_replayed']} of "
        f"{counts['draws']} draws replay byte for byte, {counts['log_entries']:,} log entries. What each inspector "
        f"read over the wire is what the bundle replays to for him: {counts['receipts']} of them hold a receipt of a "
        "look, checked offline, which ties the bundle's pseudonyms to people."
    )
    for said in summary.tampered:
        say(f"Refused: {said}")
    answers = [(key.replace("_", " "), text) for key, text in summary.guarantee.items()]
    stage.screens.table("What every draw rests on, in the verifier's words", ("question", "answer"), answers)
    say(
        f"Witnesses: {' and '.join(stage.witness_keys)}, each with a key and a memory of its own, cosigned "
        f"{evidence.checkpoints_cosigned} checkpoints of the log; {counts['freezes_witnessed']} of {counts['draws']} "
        f"freezes were cosigned by all {counts['witnesses']} before their beacon round. The auditor holds a receipt of "
        "each freeze under such a checkpoint, taken before its value existed; all fit the final log, and so does what "
        "each witness says it saw last."
    )
    say(
        "Here all of them run on one machine, and witnesses under one roof are one. The clock of this day was steered: "
        "the verifier says so itself, and a demonstration is never evidence."
    )


def _show_unserved(stage: Stage, unserved: tuple[Unserved, ...]) -> None:
    if not unserved:
        return
    rows = []
    for one in unserved[:_UNSERVED_SHOWN]:
        excluded = [f"{count} {_WORDS[why]}" for why, count in one.verdicts.items() if why is not Verdict.ELIGIBLE]
        why = f"{one.eligible} eligible" + (f", wanted by {len(one.competing)} more orders" if one.competing else "")
        needs = " ".join(sorted(one.order.qualifications)) or "-"
        team = f"{one.order.team_size}"
        at = stage.screens.clock(one.order.start)
        rows.append((one.order.order, at, team, needs, f"{why}; {', '.join(excluded)}"))
    title = f"Left over: {len(unserved)}, and why, from the opened inputs"
    if len(unserved) > len(rows):
        title += f" (the first {len(rows)})"
    stage.screens.table(title, ("order", "start", "team", "needs", "the people on that shift"), rows)
