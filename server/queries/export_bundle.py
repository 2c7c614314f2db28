"""A port's bundle: the log up to its newest checkpoint, cosigned checkpoints, the inputs of every closed shift."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from sqlalchemy import select
from sqlalchemy.engine import Connection

from assign.draw.beacon import BeaconInfo, beacon_from_json, time_of_round
from assign.errors import Conflict
from assign.names import Port, ShiftName, WaveName
from assign.verify.bundle_writer import write_bundle
from server.keyring import Keyring
from server.storage.cosignatures import read_cosigned
from server.storage.ledger import read_entries, read_head
from server.storage.outcomes import seal_context
from server.storage.schema import shift, wave

__all__ = ["write_port_bundle"]

_ENTRIES_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class _Entries:
    """The log's entries, read anew with every iteration, a thousand at a time."""

    connection: Connection
    port: Port
    size: int

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, self.size, _ENTRIES_AT_ONCE):
            end = min(start + _ENTRIES_AT_ONCE, self.size)
            yield from read_entries(self.connection, self.port, start, end)


@dataclass(frozen=True, slots=True)
class _Inputs:
    """The opened inputs of every frozen wave of the closed shifts, by wave name."""

    connection: Connection
    keyring: Keyring
    port: Port

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        statement = (
            select(wave.c.shift, wave.c.start)
            .join(shift, (shift.c.port == wave.c.port) & (shift.c.shift == wave.c.shift))
            .where(wave.c.port == self.port, shift.c.closed.is_(True), wave.c.inputs_sealed.is_not(None))
        )
        rows = self.connection.execute(statement).all()
        names = sorted((WaveName(ShiftName(self.port, row.shift), row.start) for row in rows), key=str)
        for name in names:
            yield str(name), self._open(name)

    def _open(self, name: WaveName) -> bytes:
        statement = select(wave.c.inputs_sealed).where(
            wave.c.port == self.port, wave.c.shift == name.shift.shift, wave.c.start == name.start
        )
        sealed = self.connection.execute(statement).scalar_one()
        return self.keyring.open(sealed, context=seal_context("inputs", name))


@dataclass(frozen=True, slots=True)
class _Cosigned:
    """The checkpoints that witnesses cosigned between a freeze and its round, and the newest one."""

    connection: Connection
    port: Port
    size: int

    def __iter__(self) -> Iterator[bytes]:
        return read_cosigned(self.connection, self.port, up_to=self.size, wanted=self._freezes())

    def _freezes(self) -> list[tuple[int, datetime]]:
        """Where each freeze is, and the time of its round."""
        statement = (
            select(wave.c.freeze_index, wave.c.beacon_round, shift.c.beacon)
            .join(shift, (shift.c.port == wave.c.port) & (shift.c.shift == wave.c.shift))
            .where(wave.c.port == self.port, wave.c.freeze_index.is_not(None))
            .order_by(wave.c.freeze_index)
        )
        beacons: dict[bytes, BeaconInfo] = {}
        freezes: list[tuple[int, datetime]] = []
        for index, beacon_round, pin in self.connection.execute(statement):
            if pin not in beacons:
                beacons[pin] = beacon_from_json(pin)
            freezes.append((index, time_of_round(beacons[pin], beacon_round)))
        return freezes


def write_port_bundle(connection: Connection, keyring: Keyring, port: Port, log_key: str, file: BinaryIO) -> bytes:
    """Write the bundle of `port` to `file` and return its SHA-256. Raises Conflict (LOG_EMPTY).

    Args:
        connection: one consistent snapshot. log_key: the vkey of the log's key.
    """
    edge, checkpoint = read_head(connection, port)
    if edge.size == 0:
        raise Conflict("LOG_EMPTY", f"The log of {port} has no entries yet.")
    return write_bundle(
        file,
        log_key=log_key,
        checkpoint=checkpoint,
        entries=_Entries(connection, port, edge.size),
        inputs=_Inputs(connection, keyring, port),
        cosigned=_Cosigned(connection, port, edge.size),
    )
