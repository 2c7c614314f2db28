"""The composition root: the only file that chooses adapters and connects the parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from assign.draw.beacon import beacon_from_json
from assign.draw.beacon_drand import DrandBeacon
from assign.draw.beacon_local import LocalBeacon
from assign.errors import InvalidInput
from assign.log.note import NoteSigner, NoteVerifier
from assign.names import Port
from assign.selftest.run import require_sound_build
from assign.v1 import (
    log_service_pb2,
    order_service_pb2,
    outage_service_pb2,
    person_service_pb2,
    privacy_service_pb2,
    reveal_service_pb2,
    review_service_pb2,
    roster_service_pb2,
    slot_service_pb2,
    verification_service_pb2,
    wave_service_pb2,
)
from server.actions.start_log import start_log
from server.audit.startup import check_ends
from server.auth.access import AccessTable
from server.auth.log_key import load_log_key
from server.auth.tls import TlsFiles, server_credentials
from server.beacons.source import BeaconSource, DrandSource, LocalSource
from server.clock import Clock, SteeredClock, SystemClock
from server.conductor import Conductor
from server.config import Config, PortConfig
from server.cosigning.collector import running_collectors
from server.cosigning.settings import WitnessPolicy
from server.entropy import SystemEntropy
from server.escrow.key_file import escrow_key_file
from server.keyring import Keyring
from server.privacy.hourly import hourly_commitments
from server.rpc.door import Door, Handlers
from server.rpc.evidence import Evidence
from server.rpc.orders import Orders
from server.rpc.outages import Outages
from server.rpc.privacy import Privacy
from server.rpc.reveals import Reveals
from server.rpc.reviews import Reviews
from server.rpc.rosters import Rosters
from server.sequencer import Sequencer
from server.storage.migrate import migrate
from server.storage.reader import Reader
from server.storage.sqlite import open_readers, open_writer
from server.storage.unit import Services
from server.terminals import TerminalRegister

__all__ = ["CODE_VERSION", "Running", "build_services", "check_terminals", "running_server"]

CODE_VERSION = f"assign/{version('assign')}"

_DESCRIPTORS = (
    log_service_pb2,
    order_service_pb2,
    outage_service_pb2,
    person_service_pb2,
    privacy_service_pb2,
    reveal_service_pb2,
    review_service_pb2,
    roster_service_pb2,
    slot_service_pb2,
    verification_service_pb2,
    wave_service_pb2,
)
_GRACE_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: where, with which log keys."""

    address: str
    port_number: int
    verifiers: dict[str, NoteVerifier]


def _signer(config: Config, port: PortConfig) -> NoteSigner:
    path = port.log_key_file or config.log_key_file
    signer = load_log_key(path)
    if signer.name != port.origin:
        raise InvalidInput(
            "LOG_KEY_NAME", f"{path} is the key of {signer.name}; the log of {port.port} is {port.origin}."
        )
    return signer


def _clock(config: Config) -> Clock:
    return SystemClock() if config.clock_file is None else SteeredClock(config.clock_file)


def check_terminals(config: Config) -> None:
    """Raise InvalidInput (UNKNOWN_TERMINAL) for a configured terminal that the SMDG list does not have."""
    register = TerminalRegister.shipped()
    for index, port in enumerate(config.ports):
        for terminal in port.terminals:
            register.check(port.port, terminal, field=f"ports.{index}.terminals")


def _source(config: Config) -> BeaconSource:
    pin = beacon_from_json(config.beacon.pin.read_bytes())
    if isinstance(pin, LocalBeacon):
        return LocalSource(pin, config.beacon.urls)
    if isinstance(pin, DrandBeacon):
        return DrandSource(pin, [url for urls in config.beacon.urls.values() for url in urls])
    raise InvalidInput("BEACON_SCHEME", "This software does not know the pinned beacon's scheme.", field="beacon.pin")


def build_services(config: Config) -> Services:
    """What units of work share. Raises AssignError naming the file or setting that is wrong."""
    entropy = SystemEntropy()
    signers = {port.port: _signer(config, port) for port in config.ports}
    return Services(
        ports={port.port: port for port in config.ports},
        signers=signers,
        keyring=Keyring.load(config.key_file, entropy=entropy),
        entropy=entropy,
        beacon_pin=beacon_from_json(config.beacon.pin.read_bytes()).to_json(),
        clock_name=_clock(config).name,
        code_version=CODE_VERSION,
        escrow=config.escrow,
        witnesses=_witness_policies(config, signers),
    )


def _witness_policies(config: Config, signers: dict[str, NoteSigner]) -> dict[str, WitnessPolicy]:
    witnesses = config.witnesses
    if witnesses is None:
        return {}
    return {
        port: WitnessPolicy(witnesses.policy(signer.verifier()), is_strict=witnesses.strict)
        for port, signer in signers.items()
    }


@asynccontextmanager
async def running_server(config: Config) -> AsyncIterator[Running]:
    """Start everything, yield while it runs, stop everything in the reverse order.

    Raises AssignError naming what is wrong, before anything is listened on.
    """
    require_sound_build()
    services = build_services(config)
    check_terminals(config)
    access = AccessTable.load(config.access_file)
    credentials = server_credentials(TlsFiles(config.tls.certificate, config.tls.key, config.tls.client_ca))
    clock = _clock(config)
    async with AsyncExitStack() as stack:
        writer, readers = open_writer(config.store), open_readers(config.store)
        stack.callback(readers.dispose)
        stack.callback(writer.dispose)
        migrate(writer)
        verifiers = {port: signer.verifier() for port, signer in services.signers.items()}
        with readers.connect() as connection:
            check_ends(connection, {Port(port): verifier for port, verifier in verifiers.items()})
        sequencer = Sequencer(writer, services, clock)
        sequencer.start()
        stack.push_async_callback(sequencer.stop)
        reader = Reader(readers)
        stack.callback(reader.close)
        await _start_logs(sequencer, services, access)
        await sequencer.run(lambda unit: escrow_key_file(unit, config.key_file))
        await stack.enter_async_context(hourly_commitments(sequencer))
        source = _source(config)
        stack.push_async_callback(source.close)
        collectors = await stack.enter_async_context(
            running_collectors(config.witnesses, tuple(services.ports), sequencer, reader, clock)
        )
        conductors = {
            Port(code): Conductor(Port(code), sequencer, reader, source, clock, collectors.get(code))
            for code in services.ports
        }
        for conductor in conductors.values():
            stack.push_async_callback(_cancel, asyncio.create_task(conductor.run()))
        door = Door(access, sequencer, reader, tuple(conductors), wall_clock=SystemClock())
        handlers = _handlers(door, services, verifiers, lambda port: conductors[port].wake())
        server, port_number = await _listen(config, credentials, handlers)
        stack.push_async_callback(server.stop, _GRACE_SECONDS)
        host = config.listen.rpartition(":")[0]
        yield Running(f"{host}:{port_number}", port_number, verifiers)


async def _start_logs(sequencer: Sequencer, services: Services, access: AccessTable) -> None:
    for port in services.ports:
        await sequencer.run(
            lambda unit, port=port: start_log(  # type: ignore[misc]
                unit, Port(port), access_digest=access.digest, store_kind="sqlite"
            )
        )


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _handlers(
    door: Door, services: Services, verifiers: dict[str, NoteVerifier], opened: Callable[[Port], None]
) -> dict[str, Handlers]:
    return {
        **Rosters(door, services.ports, opened).handlers(),
        **Orders(door).handlers(),
        **Reveals(door).handlers(),
        **Evidence(door, services, verifiers).handlers(),
        **Outages(door).handlers(),
        **Privacy(door, services.keyring).handlers(),
        **Reviews(door, services).handlers(),
    }


async def _listen(
    config: Config, credentials: grpc.ServerCredentials, handlers: dict[str, Handlers]
) -> tuple[grpc.aio.Server, int]:
    options = [
        ("grpc.max_receive_message_length", config.max_message_bytes),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.aio.server(options=options)
    server.add_generic_rpc_handlers(
        tuple(grpc.method_handlers_generic_handler(service, methods) for service, methods in handlers.items())
    )
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    names = [
        descriptor.full_name for module in _DESCRIPTORS for descriptor in module.DESCRIPTOR.services_by_name.values()
    ]
    reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port_number = server.add_secure_port(config.listen, credentials)
    if port_number == 0:
        raise InvalidInput("LISTEN_FAILED", f"Cannot listen on {config.listen}; is it in use?", field="listen")
    await server.start()
    for name in ["", *names]:
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    return server, port_number
