"""Bad input of every kind. Each is refused with a reason, nothing is half stored, and the server goes on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta

import grpc

from assign.container import ContainerNumber
from assign.names import OrderId, TerminalCode
from assign.order import MAX_TIER
from assign.roster import RosterEntry
from assign.v1 import roster_service_pb2
from server.demo.cargo import PlannedOrder, make_container_number
from server.demo.choices import Choices
from server.demo.clients import Refusal, answer_of
from server.demo.preparation import list_orders
from server.demo.stage import Attempt, Stage
from server.demo.workplace import DECLARATIONS, ROSTER_OFFICER, terminal_system

__all__ = ["send_bad_batches", "send_bad_plans", "send_garbage"]

_BATCH_ROWS = 10_000
_OVERSIZED_BYTES = 100 * 2**20
_IMPORT = "/assign.v1.OrderService/BatchImportOrders"
_SOCKET_SECONDS = 5.0
_SYSTEM = str(DECLARATIONS.role)


async def send_bad_batches(stage: Stage) -> None:
    """Batches with one wrong row, before anything right is stored."""
    orders = stage.client(DECLARATIONS).orders
    batch, row = _batch_with_wrong_digit(stage)
    await stage.refused(
        DECLARATIONS,
        f"sends {len(batch):,} orders, row {row:,} with a wrong check digit",
        orders.BatchImportOrders(stage.messages.import_orders(batch, purpose="wrong digit")),
        reasons=("CONTAINER_CHECK_DIGIT",),
        field_part=f"orders[{row}]",
    )
    good = stage.day.orders[0]
    nowhere = stage.messages.import_orders([replace(good, terminal=TerminalCode("ATLNT"))], purpose="nowhere")
    await stage.refused(
        DECLARATIONS,
        "sends an order at a terminal that Rotterdam does not have",
        orders.BatchImportOrders(nowhere),
        reasons=("UNKNOWN_TERMINAL",),
        field_part="orders[0].terminal",
    )
    stored = len(await list_orders(stage))
    stage.promises.keep("of a batch with one wrong row nothing is stored", stored == 0, f"{stored} orders")


def _batch_with_wrong_digit(stage: Stage) -> tuple[list[PlannedOrder], int]:
    choices = Choices(stage.day.plan.seed, "wrong digit")
    taken: set[ContainerNumber] = set()
    model = stage.day.orders[0]
    batch = [
        replace(model, order=OrderId(f"bulk-{row}"), container=make_container_number(choices, taken))
        for row in range(_BATCH_ROWS)
    ]
    row = choices.below(len(batch))
    number = batch[row].container
    wrong = f"{number[:-1]}{(int(number[-1]) + 1) % 10}"
    batch[row] = replace(batch[row], container=ContainerNumber(wrong))
    return batch, row


async def send_bad_plans(stage: Stage) -> None:
    """What does not fit the people and orders that are there already; no slot is booked yet."""
    day, messages = stage.day, stage.messages
    slots = day.slots
    own = terminal_system(day.plan.port, slots[0].terminal)
    other = next(code for code in day.plan.terminals if code != slots[0].terminal)
    past = replace(slots[0], start=stage.clock.now() - timedelta(hours=1))
    await stage.refused(
        own,
        "books a slot in the past",
        stage.client(own).slots.BatchBookSlots(messages.book_slots([past], purpose="past")),
        reasons=("SLOT_IN_PAST",),
        field_part="slots[0]",
    )
    stranger = terminal_system(day.plan.port, other)
    await stage.refused(
        stranger,
        "books a slot at another terminal",
        stage.client(stranger).slots.BatchBookSlots(messages.book_slots([slots[0]], purpose="other terminal")),
        reasons=("OTHER_TERMINAL",),
    )
    changed = replace(day.orders[0], tier=MAX_TIER)
    await stage.refused(
        DECLARATIONS,
        "uses the id of an earlier request for other content",
        stage.client(DECLARATIONS).orders.BatchImportOrders(messages.import_orders([changed, *day.orders[1:]])),
        reasons=("REQUEST_ID_REUSED", "REQUEST_ID_CONFLICT", "REQUEST_ID_TAKEN"),
    )
    await _send_overlap(stage)


async def _send_overlap(stage: Stage) -> None:
    if len(stage.day.shifts) < 2:
        return
    early, late = stage.day.shifts[:2]
    twice: RosterEntry = replace(stage.day.rosters[early.shift][0], end=late.start + timedelta(hours=1))
    double = replace(twice, start=late.start - timedelta(hours=2))
    await stage.refused(
        ROSTER_OFFICER,
        "puts one person on two shifts that overlap",
        stage.client(ROSTER_OFFICER).rosters.BatchImportRoster(
            stage.messages.import_roster(late.shift, [double], purpose="overlap")
        ),
        reasons=("ROSTER_OVERLAP",),
        field_part="entries[0]",
    )


async def send_garbage(stage: Stage) -> None:
    """Bytes that are no request at all: on the bare port, inside TLS, far too many; and no certificate."""
    junk = b"".join(Choices(stage.day.plan.seed, "garbage").below(2**64).to_bytes(8, "big") for _ in range(512))
    await _send_bare(stage, junk)
    await _note_refused(stage, _SYSTEM, "sends garbage instead of a message", _raw(stage, junk), "INVALID_ARGUMENT")
    huge = bytes(_OVERSIZED_BYTES)
    await _note_refused(stage, _SYSTEM, "sends a message of 100 MiB", _raw(stage, huge), "RESOURCE_EXHAUSTED")
    await _note_refused(stage, "anybody", "calls without any certificate", _without_certificate(stage), "UNAVAILABLE")
    await _require_alive(stage)


async def _raw(stage: Stage, body: bytes) -> bytes:
    call = stage.client(DECLARATIONS).channel.unary_unary(
        _IMPORT, request_serializer=bytes, response_deserializer=bytes
    )
    return bytes(await call(body, timeout=60.0))


async def _without_certificate(stage: Stage) -> object:
    authority = stage.clients.authority_pem()
    async with grpc.aio.secure_channel(stage.clients.address, grpc.ssl_channel_credentials(authority)) as channel:
        call = channel.unary_unary(_IMPORT, request_serializer=bytes, response_deserializer=bytes)
        return await call(b"", timeout=_SOCKET_SECONDS)


async def _note_refused(stage: Stage, who: str, tried: str, call: Coroutine[object, object, object], code: str) -> None:
    answer = await answer_of(call)
    promise = f"the server refuses: {who} {tried}"
    seen = f"{answer.code} {answer.message}" if isinstance(answer, Refusal) else "it was answered"
    stage.promises.keep(promise, isinstance(answer, Refusal) and answer.code == code, seen)
    if isinstance(answer, Refusal):
        stage.journal.attempts.append(Attempt(who, tried, answer))
    await _require_alive(stage)


async def _send_bare(stage: Stage, junk: bytes) -> None:
    """Garbage on the TCP port itself, before any TLS."""
    host, _, port = stage.clients.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(junk)
    with contextlib.suppress(ConnectionError, TimeoutError):
        await writer.drain()
        await asyncio.wait_for(reader.read(), _SOCKET_SECONDS)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    refusal = Refusal("(TLS)", "", "the connection is closed")
    stage.journal.attempts.append(Attempt("anybody", f"sends {len(junk):,} bytes of garbage to the port", refusal))
    await _require_alive(stage)


async def _require_alive(stage: Stage) -> None:
    started = time.monotonic()
    name = stage.messages.shift(stage.day.shifts[0].shift)
    shift = await stage.client(ROSTER_OFFICER).rosters.GetShift(roster_service_pb2.GetShiftRequest(name=name))
    stage.processes.require_alive()
    stage.promises.keep("the server goes on after every bad input", shift.name == name, f"{time.monotonic() - started}")
