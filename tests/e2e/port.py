"""A real port for tests: `assign serve` and two beacon parties as processes, a steered clock, a certificate each.

Time moves only forward and only when a test says so; `Site.advance` stops at every freeze and draw on the way
until the server has done it. Tests share a site in any order, because each opens a later shift of its own.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

import grpc
import pytest
from google.protobuf.message import Message

from assign.container import check_digit
from assign.draw.beacon import LocalBeacon, combine_commitments
from assign.draw.commitment import is_freeze
from assign.log.entries import Entry, Kind
from assign.names import Port, ShiftId, ShiftName, WaveName
from assign.v1 import (
    log_service_pb2,
    log_service_pb2_grpc,
    order_service_pb2,
    order_service_pb2_grpc,
    person_service_pb2,
    person_service_pb2_grpc,
    resources_pb2,
    reveal_service_pb2,
    reveal_service_pb2_grpc,
    roster_service_pb2,
    roster_service_pb2_grpc,
    slot_service_pb2,
    slot_service_pb2_grpc,
    verification_service_pb2,
    verification_service_pb2_grpc,
    wave_service_pb2,
    wave_service_pb2_grpc,
)
from assign.wave import Calendar
from server.auth.access import AccessTable, Role
from server.auth.certificate_files import CertificateDirectory, principals
from server.auth.log_key import create_log_key
from server.auth.tls import TlsFiles, channel_credentials
from server.beacons.chain_state import grow_chain, write_state
from server.clock import ClockFile
from server.demo.clients import Refusal, refusal_of
from server.demo.messages import duration, timestamp
from server.demo.processes import Processes
from server.demo.workplace import APPROVER as APPROVER
from server.demo.workplace import AUDITOR as AUDITOR
from server.demo.workplace import DECLARATIONS as DECLARATIONS
from server.demo.workplace import ROSTER_OFFICER as ROSTER_OFFICER
from server.demo.workplace import SECURITY_OFFICER as SECURITY_OFFICER
from server.demo.workplace import SUPERVISOR as SUPERVISOR
from server.demo.workplace import Identity, terminal_system
from server.entropy import SystemEntropy
from server.keyring import create_key_file

PORT = Port("NLRTM")
PARENT = f"ports/{PORT}"
ORIGIN = f"assign.example/{PORT}"
TERMINALS = ("RWG", "EMX")
PARTIES = ("customs", "port")
GENESIS = datetime(2026, 11, 24, tzinfo=UTC)
START = GENESIS + timedelta(hours=1)
PERIOD_SECONDS = 10
DAYS = 30
STEP = timedelta(minutes=15)
LEAD = timedelta(minutes=15)
MARGIN = timedelta(minutes=2)
EMBARGO = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
BEFORE, AFTER = 45 * MINUTE, 30 * MINUTE  # duty before and after a shift
CALL_SECONDS = 60.0

INSPECTORS = tuple(Identity("person", f"i-{number:02}", Role.INSPECTOR) for number in range(1, 13))
UNCLEARED = Identity("person", "i-90", Role.INSPECTOR)
SELECTORS = tuple(Identity("person", f"s-{number}", Role.SELECTOR) for number in (1, 2))
PLANNERS = {code: terminal_system(PORT, cast("Any", code)) for code in TERMINALS}
STRANGER = Identity("person", "nobody", Role.INSPECTOR)  # has a certificate, and is in no access file
IDENTITIES = (
    *INSPECTORS,
    UNCLEARED,
    *SELECTORS,
    ROSTER_OFFICER,
    SUPERVISOR,
    APPROVER,
    SECURITY_OFFICER,
    AUDITOR,
    DECLARATIONS,
    *PLANNERS.values(),
)

_LISTENING = r"listening on (?:\w+://)?([0-9.]+:\d+)"
_WAIT_SECONDS = 30.0
_POLL_SECONDS = 0.01
_MAX_BYTES = 256 * 2**20
_NO_RECONNECT_DELAY = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200))

_Request = TypeVar("_Request", bound=Message)


class Client:
    """The services as one caller reaches them over his own TLS connection."""

    def __init__(self, channel: grpc.Channel) -> None:
        self.channel = channel
        self.rosters = roster_service_pb2_grpc.RosterServiceStub(channel)
        self.persons = person_service_pb2_grpc.PersonServiceStub(channel)
        self.orders = order_service_pb2_grpc.OrderServiceStub(channel)
        self.slots = slot_service_pb2_grpc.SlotServiceStub(channel)
        self.waves = wave_service_pb2_grpc.WaveServiceStub(channel)
        self.reveals = reveal_service_pb2_grpc.RevealServiceStub(channel)
        self.log = log_service_pb2_grpc.LogServiceStub(channel)
        self.verification = verification_service_pb2_grpc.VerificationServiceStub(channel)

    def raw(self, method: str) -> Callable[..., bytes]:
        """A method that takes and gives bytes as they are."""
        return self.channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)


def refusal(method: Callable[..., object], request: object) -> Refusal:
    """How the server refuses `request`; fails the test if it does not."""
    try:
        answer = method(request, timeout=CALL_SECONDS)
    except grpc.RpcError as error:
        # A call that ended in an error tells its status the same way in both interfaces.
        return refusal_of(cast("grpc.aio.AioRpcError", error))
    raise AssertionError(f"not refused: {str(answer)[:200]!r}")


@dataclass(frozen=True)
class Duty:
    """A shift that a test opened, with the people on its roster."""

    name: ShiftName
    calendar: Calendar
    people: tuple[str, ...]

    def start(self, index: int = 0) -> datetime:
        """The start of the wave at `index`."""
        return self.calendar.wave_start(index)

    def wave(self, index: int = 0) -> str:
        """Its name."""
        return str(WaveName(self.name, self.start(index)))

    def freeze_time(self, index: int = 0) -> datetime:
        """When it freezes."""
        return self.calendar.freeze_time(self.start(index))

    def draw_time(self, index: int = 0) -> datetime:
        """When it is drawn."""
        return self.calendar.draw_time(self.start(index))

    def assignment(self, person: str, index: int = 0) -> str:
        """The name of a person's assignment in it."""
        return f"{self.wave(index)}/assignments/{person}"

    def entry(self, person: str) -> str:
        """The name of a person's roster entry."""
        return f"{self.name}/rosterEntries/{person}"

    @property
    def duty_ends(self) -> datetime:
        """When everybody's duty on the shift is over."""
        return self.calendar.end + AFTER

    @property
    def closes(self) -> datetime:
        """When the shift is opened for verification."""
        return self.calendar.end + EMBARGO


@dataclass(order=True)
class _Due:
    at: datetime
    wave: str = field(compare=False)
    state: int = field(compare=False)


class Site:
    """The files, processes and clients of one port."""

    def __init__(self, directory: Path, *, settings: str = "") -> None:
        """`settings` are further lines at the top of the configuration."""
        self.directory = directory
        self.config = directory / "assign.toml"
        self.store = directory / "assign.db"
        self.clock = _make_files(directory)
        self.beacon = _make_beacon(directory)
        self._settings = settings
        self._numbers = itertools.count(1)
        self._processes: dict[str, Processes] = {}
        self._addresses: dict[str, str] = {}
        self._clients: dict[Identity, Client] = {}
        self._due: list[_Due] = []
        self._next_start = START
        self._persons_known = False
        self.address = ""

    # Processes

    def start(self) -> None:
        """Start both parties, then the server."""
        for party in PARTIES:
            self.start_party(party)
        self.start_server()

    def start_party(self, name: str) -> None:
        """Start a beacon party, where it was before if it ran before."""
        listen = self._addresses.get(name, "127.0.0.1:0")
        arguments = ["beacon", "serve", "--state", f"{name}.chain", "--listen", listen, "--clock-file", "clock"]
        self._addresses[name] = self._run(name, *arguments)

    def start_server(self) -> None:
        """Start the server on a new port; the clients connect anew."""
        self.write_config()
        self.disconnect()
        self.address = self._run("server", "serve", "--config", "assign.toml")

    def write_config(self) -> None:
        """Write the configuration file."""
        urls = {name: f"http://{self._addresses.get(name, '127.0.0.1:9')}" for name in PARTIES}
        self.config.write_text(_config_toml(self.store, urls, self._settings))

    def _run(self, name: str, *arguments: str) -> str:
        # One keeper each, so that one program can be stopped alone.
        processes = self._processes[name] = Processes(self.directory, keep=False)
        return processes.start(name, *arguments, ready=_LISTENING, cwd=self.directory)[1]

    def pid(self, name: str = "server") -> int:
        """The process id of a running program."""
        return self._processes[name].pids()[name]

    def kill(self, name: str = "server") -> None:
        """End a program at once, as a power cut would (SIGKILL), and wait until it is gone."""
        os.kill(self.pid(name), signal.SIGKILL)
        self._processes.pop(name).stop()

    def stop(self, name: str = "server") -> None:
        """Ask a program to end, and wait until it has."""
        self._processes.pop(name).stop()

    def output(self, name: str = "server") -> str:
        """What a program wrote since it was started last."""
        return (self.directory / f"{name}.log").read_text(errors="replace")

    def close(self) -> None:
        """Stop everything."""
        self.disconnect()
        for name in [*self._processes]:
            self.stop(name)
        self.clock.close()

    # Clients

    def client(self, identity: Identity) -> Client:
        """The client with the certificate of `identity`."""
        if identity not in self._clients:
            self._clients[identity] = self.connect(identity)
        return self._clients[identity]

    def connect(self, identity: Identity) -> Client:
        """A new connection of `identity`, for the caller to close."""
        return Client(grpc.secure_channel(self.address, self.credentials(identity), options=_channel_options()))

    def credentials(self, identity: Identity) -> grpc.ChannelCredentials:
        """The certificate and key of `identity`, and the authority that the server must have."""
        certificates = CertificateDirectory.open(self.directory / "certs")
        files = certificates.client_files(identity.kind, identity.id)
        return channel_credentials(TlsFiles(files.certificate, files.key, certificates.authority_certificate))

    def disconnect(self) -> None:
        """Close every client."""
        while self._clients:
            self._clients.popitem()[1].channel.close()

    # Time

    @property
    def now(self) -> datetime:
        """What the clock shows."""
        return self.clock.now()

    def advance(self, moment: datetime) -> None:
        """Let time pass, and let every freeze and draw on the way happen at its time."""
        while self._due and self._due[0].at <= moment:
            due = self._due.pop(0)
            self.clock.advance_to(max(due.at, self.now))
            self.wait_for(due.wave, due.state)
        self.clock.advance_to(max(moment, self.now))

    def wait_for(self, wave: str, *states: int) -> resources_pb2.Wave:
        """The wave once it is in one of `states` (or beyond the last)."""
        request = wave_service_pb2.GetWaveRequest(name=wave)

        def look() -> resources_pb2.Wave | None:
            found = self.client(AUDITOR).waves.GetWave(request, timeout=CALL_SECONDS)
            return found if found.state in states or found.state >= max(states) else None

        wave_found: resources_pb2.Wave = eventually(look)
        return wave_found

    def close_shift(self, duty: Duty) -> None:
        """Let the shift and its embargo pass, and wait until it is closed."""
        self.advance(duty.closes)
        request = roster_service_pb2.GetShiftRequest(name=str(duty.name))

        def look() -> bool | None:
            shift = self.client(AUDITOR).rosters.GetShift(request, timeout=CALL_SECONDS)
            return shift.state == resources_pb2.Shift.STATE_CLOSED or None

        eventually(look)

    def forget_due(self) -> None:
        """Later advances no longer wait for the waves so far: the test looks after them itself."""
        self._due.clear()

    # Setting the scene

    def fresh(self, prefix: str) -> str:
        """An id that nothing on this site has yet."""
        return f"{prefix}-{next(self._numbers):05}"

    def import_persons(self) -> None:
        """Everybody is cleared, except UNCLEARED, who never had the interview."""
        if self._persons_known:
            return
        people = [person(one.id, interviewed=one is not UNCLEARED) for one in (*INSPECTORS, UNCLEARED, *SELECTORS)]
        request = person_service_pb2.BatchImportPersonsRequest(
            parent=PARENT, persons=people, request_id=self.fresh("persons")
        )
        self.client(SECURITY_OFFICER).persons.BatchImportPersons(request, timeout=CALL_SECONDS)
        self._persons_known = True

    def open_shift(self, *, waves: int = 2, people: Sequence[str] | None = None) -> Duty:
        """Open a shift later than every other, and put people on its roster (all cleared inspectors)."""
        self.import_persons()
        start = max(self._next_start, _round_up(self.now + LEAD + MARGIN + STEP))
        end = start + waves * STEP
        name = ShiftName(PORT, ShiftId(self.fresh("shift")))
        request = open_request(name, start, end)
        self.client(ROSTER_OFFICER).rosters.OpenShift(request, timeout=CALL_SECONDS)
        calendar = Calendar(
            start=start,
            end=end,
            step_seconds=STEP // timedelta(seconds=1),
            lead_seconds=LEAD // timedelta(seconds=1),
            margin_seconds=MARGIN // timedelta(seconds=1),
        )
        chosen = tuple(one.id for one in INSPECTORS) if people is None else tuple(people)
        duty = Duty(name, calendar, chosen)
        self._next_start = end + timedelta(hours=2)
        for index in range(waves):
            frozen, drawn = resources_pb2.Wave.STATE_FROZEN, resources_pb2.Wave.STATE_DRAWN
            self._due.append(_Due(duty.freeze_time(index), duty.wave(index), frozen))
            self._due.append(_Due(duty.draw_time(index), duty.wave(index), drawn))
        self._due.sort()
        if chosen:
            self.client(ROSTER_OFFICER).rosters.BatchImportRoster(self.roster(duty, chosen), timeout=CALL_SECONDS)
        return duty

    def roster(self, duty: Duty, people: Sequence[str]) -> roster_service_pb2.BatchImportRosterRequest:
        """A request that puts people on a shift's roster, from before its start to after its end."""
        entries = [roster_entry(duty, one) for one in people]
        return roster_service_pb2.BatchImportRosterRequest(
            parent=str(duty.name), entries=entries, request_id=self.fresh("roster")
        )

    def order(self, **changes: object) -> resources_pb2.Order:
        """A new order, with `changes`."""
        number = next(self._numbers)
        values: dict[str, Any] = {
            "name": f"{PARENT}/orders/o-{number:05}",
            "container_number": container(number),
            "terminal": terminal("RWG"),
            "selected_by": f"{PARENT}/persons/{SELECTORS[0].id}",
        }
        return resources_pb2.Order(**values | changes)

    def import_orders(
        self, orders: Sequence[resources_pb2.Order], *, request_id: str = ""
    ) -> order_service_pb2.BatchImportOrdersRequest:
        """A request with these orders."""
        return order_service_pb2.BatchImportOrdersRequest(
            parent=PARENT, orders=orders, request_id=request_id or self.fresh("orders")
        )

    def slot(self, order: resources_pb2.Order, start: datetime, *, minutes: int = 30) -> resources_pb2.Slot:
        """A slot for `order`."""
        return resources_pb2.Slot(
            name=f"{PARENT}/slots/{self.fresh('slot')}",
            order=order.name,
            terminal=order.terminal,
            start_time=timestamp(start),
            expected_duration=duration(minutes),
        )

    def book(self, slots: Sequence[resources_pb2.Slot]) -> slot_service_pb2.BatchBookSlotsRequest:
        """A request that books these slots."""
        return slot_service_pb2.BatchBookSlotsRequest(parent=PARENT, slots=slots, request_id=self.fresh("book"))

    def book_orders(
        self, starts: Sequence[datetime], *, minutes: int = 30, **changes: object
    ) -> list[resources_pb2.Slot]:
        """Import one order for each start and book it at RWG."""
        orders = [self.order(**changes) for _ in starts]
        self.client(DECLARATIONS).orders.BatchImportOrders(self.import_orders(orders), timeout=CALL_SECONDS)
        slots = [self.slot(order, start, minutes=minutes) for order, start in zip(orders, starts, strict=True)]
        self.client(PLANNERS["RWG"]).slots.BatchBookSlots(self.book(slots), timeout=CALL_SECONDS)
        return slots

    # Looking

    def reveal(self, duty: Duty, person: str, index: int = 0) -> resources_pb2.Assignment:
        """What the person reads of his own assignment."""
        request = reveal_request(duty.assignment(person, index))
        return self.client(_inspector(person)).reveals.RevealAssignment(request, timeout=CALL_SECONDS).assignment

    def drawn(self, duty: Duty, index: int = 0) -> dict[str, list[str]]:
        """What each drawn person has, by person, as the supervisor sees it once the wave has started."""
        request = reveal_service_pb2.ListAssignmentsRequest(parent=duty.wave(index), page_size=1000)
        answer = self.client(SUPERVISOR).reveals.ListAssignments(request, timeout=CALL_SECONDS)
        return {
            one.name.rpartition("/")[2]: [inspection.order for inspection in one.inspections]
            for one in answer.assignments
        }

    def raw_entries(self, start: int = 0) -> list[bytes]:
        """The log from `start` on, read page by page."""
        entries: list[bytes] = []
        request = log_service_pb2.ListEntriesRequest(parent=PARENT, page_size=1000, start_index=start)
        while True:
            page = self.client(AUDITOR).log.ListEntries(request, timeout=CALL_SECONDS)
            entries += [entry.data for entry in page.entries]
            if not page.next_page_token:
                return entries
            request = log_service_pb2.ListEntriesRequest(parent=PARENT, page_size=1000, page_token=page.next_page_token)

    def entries(self, start: int = 0) -> list[Entry]:
        """The log's entries other than freezes."""
        return [Entry.from_bytes(data) for data in self.raw_entries(start) if not is_freeze(data)]

    def size(self) -> int:
        """How many entries the log has."""
        return self.checkpoint().tree_size

    def checkpoint(self) -> log_service_pb2.Checkpoint:
        """The newest checkpoint."""
        request = log_service_pb2.GetCheckpointRequest(parent=PARENT)
        return self.client(AUDITOR).log.GetCheckpoint(request, timeout=CALL_SECONDS)

    def refusals(self, start: int = 0) -> Counter[tuple[str, str]]:
        """The (method, reason) of every refusal in the log."""
        found = [entry.body for entry in self.entries(start) if entry.kind is Kind.REFUSAL]
        return Counter((body["method"].rpartition("/")[2], body["reason"]) for body in found)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """What this process, which is not the server's, finds in the store's file."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=10)) as connection:
            return connection.execute(statement, values).fetchall()

    def count(self, table: str) -> int:
        """How many rows a table has."""
        return int(self.rows(f'SELECT count(*) FROM "{table}"')[0][0])

    def export(self, path: Path) -> Path:
        """The bundle as the auditor gets it over gRPC."""
        request = verification_service_pb2.ExportBundleRequest(parent=PARENT)
        with path.open("wb") as file:
            for part in self.client(AUDITOR).verification.ExportBundle(request, timeout=CALL_SECONDS):
                file.write(part.chunk)
        return path


def eventually(look: Callable[[], Any]) -> Any:
    """The first answer of `look` other than None; fails the test if there is none in time."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not happen within {_WAIT_SECONDS:.0f} s")
        time.sleep(_POLL_SECONDS)


def container(number: int) -> str:
    """A container number of this number, with its check digit."""
    prefix = f"TSTU{number:06}"
    return f"{prefix}{check_digit(prefix)}"


def terminal(code: str) -> str:
    """Resource name of a terminal."""
    return f"{PARENT}/terminals/{code}"


def person(name: str, *, interviewed: bool = True, signal: bool = False) -> resources_pb2.Person:
    """A person's status: cleared, unless told otherwise."""
    return resources_pb2.Person(
        name=f"{PARENT}/persons/{name}",
        certificate_valid_until=timestamp(GENESIS + timedelta(days=365)),
        screening_signal_open=signal,
        vulnerability_interview_done=interviewed,
    )


def roster_entry(duty: Duty, one: str, *, before: timedelta = BEFORE, **changes: object) -> Any:
    """A person's duty over the whole shift, from `before` its start."""
    values: dict[str, Any] = {
        "name": duty.entry(one),
        "person": f"{PARENT}/persons/{one}",
        "terminals": [terminal(code) for code in TERMINALS],
        "start_time": timestamp(duty.calendar.start - before),
        "end_time": timestamp(duty.duty_ends),
    }
    return resources_pb2.RosterEntry(**values | changes)


def open_request(name: ShiftName, start: datetime, end: datetime) -> roster_service_pb2.OpenShiftRequest:
    """A request that opens a shift."""
    return roster_service_pb2.OpenShiftRequest(
        parent=PARENT,
        shift_id=name.shift,
        shift=resources_pb2.Shift(start_time=timestamp(start), end_time=timestamp(end)),
        request_id=f"open-{name.shift}",
    )


def reveal_request(name: str) -> reveal_service_pb2.RevealAssignmentRequest:
    """A request to read an assignment."""
    return reveal_service_pb2.RevealAssignmentRequest(name=name)


def _inspector(name: str) -> Identity:
    return Identity("person", name, Role.INSPECTOR)


def _round_up(moment: datetime) -> datetime:
    return GENESIS + math.ceil((moment - GENESIS) / STEP) * STEP


def _channel_options() -> list[tuple[str, Any]]:
    return [
        ("grpc.max_send_message_length", _MAX_BYTES),
        ("grpc.max_receive_message_length", _MAX_BYTES),
        # Channels of different certificates must not share a connection.
        ("grpc.use_local_subchannel_pool", 1),
        *_NO_RECONNECT_DELAY,
    ]


def _make_files(directory: Path) -> ClockFile:
    (directory / "access.toml").write_text(_access_toml())
    now = datetime.now(UTC)  # TLS knows nothing of the steered clock
    certificates = CertificateDirectory.create(directory / "certs", now=now)
    certificates.add_server(["127.0.0.1", "localhost"], now=now)
    access = AccessTable.load(directory / "access.toml")
    for _ in certificates.add_clients([*principals(access), (STRANGER.kind, STRANGER.id)], now=now):
        pass
    create_key_file(directory / "kek.key", entropy=SystemEntropy())
    signer = create_log_key(directory / "log.key", ORIGIN, entropy=SystemEntropy())
    (directory / "log.vkey").write_text(signer.verifier().vkey())
    return ClockFile.create(directory / "clock", START)


def _make_beacon(directory: Path) -> LocalBeacon:
    chains = [
        grow_chain(
            name=party,
            period_seconds=PERIOD_SECONDS,
            genesis=GENESIS,
            length_rounds=DAYS * 86_400 // PERIOD_SECONDS,
            secret=os.urandom(32),
        )
        for party in PARTIES
    ]
    for chain in chains:
        write_state(directory / f"{chain.commitment.party.name}.chain", chain)
    beacon = combine_commitments([chain.commitment for chain in chains])
    (directory / "beacon.json").write_bytes(beacon.to_json())
    return beacon


def _access_toml() -> str:
    lines = []
    for one in IDENTITIES:
        lines += [f"[[{one.kind}s]]", f'id = "{one.id}"', f'role = "{one.role}"']
        lines += [f"terminals = {json.dumps([*one.terminals])}"] if one.terminals else []
    return "\n".join(lines) + "\n"


def _config_toml(store: Path, urls: dict[str, str], settings: str) -> str:
    return f"""
listen = "127.0.0.1:0"
store = {json.dumps(f"sqlite:///{store}")}
key_file = "kek.key"
log_key_file = "log.key"
access_file = "access.toml"
clock_file = "clock"
{settings}
[tls]
certificate = "certs/server.pem"
key = "certs/server.key"
client_ca = "certs/authority.pem"
[beacon]
pin = "beacon.json"
[beacon.urls]
{"".join(f"{name} = {json.dumps([url])}" + chr(10) for name, url in urls.items())}
[[ports]]
port = "{PORT}"
origin = "{ORIGIN}"
terminals = {json.dumps([*TERMINALS])}
wave_step_seconds = {STEP // timedelta(seconds=1)}
lead_seconds = {LEAD // timedelta(seconds=1)}
freeze_margin_seconds = {MARGIN // timedelta(seconds=1)}
embargo_seconds = {EMBARGO // timedelta(seconds=1)}
cooldown_hours = 0
min_pool = 3
"""


def running_site(directory: Path, **options: Any) -> Iterator[Site]:
    """A site that runs; for fixtures: `yield from`."""
    site = Site(directory, **options)
    try:
        site.start()
        yield site
    finally:
        site.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One site for all tests of a module."""
    yield from running_site(tmp_path_factory.mktemp("port"))
