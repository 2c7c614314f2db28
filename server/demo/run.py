"""The whole demonstration, from an empty directory to a verified day."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from assign.encoding import Json
from server.demo.clients import Clients
from server.demo.declarations import read_declarations, shipped_declarations
from server.demo.evidence import Evidence, gather_evidence
from server.demo.hostile import send_bad_batches, send_bad_plans, send_garbage
from server.demo.messages import Messages
from server.demo.port_day import DayPlan, make_port_day
from server.demo.preparation import book_day, import_day, open_shifts, show_planner
from server.demo.processes import Processes
from server.demo.promises import Promises
from server.demo.screens import Screens
from server.demo.stage import Stage
from server.demo.storyline import play_day, show_attempts
from server.demo.workplace import Workplace

__all__ = ["Summary", "run_demo"]

_HOURS_BEFORE = 10


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


def run_demo(
    directory: Path, *, declarations: Path | None, plan: DayPlan, keep: bool = False, to_stderr: bool = False
) -> Summary:
    """Play one whole day with real processes in `directory`, and check every promise on the way.

    Args:
        declarations: a CSV file; None: the one that ships with the project.
        keep: leave the server and the beacon's parties running at the end.
        to_stderr: show the screens on stderr, so that stdout is free for the summary.

    Raises:
        BrokenPromise: something was not as promised.
        AssignError: the declarations or the directory cannot be used.
    """
    started = time.monotonic()
    source = shipped_declarations() if declarations is None else read_declarations(declarations)
    day = make_port_day(source, plan)
    screens = Screens(plan.zone, to_stderr=to_stderr)
    workplace = Workplace(directory, day)
    evening = day.shifts[0].start - timedelta(hours=_HOURS_BEFORE)
    screens.moment(evening, f"a day at {plan.port}: the evening before")
    for note in day.notes:
        screens.say(note)
    with workplace.prepare(evening) as clock, Processes(workplace.logs, keep=keep) as processes:
        urls = workplace.start_parties(processes)
        address = workplace.start_server(processes, urls)
        screens.say(f"Started: {', '.join(f'{name} ({pid})' for name, pid in processes.pids().items())}; {address}.")
        stage = Stage(
            day=day,
            clock=clock,
            clients=Clients(address, workplace.certificates),
            processes=processes,
            promises=Promises(),
            screens=screens,
            messages=Messages(plan.port, plan.seed),
            party_urls=urls,
            orders={order.order: order for order in day.orders},
            slots=[*day.slots],
        )
        evidence = asyncio.run(_play(stage, workplace))
        summary = _summarise(stage, workplace, evidence, time.monotonic() - started)
        _show(stage, summary)
        if keep:
            _show_kept(stage, workplace)
    return summary


async def _play(stage: Stage, workplace: Workplace) -> Evidence:
    try:
        await open_shifts(stage)
        await send_bad_batches(stage)
        await import_day(stage)
        await send_bad_plans(stage)
        await book_day(stage)
        await send_garbage(stage)
        await show_planner(stage, stage.slots[0].terminal)
        show_attempts(stage)
        await play_day(stage)
        stage.screens.moment(stage.clock.now(), "the auditor")
        return await gather_evidence(stage, workplace)
    finally:
        await stage.clients.close()


def _summarise(stage: Stage, workplace: Workplace, evidence: Evidence, seconds: float) -> Summary:
    journal, report = stage.journal, evidence.report
    waves = journal.waves.values()
    left_over = sum(wave.left_over_count for wave in waves)
    slots = sum(wave.slot_count for wave in waves)
    entries: dict[str, int] = report["entries"]
    memory = stage.processes.peak_memory_bytes("server") or 0
    counts = {
        "declarations_used": len(stage.day.orders),
        "orders": len(stage.orders),
        "slots": slots,
        "inspections": slots - left_over,
        "left_over": left_over,
        "teams_of_two": sum(order.team_size == 2 for order in stage.orders.values()),
        "small_pools": sum(wave.small_pool_count for wave in waves),
        "inspectors": len(stage.day.persons),
        "selectors": len(stage.day.selectors),
        "terminals": len(stage.day.plan.terminals),
        "shifts": len(stage.day.shifts),
        "waves": len(journal.waves),
        "draws": int(report["draws"]),
        "draws_replayed": int(report["draws_replayed"]),
        "reads": journal.reveals,
        "sick_calls": len(stage.day.sick_calls) + len(journal.replaced),
        "replacements": sum(one.substitute is not None for one in journal.replaced),
        "refused": len(journal.attempts),
        "log_entries": int(report["tree_size"]),
        "refusals_in_log": int(entries.get("refusal", 0)),
        "bundle_bytes": evidence.bundle_bytes,
        "server_peak_bytes": memory,
    }
    refusals = Counter(one.refusal.reason or one.refusal.code for one in journal.attempts)
    guarantee: dict[str, Any] = report["shifts"][0]["guarantee"]
    return Summary(
        counts=counts,
        refusals=dict(sorted(refusals.items())),
        promises=stage.promises.kept,
        guarantee={key: str(value) for key, value in guarantee.items()},
        notes=stage.day.notes,
        tampered=evidence.tampered,
        bundle=str(workplace.bundle),
        bundle_sha256=evidence.bundle_sha256,
        seconds=seconds,
    )


def _show(stage: Stage, summary: Summary) -> None:
    screens, counts = stage.screens, summary.counts
    screens.say(f"Exported {summary.bundle}, {counts['bundle_bytes']:,} bytes, SHA-256 {summary.bundle_sha256}.")
    screens.say(
        f"`assign verify`, given the log's public key apart: sound; {counts['draws_replayed']} of {counts['draws']} "
        f"draws replay byte for byte, {counts['log_entries']:,} log entries. What each inspector read over the wire is "
        "what the bundle replays to."
    )
    for said in summary.tampered:
        screens.say(f"Refused: {said}")
    screens.moment(stage.clock.now(), "totals")
    columns = 4
    items = [f"{name.replace('_', ' ')}: {count:,}" for name, count in counts.items()]
    items += [""] * (-len(items) % columns)
    screens.table("The day", ("", "", "", ""), [items[row : row + columns] for row in range(0, len(items), columns)])
    screens.say("Refused: " + ", ".join(f"{reason} {count}" for reason, count in summary.refusals.items()) + ".")
    screens.table(
        "Guarantee of every wave",
        ("question", "answer"),
        [(key.replace("_", " "), text) for key, text in summary.guarantee.items()],
    )
    checks = sum(summary.promises.values())
    screens.say(f"{len(summary.promises)} promises, {checks:,} checks, none broken; {summary.seconds:.1f} s.")


def _show_kept(stage: Stage, workplace: Workplace) -> None:
    pids = stage.processes.pids()
    stage.screens.say(
        f"Still running: server on {stage.clients.address}, "
        + ", ".join(f"{name} on {url}" for name, url in stage.party_urls.items())
        + f"; certificates in {workplace.run / 'certs'}."
    )
    stage.screens.say(f"Stop them with: kill {' '.join(str(pid) for pid in pids.values())}")
