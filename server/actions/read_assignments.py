"""A supervisor or an auditor looks at a wave's assignments, once it has started; the look is logged."""

from __future__ import annotations

from assign.encoding import rfc3339
from assign.errors import Denied
from assign.log.entries import Kind
from assign.names import PersonId, WaveName
from server.actions.actor import name_actor
from server.actions.reveal_assignment import Inspection, list_inspections
from server.auth.identity import Caller
from server.storage.unit import Unit

__all__ = ["read_assignments"]


def read_assignments(unit: Unit, caller: Caller, name: WaveName) -> dict[PersonId, list[Inspection]]:
    """Every drawn person's inspections, by person id.

    Raises Denied (WAVE_NOT_STARTED) before the wave's start, NotFound (WAVE_UNKNOWN).
    """
    wave = unit.services.drawn_waves.find(unit.connection, unit.services.keyring, name)
    if wave is None or unit.now < name.start:
        raise Denied(
            "WAVE_NOT_STARTED",
            f"Assignments can be reviewed once the wave has been drawn and has started ({rfc3339(name.start)}).",
        )
    by = name_actor(unit, caller, str(name.shift))
    unit.record(name.shift.port, Kind.READ, {"by": by, "what": f"{name}/assignments"})
    outcome = wave.outcome(unit.connection, unit.services.keyring)
    persons = sorted({person for team in outcome.teams.values() for person in team})
    return {person: list_inspections(wave, outcome, person) for person in persons}
