"""Working under a lease: it is renewed while the work goes on, and the work ends when it is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from citebot.delivery.threads import Transactor
from citebot.errors import LeaseLost, StorageError
from citebot.storage import work

log = structlog.get_logger("citebot.delivery")


async def keep(transactor: Transactor, job: work.Job, lease: float, doing: Coroutine[Any, Any, None]) -> None:
    """Await `doing` and renew the lease every third of its time; cancels `doing` and raises once it is lost."""
    task = asyncio.create_task(doing)
    renewing = asyncio.create_task(_renew(transactor, job, lease))
    try:
        await asyncio.wait({task, renewing}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        await _end(task)
        return renewing.result()
    finally:
        await _end(renewing)
        await _end(task)


async def _renew(transactor: Transactor, job: work.Job, lease: float) -> None:
    loop = asyncio.get_running_loop()
    valid_until = loop.time() + lease
    while True:
        await asyncio.sleep(lease / 3)
        began = loop.time()
        try:
            await transactor.write(lambda tx: work.renew(tx, job, lease=lease))
        except LeaseLost:
            raise
        except StorageError as error:
            log.warning("lease not renewed", queue=job.queue, job=job.id, error=str(error))
            if loop.time() >= valid_until:
                raise LeaseLost(f"The lease of row {job.id} of the {job.queue} ran out.") from error
        else:
            valid_until = began + lease


async def _end(task: asyncio.Task[None]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task})
    if not task.cancelled():
        # Looked at, so that the loop does not complain about an error nobody saw.
        task.exception()
