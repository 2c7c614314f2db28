"""A refused call is a leaf too: who asked what, and why it was refused."""

from __future__ import annotations

from assign.log.entries import Kind
from assign.names import Port
from server.actions.actor import name_actor
from server.auth.identity import Caller
from server.storage.unit import Unit

__all__ = ["record_refusal"]


def record_refusal(unit: Unit, caller: Caller | None, port: Port, method: str, reason: str) -> None:
    """Log a refusal. `caller` is None where a valid certificate names nobody who is registered."""
    by = "unknown" if caller is None else name_actor(unit, caller, f"ports/{port}")
    unit.record(port, Kind.REFUSAL, {"by": by, "method": method, "reason": reason})
