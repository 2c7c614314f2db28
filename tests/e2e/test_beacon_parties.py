"""Two real beacon processes, made and served by their own command line, on steered time."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from beacon_chains import GENESIS
from http_relays import relay
from typer.testing import CliRunner

from assign.draw.beacon import LocalBeacon, Party, beacon_from_json, verify_evidence
from assign.errors import Corrupt, Unavailable
from server.beacons.cli import app
from server.beacons.source import LocalSource
from server.clock import ClockFile

_COMMAND = [sys.executable, "-m", "server.beacons.cli"]
_ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_COMMAND, *arguments], env=_ENVIRONMENT, capture_output=True, text=True, timeout=30, check=False
    )


@contextmanager
def _serving(folder: Path, name: str) -> Iterator[str]:
    """A party's process; yields its URL, stops it with SIGTERM and checks that it left in order."""
    arguments = ["serve", "--state", str(folder / name), "--clock-file", str(folder / "clock")]
    pipe = subprocess.PIPE
    process = subprocess.Popen([*_COMMAND, *arguments], env=_ENVIRONMENT, stdout=pipe, stderr=pipe, text=True)
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"beacon party {name} listening on http://127.0.0.1:"), line
        yield line.split()[-1]
    finally:
        process.send_signal(signal.SIGTERM)
        rest, warning = process.communicate(timeout=15)
    assert (process.returncode, rest) == (0, "")
    assert warning.startswith("Time is simulated")
    assert warning.count("\n") == 1


@dataclass(frozen=True)
class _Beacon:
    folder: Path
    info: LocalBeacon
    clock: ClockFile

    def fetch(self, round_number: int, **urls: str) -> bytes:
        async def fetch() -> bytes:
            source = LocalSource(self.info, {name: [url] for name, url in urls.items()})
            try:
                return await source.fetch(round_number)
            finally:
                await source.close()

        return asyncio.run(fetch())

    def advance_to_round(self, round_number: int) -> None:
        self.clock.advance_to(self.info.time_of_round(round_number))


@pytest.fixture(scope="module")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with chains of 1,000 rounds of customs and port, and their pin, made by the command line."""
    folder = tmp_path_factory.mktemp("chains")
    terms = ["--genesis", "2026-11-24T06:00:00Z", "--period-seconds", "3", "--length-rounds", "1000"]
    for name in ("customs", "port"):
        made = _run("init", "--state", str(folder / name), "--name", name, *terms)
        assert made.returncode == 0, made.stderr
        (folder / f"{name}.json").write_text(made.stdout)
    pinned = _run("pin", str(folder / "customs.json"), str(folder / "port.json"))
    (folder / "pin.json").write_text(pinned.stdout.strip())
    return folder


@pytest.fixture
def beacon(chains: Path, tmp_path: Path) -> Iterator[_Beacon]:
    """A beacon of its own for each test, with time just before the first round."""
    folder = shutil.copytree(chains, tmp_path / "beacon")
    info = beacon_from_json((folder / "pin.json").read_bytes())
    assert isinstance(info, LocalBeacon)
    assert [party.name for party in info.parties] == ["customs", "port"]
    with ClockFile.create(folder / "clock", GENESIS - timedelta(microseconds=1)) as clock:
        yield _Beacon(folder, info, clock)


def test_a_day_of_two_parties(beacon: _Beacon) -> None:
    """Early is refused, due is verified, and a restart continues the same chain."""
    with _serving(beacon.folder, "port") as port:
        with _serving(beacon.folder, "customs") as customs:
            with pytest.raises(Unavailable, match="BEACON_PARTY_EARLY"):
                beacon.fetch(1, customs=customs, port=port)
            beacon.advance_to_round(1)
            first = beacon.fetch(1, customs=customs, port=port)
            beacon.clock.advance_to(beacon.info.time_of_round(500) - timedelta(microseconds=1))
            with pytest.raises(Unavailable, match="BEACON_PARTY_EARLY"):
                beacon.fetch(500, customs=customs, port=port)
            beacon.advance_to_round(500)
            middle = beacon.fetch(500, customs=customs, port=port)
        with _serving(beacon.folder, "customs") as again:
            assert beacon.fetch(1, customs=again, port=port) == first
            assert beacon.fetch(500, customs=again, port=port) == middle
            beacon.advance_to_round(1000)
            last = beacon.fetch(1000, customs=again, port=port)
    for round_number, evidence in ((1, first), (500, middle), (1000, last)):
        verify_evidence(beacon.info, round_number, evidence)


def test_a_party_that_left_is_named(beacon: _Beacon) -> None:
    """The round has no value until it is back; then it has the one it always had."""
    beacon.advance_to_round(9)
    with _serving(beacon.folder, "port") as port:
        with _serving(beacon.folder, "customs") as customs:
            before = beacon.fetch(9, customs=customs, port=port)
        with pytest.raises(Unavailable, match="BEACON_PARTY_SILENT") as caught:
            beacon.fetch(9, customs=customs, port=port)
        assert "Party customs:" in caught.value.message
        assert "Party port:" not in caught.value.message
        with _serving(beacon.folder, "customs") as customs:
            assert beacon.fetch(9, customs=customs, port=port) == before


def test_a_party_with_another_chain_is_named(beacon: _Beacon) -> None:
    """A party that made itself a new chain under its old name cannot pass it off as the pinned one."""
    beacon.advance_to_round(9)
    terms = ["--genesis", "2026-11-24T06:00:00Z", "--length-rounds", "1000"]
    assert _run("init", "--state", str(beacon.folder / "customs-2"), "--name", "customs", *terms).returncode == 0
    (beacon.folder / "customs").unlink()
    (beacon.folder / "customs-2").rename(beacon.folder / "customs")
    with _serving(beacon.folder, "port") as port, _serving(beacon.folder, "customs") as customs:
        with pytest.raises(Corrupt, match="BEACON_PARTY_FORGED") as caught:
            beacon.fetch(9, customs=customs, port=port)
        assert "Party customs:" in caught.value.message
        assert "Party port:" not in caught.value.message


def test_under_another_pin_honest_parties_do_not_pass(beacon: _Beacon) -> None:
    """The wrong chain: one anchor of the pin is another's."""
    wrong = replace(beacon.info, parties=(beacon.info.parties[0], Party(name="port", anchor=bytes(32))))
    beacon.advance_to_round(9)
    misled = replace(beacon, info=wrong)
    with (
        _serving(beacon.folder, "port") as port,
        _serving(beacon.folder, "customs") as customs,
        pytest.raises(Corrupt, match=r"BEACON_PARTY_FORGED.*Party port:"),
    ):
        misled.fetch(9, customs=customs, port=port)


def test_a_cache_before_a_party_is_as_good_as_the_party(beacon: _Beacon) -> None:
    """A relay that kept a round serves it when the party is gone; it needs no trust."""
    beacon.advance_to_round(9)
    with _serving(beacon.folder, "port") as port:
        with _serving(beacon.folder, "customs") as customs:
            evidence = beacon.fetch(9, customs=customs, port=port)
        kept = json.dumps({"round": 9, "preimage": evidence[4:36].hex()}).encode()
        with relay(lambda path: (200, kept)) as cache:
            assert beacon.fetch(9, customs=cache, port=port) == evidence


def test_the_command_line_tells_what_is_wrong(beacon: _Beacon) -> None:
    """One line on stderr with a stable reason, status 1, and nothing on stdout."""
    state, clock = str(beacon.folder / "port"), str(beacon.folder / "clock")
    terms = ["--genesis", "2026-11-24T06:00:00Z", "--length-rounds", "10"]
    (beacon.folder / "open").write_bytes((beacon.folder / "port").read_bytes())
    (beacon.folder / "open").chmod(0o644)
    cases = {
        "BEACON_STATE_EXISTS": ["init", "--state", state, "--name", "Told before any work", *terms],
        "TIME_MALFORMED": ["init", "--state", state + "2", "--name", "port", "--genesis", "now"],
        "BEACON_PARTY_NAME": ["init", "--state", state + "2", "--name", "Port", *terms],
        "BEACON_STATE_MISSING": ["serve", "--state", state + "2"],
        "BEACON_STATE_EXPOSED": ["serve", "--state", str(beacon.folder / "open"), "--clock-file", clock],
        "BEACON_STATE_DAMAGED": ["serve", "--state", str(_chmod(beacon.folder / "port.json"))],
        "CLOCK_FILE_MISSING": ["serve", "--state", state, "--clock-file", clock + "2"],
        "LISTEN_ADDRESS": ["serve", "--state", state, "--listen", "127.0.0.1"],
        "FILE_UNREADABLE": ["pin", str(beacon.folder / "none")],
        "BEACON_PARTIES": ["pin", str(beacon.folder / "customs.json"), str(beacon.folder / "customs.json")],
    }
    for reason, arguments in cases.items():
        result = CliRunner().invoke(app, arguments)
        assert (result.exit_code, result.stdout) == (1, ""), (reason, result.output)
        assert result.stderr.strip().splitlines()[-1].startswith(f"{reason}: "), result.stderr


def _chmod(path: Path) -> Path:
    path.chmod(0o600)
    return path
