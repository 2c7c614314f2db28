"""A real port to measure: server and beacon as processes, one shift, and a drawn wave that inspectors can read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from assign.v1 import resources_pb2, wave_service_pb2
from server.auth.access import Role
from server.demo.clients import Clients
from server.demo.declarations import shipped_declarations
from server.demo.messages import Messages
from server.demo.people import is_cleared
from server.demo.port_day import DayPlan, PortDay, make_port_day
from server.demo.processes import Processes
from server.demo.workplace import (
    DECLARATIONS,
    ROSTER_OFFICER,
    SECURITY_OFFICER,
    SUPERVISOR,
    Identity,
    Workplace,
    terminal_system,
)

__all__ = ["ServedPort", "served_port"]

_POLL_SECONDS = 0.02
_DRAWN = resources_pb2.Wave.STATE_DRAWN


@dataclass(frozen=True, slots=True)
class ServedPort:
    """Where the server answers and what can be read there.

    Attributes:
        readers: cleared inspectors on duty. wave: a drawn wave that they may read.
    """

    address: str
    workplace: Workplace
    readers: list[Identity]
    wave: str


@asynccontextmanager
async def served_port(directory: Path) -> AsyncIterator[ServedPort]:
    """Bring a port to the point where the first wave with orders is drawn and everybody is on duty."""
    day = make_port_day(shipped_declarations(), DayPlan(shift_count=1, order_count=150, inspector_count=60))
    workplace = Workplace(directory, day)
    shift = day.shifts[0]
    evening = shift.start - timedelta(hours=10)
    with workplace.prepare(evening) as clock, Processes(workplace.logs, keep=False) as processes:
        address = workplace.start_server(processes, workplace.start_parties(processes))
        clients = Clients(address, workplace.certificates)
        try:
            messages = Messages(day.plan.port, day.plan.seed)
            await _fill(clients, messages, day)
            start = min(slot.start for slot in day.slots if slot.start >= shift.start + timedelta(minutes=30))
            wave = messages.wave(shift.shift, start)
            clock.advance_to(start - timedelta(minutes=16))
            await _await_state(clients, wave, resources_pb2.Wave.STATE_FROZEN)
            clock.advance_to(start - timedelta(minutes=14))
            await _await_state(clients, wave, _DRAWN)
        finally:
            await clients.close()
        cleared = {person.person for person in day.persons if is_cleared(person, shift.end)}
        on_duty = {entry.person for entry in day.rosters[shift.shift] if entry.person in cleared}
        readers = [Identity("person", person, Role.INSPECTOR) for person in sorted(on_duty)]
        yield ServedPort(address, workplace, readers, wave)


async def _fill(clients: Clients, messages: Messages, day: PortDay) -> None:
    shift = day.shifts[0]
    rosters = clients.of(ROSTER_OFFICER).rosters
    await rosters.OpenShift(messages.open_shift(shift))
    await clients.of(SECURITY_OFFICER).persons.BatchImportPersons(messages.import_persons(day.persons))
    await rosters.BatchImportRoster(messages.import_roster(shift.shift, day.rosters[shift.shift]))
    await clients.of(DECLARATIONS).orders.BatchImportOrders(messages.import_orders(day.orders))
    for terminal in day.plan.terminals:
        slots = [slot for slot in day.slots if slot.terminal == terminal]
        if slots:
            planner = clients.of(terminal_system(day.plan.port, terminal)).slots
            await planner.BatchBookSlots(messages.book_slots(slots, purpose="bench"))


async def _await_state(clients: Clients, wave: str, state: resources_pb2.Wave.State.ValueType) -> None:
    waves = clients.of(SUPERVISOR).waves
    request = wave_service_pb2.GetWaveRequest(name=wave)
    async with asyncio.timeout(30):
        while (await waves.GetWave(request)).state != state:  # noqa: ASYNC110 - no event: the server is another process
            await asyncio.sleep(_POLL_SECONDS)
