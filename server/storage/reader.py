"""Reads beside the writer: a snapshot of what is durable, in a few threads of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sqlalchemy import Engine, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from assign.errors import Unavailable

__all__ = ["Reader"]

_T = TypeVar("_T")
_THREADS = 4


class Reader:
    """Runs queries, each on one consistent snapshot."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="reader")

    async def run(self, query: Callable[[Connection], _T]) -> _T:
        """The result of `query`. Raises what it raises, and Unavailable (STORE_UNAVAILABLE)."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._query, query)

    def close(self) -> None:
        """Finish what runs, then end the threads."""
        self._threads.shutdown()

    def _query(self, query: Callable[[Connection], _T]) -> _T:
        try:
            with self._engine.connect() as connection:
                connection.execute(text("BEGIN"))
                return query(connection)
        except DBAPIError:
            raise Unavailable("STORE_UNAVAILABLE", "The store cannot be read now. Try again.") from None
