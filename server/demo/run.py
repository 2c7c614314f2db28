"""The whole demonstration, from an empty directory to a verified day."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from server.clock import ClockFile
from server.demo.clients import Clients
from server.demo.custody import try_custodians
from server.demo.declarations import read_declarations, shipped_declarations
from server.demo.evidence import Evidence, gather_evidence
from server.demo.hostile import send_bad_batches, send_bad_plans, send_garbage
from server.demo.messages import Messages
from server.demo.outsiders import OF_THE_DAY
from server.demo.port_day import DayPlan, PortDay, make_port_day
from server.demo.preparation import book_day, import_day, open_shifts, show_planner
from server.demo.processes import Processes
from server.demo.promises import Promises
from server.demo.screens import Screens
from server.demo.stage import Stage
from server.demo.storyline import play_day, show_attempts
from server.demo.summary import Summary, show_end, summarise
from server.demo.workplace import SUPERVISOR, Workplace

__all__ = ["run_demo"]

_HOURS_BEFORE = 10


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
    workplace = Workplace(directory, day, OF_THE_DAY)
    evening = day.shifts[0].start - timedelta(hours=_HOURS_BEFORE)
    screens.moment(evening, f"a day at {plan.port}: the evening before")
    for note in day.notes:
        screens.say(note)
    with screens.working("Making certificates, everybody's keys and the parties' chains"):
        steering = workplace.prepare(evening)
    with steering as clock, Processes(workplace.logs, keep=keep) as processes:
        stage = _set(day, workplace, clock, processes, screens)
        evidence = asyncio.run(_play(stage, workplace))
        summary = summarise(stage, workplace, evidence, time.monotonic() - started)
        show_end(stage, summary, evidence)
        if keep:
            _show_kept(stage, workplace)
    return summary


def _set(day: PortDay, workplace: Workplace, clock: ClockFile, processes: Processes, screens: Screens) -> Stage:
    """Start the programs; the stage on which the day is played."""
    with screens.working("Starting the beacon's parties, the witnesses and the server"):
        urls = workplace.start_parties(processes)
        witness_urls = workplace.start_witnesses(processes)
        address = workplace.start_server(processes, urls, witness_urls)
    started = ", ".join(f"{name} ({pid})" for name, pid in processes.pids().items())
    screens.say(f"Started: {started}; the server listens on {address}.")
    promises = Promises()
    _say_banner(promises, workplace, screens)
    return Stage(
        day=day,
        clock=clock,
        clients=Clients(address, workplace.certificates),
        processes=processes,
        promises=promises,
        screens=screens,
        messages=Messages(day.plan.port, day.plan.seed),
        party_urls=urls,
        log_key=workplace.log_key.read_text().strip(),
        orders={order.order: order for order in day.orders},
        slots=[*day.slots],
        witness_urls=witness_urls,
        witness_keys={name: path.read_text().strip() for name, path in workplace.witness_keys.items()},
    )


def _say_banner(promises: Promises, workplace: Workplace, screens: Screens) -> None:
    """What the server says of itself: whose word a draw needs, and who can open its secrets."""
    said, outsiders = " / ".join(workplace.banner()), workplace.outsiders
    for words in (
        f"{len(outsiders.witnesses)} of {len(outsiders.witnesses)} witnesses cosign each freeze",
        f"{outsiders.threshold} of {len(outsiders.custodians)} custodians together open",
    ):
        promises.keep("the server says how many witnesses a draw needs, and custodians its seed", words in said, said)
    for line in workplace.banner():
        screens.say(f"The server's banner: {line}.")


async def _play(stage: Stage, workplace: Workplace) -> Evidence:
    try:
        await stage.play("the evening before", _prepare(stage, workplace))
        saved = await play_day(stage)
        stage.screens.moment(stage.clock.now(), "the auditor")
        with stage.screens.working("Exporting, verifying, replaying, forging"):
            return await stage.play("the audit", gather_evidence(stage, workplace, saved))
    finally:
        await stage.clients.close()


async def _prepare(stage: Stage, workplace: Workplace) -> None:
    await open_shifts(stage)
    await try_custodians(stage, workplace)
    await send_bad_batches(stage)
    await import_day(stage)
    await send_bad_plans(stage)
    await book_day(stage)
    await send_garbage(stage)
    await show_planner(stage, stage.slots[0].terminal)
    show_attempts(stage)


def _show_kept(stage: Stage, workplace: Workplace) -> None:
    """What stays, how to call it, how to stop it."""
    pids, say = stage.processes.pids().values(), stage.screens.say
    workplace.note_running(pids)
    certificates, supervisor = workplace.run / "certs", workplace.certificates.client_files("person", SUPERVISOR.id)
    others = stage.party_urls | stage.witness_urls
    parties = ", ".join(f"{name} on {url}" for name, url in others.items())
    say(f"Still running: server on {stage.clients.address}, {parties}; the clock stands still. For instance:")
    say(
        f"grpcurl -cacert {certificates / 'authority.pem'} -cert {supervisor.certificate} -key {supervisor.key} "
        f'-d \'{{"parent": "{stage.messages.shift(stage.day.shifts[0].shift)}"}}\' {stage.clients.address} '
        "assign.v1.WaveService/ListWaves"
    )
    say(f"Stop them with: kill {' '.join(str(pid) for pid in pids)}")
