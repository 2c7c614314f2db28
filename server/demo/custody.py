"""The custodians, once the shifts are open: enough of them together bring a seed back, and one alone does not."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

from assign.v1 import roster_service_pb2
from server.demo.processes import Finished, run_assign
from server.demo.stage import Stage
from server.demo.workplace import SUPERVISOR, Workplace

__all__ = ["try_custodians"]

_SHARES = "shares"
_ENOUGH = "enough custodians together recover the seed that the first shift committed to in the log"
_TOO_FEW = "one custodian fewer recovers nothing"


async def try_custodians(stage: Stage, workplace: Workplace) -> None:
    """Hand the shares out and put the first shift's together, once with enough custodians and once with too few."""
    shift, who = stage.day.shifts[0].shift, workplace.outsiders
    enough, too_few = await asyncio.to_thread(_recover, workplace, f"{stage.day.plan.port}-{shift}")
    request = roster_service_pb2.GetShiftRequest(name=stage.messages.shift(shift))
    opened = await stage.client(SUPERVISOR).rosters.GetShift(request)
    said = (enough.errors + enough.output).strip()
    stage.promises.keep(_ENOUGH, enough.status == 0, said)
    recovered = json.loads(enough.output)["commit_master"]
    stage.promises.keep(_ENOUGH, recovered == opened.master_commitment.hex(), said)
    refused = too_few.status != 0 and "ESCROW_TOO_FEW" in too_few.errors
    stage.promises.keep(_TOO_FEW, refused, (too_few.errors + too_few.output).strip())
    names = who.custodians
    stage.screens.say(
        f"Custodians: {', '.join(names)}, each with a share of every shift's seed. "
        f"{' and '.join(names[: who.threshold])} together recover the seed that {shift} committed to; with one fewer: "
        f"{_last_line(too_few)}"
    )


def _recover(workplace: Workplace, stem: str) -> tuple[Finished, Finished]:
    """How it ends with as many custodians as are needed, and with one fewer."""
    export = run_assign("escrow", "export", "--config", "assign.toml", "--out", _SHARES, cwd=workplace.run)
    if export.status != 0:
        return export, export
    words = []
    for number, name in enumerate(workplace.outsiders.custodians, start=1):
        words.append(["--share", f"{_SHARES}/{stem}-custodian-{number}.age", "--identity", f"{name}.age"])

    def recover(count: int) -> Finished:
        options = [word for own in words[:count] for word in own]
        return run_assign("escrow", "recover", *options, "--json", cwd=workplace.run)

    threshold = workplace.outsiders.threshold
    with ThreadPoolExecutor(max_workers=2) as threads:
        enough, too_few = threads.map(recover, (threshold, threshold - 1))
    return enough, too_few


def _last_line(done: Finished) -> str:
    return (done.errors.strip().splitlines() or [""])[-1].removeprefix("Error: ")
