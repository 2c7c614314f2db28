"""The self-test as one call, and the guard that a server passes before it listens."""

from __future__ import annotations

from functools import cache

from assign import _core
from assign.errors import Corrupt
from assign.selftest.battery import LONG, SHORT, run_battery
from assign.selftest.external import run_external
from assign.selftest.known_answers import check_known_answers
from assign.selftest.report import SelfTestReport

__all__ = ["require_sound_build", "run_selftest"]


def run_selftest(*, is_long: bool) -> SelfTestReport:
    """Everything about the installed build: under a second, or a minute or two and other people's batteries."""
    external = run_external() if is_long else ()
    return SelfTestReport(
        algorithm=_core.ALGORITHM,
        known=check_known_answers(),
        chance=(*run_battery(LONG if is_long else SHORT), *external),
        is_long=is_long,
    )


@cache
def require_sound_build() -> SelfTestReport:
    """The short self-test, once a process: raises Corrupt (SELFTEST_FAILED) where this build must not draw."""
    report = run_selftest(is_long=False)
    if not report.is_sound:
        found = "; ".join(f"{check.name}: {check.detail}" for check in report.wrong)
        raise Corrupt(
            "SELFTEST_FAILED",
            f"This build of the draw is not sound, so nothing is served ({found}). Run `assign selftest`, and "
            "install the software again from a source you trust.",
        )
    return report
