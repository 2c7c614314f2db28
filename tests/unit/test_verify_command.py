"""`assign-verify` as a user meets it: exit status, words, JSON, files that are none."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from simulated_day import run_day
from simulated_log import SIGNER, Operator, shift_name
from typer.testing import CliRunner, Result

from assign.cli import register
from assign.encoding import sha256
from assign.log.entries import Kind
from assign.log.note import NoteSigner
from assign.verify.findings import Attention, Code


def run(*arguments: str | Path) -> Result:
    """Run the command as another command line mounts it."""
    app = typer.Typer()

    @app.callback()
    def other() -> None:
        """Another command line."""

    register(app)
    return CliRunner().invoke(app, ["verify", *map(str, arguments)])


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """A sound bundle."""
    path = tmp_path / "day.bundle"
    path.write_bytes(run_day(Operator()).to_bundle())
    return path


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The log's key in a file."""
    path = tmp_path / "log.vkey"
    path.write_text(SIGNER.verifier().vkey() + "\n")
    return path


def test_sound_bundle(day: Path, key: Path) -> None:
    """Exit status 0, and the last line says why."""
    result = run(day, "--key", key)
    assert result.exit_code == 0
    assert "OK: all 7 draws replay byte for byte" in result.stdout
    assert "the key you gave" in result.stdout
    assert "To know an outcome early" in result.stdout
    assert "both beacon parties, beacon-a.example, beacon-b.example" in result.stdout
    assert "no witness has cosigned" in result.stdout


def test_quiet_says_nothing_when_all_is_well(day: Path, key: Path) -> None:
    """For scripts."""
    assert run(day, "--key", key, "--quiet").stdout == ""


def test_json_is_the_whole_report(day: Path) -> None:
    """For machines: one object, the documented fields."""
    report = json.loads(run(day, "--json").stdout)
    assert (report["format"], report["is_sound"], report["is_complete"]) == ("verification/v1", True, True)
    assert report["shifts"][0]["waves"][0]["state"] == "replayed"
    assert report["is_key_trusted"] is False


def test_wrong_bundle_names_the_first_finding(tmp_path: Path) -> None:
    """Exit status 1; the last line is the first thing that is wrong, with its entry."""
    operator = run_day(Operator())
    index = operator.edit(Kind.DRAW, lambda body: body.update(transcript="00" * 32))
    path = tmp_path / "bent.bundle"
    path.write_bytes(operator.to_bundle())
    for arguments in ((), ("--quiet",)):
        result = run(path, *arguments)
        assert result.exit_code == 1
        last = result.stdout.strip().splitlines()[-1]
        assert last.startswith("WRONG: REPLAY_MISMATCH")
        assert f"log entry {index}" in last
    (finding,) = json.loads(run(path, "--json").stdout)["findings"]
    assert (finding["code"], finding["leaf_index"]) == ("REPLAY_MISMATCH", index)


def test_incomplete_bundle_is_not_a_success(tmp_path: Path) -> None:
    """Draws that cannot be replayed yet are no evidence: exit status 1, and what to do."""
    operator = run_day(Operator())
    del operator.entries[operator.find(Kind.CLOSE, 1) :]
    operator.shifts[str(shift_name("B"))].is_closed = False
    path = tmp_path / "open.bundle"
    path.write_bytes(operator.to_bundle())
    result = run(path)
    assert result.exit_code == 1
    assert "NOT COMPLETE" in result.stdout
    assert "Export again" in result.stdout


def test_other_key(day: Path, tmp_path: Path) -> None:
    """The auditor's key decides."""
    path = tmp_path / "other.vkey"
    path.write_text(NoteSigner(SIGNER.name, sha256(b"other")).verifier().vkey())
    result = run(day, "--key", path, "--quiet")
    assert result.exit_code == 1
    assert "LOG_KEY_MISMATCH" in result.stdout


@pytest.mark.parametrize("content", [b"", b"not a bundle", b"\xff" * 1000])
def test_file_that_is_no_bundle(tmp_path: Path, content: bytes) -> None:
    """Exit status 2 and a reason, in words and in JSON."""
    path = tmp_path / "some.file"
    path.write_bytes(content)
    result = run(path)
    assert result.exit_code == 2
    assert "BUNDLE_" in result.stderr
    assert json.loads(run(path, "--json").stdout)["is_sound"] is False


def test_flipped_byte(day: Path) -> None:
    """One byte of the file changed: it is refused."""
    data = bytearray(day.read_bytes())
    data[len(data) // 2] ^= 1
    day.write_bytes(bytes(data))
    assert run(day).exit_code == 2


def test_missing_file_and_bad_key(day: Path, tmp_path: Path) -> None:
    """What the user can mend is named."""
    missing = run(tmp_path / "nothing")
    assert missing.exit_code == 2
    assert "No such file" in missing.stderr
    bad = tmp_path / "bad.vkey"
    bad.write_text("hello")
    refused = run(day, "--key", bad)
    assert refused.exit_code == 2
    assert "KEY_" in refused.stderr
    assert run(day, "--key", tmp_path / "no.vkey").exit_code == 2


def test_terminal_is_never_obeyed_by_a_hostile_log(tmp_path: Path) -> None:
    """Control characters in an order's name are shown, not sent."""
    operator = run_day(Operator())
    operator.edit(Kind.SLOT_CANCEL, lambda body: body.update(slot="\x1b[2J[red]gone"))
    path = tmp_path / "hostile.bundle"
    path.write_bytes(operator.to_bundle())
    result = run(path)
    assert "\x1b[2J" not in result.stdout
    assert "\\u001b[2J[red]gone" in result.stdout


def test_help_explains(day: Path) -> None:
    """A new user learns what it does and what the exit status means."""
    text = " ".join(run("--help").stdout.split())
    assert "offline" in text
    assert "byte for byte" in text
    assert "Exit status" in text


def test_every_code_is_in_the_documentation() -> None:
    """The page lists exactly the findings that there are."""
    page = (Path(__file__).parents[2] / "docs" / "bundle.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", page, re.MULTILINE)) == {str(code) for code in (*Code, *Attention)}


_LOADED = """
import sys
from assign.cli import main
sys.argv = ["assign-verify", sys.argv[1], "--quiet"]
try:
    main()
except SystemExit as end:
    assert end.code == 0, end.code
roots = {name.partition(".")[0] for name in sys.modules}
print(sorted(roots & {"grpc", "google", "sqlalchemy", "starlette", "httpx2", "uvicorn", "server"}))
"""


def test_command_loads_no_server(day: Path) -> None:
    """The verifier runs where neither gRPC nor a database is installed."""
    done = subprocess.run(
        [sys.executable, "-c", _LOADED, str(day)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout.strip(), done.returncode) == ("[]", 0), done.stderr


def test_module_runs_as_the_installed_command_does(day: Path) -> None:
    """`python -m assign.cli` is the same command."""
    done = subprocess.run(
        [sys.executable, "-m", "assign.cli", str(day), "-q"], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0
