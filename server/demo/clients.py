"""gRPC clients, each with its own client certificate over TLS, and what a refusal looks like to them."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from assign.v1 import (
    log_service_pb2_grpc,
    order_service_pb2_grpc,
    person_service_pb2_grpc,
    reveal_service_pb2_grpc,
    roster_service_pb2_grpc,
    slot_service_pb2_grpc,
    verification_service_pb2_grpc,
    wave_service_pb2_grpc,
)
from server.auth.certificate_files import CertificateDirectory
from server.auth.tls import TlsFiles, channel_credentials
from server.demo.workplace import Identity

__all__ = ["CALL_SECONDS", "Client", "Clients", "Refusal", "answer_of", "refusal_of"]

T = TypeVar("T")

CALL_SECONDS = 30.0
_DETAILS = "grpc-status-details-bin"
# Room for a batch of 10,000 rows; what the server takes, it decides itself.
_MAX_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Refusal:
    """The server's answer to a call that it refused, as the client gets it.

    Attributes:
        code: gRPC status. reason: the stable code. wire_bytes: size of all that tells about the refusal.
        fields: path and description of every wrong field.
    """

    code: str
    reason: str
    message: str
    fields: tuple[tuple[str, str], ...] = ()
    wire_bytes: int = field(default=0, compare=False)


class Client:
    """The services as one caller reaches them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.rosters = roster_service_pb2_grpc.RosterServiceStub(channel)
        self.persons = person_service_pb2_grpc.PersonServiceStub(channel)
        self.orders = order_service_pb2_grpc.OrderServiceStub(channel)
        self.slots = slot_service_pb2_grpc.SlotServiceStub(channel)
        self.waves = wave_service_pb2_grpc.WaveServiceStub(channel)
        self.reveals = reveal_service_pb2_grpc.RevealServiceStub(channel)
        self.log = log_service_pb2_grpc.LogServiceStub(channel)
        self.verification = verification_service_pb2_grpc.VerificationServiceStub(channel)


class Clients:
    """Connections by identity, made when first used."""

    def __init__(self, address: str, certificates: CertificateDirectory) -> None:
        self.address = address
        self._certificates = certificates
        self._clients: dict[Identity, Client] = {}

    def of(self, identity: Identity) -> Client:
        """The client with the certificate of `identity`."""
        if identity not in self._clients:
            files = self._certificates.client_files(identity.kind, identity.id)
            tls = TlsFiles(files.certificate, files.key, self._certificates.authority_certificate)
            options = (("grpc.max_send_message_length", _MAX_BYTES), ("grpc.max_receive_message_length", _MAX_BYTES))
            channel = grpc.aio.secure_channel(self.address, channel_credentials(tls), options=options)
            self._clients[identity] = Client(channel)
        return self._clients[identity]

    def authority_pem(self) -> bytes:
        """What the server's certificate is checked against."""
        return self._certificates.authority_certificate.read_bytes()

    async def forget(self, identities: Iterable[Identity]) -> None:
        """Close the connections of these callers."""
        for identity in identities:
            client = self._clients.pop(identity, None)
            if client is not None:
                await client.channel.close(None)

    async def close(self) -> None:
        """Close every connection."""
        await self.forget([*self._clients])


async def answer_of(call: Awaitable[T]) -> T | Refusal:
    """The answer to `call`, or its refusal."""
    try:
        return await call
    except grpc.aio.AioRpcError as error:
        return refusal_of(error)


def refusal_of(error: grpc.aio.AioRpcError) -> Refusal:
    """What a failed call says: status, reason, message and wrong fields (`google.rpc` error details)."""
    reason, fields = "", []
    # The stubs do not know that metadata are pairs.
    metadata = cast("Iterable[tuple[str, str | bytes]]", error.trailing_metadata() or ())
    found = [value for key, value in metadata if key == _DETAILS]
    raw = b"".join(value for value in found if isinstance(value, bytes))
    for detail in _details(raw):
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason
        elif detail.Unpack(bad):
            fields += [(violation.field, violation.description) for violation in bad.field_violations]
    message = error.details() or ""
    return Refusal(error.code().name, reason, message, tuple(fields), len(raw) + len(message.encode()))


def _details(raw: bytes) -> tuple[Any, ...]:
    try:
        status: Any = status_pb2.Status.FromString(raw)
    except DecodeError:
        return ()
    return tuple(status.details)
