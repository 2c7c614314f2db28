"""The evening before: shifts are opened, then people, orders and slots come in, each from its own system."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from assign.names import SlotId, TerminalCode
from assign.order import Slot
from assign.v1 import order_service_pb2, resources_pb2, slot_service_pb2
from server.demo.messages import moment_of
from server.demo.stage import Stage
from server.demo.workplace import DECLARATIONS, ROSTER_OFFICER, SECURITY_OFFICER, SUPERVISOR, terminal_system

__all__ = ["book_day", "import_day", "list_orders", "list_slots", "open_shifts", "show_planner"]

_PAGE = 1000
_ROWS_SHOWN = 6
_WHOLE = "every row of the day's batches is stored"


async def open_shifts(stage: Stage) -> None:
    """Each shift commits to its seed before anybody is on it."""
    rosters = stage.client(ROSTER_OFFICER).rosters
    rows = []
    for shift in stage.day.shifts:
        opened = await rosters.OpenShift(stage.messages.open_shift(shift))
        stage.promises.keep("a shift commits to its seed when it opens", len(opened.master_commitment) == 32)
        hours = f"{stage.screens.clock(shift.start)} to {stage.screens.clock(shift.end)}"
        rows.append((opened.name, hours, f"{opened.wave_count}", opened.master_commitment.hex()[:24] + "…"))
    stage.screens.table(
        "Roster officer opens the shifts", ("shift", "local time", "waves", "commitment to the seed, logged now"), rows
    )


async def import_day(stage: Stage) -> None:
    """Screening, rosters and orders; each batch is taken whole."""
    day, messages = stage.day, stage.messages
    persons = await stage.client(SECURITY_OFFICER).persons.BatchImportPersons(messages.import_persons(day.persons))
    people = 0
    for shift, roster in day.rosters.items():
        answer = await stage.client(ROSTER_OFFICER).rosters.BatchImportRoster(messages.import_roster(shift, roster))
        people += answer.imported_count
    orders = await stage.client(DECLARATIONS).orders.BatchImportOrders(messages.import_orders(day.orders))
    counts = (persons.imported_count, people, orders.imported_count)
    wanted = (len(day.persons), len(day.persons), len(day.orders))
    stage.promises.keep(_WHOLE, counts == wanted, f"{counts} of {wanted}")
    again = await stage.client(DECLARATIONS).orders.BatchImportOrders(messages.import_orders(day.orders))
    stage.promises.keep("the same request sent twice is answered the same and done once", again == orders)
    stage.screens.say(
        f"Imported: {counts[0]} people's screening status, {counts[1]} roster entries, {counts[2]} orders of "
        f"{len({order.selected_by for order in day.orders})} selectors. The order batch was sent twice by mistake, and "
        "stored once."
    )


async def book_day(stage: Stage) -> None:
    """Every terminal's own system books its slots."""
    booked = await book_by_terminal(stage, stage.day.slots, purpose="day")
    stage.promises.keep(_WHOLE, booked == len(stage.day.slots), f"{booked} of {len(stage.day.slots)} slots")
    stage.screens.say(
        f"Booked: {booked} slots, by the scheduling systems of {len(stage.day.plan.terminals)} terminals."
    )


async def book_by_terminal(stage: Stage, slots: Sequence[Slot], *, purpose: str) -> int:
    """Each terminal's own system books its slots; how many were booked."""
    by_terminal: dict[TerminalCode, list[Slot]] = defaultdict(list)
    for slot in slots:
        by_terminal[slot.terminal].append(slot)
    booked = 0
    for terminal, own in sorted(by_terminal.items()):
        client = stage.client(terminal_system(stage.day.plan.port, terminal))
        request = stage.messages.book_slots(own, purpose=f"{purpose} {terminal}")
        booked += (await client.slots.BatchBookSlots(request)).booked_count
    return booked


async def list_orders(stage: Stage) -> list[resources_pb2.Order]:
    """Every order of the port, as the supervisor sees them."""
    orders: list[resources_pb2.Order] = []
    token = ""
    while True:
        request = order_service_pb2.ListOrdersRequest(parent=stage.messages.parent, page_size=_PAGE, page_token=token)
        answer = await stage.client(SUPERVISOR).orders.ListOrders(request)
        orders += answer.orders
        if not (token := answer.next_page_token):
            return orders


async def list_slots(stage: Stage, terminal: TerminalCode) -> list[resources_pb2.Slot]:
    """A terminal's slots as its own system sees them, by start."""
    client = stage.client(terminal_system(stage.day.plan.port, terminal))
    slots: list[resources_pb2.Slot] = []
    token = ""
    while True:
        request = slot_service_pb2.ListSlotsRequest(
            parent=stage.messages.terminal(terminal), page_size=_PAGE, page_token=token
        )
        answer = await client.slots.ListSlots(request)
        slots += answer.slots
        if not (token := answer.next_page_token):
            break
    stage.promises.keep(
        "a terminal sees its own slots, and nobody's name",
        all(f"/terminals/{terminal}" in slot.terminal and "persons/" not in str(slot) for slot in slots),
    )
    return sorted(slots, key=lambda slot: (slot.start_time.seconds, slot.name))


async def show_planner(stage: Stage, terminal: TerminalCode, *, focus: SlotId | None = None) -> None:
    """The planner's screen: the slots around now, or around the one in focus."""
    slots = await list_slots(stage, terminal)
    now = stage.clock.now()
    middle = sum(moment_of(slot.start_time) <= now for slot in slots)
    if focus is not None:
        middle = [slot.name.rpartition("/")[2] for slot in slots].index(focus)
    first = max(0, min(middle - 2, len(slots) - _ROWS_SHOWN))
    rows = [
        (
            stage.screens.clock(moment_of(slot.start_time)),
            slot.order.rpartition("/")[2],
            f"{slot.expected_duration.seconds // 60} min",
            _STATES[slot.state],
        )
        for slot in slots[first : first + _ROWS_SHOWN]
    ]
    title = f"Terminal planner of {terminal}: {len(slots)} slots, those around {stage.screens.clock(now)}"
    stage.screens.table(title, ("start", "order", "takes", "state"), rows)


_STATES = {
    resources_pb2.Slot.STATE_BOOKED: "booked",
    resources_pb2.Slot.STATE_CANCELLED: "cancelled",
    resources_pb2.Slot.STATE_FROZEN: "frozen: cannot change any more",
    resources_pb2.Slot.STATE_DRAWN: "drawn: a team comes",
    resources_pb2.Slot.STATE_LEFT_OVER: "LEFT OVER: nobody could be drawn, book another slot",
}
