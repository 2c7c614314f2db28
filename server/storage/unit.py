"""One unit of work: what an action sees of the store, the log, the clock, the keys and the entropy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.engine import Connection

from assign.encoding import Json, canonical_json
from assign.errors import NotFound
from assign.log.entries import Entry, Kind
from assign.log.note import NoteSigner
from assign.names import Port
from server.config import PortConfig
from server.cosigning.settings import WitnessPolicy
from server.entropy import Entropy
from server.escrow.custodians import EscrowConfig
from server.keyring import Keyring
from server.storage.drawn_waves import DrawnWaves
from server.storage.ledger import Ledger

__all__ = ["Services", "Unit"]

# An entry has at most 65,535 bytes (C2SP tlog-tiles); this leaves room for what stands beside the rows.
_ROWS_BYTES = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What every unit of work shares. Only `wiring` builds one.

    Attributes:
        ports: the configured ports by UN/LOCODE.
        signers: each port's log signing key; its name is the log's origin.
        beacon_pin: canonical JSON of the pinned beacon.
        clock_name: `system` or `steered`; written to the log.
        escrow: who can together open a shift's master seed; None: nobody but the server.
        witnesses: who must have cosigned a port's freezes before they are drawn; none where no port has witnesses.
    """

    ports: Mapping[str, PortConfig]
    signers: Mapping[str, NoteSigner]
    keyring: Keyring
    entropy: Entropy
    beacon_pin: bytes
    clock_name: str
    code_version: str
    escrow: EscrowConfig | None = None
    witnesses: Mapping[str, WitnessPolicy] = field(default_factory=dict)
    drawn_waves: DrawnWaves = field(default_factory=DrawnWaves)


class Unit:
    """The transaction of one action; everything it does becomes durable together, or not at all."""

    def __init__(self, connection: Connection, services: Services, ledgers: dict[Port, Ledger], now: datetime) -> None:
        self.connection = connection
        self.services = services
        self.now = now
        self._ledgers = ledgers

    def config(self, port: Port) -> PortConfig:
        """The configuration of `port`. Raises NotFound (PORT_UNKNOWN)."""
        config = self.services.ports.get(port)
        if config is None:
            raise NotFound("PORT_UNKNOWN", f"This server does not serve the port {port}.")
        return config

    def append(self, port: Port, data: bytes) -> int:
        """Add raw bytes to the port's log; their position."""
        return self._ledger(port).append(data)

    def record(self, port: Port, kind: Kind, body: dict[str, Json]) -> int:
        """Add an entry to the port's log at this unit's time; its position."""
        entry = Entry(kind=kind, origin=self.config(port).origin, time=self.now, body=body)
        return self.append(port, entry.to_bytes())

    def record_rows(self, port: Port, kind: Kind, body: dict[str, Json], field: str, rows: Sequence[Json]) -> None:
        """Add `rows` as the list `field` of as many entries as their size needs, each with `body` besides."""
        part: list[Json] = []
        size = 0
        for row in rows:
            row_bytes = len(canonical_json(row)) + 1
            if part and size + row_bytes > _ROWS_BYTES:
                self.record(port, kind, {**body, field: part})
                part, size = [], 0
            part.append(row)
            size += row_bytes
        self.record(port, kind, {**body, field: part})

    def _ledger(self, port: Port) -> Ledger:
        ledger = self._ledgers.get(port)
        if ledger is None:
            signer = self.services.signers[port]
            ledger = Ledger(self.connection, port, self.config(port).origin, signer)
            self._ledgers[port] = ledger
        return ledger
