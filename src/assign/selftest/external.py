"""Other people's batteries on the keystream, where they are installed: `ent` and `dieharder` (Debian packages)."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator

from assign import _core
from assign.selftest.chi_square import lower_and_upper_tail
from assign.selftest.golden import key_of
from assign.selftest.report import OVERALL_FALSE_ALARM, Check

__all__ = ["run_external"]

_SECONDS = 600
_ENT_BYTES = 1 << 24
_BYTE_DEGREES = 255
# Tests that read a stream of a few hundred megabytes only: generalised minimum distance and the like would wrap.
_DIEHARDER_TESTS = {
    "0": "birthdays",
    "2": "32x32 binary rank",
    "8": "count of ones in a stream",
    "15": "runs",
    "100": "monobit",
    "101": "runs of bits",
    "102": "serial",
}
_DIEHARDER_BYTES = 1 << 28
_RESULT = re.compile(r"\|\s*([01]\.\d+)\s*\|\s*(PASSED|WEAK|FAILED)", re.ASCII)


def run_external() -> tuple[Check, ...]:
    """One check a tool, and a check that passes for each that is not installed."""
    return (_ent(), _dieharder())


def _absent(name: str, words: str) -> Check:
    return Check(name=name, words=words, is_passed=True, detail="not installed, left out", is_optional=True)


def _run(command: list[str], data: bytes) -> str:
    done = subprocess.run(  # noqa: S603 - a fixed command line, no shell
        command, input=data, capture_output=True, timeout=_SECONDS, check=False
    )
    return done.stdout.decode("utf-8", "replace")


def _ent() -> Check:
    words = "ent's chi-square of the keystream's bytes"
    program = shutil.which("ent")
    if program is None:
        return _absent("ent", words)
    # Terse output, second line: 1,bytes,entropy,chi-square,mean,pi,correlation.
    fields = _run([program, "-t"], _core.keystream(key_of("ent"), _ENT_BYTES)).splitlines()[-1].split(",")
    try:
        entropy, value = float(fields[2]), float(fields[3])
    except (IndexError, ValueError):
        return Check(name="ent", words=words, is_passed=False, detail="its answer could not be read")
    low, high = lower_and_upper_tail(value, _BYTE_DEGREES)
    limit = OVERALL_FALSE_ALARM[0] / OVERALL_FALSE_ALARM[1]
    detail = f"{_ENT_BYTES:,} bytes, {entropy:.6f} bits a byte, chi-square {value:.1f} where {_BYTE_DEGREES} is usual"
    return Check(name="ent", words=words, is_passed=min(low, high) >= limit, detail=detail)


def _dieharder() -> Check:
    words = "dieharder on the keystream"
    program = shutil.which("dieharder")
    if program is None:
        return _absent("dieharder", words)
    data = _core.keystream(key_of("dieharder"), _DIEHARDER_BYTES)
    results = [result for number in _DIEHARDER_TESTS for result in _one_test(program, number, data)]
    failed = [f"{name} (p = {p})" for name, p, verdict in results if verdict == "FAILED"]
    weak = sum(verdict == "WEAK" for _, _, verdict in results)
    if not results:
        return Check(name="dieharder", words=words, is_passed=False, detail="its answer could not be read")
    detail = f"{len(results)} results, {weak} weak" if not failed else f"failed: {', '.join(failed)}"
    return Check(name="dieharder", words=words, is_passed=not failed, detail=detail)


def _one_test(program: str, number: str, data: bytes) -> Iterator[tuple[str, str, str]]:
    # Generator 200 reads raw bytes from standard input.
    for p, verdict in _RESULT.findall(_run([program, "-g", "200", "-d", number], data)):
        yield _DIEHARDER_TESTS[number], p, verdict
