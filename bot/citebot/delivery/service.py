"""The two pumps together, and the door through which questions come in."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from citebot.delivery.answering import WITHDRAWN, Answering, key
from citebot.delivery.contracts import Handler, Patience, Sender
from citebot.delivery.posting import Posting
from citebot.delivery.pump import Pump
from citebot.delivery.threads import Transactor
from citebot.errors import StorageError
from citebot.ports import Inbound, Outbound
from citebot.settings import DeliverySettings
from citebot.storage import Database, Transaction, purge, work
from citebot.storage.envelopes import Post
from citebot.storage.failpoints import failpoint

log = structlog.get_logger("citebot.delivery")


class Delivery:
    """Accepts questions, has them answered by `handler`, has the answers shown by `sender`.

    `platforms` limits both queues to these platforms, for processes that serve some of them. Several processes may
    share one database. A process may die at any moment: its work comes back to another when the leases run out.
    """

    def __init__(
        self,
        database: Database,
        *,
        handler: Handler,
        sender: Sender,
        settings: DeliverySettings,
        platforms: Collection[str] | None = None,
        patience: Patience | None = None,
    ) -> None:
        patience = patience or Patience()
        self._settings = settings
        self._patience = patience
        self._transactor = Transactor(database, settings.workers + patience.senders + 2)
        self._answering = Answering(self._transactor, handler, patience)
        posting = Posting(self._transactor, sender, patience)
        self._inbox = Pump(
            self._transactor,
            "inbox",
            self._answer,
            slots=settings.workers,
            lease=settings.lease,
            poll=patience.poll,
            platforms=platforms,
        )
        self._outbox = Pump(
            self._transactor,
            "outbox",
            posting.handle,
            slots=patience.senders,
            lease=settings.lease,
            poll=patience.poll,
            platforms=platforms,
        )

    async def accept(self, inbound: Inbound) -> int:
        """Keep a question and return its id; after this it will be answered, or honestly refused, whatever happens."""

        def keep(tx: Transaction) -> tuple[int, bool]:
            kept = work.accept(tx, inbound)
            failpoint("before-inbox-commit")
            return kept

        job, new = await self._transactor.write(keep, durable=True)
        failpoint("after-inbox-commit")
        if new:
            self._inbox.wake()
        failpoint("before-ack")
        return job

    async def stop(self, job: int) -> None:
        """End a question: one that this process works on ends where it is, one that nobody has begun is withdrawn."""
        if self._answering.stop(job):
            return

        def withdraw(tx: Transaction) -> None:
            inbound = work.withdraw(tx, job)
            if inbound is not None:
                to = Outbound(inbound.conversation, inbound.message_id, key(job))
                work.plan(tx, Post(to, notice=WITHDRAWN), inbox_id=job)

        await self._transactor.write(withdraw)
        self._outbox.wake()

    async def run(self) -> None:
        """Answer and send until `drain`; cancelled, it gives back what it holds."""
        tidying = asyncio.create_task(self._tidy())
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._inbox.run())
                group.create_task(self._outbox.run())
        finally:
            tidying.cancel()
            await asyncio.wait({tidying})

    async def drain(self, grace: float = 20.0) -> None:
        """Begin nothing more, finish what can be finished within `grace` seconds, give back the rest; ends `run`."""
        began = asyncio.get_running_loop().time()
        # The rest is for showing what was answered in this time.
        await self._inbox.drain(0.8 * grace)
        left = max(0.0, grace - (asyncio.get_running_loop().time() - began))
        await self._outbox.drain(left, empty=True)

    def close(self) -> None:
        """End the threads, once `run` has ended."""
        self._transactor.close()

    async def _answer(self, job: work.Job) -> None:
        await self._answering.handle(job)
        self._outbox.wake()

    async def _tidy(self) -> None:
        while True:
            try:
                gone = await self._transactor.write(lambda tx: purge.retire(tx, keep_days=self._settings.keep_days))
                log.debug("finished rows removed", rows=gone)
            except StorageError as error:
                log.warning("finished rows not removed", error=str(error))
            await asyncio.sleep(self._patience.tidy)
