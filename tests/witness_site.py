"""Witnesses for tests: keys, requests, and real processes on 127.0.0.1."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from assign.log.checkpoint import Checkpoint, sign_checkpoint
from assign.log.cosignature import Cosigner
from assign.log.merkle import leaf_hash, root_of
from assign.log.note import NoteSigner, parse_note
from assign.log.tiles import grow, prove_consistency
from server.clock import ManualClock
from server.witness.judge import Judge
from server.witness.request import AddCheckpoint
from server.witness.state import WitnessState

ORIGIN = "assign.example/NLRTM"
LOG = NoteSigner(ORIGIN, b"L" * 32)
COSIGNER = Cosigner("witness.example/w1", b"W" * 32)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

_START_SECONDS = 30.0
_ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}


class Log:
    """A log of one's own, as large as one likes. `twist`: all its entries but the first are others."""

    def __init__(self, size: int, *, twist: bytes = b"", signer: NoteSigner = LOG) -> None:
        self._signer = signer
        self.leaves = [leaf_hash(b"entry %d" % at + (twist if at else b"")) for at in range(size)]
        self._tiles: dict[tuple[int, int], bytes] = {}
        if size:
            self._tiles = grow(0, self.leaves, self._read)

    def _read(self, level: int, tile: int, width: int) -> bytes:
        return self._tiles[level, tile][: 32 * width]

    def checkpoint(self, size: int) -> Checkpoint:
        """The checkpoint at a size."""
        return Checkpoint(self._signer.name, size, root_of(self.leaves[:size]))

    def note(self, size: int) -> bytes:
        """The signed one."""
        return sign_checkpoint(self.checkpoint(size), self._signer)

    def proof(self, old: int, new: int) -> tuple[bytes, ...]:
        """The consistency proof."""
        return prove_consistency(old, new, self._read) if old else ()

    def request(self, old: int, new: int) -> bytes:
        """An honest request."""
        return AddCheckpoint(old, self.proof(old, new), parse_note(self.note(new))).encode()


@dataclass
class Desk:
    """A judge in this process, with the clock in the test's hand."""

    path: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(NOON))
    cosigner: Cosigner = COSIGNER
    logs: Sequence[NoteSigner] = (LOG,)

    def __post_init__(self) -> None:
        self.state = WitnessState(self.path, vkey=self.cosigner.witness().vkey())
        self.judge = Judge(self.cosigner, [log.verifier() for log in self.logs], self.state, self.clock)


class WitnessProcess:
    """`assign witness serve` as a process. A context manager that stops it."""

    def __init__(self, folder: Path, name: str, *, logs: Sequence[str], listen: str = "127.0.0.1:0") -> None:
        self.folder = folder
        self.name = name
        self.url = ""
        self._logs = logs
        self._listen = listen
        self._process: subprocess.Popen[bytes] | None = None
        key = folder / f"{name}.key"
        self.cosigner = Cosigner(f"witness.example/{name}", os.urandom(32))
        key.write_text(self.cosigner.skey() + "\n")
        key.chmod(0o600)

    @property
    def vkey(self) -> str:
        """The public key."""
        return self.cosigner.witness().vkey()

    @property
    def output(self) -> str:
        """What it wrote since its last start."""
        return (self.folder / f"{self.name}.out").read_text()

    def start(self, *, code: str = "", clock_file: Path | None = None) -> None:
        """Start it, where it was before; `code` runs first in the process, to break something."""
        arguments = ["serve", "--key", f"{self.name}.key", "--state", f"{self.name}.db", "--listen", self._listen]
        arguments += [part for vkey in self._logs for part in ("--log", vkey)]
        arguments += ["--clock-file", str(clock_file)] if clock_file else []
        program = f"import sys\n{code}\nfrom server.witness.cli import app\napp()"
        with (self.folder / f"{self.name}.out").open("wb") as out:
            self._process = subprocess.Popen(
                [sys.executable, "-c", program, *arguments],
                cwd=self.folder,
                env=_ENVIRONMENT,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + _START_SECONDS
        while not (match := re.search(r"listening on (http://\S+)", self.output)):
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.02)
        self.url = match[1]
        self._listen = self.url.removeprefix("http://")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def wait(self) -> int:
        """Wait until it has ended by itself; its status."""
        assert self._process is not None
        return self._process.wait(timeout=15)

    def stop(self) -> None:
        """SIGTERM; it leaves in order."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            assert self._process.wait(timeout=15) == 0, self.output

    def post(self, body: bytes) -> httpx2.Response:
        """Ask it to cosign."""
        return httpx2.post(f"{self.url}/add-checkpoint", content=body, timeout=15, trust_env=False)

    def size(self, origin: str = ORIGIN) -> int:
        """What it cosigned last, by its own word."""
        sizes: dict[str, int] = httpx2.get(f"{self.url}/health", timeout=15, trust_env=False).json()["logs"]
        return sizes[origin]

    def __enter__(self) -> WitnessProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
