"""The server starts: the log says which software, clock and access file it runs with from here on."""

from __future__ import annotations

from assign.log.entries import Kind
from assign.names import Port
from server.storage.unit import Unit

__all__ = ["start_log"]


def start_log(unit: Unit, port: Port, *, access_digest: bytes, store_kind: str) -> None:
    """Record the start in one port's log."""
    services = unit.services
    unit.record(
        port,
        Kind.SERVER_START,
        {"clock": services.clock_name, "code": services.code_version, "store": store_kind},
    )
    unit.record(port, Kind.ACCESS_FILE, {"digest": access_digest.hex()})
