"""A configured server with custodians, on disk: what `assign escrow` and `assign serve` need, and nothing running."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from typer.testing import CliRunner

from assign.log.entries import Entry
from assign.names import Port, ShiftId, ShiftName
from server.actions.open_shift import open_shift
from server.actions.start_log import start_log
from server.auth.access import Role
from server.auth.certificate_files import CertificateDirectory
from server.auth.identity import Caller
from server.auth.log_key import create_log_key
from server.beacons.chain_state import grow_chain
from server.clock import ManualClock
from server.config import Config, load_config
from server.entropy import SystemEntropy
from server.escrow.cli import app as escrow_app
from server.escrow.custodians import create_identity
from server.keyring import create_key_file
from server.sequencer import Sequencer
from server.storage.ledger import read_entries, read_head
from server.storage.migrate import migrate
from server.storage.sqlite import open_writer
from server.storage.unit import Unit
from server.wiring import build_services

_T = TypeVar("_T")
PORT = Port("NLRTM")
ORIGIN = "assign.example/NLRTM"
START = datetime(2026, 11, 24, 6, tzinfo=UTC)
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
_OFFICER = Caller("person", "officer", Role.ROSTER_OFFICER, frozenset())
_LISTENING = re.compile(r"assign listening on 127\.0\.0\.1:\d+")


def shift_name(letter: str) -> ShiftName:
    """The name of a shift of the site."""
    return ShiftName(PORT, ShiftId(f"2026-11-24-{letter}"))


@dataclass(frozen=True, slots=True)
class Site:
    """The files of one server."""

    folder: Path

    @property
    def identities(self) -> list[Path]:
        """The custodians' secret key files."""
        return sorted(self.folder.glob("custodian-*.txt"))

    def config(self, name: str = "assign.toml") -> Config:
        """The configuration, loaded."""
        return load_config(self.folder / name)

    def run(self, action: Callable[[Unit], _T], *, config: str = "assign.toml", at: datetime = START) -> _T:
        """Carry out one action in the store, as the server would."""
        loaded = self.config(config)

        async def act() -> _T:
            engine = open_writer(loaded.store)
            migrate(engine)
            sequencer = Sequencer(engine, build_services(loaded), ManualClock(at))
            sequencer.start()
            try:
                return await sequencer.run(action)
            finally:
                await sequencer.stop()
                engine.dispose()

        return asyncio.run(act())

    def entries(self) -> list[Entry]:
        """The port's log."""

        def read(unit: Unit) -> list[bytes]:
            edge, _ = read_head(unit.connection, PORT)
            return read_entries(unit.connection, PORT, 0, edge.size)

        return [Entry.from_bytes(data) for data in self.run(read)]

    def assign(self, *arguments: str) -> Ended:
        """Run `assign escrow ARGUMENTS` in this process; paths are relative to the folder."""
        with chdir(self.folder):
            done = CliRunner().invoke(escrow_app, list(arguments))
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Ended(done.exit_code, done.stdout, done.stderr)

    def copy_to(self, folder: Path) -> Site:
        """The same site at another place."""
        shutil.copytree(self.folder, folder, dirs_exist_ok=True)
        for path in folder.glob("*.toml"):
            path.write_text(path.read_text().replace(str(self.folder), str(folder)))
        return Site(folder)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@contextmanager
def serving(site: Site, config: str = "assign.toml") -> Iterator[tuple[int, str]]:
    """`assign serve` as a process: its id, and what it printed until it listened."""
    process = subprocess.Popen(
        [sys.executable, "-m", "server", "serve", "--config", config],
        cwd=site.folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        banner = ""
        for line in process.stdout:
            banner += line
            if _LISTENING.match(line):
                break
        yield process.pid, banner
    finally:
        process.terminate()
        process.wait(20)
        assert process.stdout is not None
        process.stdout.close()


def make_site(folder: Path, *, config: str = "assign.toml") -> Site:
    """Three custodians, two shifts opened under `config`; `plain.toml` is the same server without escrow."""
    entropy, now = SystemEntropy(), datetime.now(UTC)
    recipients = [create_identity(folder / f"custodian-{number}.txt") for number in (1, 2, 3)]
    certificates = CertificateDirectory.create(folder / "certs", now=now)
    certificates.add_server(["127.0.0.1"], now=now, days=2)
    (folder / "access.toml").write_text('[[persons]]\nid = "officer"\nrole = "roster-officer"\n')
    create_key_file(folder / "kek.key", entropy=entropy)
    create_key_file(folder / "new.key", entropy=entropy)
    create_log_key(folder / "log.key", ORIGIN, entropy=entropy)
    chain = grow_chain(
        name="customs",
        period_seconds=60,
        genesis=START - timedelta(days=1),
        length_rounds=60 * 24 * 3,
        secret=entropy.bytes(32),
    )
    (folder / "beacon.json").write_bytes(chain.commitment.as_beacon().to_json())
    escrow = f"[escrow]\nthreshold = 2\nrecipients = {json.dumps(recipients)}\n"
    (folder / "assign.toml").write_text(_config_toml(folder, "kek.key") + escrow)
    (folder / "new.toml").write_text(_config_toml(folder, "new.key") + escrow)
    (folder / "plain.toml").write_text(_config_toml(folder, "kek.key"))
    site = Site(folder)
    site.run(_open_shifts, config=config, at=START - timedelta(hours=2))
    return site


def _open_shifts(unit: Unit) -> None:
    start_log(unit, PORT, access_digest=bytes(32), store_kind="sqlite")
    for number, letter in enumerate("AB"):
        start = START + timedelta(hours=number)
        open_shift(unit, _OFFICER, shift_name(letter), start, start + timedelta(hours=1))


def _config_toml(folder: Path, key_file: str) -> str:
    lines = [
        'listen = "127.0.0.1:0"',
        f"store = {json.dumps(f'sqlite:///{folder}/assign.db')}",
        f'key_file = "{key_file}"',
        'log_key_file = "log.key"',
        'access_file = "access.toml"',
        "[tls]",
        'certificate = "certs/server.pem"',
        'key = "certs/server.key"',
        'client_ca = "certs/authority.pem"',
        "[beacon]",
        'pin = "beacon.json"',
        'urls = { customs = ["http://127.0.0.1:9"] }',
        "[[ports]]",
        f'port = "{PORT}"',
        f'origin = "{ORIGIN}"',
        'terminals = ["RWG"]',
    ]
    return "\n".join(lines) + "\n"
