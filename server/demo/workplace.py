"""Everything the real programs need on disk: certificates, keys, configuration, the beacon, the clock."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assign.errors import Conflict, InvalidInput
from assign.names import TerminalCode
from server.auth.access import AccessTable, Kind, Role
from server.auth.certificate_files import CertificateDirectory, principals
from server.clock import ClockFile
from server.demo.outsiders import NOBODY, Outsiders
from server.demo.port_day import PortDay
from server.demo.processes import Processes, is_running_in, run_assign
from server.demo.promises import BrokenPromise

__all__ = ["APPROVER", "AUDITOR", "DECLARATIONS", "PLANNERS", "Identity", "Workplace", "terminal_system"]

_MARKER = ".assign-demo"
_PIDS = "pids"
_PERIOD_SECONDS = 10
_HOURS_BEFORE = 24
_HOURS_AFTER = 24
EMBARGO = timedelta(hours=1)
_LISTENING = r"listening on (?:\w+://)?([0-9.]+:\d+)"
PARTIES = ("customs", "port")


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody with a client certificate."""

    kind: Kind
    id: str
    role: Role
    terminals: tuple[str, ...] = ()


ROSTER_OFFICER = Identity("person", "ro-1", Role.ROSTER_OFFICER)
SUPERVISOR = Identity("person", "sup-1", Role.SUPERVISOR)
APPROVER = Identity("person", "sup-2", Role.SUPERVISOR)
SECURITY_OFFICER = Identity("person", "sec-1", Role.SECURITY_OFFICER)
AUDITOR = Identity("person", "aud-1", Role.AUDITOR)
DECLARATIONS = Identity("system", "declarations", Role.DECLARATION_SYSTEM)
PLANNERS = "tos"


def terminal_system(port: str, terminal: TerminalCode) -> Identity:
    """The scheduling system of one terminal."""
    return Identity("system", f"{terminal.lower()}-tos", Role.TERMINAL_SYSTEM, (f"ports/{port}/terminals/{terminal}",))


class Workplace:
    """A directory with one demonstration's files; what an earlier demonstration left there is replaced.

    Attributes:
        bundle: what the auditor takes home. log_key: the log's public key, published apart from it.
        witness_keys: the witnesses' public keys by name, each published by that witness.
        logs: what the programs write while they run.
    """

    def __init__(self, directory: Path, day: PortDay, outsiders: Outsiders = NOBODY) -> None:
        self.directory = directory.absolute()
        self.run = self.directory / "run"
        self.logs = self.directory / "logs"
        self.bundle = self.directory / "day.bundle"
        self.log_key = self.directory / "log.vkey"
        self.outsiders = outsiders
        self.witness_keys = {name: self.directory / f"{name}.vkey" for name in outsiders.witnesses}
        self.clock_path = self.run / "clock"
        self.origin = f"assign.example/{day.plan.port}"
        self._certificates: CertificateDirectory | None = None
        self._day = day
        self._public: dict[str, str] = {}

    @property
    def certificates(self) -> CertificateDirectory:
        """The authority and everybody's certificate."""
        if self._certificates is None:
            self._certificates = CertificateDirectory.open(self.run / "certs")
        return self._certificates

    def identities(self) -> list[Identity]:
        """Everyone who may call the service."""
        day = self._day
        people = [Identity("person", person.person, Role.INSPECTOR) for person in day.persons]
        desk = [Identity("person", selector, Role.SELECTOR) for selector in day.selectors]
        quays = [terminal_system(day.plan.port, terminal) for terminal in day.plan.terminals]
        return [*people, *desk, ROSTER_OFFICER, SUPERVISOR, APPROVER, SECURITY_OFFICER, AUDITOR, DECLARATIONS, *quays]

    def prepare(self, now: datetime) -> ClockFile:
        """Make everything that has to be there before a program starts; the clock shows `now`."""
        self._clear()
        (self.run / "access.toml").write_text(_access_toml(self.identities()))
        for _ in self._make_certificates():
            pass
        self._make_secrets()
        return ClockFile.create(self.clock_path, now)

    def _clear(self) -> None:
        # Only what an earlier demonstration marked as its own is ever removed.
        if self.run.exists():
            if not (self.run / _MARKER).exists():
                raise InvalidInput("DEMO_DIRECTORY", f"{self.run} exists and is not a demonstration's: name another.")
            self._require_stopped()
            shutil.rmtree(self.run)
        self.run.mkdir(parents=True, mode=0o700)
        (self.run / _MARKER).touch()
        self.logs.mkdir(exist_ok=True)
        for path in (self.bundle, self.log_key, *self.witness_keys.values(), *self.logs.glob("*.log")):
            path.unlink(missing_ok=True)

    def _require_stopped(self) -> None:
        """Refuse to pull the files away from under programs that an earlier demonstration left running."""
        try:
            pids = [int(word) for word in (self.run / _PIDS).read_text().split()]
        except (OSError, ValueError):
            return
        alive = [pid for pid in pids if is_running_in(pid, self.run)]
        if alive:
            stop = f"kill {' '.join(str(pid) for pid in alive)}"
            raise Conflict("DEMO_RUNNING", f"An earlier demonstration still runs in {self.run}; stop it: {stop}")

    def note_running(self, pids: Iterable[int]) -> None:
        """Remember which programs stay when the demonstration ends."""
        (self.run / _PIDS).write_text(" ".join(str(pid) for pid in pids))

    def _make_certificates(self) -> Iterator[bool]:
        # Real time: TLS knows nothing of the steered clock.
        now = datetime.now(UTC)
        self._certificates = CertificateDirectory.create(self.run / "certs", now=now)
        self._certificates.add_server(["127.0.0.1", "localhost"], now=now, days=30)
        access = AccessTable.load(self.run / "access.toml")
        yield from self._certificates.add_clients(principals(access), now=now, days=30)

    def start_parties(self, processes: Processes) -> dict[str, str]:
        """Pin the parties' chains together and start them; their URLs by name."""
        pin = self._assign("beacon", "pin", *(f"{party}.json" for party in PARTIES))
        (self.run / "beacon.json").write_text(pin.strip())

        def start(party: str) -> str:
            serve = ["beacon", "serve", "--state", f"{party}.chain", "--clock-file", "clock"]
            return processes.start(f"beacon-{party}", *serve, ready=_LISTENING, cwd=self.run)[1]

        with ThreadPoolExecutor() as threads:
            return {party: f"http://{url}" for party, url in zip(PARTIES, threads.map(start, PARTIES), strict=True)}

    def start_witnesses(self, processes: Processes) -> dict[str, str]:
        """Start every witness of the log, each with its own key and memory; their URLs by name."""

        def start(name: str) -> str:
            serve = ["witness", "serve", "--key", f"{name}.key", "--state", f"{name}.db", "--clock-file", "clock"]
            log = ["--log", self.log_key.read_text().strip()]
            return processes.start(f"witness-{name}", *serve, *log, ready=_LISTENING, cwd=self.run)[1]

        names = self.outsiders.witnesses
        with ThreadPoolExecutor() as threads:
            return {name: f"http://{url}" for name, url in zip(names, threads.map(start, names), strict=True)}

    def _make_secrets(self) -> None:
        """The server's keys, each party's chain and the outsiders' keys, by the real commands, two at a time."""
        first, last = self._day.shifts[0].start, self._day.shifts[-1].end
        genesis = first - timedelta(hours=_HOURS_BEFORE)
        rounds = int((last + timedelta(hours=_HOURS_AFTER) - genesis).total_seconds()) // _PERIOD_SECONDS
        schedule = ["--genesis", genesis.strftime("%Y-%m-%dT%H:%M:%SZ"), "--period-seconds", str(_PERIOD_SECONDS)]
        schedule += ["--length-rounds", str(rounds)]
        chains = [["beacon", "init", "--state", f"{party}.chain", "--name", party, *schedule] for party in PARTIES]
        log_key = ["keys", "log", "log.key", "--origin", self.origin]
        keys = self.outsiders.key_commands()
        commands = [["keys", "encryption", "kek.key"], log_key, *chains, *keys.values()]
        with ThreadPoolExecutor(max_workers=2) as threads:
            said = [*threads.map(lambda words: self._assign(*words), commands)]
        self.log_key.write_text(f"{said[1].strip()}\n")
        for party, commitment in zip(PARTIES, said[2:], strict=False):
            (self.run / f"{party}.json").write_text(commitment)
        self._public = {name: text.strip() for name, text in zip(keys, said[2 + len(PARTIES) :], strict=True)}
        for name, path in self.witness_keys.items():
            path.write_text(f"{self._public[name]}\n")

    def start_server(
        self, processes: Processes, urls: dict[str, str], witness_urls: Mapping[str, str] | None = None
    ) -> str:
        """Write the configuration and start the server; its address."""
        (self.run / "assign.toml").write_text(self._config_toml(urls, witness_urls or {}))
        match = processes.start("server", "serve", "--config", "assign.toml", ready=_LISTENING, cwd=self.run)
        return match[1]

    def banner(self) -> list[str]:
        """What the server says at its start of witnesses and custodians."""
        lines = (self.logs / "server.log").read_text(errors="replace").splitlines()
        return [line for line in lines if line.lower().removeprefix("no ").startswith(("witnesses:", "escrow:"))]

    def _config_toml(self, urls: dict[str, str], witness_urls: Mapping[str, str]) -> str:
        plan = self._day.plan
        lines = [
            'listen = "127.0.0.1:0"',
            f"store = {json.dumps(f'sqlite:///{self.run}/assign.db')}",
            'key_file = "kek.key"',
            'log_key_file = "log.key"',
            'access_file = "access.toml"',
            'clock_file = "clock"',
            "[tls]",
            'certificate = "certs/server.pem"',
            'key = "certs/server.key"',
            'client_ca = "certs/authority.pem"',
            "[beacon]",
            'pin = "beacon.json"',
            "[beacon.urls]",
            *(f"{party} = {json.dumps([url])}" for party, url in urls.items()),
            *self.outsiders.config_toml(self._public, witness_urls),
            "[[ports]]",
            f'port = "{plan.port}"',
            f'origin = "{self.origin}"',
            f"terminals = {json.dumps([*plan.terminals])}",
            "wave_step_seconds = 900",
            "lead_seconds = 900",
            "freeze_margin_seconds = 120",
            f"embargo_seconds = {int(EMBARGO.total_seconds())}",
            f"min_pool = {plan.min_pool}",
            "cooldown_hours = 24",
        ]
        return "\n".join(lines) + "\n"

    def _assign(self, *arguments: str) -> str:
        done = run_assign(*arguments, cwd=self.run)
        if done.status != 0:
            raise BrokenPromise(f"`assign {' '.join(arguments[:2])}` works", done.errors.strip())
        return done.output


def _access_toml(identities: list[Identity]) -> str:
    lines = []
    for table, kind in (("persons", "person"), ("systems", "system")):
        for one in identities:
            if one.kind == kind:
                lines += [f"[[{table}]]", f'id = "{one.id}"', f'role = "{one.role}"']
                lines += [f"terminals = {json.dumps([*one.terminals])}"] if one.terminals else []
    return "\n".join(lines) + "\n"
