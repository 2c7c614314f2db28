"""The conductor of one port: freezes, draws and closes, each at its time, in order, and after a stop as well."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.engine import Connection

from assign.draw.beacon import time_of_round
from assign.errors import AssignError, Corrupt
from assign.names import Port, ShiftName, WaveName
from server.actions.close_shift import close_shift
from server.actions.draw_wave import draw_wave
from server.actions.freeze_wave import freeze_wave
from server.beacons.source import BeaconSource
from server.clock import Clock
from server.sequencer import Sequencer
from server.storage.reader import Reader
from server.storage.schema import shift
from server.storage.waves import StoredWave, WaveState, pending_waves

__all__ = ["Conductor"]

_log = structlog.get_logger(__name__)

_LOOK_AHEAD = 64
_RETRY_SECONDS = 0.5
_IDLE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Step:
    """The next thing to do: a freeze or a draw of a wave, or the close of a shift."""

    due: datetime
    wave: StoredWave | None
    shift: ShiftName | None


class Conductor:
    """Runs one port's calendar. `wake` when a shift was opened."""

    def __init__(self, port: Port, sequencer: Sequencer, reader: Reader, source: BeaconSource, clock: Clock) -> None:
        self._port = port
        self._sequencer = sequencer
        self._reader = reader
        self._source = source
        self._clock = clock
        self._woken = asyncio.Event()
        self._waiting: set[WaveName] = set()

    def wake(self) -> None:
        """Look at the calendar again."""
        self._woken.set()

    async def run(self) -> None:
        """Run until cancelled. Nothing that fails stops it: it says so and tries again."""
        while True:
            self._woken.clear()
            try:
                step = await self._reader.run(self._next_step)
                now = self._clock.now()
                if step is not None and step.due <= now:
                    await self._take(step)
                    continue
                await self._sleep_until(now + _IDLE if step is None else step.due)
            except AssignError as error:
                _log.error("calendar is held up", port=self._port, reason=error.reason, cause=error.message)
                await asyncio.sleep(_RETRY_SECONDS)

    def _next_step(self, connection: Connection) -> _Step | None:
        steps: list[_Step] = []
        for wave in pending_waves(connection, self._port, limit=_LOOK_AHEAD):
            if wave.state is WaveState.PLANNED:
                steps.append(_Step(wave.freeze_time, wave, None))
            elif wave.name not in self._waiting:
                steps.append(_Step(time_of_round(self._source.info, wave.beacon_round), wave, None))
        closing = (
            select(shift.c.shift, shift.c.close_time)
            .where(shift.c.port == self._port, shift.c.closed.is_(False))
            .order_by(shift.c.close_time)
            .limit(1)
        )
        row = connection.execute(closing).one_or_none()
        # A shift is not closed over a wave that still waits for its beacon.
        if row is not None and not self._waiting:
            steps.append(_Step(row.close_time, None, ShiftName(self._port, row.shift)))
        return min(steps, key=lambda step: step.due, default=None)

    async def _take(self, step: _Step) -> None:
        if step.shift is not None:
            name = step.shift
            closed = await self._sequencer.run(lambda unit: close_shift(unit, name))
            _log.info("shift closed" if closed else "shift not yet closed", shift=str(name))
            if not closed:
                await asyncio.sleep(_RETRY_SECONDS)
        elif step.wave is not None and step.wave.state is WaveState.PLANNED:
            wave = step.wave.name
            await self._sequencer.run(lambda unit: freeze_wave(unit, wave))
            _log.info("wave frozen", wave=str(wave))
        elif step.wave is not None:
            await self._draw(step.wave)

    async def _draw(self, wave: StoredWave) -> None:
        try:
            evidence = await self._source.fetch(wave.beacon_round)
        except AssignError as error:
            # No substitute source: that would be a second outcome. Other waves go on meanwhile.
            _log.error("beacon round is not there", wave=str(wave.name), reason=error.reason, cause=error.message)
            self._waiting.add(wave.name)
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._retry, wave.name)
            return
        try:
            await self._sequencer.run(lambda unit: draw_wave(unit, wave.name, evidence))
        except Corrupt as error:
            _log.error("wave cannot be drawn", wave=str(wave.name), reason=error.reason, cause=error.message)
            self._waiting.add(wave.name)
            asyncio.get_running_loop().call_later(60 * _RETRY_SECONDS, self._retry, wave.name)
            return
        _log.info("wave drawn", wave=str(wave.name))

    def _retry(self, name: WaveName) -> None:
        self._waiting.discard(name)
        self.wake()

    async def _sleep_until(self, due: datetime) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep_until(due))
        waking = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()
