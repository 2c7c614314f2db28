"""The real programs as processes of their own, with their output in files."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import assign
import server
from server.demo.promises import BrokenPromise

__all__ = ["Finished", "Processes", "is_running_in", "run_assign", "run_assign_verify"]

_START_SECONDS = 90.0
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02
_RUN_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Finished:
    """How a command ended."""

    status: int
    output: str
    errors: str


@dataclass(slots=True)
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path


def _command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "server", *arguments]


def _environment() -> dict[str, str]:
    """The parent's, with the packages where this process found them, and plain output."""
    roots = {str(Path(package.__path__[0]).parent): None for package in (assign, server)}
    path = [*roots, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


def run_assign(*arguments: str, cwd: Path) -> Finished:
    """Run the command `assign` with `arguments` to its end."""
    return _run(_command(arguments), cwd)


def run_assign_verify(*arguments: str, cwd: Path) -> Finished:
    """Run the library's own command `assign-verify`, which needs neither server nor database."""
    return _run([sys.executable, "-m", "assign.cli", *arguments], cwd)


def _run(command: Sequence[str], cwd: Path) -> Finished:
    try:
        done = subprocess.run(  # noqa: S603 - our own program, no shell
            command, cwd=cwd, env=_environment(), capture_output=True, timeout=_RUN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise BrokenPromise(f"{' '.join(command[1:4])} ends in {_RUN_SECONDS:.0f} s", "it does not") from None
    return Finished(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))


def is_running_in(pid: int, directory: Path) -> bool:
    """Whether the process `pid` lives and works in `directory`; where that cannot be seen, whether it lives."""
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True) == directory.resolve()
    except FileNotFoundError:
        if Path("/proc/self/cwd").exists():
            return False
    except OSError:
        return False
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


class Processes:
    """Programs that run while the demonstration does. A context manager: it stops what it started, by id."""

    def __init__(self, logs: Path, *, keep: bool) -> None:
        self._logs = logs
        self._keep = keep
        self._children: list[_Child] = []

    def start(self, name: str, *arguments: str, ready: str, cwd: Path) -> re.Match[str]:
        """Start `assign ARGUMENTS` and wait for the line that matches `ready` in its output."""
        log = self._logs / f"{name}.log"
        with log.open("wb") as output:
            child = _Child(name, _spawn(arguments, output, cwd), log)
        self._children.append(child)
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if match := re.search(ready, log.read_text(errors="replace")):
                return match
            self.require_alive()
            time.sleep(_POLL_SECONDS)
        raise BrokenPromise(f"{name} starts within {_START_SECONDS:.0f} s", f"nothing in {log} matches {ready!r}")

    def require_alive(self) -> None:
        """Raise BrokenPromise, with the end of its output, if a program has ended."""
        for child in self._children:
            status = child.process.poll()
            if status is not None:
                last = child.log.read_text(errors="replace").strip().splitlines()[-3:]
                raise BrokenPromise(f"{child.name} keeps running", f"it ended with status {status}: {' / '.join(last)}")

    def pids(self) -> dict[str, int]:
        """The process ids by name."""
        return {child.name: child.process.pid for child in self._children}

    def peak_memory_bytes(self, name: str) -> int | None:
        """The largest resident size of a program so far; None where the system does not say."""
        try:
            status = Path(f"/proc/{self.pids()[name]}/status").read_text()
        except OSError:
            return None
        match = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(match[1]) * 1024 if match else None

    def stop(self) -> None:
        """End every program, last started first: ask, then insist."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        for child in reversed(self._children):
            try:
                child.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()
        self._children.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._keep or error is not None:
            self.stop()


def _spawn(arguments: Sequence[str], output: IO[bytes], cwd: Path) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C reaches the demonstration alone, which then stops its programs in order.
    return subprocess.Popen(  # noqa: S603 - our own program, no shell
        _command(arguments),
        cwd=cwd,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
