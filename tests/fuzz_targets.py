"""Every parser that meets outside bytes, each with bytes that it takes: what `make fuzz` and the tests feed."""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from assign.draw import sheets
from assign.draw.beacon import beacon_from_json
from assign.draw.beacon_drand import quicknet
from assign.draw.commitment import Freeze
from assign.draw.inputs import WaveInputs
from assign.encoding import canonical_json, lp, parse_canonical_json, parse_lp, parse_rfc3339, sha256
from assign.errors import Conflict, InvalidInput
from assign.log.checkpoint import Checkpoint, parse_checkpoint, sign_checkpoint
from assign.log.entries import Entry, Kind
from assign.log.note import NoteSigner, NoteVerifier, parse_note
from assign.log.proof import Receipt, parse_receipt
from assign.log.tiles import encode_bundle, parse_bundle, parse_tile_path
from assign.names import (
    Port,
    TerminalCode,
    parse_assignment_name,
    parse_shift_name,
    parse_terminal_name,
    parse_wave_name,
)
from assign.person import Pseudonym
from assign.verify.bodies import check_body
from assign.verify.bundle import read_bundle, write_bundle
from assign.verify.replay import verify_bundle
from server.auth.access import AccessTable, Role
from server.auth.identity import Caller, principal_of
from server.auth.permissions import ALLOWED
from server.config import PortConfig, load_config
from server.outage.typed_lines import read_typed_lines
from server.rpc.door import Door
from server.rpc.orders import Orders
from server.rpc.outages import Outages
from server.rpc.privacy import Privacy
from server.rpc.reveals import Reveals
from server.rpc.rosters import Rosters
from server.witness.request import parse_request

__all__ = ["TARGETS", "Target"]

PORT = Port("NLRTM")
SHIFT = f"ports/{PORT}/shifts/A"
WAVE = f"{SHIFT}/waves/20261124T060000Z"
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
LOG = NoteSigner("assign.example/NLRTM", b"L" * 32)
NOTE = sign_checkpoint(Checkpoint(LOG.name, 2, b"r" * 32), LOG)


@dataclass(frozen=True, slots=True)
class Target:
    """A parser: a value, or an AssignError, and nothing else, in bounded time.

    Attributes:
        seeds: bytes that it takes.
    """

    parse: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


def _text(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    """A parser of text, fed with bytes: whatever is no UTF-8 never reaches it."""
    return lambda data: parse(data.decode("utf-8", "replace"))


def _entry(kind: Kind, body: Any) -> bytes:
    return Entry(kind=kind, origin=LOG.name, time=NOON, body=body).to_bytes()


_ENTRIES = (
    _entry(Kind.SERVER_START, {"clock": "system", "code": "assign/1", "store": "sqlite"}),
    _entry(Kind.REVEAL, {"person": "0" * 32, "wave": WAVE}),
    _entry(Kind.SHEET_OPEN, {"by": "0" * 32, "opened": "2026-11-24T06:00:00Z", "reason": "x", "request": "x-1",
                             "requested_by": "1" * 32, "sheet": 1, "shift": SHIFT}),
    _entry(Kind.PERSON_KEYS, {"commitments": ["0" * 64]}),
)  # fmt: skip
_FREEZE = Freeze(
    origin=LOG.name,
    wave=WAVE,
    seed_commitment=b"C" * 32,
    inputs_commitment=b"I" * 32,
    chain_hash=b"H" * 32,
    beacon_round=7,
).to_bytes()
_SHEET = sheets.Sheet(
    origin=LOG.name,
    shift=SHIFT,
    number=1,
    group=sheets.Group(TerminalCode("RWG"), ("dog",)),
    persons=(Pseudonym("0" * 32), Pseudonym("1" * 32)),
).to_bytes()
_INPUTS = WaveInputs.assemble(
    origin=LOG.name, shift=SHIFT, wave=WAVE, draw_algorithm="d", code_version="c", min_pool=3, orders=[], persons=[]
).to_bytes()
_ACCESS = b'[[persons]]\nid = "i-1"\nrole = "inspector"\n[[systems]]\nid = "t"\nrole = "terminal-system"\n' + (
    b'terminals = ["ports/NLRTM/terminals/RWG"]\n'
)
_CONFIG = b"""store = "sqlite:////tmp/x.db"
key_file = "k"
log_key_file = "l"
access_file = "a"
[tls]
certificate = "c"
key = "k"
client_ca = "a"
[beacon]
pin = "b"
[beacon.urls]
[retention]
rosters_days = 800
[[ports]]
port = "NLRTM"
origin = "assign.example/NLRTM"
terminals = ["RWG"]
"""


def _bundle() -> bytes:
    file = io.BytesIO()
    write_bundle(
        file,
        log_key=LOG.verifier().vkey(),
        checkpoint=sign_checkpoint(Checkpoint(LOG.name, len(_ENTRIES), sha256(b"")), LOG),
        entries=_ENTRIES,
        inputs=[],
    )
    return file.getvalue()


def _verify(data: bytes) -> object:
    with read_bundle(io.BytesIO(data)) as bundle:
        return verify_bundle(bundle, hash_budget=2**16).to_json()


def _check_entry(data: bytes) -> object:
    return check_body(Entry.from_bytes(data))


def _certificate() -> bytes:
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
    name = x509.Name([])
    uri = x509.UniformResourceIdentifier("urn:assign:person:i-1")
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOON, NOON + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([uri]), critical=True)
        .sign(key, None)
    )
    return built.public_bytes(Encoding.PEM)


def _config(data: bytes) -> object:
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(data)
        file.flush()
        return load_config(Path(file.name))


class _Stop:
    """Where a request would reach the store: it got past every parser."""

    async def run(self, _action: object) -> object:
        raise Conflict("REACHED_THE_STORE", "The message is whole.")


class _Context:
    """A call that remembers nothing."""

    def auth_context(self) -> dict[str, list[bytes]]:
        return {}

    async def abort(self, _code: object, details: str) -> None:
        raise AssertionError(details)  # what is not foreseen ends here


class _Open(Door):
    """A door that lets everybody in and turns nobody's bytes away unread."""

    def admit(self, _context: object, _method: str) -> Caller:
        """A supervisor."""
        return Caller("person", "sup-1", Role.SUPERVISOR, frozenset({f"ports/{PORT}/terminals/RWG"}))

    async def refuse(self, _context: object, _method: str, error: Exception, _request: object) -> Any:
        """As it is."""
        raise error


def _calls() -> dict[str, Callable[[bytes], object]]:
    stop: Any = _Stop()
    door = _Open(AccessTable({}, {}, b""), stop, stop, (PORT,), stop)
    config = PortConfig(port=PORT, origin=LOG.name, terminals=["RWG"])
    services = (
        Rosters(door, {PORT: config}, lambda _: None),
        Orders(door),
        Reveals(door),
        Outages(door),
        Privacy(door, stop),
    )
    handlers = {
        f"/{service}/{method}": handler
        for one in services
        for service, methods in one.handlers().items()
        for method, handler in methods.items()
    }
    assert set(handlers) <= set(ALLOWED)
    return {name: _call(handler) for name, handler in handlers.items()}


def _call(handler: Any) -> Callable[[bytes], object]:
    return lambda data: asyncio.run(handler.unary_unary(data, _Context()))


_CALLS = _calls()


def _request(data: bytes) -> object:
    """The first line names the call that the rest is the message of."""
    name, _, message = data.partition(b"\n")
    call = _CALLS.get(name.decode("utf-8", "replace"))
    if call is None:
        raise InvalidInput("METHOD_UNKNOWN", "There is no such call.")
    return call(message)


def _message(method: str, name: str) -> bytes:
    field = name.encode()
    return method.encode() + b"\n" + bytes([0x0A, len(field)]) + field


TARGETS: dict[str, Target] = {
    "lp": Target(parse_lp, (lp("a", b"", b"\xff" * 9),)),
    "canonical-json": Target(parse_canonical_json, (canonical_json({"a": [1, None, "\u20ac", {"b": True}]}),)),
    "times": Target(_text(parse_rfc3339), (b"2026-11-24T06:00:00Z",)),
    "entries": Target(_check_entry, _ENTRIES),
    "freezes": Target(Freeze.from_bytes, (_FREEZE,)),
    "inputs": Target(WaveInputs.from_bytes, (_INPUTS,)),
    "sheets": Target(sheets.Sheet.from_bytes, (_SHEET,)),
    "sheet-names": Target(_text(sheets.parse_sheet_name), (f"{SHIFT}/sheets/7".encode(),)),
    "typed-lines": Target(
        lambda data: read_typed_lines(data, PORT),
        (b"line,person,time,slot,why\n1,i-1,2026-11-24T06:00:00Z,s-1,\n2,i-2,2026-11-24T06:00:00Z,,BUSY\n",),
    ),
    "notes": Target(parse_note, (NOTE,)),
    "checkpoints": Target(lambda data: parse_checkpoint(parse_note(data).text), (NOTE,)),
    "keys": Target(_text(NoteVerifier.from_vkey), (LOG.verifier().vkey().encode(),)),
    "receipts": Target(parse_receipt, (Receipt(1, (b"s" * 32,), NOTE, b"extra").encode(),)),
    "tiles": Target(lambda data: parse_bundle(data, width=2), (encode_bundle([b"one", b"two"]),)),
    "tile-paths": Target(_text(parse_tile_path), (b"tile/0/x001/234.p/8", b"tile/entries/000")),
    "bundles": Target(_verify, (_bundle(),)),
    "beacon-pins": Target(beacon_from_json, (quicknet().to_json(),)),
    "beacon-evidence": Target(lambda data: quicknet().verifier().verify(1000, data), (b"\x8d" + b"\x61" * 47,)),
    "witness-requests": Target(parse_request, (b"old 1\n" + b"A" * 43 + b"=\n\n" + NOTE,)),
    "wave-names": Target(_text(parse_wave_name), (WAVE.encode(),)),
    "assignment-names": Target(_text(parse_assignment_name), (f"{WAVE}/assignments/i-1".encode(),)),
    "shift-names": Target(_text(parse_shift_name), (SHIFT.encode(), b"ports/NLRTM/terminals/RWG/shifts/A")),
    "terminal-names": Target(_text(parse_terminal_name), (b"ports/NLRTM/terminals/RWG",)),
    "access-files": Target(AccessTable.from_toml, (_ACCESS,)),
    "certificates": Target(principal_of, (_certificate(),)),
    "configurations": Target(_config, (_CONFIG,)),
    "calls": Target(_request, tuple(_message(name, f"ports/{PORT}") for name in sorted(_CALLS))),
}
