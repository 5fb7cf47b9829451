"""Database work off the event loop, on threads of our own: accepting a question never queues behind long work."""

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

    async def write(self, work: Callable[[Transaction], T], *, durable: bool = False) -> T:
        """Run `work` in one write transaction."""

        def run() -> T:
            with self.database.write(durable=durable) as tx:
                return work(tx)

        return await asyncio.get_running_loop().run_in_executor(self._threads, copy_context().run, run)

    def close(self) -> None:
        """Wait for running transactions and end the threads."""
        self._threads.shutdown(wait=True)
