"""What all tests share: replayable entropy, and how many tests of each layer ran."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
from seeded_entropy import SeededEntropy

_TESTS = Path(__file__).parent
_OUTCOMES = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


@pytest.fixture
def entropy() -> SeededEntropy:
    """The same bytes in each run, other bytes at each call."""
    return SeededEntropy(0)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """What a test does to the operator's log ends with it: otherwise the order of tests would matter."""
    yield
    structlog.reset_defaults()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show, before pytest's own last line, what each folder of tests (a layer) did."""
    layers: dict[str, Counter[str]] = {}
    for outcome in _OUTCOMES:
        for report in terminalreporter.getreports(outcome):
            layer = _layer(report, terminalreporter.config.rootpath)
            layers.setdefault(layer, Counter())[outcome] += 1
    if layers:
        terminalreporter.section("tests by layer")
    for layer, counts in sorted(layers.items()):
        shown = ", ".join(f"{counts[outcome]} {outcome}" for outcome in _OUTCOMES if counts[outcome])
        terminalreporter.write_line(f"{layer:<12} {shown}")


def _layer(report: object, root: Path) -> str:
    """The folder directly below `tests` that the report's file is in."""
    path = root / str(getattr(report, "nodeid", "")).partition("::")[0]
    inside = path.relative_to(_TESTS).parts if path.is_relative_to(_TESTS) else ()
    return inside[0] if len(inside) > 1 else "tests"
