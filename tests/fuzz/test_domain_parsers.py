"""Every parser of outside bytes, for a short time; and again whatever a longer run (`make fuzz`) has ever found.

FUZZ_SECONDS in the environment is the time that each parser gets (0.3).
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from fuzz_engine import CORPUS, outcome, run_target
from fuzz_targets import TARGETS

_SECONDS = float(os.environ.get("FUZZ_SECONDS", "0.3"))
_KEPT = sorted(path for path in CORPUS.glob("*/*") if path.is_file())


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_parser_answers_damaged_bytes(name: str) -> None:
    """With a value or an AssignError, in bounded time."""
    assert run_target(name, TARGETS[name], seconds=_SECONDS, corpus=None, examples=40) > 0


@pytest.mark.parametrize("name", sorted(set(TARGETS) - {"beacon-evidence", "calls", "witness-requests"}))
def test_parser_takes_what_it_should(name: str) -> None:
    """Otherwise only its first line would ever be tried."""
    assert {outcome(TARGETS[name], seed) for seed in TARGETS[name].seeds} == {"OK"}


@pytest.mark.parametrize("path", _KEPT, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_ends_as_before(path: Path) -> None:
    """The name of the file says how: OK, or the reason of the refusal."""
    assert path.parent.name in TARGETS, "a parser was renamed"
    assert outcome(TARGETS[path.parent.name], path.read_bytes()) == path.name.rpartition("-")[0]


def test_corpus_is_there() -> None:
    """Each parser has at least the inputs that a short run finds."""
    assert {path.parent.name for path in _KEPT} == set(TARGETS)
