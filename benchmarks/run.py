"""Runs every benchmark and writes `benchmarks/report.json`: ratios measured side by side in this run.

    python benchmarks/run.py [NAME ...]      only the modules bench_NAME.py

Each module `bench_*.py` has `entries()`: a list of `{name, value, unit, baseline, ratio, better}`. `value` is
ours and `baseline` the other side's, in `unit`; `ratio` is `value / baseline`; `better` says which way is good.
Machines differ and drift, so only the ratios mean anything, and only within one run.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

HERE = Path(__file__).parent
_KEYS = {"name", "value", "unit", "baseline", "ratio", "better"}


def _modules(wanted: list[str]) -> list[str]:
    found = sorted(path.stem for path in HERE.glob("bench_*.py"))
    return [name for name in found if not wanted or name.removeprefix("bench_") in wanted]


def _run(names: list[str], console: Console) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = []
    for name in names:
        started = time.monotonic()
        with console.status(f"{name} …"):
            measured = importlib.import_module(name).entries()
        for entry in measured:
            if entry.keys() != _KEYS:
                raise SystemExit(f"{name}: an entry has the keys {sorted(entry)}, not {sorted(_KEYS)}")
        entries.extend(measured)
        console.print(f"{name}: {len(measured)} entries in {time.monotonic() - started:.0f} s")
    return entries


def _show(entries: list[dict[str, Any]], console: Console) -> None:
    table = Table("what", "ours", "baseline", "unit", "ratio", "better")
    for entry in entries:
        table.add_row(
            entry["name"],
            f"{entry['value']:,.4g}",
            f"{entry['baseline']:,.4g}",
            entry["unit"],
            f"{entry['ratio']:.3g}",
            entry["better"],
        )
    console.print(table)


def main() -> None:
    """Measure, show, write."""
    sys.path.insert(0, str(HERE))
    console = Console()
    wanted = sys.argv[1:]
    entries = _run(_modules(wanted), console)
    _show(entries, console)
    console.print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    if not wanted:
        (HERE / "report.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
        console.print(f"wrote {HERE / 'report.json'}")


if __name__ == "__main__":
    main()
