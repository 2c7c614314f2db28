"""`docs/threats.md` and the tests: every row has one, every one that is named exists, and none is left out."""

from __future__ import annotations

import re
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (_ROOT / "docs/threats.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| attacker")
]
_NAMES = re.compile(r"`(test_\w+)`")
_EXEMPT = {"test_observer_sees_a_thousand_waves_with_other_outcomes", "test_the_comparison_of_times_has_its_power"}


def _tests() -> set[str]:
    files = [*Path(__file__).parent.glob("test_*.py"), _ROOT / "tests/statistical/test_leakage.py"]
    return {
        name
        for file in files
        if file != Path(__file__)
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }


def test_every_row_names_tests_that_exist() -> None:
    """A row without a test, or with one that was renamed, promises nothing."""
    assert len(_ROWS) > 25
    for attacker, tries, stopped, tests in _ROWS:
        named = _NAMES.findall(tests)
        assert named, (attacker, tries)
        assert stopped
        assert set(named) <= _tests(), (attacker, tries)


def test_every_test_stands_in_a_row() -> None:
    """An attack that is tested and not told is no news to an auditor."""
    named = {name for row in _ROWS for name in _NAMES.findall(row[3])}
    assert _tests() - named == _EXEMPT


def test_every_attacker_stands_in_the_page() -> None:
    """All who distrust, or are distrusted: nobody was dropped from the list."""
    attackers = {row[0] for row in _ROWS}
    expected = {"operator", "operator knowing the seed", "database administrator", "thief of the log's key"}
    expected |= {f"observer {what}" for what in ("of the log", "of the network", "of the database", "with a clock")}
    assert attackers == expected | {"hostile bundle"}
