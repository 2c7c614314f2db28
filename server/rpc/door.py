"""The one way in: who calls, may he call this, is the message whole, was it done before, and every refusal logged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import NoReturn, TypeAlias, TypeVar, cast

import grpc
import structlog
from google.protobuf.message import DecodeError, Message

from assign.encoding import lp, sha256
from assign.errors import AssignError, InvalidInput, Unauthenticated
from assign.names import Port, check_id
from server.actions.record_refusal import record_refusal
from server.auth.access import AccessTable
from server.auth.identity import Caller, identify
from server.auth.permissions import check_method
from server.clock import Clock
from server.rpc.status import to_status
from server.sequencer import Sequencer
from server.storage.reader import Reader
from server.storage.requests import answer_context, find_answer, save_answer
from server.storage.unit import Unit

__all__ = ["Door", "Handlers", "handler_of", "stream_handler_of"]

_log = structlog.get_logger(__name__)

RequestT = TypeVar("RequestT", bound=Message)
_T = TypeVar("_T")
_Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"


@dataclass(frozen=True, slots=True)
class Door:
    """What every handler shares.

    Attributes:
        wall_clock: judges certificates; real time, whatever clock the shifts run on.
    """

    access: AccessTable
    sequencer: Sequencer
    reader: Reader
    ports: tuple[Port, ...]
    wall_clock: Clock

    async def act(self, action: Callable[[Unit], _T]) -> _T:
        """Run an action that needs no idempotency key: it is durable when this returns."""
        return await self.sequencer.run(action)

    async def act_once(
        self, caller: Caller, method: str, request: Message, action: Callable[[Unit], RequestT]
    ) -> RequestT:
        """Run an action once for its `request_id`; a repetition gets the first answer (Google AIP-155).

        `action` returns the response message. Raises AlreadyExists (REQUEST_ID_REUSED), InvalidInput (ID_FORM).
        """
        request_id = check_id(str(getattr(request, "request_id", "")), field="request_id")
        name = f"{caller.kind}s/{caller.id}"
        digest = sha256(lp(method, request.SerializeToString(deterministic=True)))

        def once(unit: Unit) -> RequestT | bytes:
            keyring, context = unit.services.keyring, answer_context(name, request_id, digest)
            known = find_answer(unit.connection, name, request_id, digest)
            if known is not None:
                return keyring.open(known, context=context)
            response = action(unit)
            answer = keyring.seal(response.SerializeToString(deterministic=True), context=context)
            save_answer(unit.connection, name, request_id, digest, answer, unit.now)
            return response

        return cast(RequestT, await self.sequencer.run(once))

    def admit(self, context: _Context, method: str) -> Caller:
        """Who calls, if he may call this method. Raises Unauthenticated or Denied."""
        caller = identify(context.auth_context(), self.access, now=self.wall_clock.now())
        check_method(caller, method)
        return caller

    async def refuse(self, context: _Context, method: str, error: AssignError, request: Message | None) -> NoReturn:
        """Log a refusal, then end the call with it. Whoever is not known here is not worth a leaf."""
        caller: Caller | None = None
        try:
            caller = identify(context.auth_context(), self.access)
        except Unauthenticated:
            await context.abort_with_status(to_status(error))
        port = self._port_of(request)
        try:
            await self.sequencer.run(lambda unit: record_refusal(unit, caller, port, method, error.reason))
        except AssignError as failure:
            error = failure
        await context.abort_with_status(to_status(error))

    def _port_of(self, request: Message | None) -> Port:
        for field in ("parent", "name"):
            parts = str(getattr(request, field, "")).split("/")
            if len(parts) > 1 and parts[0] == "ports" and parts[1] in self.ports:
                return Port(parts[1])
        return self.ports[0]


def _parse(request_type: Callable[[], RequestT], data: bytes) -> RequestT:
    request = request_type()
    try:
        request.ParseFromString(data)
    except DecodeError:
        raise InvalidInput("MESSAGE_MALFORMED", "The request is not a message of this method.") from None
    return request


async def _fail(door: Door, context: _Context, method: str, error: Exception, request: Message | None) -> NoReturn:
    if isinstance(error, AssignError):
        await door.refuse(context, method, error, request)
    # The caller learns nothing of what went wrong inside; the operator's log has it all.
    _log.exception("internal error", method=method)
    await context.abort(grpc.StatusCode.INTERNAL, "Internal error; the operator's log has the details.")


def handler_of(
    door: Door,
    method: str,
    request_type: Callable[[], RequestT],
    behaviour: Callable[[Caller, RequestT], Awaitable[Message | bytes]],
) -> grpc.RpcMethodHandler[bytes, bytes]:
    """The handler of a unary method `/assign.v1.Service/Method`. Bytes in, bytes out: parsing is ours to refuse."""

    async def handle(data: bytes, context: _Context) -> bytes:
        request: RequestT | None = None
        try:
            caller = door.admit(context, method)
            request = _parse(request_type, data)
            response = await behaviour(caller, request)
        except Exception as error:
            await _fail(door, context, method, error, request)
        return response if isinstance(response, bytes) else response.SerializeToString()

    return grpc.unary_unary_rpc_method_handler(handle)


def stream_handler_of(
    door: Door,
    method: str,
    request_type: Callable[[], RequestT],
    behaviour: Callable[[Caller, RequestT], AsyncIterator[Message]],
) -> grpc.RpcMethodHandler[bytes, bytes]:
    """The handler of a method that answers with a stream."""

    async def handle(data: bytes, context: _Context) -> AsyncIterator[bytes]:
        request: RequestT | None = None
        try:
            caller = door.admit(context, method)
            request = _parse(request_type, data)
            async for response in behaviour(caller, request):
                yield response.SerializeToString()
        except Exception as error:
            await _fail(door, context, method, error, request)

    return grpc.unary_stream_rpc_method_handler(handle)


Handlers: TypeAlias = "dict[str, grpc.RpcMethodHandler[bytes, bytes]]"
