"""The server starts: the log says which software, clock and access file it runs with from here on."""

from __future__ import annotations

from assign.errors import Conflict
from assign.log.entries import Kind
from assign.names import Port
from server.storage.shifts import open_shifts
from server.storage.unit import Unit

__all__ = ["start_log"]


def start_log(unit: Unit, port: Port, *, access_digest: bytes, store_kind: str) -> None:
    """Record the start in one port's log.

    Raises Conflict (BEACON_CHANGED) where an open shift is bound to another beacon than the pinned one.
    """
    services = unit.services
    changed = [stored.name for stored in open_shifts(unit.connection, port) if stored.beacon != services.beacon_pin]
    if changed:
        # Its waves would otherwise be drawn with another beacon's values: a second outcome.
        raise Conflict(
            "BEACON_CHANGED",
            f"{changed[0]} was opened with another beacon; keep that one pinned until the shift is closed.",
        )
    unit.record(
        port,
        Kind.SERVER_START,
        {"clock": services.clock_name, "code": services.code_version, "store": store_kind},
    )
    unit.record(port, Kind.ACCESS_FILE, {"digest": access_digest.hex()})
