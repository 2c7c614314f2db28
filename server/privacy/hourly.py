"""Keys that came into use are committed to in the log by the hour: many at once say less than one at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from assign.errors import AssignError
from server.privacy.key_register import commit_person_keys
from server.sequencer import Sequencer

__all__ = ["hourly_commitments"]

_log = structlog.get_logger(__name__)
_PERIOD_SECONDS: Final = 3600.0


@asynccontextmanager
async def hourly_commitments(sequencer: Sequencer, *, period_seconds: float = _PERIOD_SECONDS) -> AsyncIterator[None]:
    """Commit to new keys every `period_seconds` of real time, while inside."""
    task = asyncio.create_task(_run(sequencer, period_seconds))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _run(sequencer: Sequencer, period_seconds: float) -> None:
    while True:
        await asyncio.sleep(period_seconds)
        try:
            count = await sequencer.run(commit_person_keys)
        except AssignError as error:
            _log.error("keys are not committed to", reason=error.reason, cause=error.message)
        else:
            if count:
                _log.info("keys committed to", count=count)
