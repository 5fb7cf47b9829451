"""What one of several processes should do alone; another takes its place when it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import structlog

from citebot.errors import LeaseLost, StorageError
from citebot.ingest.holder import new_holder
from citebot.storage import Database, leases
from citebot.storage.leases import Lease

log = structlog.get_logger("citebot.alone")

LEASE_SECONDS = 15.0


class Alone:
    """Does its work where no other process does. All its work may be done twice without harm, but it costs."""

    def __init__(self, database: Database, name: str, *, seconds: float = LEASE_SECONDS) -> None:
        self._database = database
        self._name = name
        self._seconds = seconds
        """Until another process takes its place that was killed."""
        self._holder = new_holder()
        self._lease: Lease | None = None

    async def do(self, work: Callable[[], Coroutine[Any, Any, object]]) -> bool:
        """Do it, unless another process is at it, and no longer than none is; whether it was ours to do."""
        self._lease = await asyncio.to_thread(self._take)
        if self._lease is None:
            return False
        working = asyncio.create_task(work())
        renewing = asyncio.create_task(self._renew(self._lease))
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, renewing):
                task.cancel()
            await asyncio.gather(working, renewing, return_exceptions=True)
        return True

    async def leave(self) -> None:
        """Let another process go on at once."""
        held, self._lease = self._lease, None
        if held is not None:
            with suppress(StorageError):  # then it runs out
                await asyncio.to_thread(self._release, held)

    async def _renew(self, held: Lease) -> None:
        """Until another process has it. A database that does not answer gives it to nobody else."""
        while True:
            await asyncio.sleep(self._seconds / 3)
            try:
                await asyncio.to_thread(self._keep, held)
            except LeaseLost:
                return
            except StorageError as error:
                log.warning("cannot say that this is still at work", name=self._name, why=str(error))

    def _take(self) -> Lease | None:
        with self._database.write() as tx:
            return leases.acquire(tx, self._name, self._holder, self._seconds)

    def _keep(self, held: Lease) -> None:
        with self._database.write() as tx:
            leases.renew(tx, held, self._seconds)

    def _release(self, held: Lease) -> None:
        with self._database.write() as tx:
            leases.release(tx, held)
