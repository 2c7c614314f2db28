"""The recovery drill: it passes on a sound installation, and fails where recovery would."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from escrow_site import ENVIRONMENT

from assign.errors import InvalidInput
from server.escrow import recover_master
from server.escrow.drill import run_drill
from server.escrow.shares import Recovered, Share
from server.storage.sqlite import open_writer


def test_drill_command_passes() -> None:
    """`assign escrow drill` loses a key, recovers it and draws the same outcome, with a verdict."""
    done = subprocess.run(
        [sys.executable, "-m", "server", "escrow", "drill", "--json"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert report["is_passed"] is True
    assert len(report["steps"]) == 10
    assert report["verdict"].startswith("PASSED: any 2 of 3 custodians")
    assert "SECRET-KEY" not in done.stdout


def test_drill_with_other_numbers(tmp_path: Path) -> None:
    """3 of 4 custodians as well."""
    assert run_drill(tmp_path, threshold=3, custodians=4, open_store=open_writer).is_passed


@pytest.mark.parametrize(("threshold", "custodians"), [(1, 3), (4, 3), (2, 256)])
def test_impossible_drill_is_refused(tmp_path: Path, threshold: int, custodians: int) -> None:
    """Before anything is made."""
    with pytest.raises(InvalidInput, match="ESCROW_THRESHOLD"):
        run_drill(tmp_path, threshold=threshold, custodians=custodians, open_store=open_writer)
    assert list(tmp_path.iterdir()) == []


def test_drill_finds_a_recovery_that_does_not_seal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the seed not stored again, the drill would say so."""
    monkeypatch.setattr(recover_master, "replace_master", lambda *_: None)
    report = run_drill(tmp_path, threshold=2, custodians=3, open_store=open_writer)
    assert not report.is_passed
    assert [step.promise for step in report.steps if not step.is_kept] == [
        "enough custodians recover the committed seed"
    ]
    assert report.verdict().startswith("FAILED")


def test_drill_finds_an_escrow_that_asks_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were too few shares, or any share, taken for enough, the drill would say so."""

    def take_anything(shares: Sequence[Share], _commit: object) -> Recovered:
        return Recovered(value=bytearray(32), secret=shares[0].secret, used=(), wrong=())

    monkeypatch.setattr(recover_master, "recover_secret", take_anything)
    report = run_drill(tmp_path, threshold=2, custodians=3, open_store=open_writer)
    kept = {step.promise: step.is_kept for step in report.steps}
    assert kept["too few custodians get nothing"] is False
    assert kept["a share of another shift is refused"] is False
    assert kept["enough custodians recover the committed seed"] is False
