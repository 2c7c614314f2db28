"""Where time comes from: the system, a file that a demo or a test steers, or the test itself.

Nothing else in the server asks for the time. `Clock.name` is written to the log, so that a day run
on simulated time can never pass for a real one.

A clock file is 8 bytes: microseconds since 1970-01-01T00:00:00Z, signed, little-endian. Every process
that maps it sees a change at once; only one process steers.
"""

from __future__ import annotations

import asyncio
import mmap
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from assign.errors import AlreadyExists, Corrupt, InvalidInput, NotFound, Unavailable

__all__ = ["Clock", "ClockFile", "ManualClock", "SteeredClock", "SystemClock"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FILE_BYTES = 8
_POLL_SECONDS = 0.004
# The wall clock may be stepped while asyncio sleeps on the monotonic one: look again this often.
_RECHECK_SECONDS = 1.0


class Clock(Protocol):
    """A source of time. All times are aware; `now` is in UTC."""

    @property
    def name(self) -> str:
        """What the log calls this clock: `system`, `steered` or `manual`."""
        ...

    def now(self) -> datetime:
        """The present, aware, in UTC, with microseconds."""
        ...

    async def sleep_until(self, moment: datetime) -> None:
        """Return once `now() >= moment`, never earlier; at once if that holds already.

        Raises InvalidInput for a naive `moment`.
        """
        ...


class SystemClock:
    """The operating system's wall clock."""

    name = "system"

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep_until(self, moment: datetime) -> None:
        """Return once the wall clock shows `moment`, also if it is stepped meanwhile."""
        _require_aware(moment)
        while (left_seconds := (moment - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - nobody signals
            await asyncio.sleep(min(left_seconds, _RECHECK_SECONDS))


class ClockFile:
    """The steering end of a clock file. One process at a time may hold one.

    `create` and `open` raise AlreadyExists, NotFound or Corrupt when the file is there, is not there,
    or is not a clock file; Unavailable where the file system refuses.
    """

    def __init__(self, path: Path) -> None:
        self._time = _MappedTime(path, writable=True)
        self.path = path

    @classmethod
    def create(cls, path: Path, moment: datetime) -> Self:
        """Make the file `path`, readable by its owner only, showing `moment`."""
        data = _to_bytes(moment)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise AlreadyExists("CLOCK_FILE_EXISTS", f"{path} exists; remove it or open it.") from None
        except OSError as error:
            raise Unavailable("CLOCK_FILE_UNREADABLE", f"Cannot make {path}: {error.strerror}.") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> Self:
        """Go on steering the existing file `path`."""
        return cls(path)

    def now(self) -> datetime:
        """The time that the file shows, aware, in UTC."""
        return self._time.read()

    def advance_to(self, moment: datetime) -> None:
        """Show `moment`. Raises InvalidInput if that is earlier than what is shown."""
        _require_not_earlier(moment, self.now())
        self._time.write(moment)

    def jump(self, moment: datetime) -> None:
        """Show `moment`, even an earlier one: to test what a clock set back does."""
        self._time.write(moment)

    def close(self) -> None:
        """Unmap the file. The file itself stays."""
        self._time.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SteeredClock:
    """The reading end of a clock file that another process, or this one, steers with `ClockFile`."""

    name = "steered"

    def __init__(self, path: Path) -> None:
        self._time = _MappedTime(path, writable=False)

    def now(self) -> datetime:
        """The time that the file shows, aware, in UTC."""
        return self._time.read()

    async def sleep_until(self, moment: datetime) -> None:
        """Return within milliseconds of real time after the file shows `moment`."""
        _require_aware(moment)
        while self.now() < moment:  # noqa: ASYNC110 - another process steers: no event can be set
            await asyncio.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Unmap the file."""
        self._time.close()


class ManualClock:
    """A clock inside one event loop that moves only when told to; sleepers wake without polling."""

    name = "manual"

    def __init__(self, moment: datetime) -> None:
        _require_aware(moment)
        self._now = moment.astimezone(UTC)
        self._sleepers: dict[asyncio.Future[None], datetime] = {}

    def now(self) -> datetime:
        """The time last set, aware, in UTC."""
        return self._now

    def advance_to(self, moment: datetime) -> None:
        """Set the time and wake whoever waits for it. Raises InvalidInput if that is earlier than now."""
        _require_not_earlier(moment, self._now)
        self.jump(moment)

    def jump(self, moment: datetime) -> None:
        """Set the time, even to an earlier one."""
        _require_aware(moment)
        self._now = moment.astimezone(UTC)
        for sleeper, wake_at in self._sleepers.items():
            if wake_at <= self._now and not sleeper.done():
                sleeper.set_result(None)

    async def sleep_until(self, moment: datetime) -> None:
        """Return once the time was set to `moment` or later."""
        _require_aware(moment)
        # A loop: the clock may be set back between the waking and this task's turn to run.
        while self._now < moment:
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers[sleeper] = moment
            try:
                await sleeper
            finally:
                del self._sleepers[sleeper]


class _MappedTime:
    """The 8 bytes, mapped.

    They are read and written as one slice: an aligned 8-byte copy, so that a reader never sees half
    of a change.
    """

    def __init__(self, path: Path, *, writable: bool) -> None:
        try:
            with path.open("r+b" if writable else "rb") as file:
                if os.fstat(file.fileno()).st_size != _FILE_BYTES:
                    raise Corrupt("CLOCK_FILE_MALFORMED", f"{path} is not a clock file of 8 bytes.")
                access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
                self._map = mmap.mmap(file.fileno(), _FILE_BYTES, access=access)
        except FileNotFoundError:
            raise NotFound("CLOCK_FILE_MISSING", f"There is no clock file {path}.") from None
        except OSError as error:
            raise Unavailable("CLOCK_FILE_UNREADABLE", f"Cannot read {path}: {error.strerror}.") from None
        self.read()

    def read(self) -> datetime:
        microseconds = int.from_bytes(self._map[:_FILE_BYTES], "little", signed=True)
        try:
            return _EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            raise Corrupt("CLOCK_FILE_MALFORMED", "The clock file shows no time of year 1 to 9999.") from None

    def write(self, moment: datetime) -> None:
        self._map[:_FILE_BYTES] = _to_bytes(moment)

    def close(self) -> None:
        self._map.close()


def _to_bytes(moment: datetime) -> bytes:
    _require_aware(moment)
    return ((moment - _EPOCH) // _MICROSECOND).to_bytes(_FILE_BYTES, "little", signed=True)


def _require_aware(moment: datetime) -> None:
    if moment.utcoffset() is None:
        raise InvalidInput("TIME_NAIVE", "A time needs a time zone.")


def _require_not_earlier(moment: datetime, now: datetime) -> None:
    _require_aware(moment)
    if moment < now:
        raise InvalidInput("CLOCK_BACKWARDS", "A clock only advances; jump sets it back on purpose.")
