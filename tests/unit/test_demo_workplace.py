"""The demonstration's directory: what it replaces, and what it leaves alone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from assign.errors import Conflict, InvalidInput
from server.demo.declarations import shipped_declarations
from server.demo.port_day import DEFAULT_TERMINALS, DayPlan, make_port_day
from server.demo.processes import is_running_in
from server.demo.workplace import Workplace

DAY = make_port_day(
    shipped_declarations(), DayPlan(terminals=DEFAULT_TERMINALS[:1], shift_count=1, order_count=3, inspector_count=4)
)


def test_foreign_directory_is_left_alone(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "precious").write_text("mine")
    with pytest.raises(InvalidInput, match="DEMO_DIRECTORY"):
        Workplace(tmp_path, DAY).prepare(DAY.shifts[0].start)
    assert (tmp_path / "run" / "precious").read_text() == "mine"


def test_running_demonstration_is_not_pulled_away(tmp_path):
    """Programs of an earlier demonstration that was told to keep them are named, with how to stop them."""
    run = tmp_path / "run"
    run.mkdir()
    (run / ".assign-demo").touch()
    with subprocess.Popen([sys.executable, "-c", "input()"], cwd=run, stdin=subprocess.PIPE) as child:
        Workplace(tmp_path, DAY).note_running([child.pid])
        with pytest.raises(Conflict, match=f"kill {child.pid}"):
            Workplace(tmp_path, DAY).prepare(DAY.shifts[0].start)
        child.communicate(b"\n")
    assert not is_running_in(child.pid, run)


def test_process_elsewhere_is_not_ours(tmp_path):
    assert not is_running_in(os.getpid(), tmp_path)


def test_everybody_has_one_role():
    """No id twice, nobody both selects and inspects; every role of the contract is there."""
    identities = Workplace(Path("x"), DAY).identities()
    assert len({one.id for one in identities}) == len(identities)
    assert len({one.role for one in identities}) == 8
