"""The conductor of one port: freezes, draws and closes, each at its time, in order, and after a stop as well."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.engine import Connection

from assign.draw.beacon import time_of_round
from assign.errors import AssignError, Exhausted, Unavailable
from assign.names import Port, ShiftName, WaveName
from server.actions.admit_wave import admit_wave
from server.actions.close_shift import close_shift
from server.actions.draw_wave import draw_wave
from server.actions.freeze_wave import freeze_wave
from server.beacons.source import BeaconSource
from server.clock import Clock
from server.cosigning.collector import CosignatureCollector
from server.sequencer import Sequencer
from server.storage.reader import Reader
from server.storage.shifts import next_closing
from server.storage.waves import StoredWave, WaveState, next_frozen, next_planned

__all__ = ["Conductor"]

_log = structlog.get_logger(__name__)

_RETRY_SECONDS = 0.5
_RETRY_DAMAGED_SECONDS = 30.0
_IDLE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class _Step:
    """The next thing to do: a freeze or a draw of a wave, or the close of a shift (`wave` is None)."""

    due: datetime
    name: WaveName | ShiftName
    wave: StoredWave | None = None


class Conductor:
    """Runs one port's calendar. `wake` when a shift was opened.

    What fails is put aside for a while and tried again: it holds up nothing else, except that no wave is
    drawn before an earlier one that still waits for the beacon.

    Args:
        cosignatures: shows each freeze to witnesses; None where there are none.
    """

    def __init__(
        self,
        port: Port,
        sequencer: Sequencer,
        reader: Reader,
        source: BeaconSource,
        clock: Clock,
        cosignatures: CosignatureCollector | None = None,
    ) -> None:
        self._port = port
        self._sequencer = sequencer
        self._reader = reader
        self._source = source
        self._clock = clock
        self._cosignatures = cosignatures
        self._settling: asyncio.Task[None] | None = None
        self._settled: WaveName | None = None
        self._woken = asyncio.Event()
        self._held: set[WaveName | ShiftName] = set()
        self._is_beacon_down = False

    def wake(self) -> None:
        """Look at the calendar again."""
        self._woken.set()

    async def run(self) -> None:
        """Run until cancelled. Nothing that fails stops it: it says so and tries again."""
        while True:
            self._woken.clear()
            try:
                step = await self._reader.run(self._next_step)
            except Exception as error:
                _say("calendar is held up", self._port, error)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            now = self._clock.now()
            if step is not None and step.due <= now:
                await self._take(step)
            else:
                await self._sleep_until(now + _IDLE if step is None else step.due)

    def _next_step(self, connection: Connection) -> _Step | None:
        steps: list[_Step] = []
        planned = next_planned(connection, self._port, besides=self._held)
        if planned is not None:
            steps.append(_Step(planned.freeze_time, planned.name, planned))
        is_waiting = self._is_beacon_down or self._settling is not None
        frozen = None if is_waiting else next_frozen(connection, self._port, besides=self._held)
        if frozen is not None:
            due = time_of_round(self._source.info, frozen.beacon_round)
            steps.append(_Step(due, frozen.name, frozen))
        closing = next_closing(connection, self._port, besides=self._held)
        if closing is not None:
            steps.append(_Step(closing.close_time, closing.name))
        return min(steps, key=lambda step: step.due, default=None)

    async def _take(self, step: _Step) -> None:
        try:
            if isinstance(step.name, ShiftName):
                await self._close(step.name)
            elif step.wave is not None and step.wave.state is WaveState.FROZEN:
                await self._draw(step.wave)
            else:
                await self._freeze(step.name)
        except Exception as error:
            _say("a step of the calendar failed", step.name, error)
            # What is damaged stays so until somebody mends it; a store that is full, or busy, may be so for a moment.
            seconds = _RETRY_SECONDS if isinstance(error, Unavailable | Exhausted) else _RETRY_DAMAGED_SECONDS
            self._hold(step.name, seconds)

    async def _close(self, name: ShiftName) -> None:
        closed = await self._sequencer.run(lambda unit: close_shift(unit, name))
        if not closed:
            raise Unavailable("SHIFT_NOT_OVER", "A wave of this shift still waits to be drawn.")
        _log.info("shift closed", shift=str(name))

    async def _freeze(self, name: WaveName) -> None:
        await self._sequencer.run(lambda unit: freeze_wave(unit, name))
        _log.info("wave frozen", wave=str(name))
        if self._cosignatures is not None:
            self._cosignatures.wake()

    async def _draw(self, wave: StoredWave) -> None:
        if self._cosignatures is not None and self._settled != wave.name:
            self._settling = asyncio.create_task(self._settle(wave.name, self._cosignatures))
            return
        # Before the beacon is asked: whether a wave is given up cannot depend on what would come of it.
        if not await self._sequencer.run(lambda unit: admit_wave(unit, wave.name)):
            _log.error("wave is not drawn: too few witnesses saw its freeze in time", wave=str(wave.name))
            return
        try:
            evidence = await self._source.fetch(wave.beacon_round)
        except Unavailable as error:
            # No substitute source: that would be a second outcome. Freezes go on meanwhile.
            _say("beacon round is not there", wave.name, error)
            self._is_beacon_down = True
            asyncio.get_running_loop().call_later(_RETRY_SECONDS, self._try_beacon)
            return
        await self._sequencer.run(lambda unit: draw_wave(unit, wave.name, evidence))
        _log.info("wave drawn", wave=str(wave.name))

    async def _settle(self, name: WaveName, cosignatures: CosignatureCollector) -> None:
        """Nothing that a witness cosigned in time is still on its way after this; freezes go on meanwhile."""
        try:
            await cosignatures.settle()
        finally:
            self._settled, self._settling = name, None
            self.wake()

    def _try_beacon(self) -> None:
        self._is_beacon_down = False
        self.wake()

    def _hold(self, name: WaveName | ShiftName, seconds: float) -> None:
        self._held.add(name)
        asyncio.get_running_loop().call_later(seconds, self._release, name)

    def _release(self, name: WaveName | ShiftName) -> None:
        self._held.discard(name)
        self.wake()

    async def _sleep_until(self, due: datetime) -> None:
        sleeping = asyncio.ensure_future(self._clock.sleep_until(due))
        waking = asyncio.ensure_future(self._woken.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sleeping.cancel()
            waking.cancel()


def _say(what: str, name: object, error: Exception) -> None:
    if isinstance(error, AssignError):
        _log.error(what, name=str(name), reason=error.reason, cause=error.message)
    else:
        _log.error(what, name=str(name), exc_info=error)
