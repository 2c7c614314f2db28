"""A real gRPC server over mutual TLS on 127.0.0.1 that answers with who the caller is; and forged certificates."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from assign.errors import AssignError
from server.auth.access import AccessTable
from server.auth.certificates import Authority
from server.auth.identity import identify
from server.auth.permissions import check_method
from server.auth.tls import TlsFiles, server_credentials

METHOD = "/assign.v1.WaveService/GetWave"
STATUSES = {code.name: code for code in grpc.StatusCode}


@dataclass(frozen=True)
class Answer:
    """Status, and `kind:id:role` or the error's reason."""

    status: grpc.StatusCode
    text: str


class _WhoAmI(grpc.GenericRpcHandler):
    """Any method answers who called it, after the checks that a real one makes."""

    def __init__(self, access: AccessTable, now: datetime | None) -> None:
        self._access = access
        self._now = now

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            try:
                caller = identify(context.auth_context(), self._access, now=self._now)
                check_method(caller, details.method)
            except AssignError as error:
                await context.abort(STATUSES[error.status], error.reason)
            return f"{caller.kind}:{caller.id}:{caller.role}".encode()

        return grpc.unary_unary_rpc_method_handler(answer)


@asynccontextmanager
async def serving(files: TlsFiles, access: AccessTable, *, now: datetime | None = None) -> AsyncIterator[str]:
    """The address `127.0.0.1:port` of the running server."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((_WhoAmI(access, now),))
    port = server.add_secure_port("127.0.0.1:0", server_credentials(files))
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def call(address: str, credentials: grpc.ChannelCredentials, *, method: str = METHOD) -> Answer:
    """One call over a new connection."""
    async with grpc.aio.secure_channel(address, credentials) as channel:
        return await ask(channel, method=method)


async def ask(channel: grpc.aio.Channel, *, method: str = METHOD) -> Answer:
    """One call over `channel`."""
    invoke = channel.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
    try:
        text = await invoke(b"", timeout=10)
    except grpc.aio.AioRpcError as error:
        return Answer(error.code(), error.details() or "")
    return Answer(grpc.StatusCode.OK, text.decode())


def forge(
    authority: Authority,
    *,
    names: Sequence[x509.GeneralName] | None,
    valid_until: datetime | None = None,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> tuple[bytes, bytes]:
    """A certificate (PEM) and key that the project would not issue, but that `authority` signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    until = valid_until or datetime.now(UTC) + timedelta(days=1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "urn:assign:person:i-0042")]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=2))
        .not_valid_after(until)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    )
    if names is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(authority.key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private


def files_of(folder: Path) -> TlsFiles:
    """The server's files in a certificate directory."""
    return TlsFiles(folder / "server.pem", folder / "server.key", folder / "authority.pem")
