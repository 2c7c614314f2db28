"""Programs that the demonstration starts: their output, their end, and what is said when they fail."""

import os
from pathlib import Path

import pytest

from server.demo.processes import Processes, is_running_in, run_assign_verify
from server.demo.promises import BrokenPromise


def test_program_that_fails_is_named_with_its_last_words(tmp_path):
    """The promise says which program ended, how, and what it said."""
    told = r"server keeps running.*status 1.*CONFIG_UNREADABLE"
    with Processes(tmp_path, keep=False) as processes, pytest.raises(BrokenPromise, match=told):
        processes.start("server", "serve", "--config", "none.toml", ready="listening", cwd=tmp_path)


def test_everything_is_stopped_when_something_breaks_even_with_keep(tmp_path):
    """`keep` is for a day that went well: after a failure nothing stays."""
    chain = ["beacon", "init", "--state", "p.chain", "--name", "p", "--genesis", "2026-11-24T06:00:00Z"]
    with Processes(tmp_path, keep=False) as processes, pytest.raises(BrokenPromise):
        processes.start("party-init", *chain, "--length-rounds", "10", ready="never said", cwd=tmp_path)
    processes = Processes(tmp_path, keep=True)
    processes.start("party", "beacon", "serve", "--state", "p.chain", ready="listening on", cwd=tmp_path)
    (pid,) = processes.pids().values()
    assert is_running_in(pid, tmp_path)
    assert (processes.peak_memory_bytes("party") or 1) > 0
    processes.__exit__(KeyError, KeyError(), None)
    assert not is_running_in(pid, tmp_path)


def test_verifier_reports_its_status_and_words(tmp_path):
    """A file that is no bundle: status 2, and a reason on stderr."""
    file = tmp_path / "no.bundle"
    file.write_bytes(os.urandom(64))
    done = run_assign_verify(str(file), "--quiet", cwd=Path(tmp_path))
    assert done.status == 2
    assert "BUNDLE" in done.errors + done.output
