"""`RevealAssignment` calls a second against a bare `grpc.aio` echo, both over the same mutual TLS.

A reveal is authenticated, judged, logged and durable before it is answered. Server and load generator are
processes of their own and share the machine's cores; the two sides are measured in turns.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import grpc
from served_port import ServedPort, served_port

from assign.v1 import reveal_service_pb2
from server.auth.tls import TlsFiles, channel_credentials, server_credentials

_IN_FLIGHT = 64
_SECONDS = 3.0
_WARM_UP_SECONDS = 1.0
_ROUNDS = 5
_ECHO = "/bench.Echo/Echo"
_REVEAL = "/assign.v1.RevealService/RevealAssignment"


async def _serve_echo(files: TlsFiles) -> None:
    async def echo(data: bytes, _context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return data

    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {"Echo": grpc.unary_unary_rpc_method_handler(echo)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    port = server.add_secure_port("127.0.0.1:0", server_credentials(files))
    await server.start()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await server.wait_for_termination()


async def _load(address: str, method: str, request: bytes, files: TlsFiles, seconds: float) -> list[float]:
    """Seconds of each call, with a fixed number in flight."""
    async with grpc.aio.secure_channel(address, channel_credentials(files)) as channel:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
        await call(request)
        took: list[float] = []
        end = time.perf_counter() + seconds

        async def caller() -> None:
            while (started := time.perf_counter()) < end:
                await call(request)
                took.append(time.perf_counter() - started)

        await asyncio.gather(*(caller() for _ in range(_IN_FLIGHT)))
        return took


def _client_files(port: ServedPort) -> TlsFiles:
    reader = port.readers[0]
    files = port.workplace.certificates.client_files(reader.kind, reader.id)
    return TlsFiles(files.certificate, files.key, port.workplace.certificates.authority_certificate)


async def _compare(port: ServedPort, echo_address: str) -> dict[str, list[list[float]]]:
    files = _client_files(port)
    request = reveal_service_pb2.RevealAssignmentRequest(name=f"{port.wave}/assignments/{port.readers[0].id}")
    data = request.SerializeToString()
    sides = {"echo": (echo_address, _ECHO), "reveal": (port.address, _REVEAL)}
    rounds: dict[str, list[list[float]]] = {"echo": [], "reveal": []}
    for address, method in sides.values():
        await _load(address, method, data, files, _WARM_UP_SECONDS)
    for _ in range(_ROUNDS):
        for side, (address, method) in sides.items():
            rounds[side].append(await _load(address, method, data, files, _SECONDS))
    return rounds


async def _measure(directory: Path) -> dict[str, list[list[float]]]:
    async with served_port(directory) as port:
        certs = port.workplace.run / "certs"
        arguments = [str(certs / name) for name in ("server.pem", "server.key", "authority.pem")]
        child = await asyncio.create_subprocess_exec(
            sys.executable, __file__, *arguments, stdout=asyncio.subprocess.PIPE
        )
        try:
            assert child.stdout is not None
            return await _compare(port, f"127.0.0.1:{(await child.stdout.readline()).decode().strip()}")
        finally:
            child.terminate()
            await child.wait()


def _rate(rounds: list[list[float]]) -> float:
    return statistics.median(len(took) / _SECONDS for took in rounds)


def _late(rounds: list[list[float]]) -> float:
    return statistics.median(statistics.quantiles(took, n=100)[98] for took in rounds)


def entries() -> list[dict[str, Any]]:
    """Calls a second and 99th percentile, at 64 in flight."""
    with tempfile.TemporaryDirectory(dir=Path(__file__).parent) as name:
        rounds = asyncio.run(_measure(Path(name)))
    rate, late = _rate(rounds["reveal"]), _late(rounds["reveal"])
    return [
        {
            "name": f"RevealAssignment, durable, {_IN_FLIGHT} in flight, against a bare grpc.aio echo",
            "value": rate,
            "unit": "calls/s",
            "baseline": _rate(rounds["echo"]),
            "ratio": rate / _rate(rounds["echo"]),
            "better": "higher",
        },
        {
            "name": f"RevealAssignment, 99th percentile, {_IN_FLIGHT} in flight, against a bare grpc.aio echo",
            "value": 1000 * late,
            "unit": "ms",
            "baseline": 1000 * _late(rounds["echo"]),
            "ratio": late / _late(rounds["echo"]),
            "better": "lower",
        },
    ]


if __name__ == "__main__":
    certificate, key, authority = (Path(argument) for argument in sys.argv[1:])
    asyncio.run(_serve_echo(TlsFiles(certificate, key, authority)))
