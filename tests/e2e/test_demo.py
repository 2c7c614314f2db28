"""A small day with real processes: certificates, beacon parties, witnesses, server, clients, export, verification."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from server.demo.port_day import DEFAULT_TERMINALS, DayPlan
from server.demo.processes import run_assign_verify
from server.demo.run import run_demo
from server.demo.summary import Summary

SMALL = DayPlan(
    terminals=DEFAULT_TERMINALS[:3],
    shift_count=1,
    order_count=45,
    inspector_count=30,
    selector_count=6,
    sick_call_count=1,
)
HEADER = "Declaration ID,Mode of Transport,Declarant ID,Importer ID,HS6 Code,Fraud,Critical Fraud\n"


@pytest.fixture(scope="module")
def played(tmp_path_factory) -> tuple[Path, Summary]:
    """One small day, played once."""
    directory = tmp_path_factory.mktemp("demo")
    return directory, run_demo(directory, declarations=None, plan=SMALL)


def test_every_order_is_inspected_or_left_over_openly(played):
    _, summary = played
    counts = summary.counts
    assert counts["slots"] == counts["orders"] == 45 + 2
    assert counts["inspections"] + counts["left_over"] == counts["slots"]
    assert 1 <= counts["left_over"] <= 4  # the urgent container that needs a dog, and what bad luck adds
    assert counts["draws"] == counts["draws_replayed"] == counts["waves"] == 32


def test_somebody_was_replaced_after_the_draw_by_two_people(played):
    _, summary = played
    assert summary.counts["replacements"] >= 1
    assert summary.refusals["APPROVER_IS_REQUESTER"] >= 1


@pytest.mark.parametrize(
    "reason",
    [
        "CONTAINER_CHECK_DIGIT",
        "UNKNOWN_TERMINAL",
        "SLOT_IN_PAST",
        "OTHER_TERMINAL",
        "REQUEST_ID_REUSED",
        "REVEAL_TOO_EARLY",
        "REVEAL_TOO_LATE",
        "NOT_OWN_ASSIGNMENT",
        "ROLE_NOT_ALLOWED",
        "WAVE_NOT_STARTED",
        "WAVE_FROZEN",
        "NOT_OWN_ABSENCE",
        "NOT_CLEARED",
        "MESSAGE_MALFORMED",
        "ABSENT",
        "RESOURCE_EXHAUSTED",
        "UNAVAILABLE",
    ],
)
def test_attempt_was_refused_for_its_reason(played, reason):
    """The server's own words, over the wire; the two last are gRPC statuses of what never reached a method."""
    _, summary = played
    assert summary.refusals[reason] >= 1


def test_summary_is_json_and_names_no_inspector(played):
    _, summary = played
    text = json.dumps(summary.to_json())
    assert '"i-0' not in text
    assert summary.guarantee["know_early"]


def test_changed_copies_are_refused_with_a_reason(played):
    directory, summary = played
    flipped, repaired, signed, forked, bare = summary.tampered
    assert "changed" in flipped
    assert "ROOT_MISMATCH" in repaired
    assert "REPLAY_MISMATCH" in signed  # not even the log's own key makes another outcome valid
    assert "CHECKPOINT_FORKED" in forked
    assert "FREEZE_UNWITNESSED" in bare
    assert (directory / "day.bundle").stat().st_size == summary.counts["bundle_bytes"]


def test_every_freeze_was_cosigned_by_both_witnesses(played):
    """The keys are not the bundle's; with them the operator alone cannot have dated anything back."""
    directory, summary = played
    counts = summary.counts
    assert counts["witnesses"] == 2
    assert counts["freezes_witnessed"] == counts["waves"] == counts["checkpoints_kept"]
    assert counts["checkpoints_cosigned"] >= counts["waves"]
    assert "both witnesses" in summary.guarantee["change"]
    assert "operator alone" not in summary.guarantee["change"]
    for name in ("university", "customs-union"):
        vkey = (directory / f"{name}.vkey").read_text()
        assert vkey.startswith(f"witness.example/{name}+")


def test_without_the_witnesses_keys_the_operator_alone_is_named(played):
    """What the same file says to an auditor who names no witness."""
    directory, _ = played
    done = run_assign_verify("day.bundle", "--key", "log.vkey", "--json", cwd=directory)
    assert done.status == 0
    change = json.loads(done.output)["shifts"][0]["guarantee"]["change"]
    assert "operator alone" in change
    assert "no witness was named" in change


def test_custodians_hold_the_seed_together(played):
    _, summary = played
    assert any("enough custodians together" in promise for promise in summary.promises)
    assert summary.promises["one custodian fewer recovers nothing"] == 1


def test_nothing_keeps_running(played):
    """Server, beacon parties and witnesses have ended: nobody holds their files."""
    directory, _ = played
    needle = str(directory)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = (process / "cwd").readlink()
        except OSError:
            continue
        assert needle not in str(where)


def test_another_seed_and_another_file_make_another_day(tmp_path):
    """Fewer rows than wanted, blanks, duplicates: all that can be used is used, and the day is sound."""
    rows = [f"X/{number},10,D{number % 7},I{number % 11},{chapter}0000,1,{number % 3}" for number in range(9)
            for chapter in ("07", "29")]  # fmt: skip
    rows += ["", "X/1,10,,,850000,0,0", ",10,,,1,0,0", "N-1,10,,,,,", "A-1,40,D,I,850000,0,0"]
    file = tmp_path / "other.csv"
    file.write_bytes(b"\xef\xbb\xbf" + (HEADER + "\n".join(rows) + "\n").encode())
    plan = replace(SMALL, seed=7, order_count=400, inspector_count=18)
    summary = run_demo(tmp_path / "day", declarations=file, plan=plan)
    assert summary.counts["declarations_used"] == 10
    assert any("fewer sea rows" in note for note in summary.notes)
    assert any("occurred before" in note for note in summary.notes)
    assert summary.counts["draws_replayed"] == 32


def test_unusable_file_ends_the_command_with_a_clear_line(tmp_path):
    file = tmp_path / "air.csv"
    file.write_text(HEADER + "1,40,D,I,850000,0,0\n")
    command = [
        sys.executable,
        "-m",
        "server",
        "demo",
        "--declarations",
        str(file),
        "--directory",
        str(tmp_path),
        "--json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "DECLARATIONS_NO_SEA" in done.stderr
    assert json.loads(done.stdout)["kept"] is False
