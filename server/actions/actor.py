"""How the log names whoever acts."""

from __future__ import annotations

from assign.names import PersonId
from server.auth.identity import Caller
from server.storage.persons import pseudonym_of
from server.storage.unit import Unit

__all__ = ["name_actor"]


def name_actor(unit: Unit, caller: Caller, context: str) -> str:
    """A person's pseudonym in `context` (a shift's or port's resource name), or `systems/ID`."""
    if caller.kind == "system":
        return f"systems/{caller.id}"
    return pseudonym_of(unit, PersonId(caller.id), context)
