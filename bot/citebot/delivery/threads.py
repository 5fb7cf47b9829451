"""Database work off the event loop, on threads of our own: no plugin's long work is before it in a queue."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

from citebot.storage import Database, Transaction

T = TypeVar("T")


class Transactor:
    """Runs functions of a transaction on its threads."""

    def __init__(self, database: Database, threads: int) -> None:
        self.database = database
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="citebot-delivery")

    async def read(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in a transaction that sees one state and changes nothing."""

        def run() -> T:
            with self.database.read() as tx:
                return work(tx)

        return await self._run(run)

    async def write(self, work: Callable[[Transaction], T], *, durable: bool = False) -> T:
        """Run `work` in one write transaction."""

        def run() -> T:
            with self.database.write(durable=durable) as tx:
                return work(tx)

        return await self._run(run)

    async def _run(self, run: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, run)

    def close(self) -> None:
        """Wait for running transactions and end the threads."""
        self._threads.shutdown(wait=True)
