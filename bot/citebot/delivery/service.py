"""The two pumps together, and the door through which questions come in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import TypeVar

from citebot.delivery.answering import WITHDRAWN, Answering, job_of, place_for, remove, show_as_it_is
from citebot.delivery.contracts import Handler, Patience, Sender, TakenOver
from citebot.delivery.door import Door
from citebot.delivery.overtaken import show_last_again
from citebot.delivery.posting import Posting
from citebot.delivery.pump import Pump
from citebot.delivery.threads import Transactor
from citebot.errors import NotAllowed, StorageError
from citebot.model import Conversation, Person
from citebot.ports import Inbound
from citebot.settings import DeliverySettings
from citebot.storage import Database, Transaction, answers, endings, hints, shown, work
from citebot.storage.envelopes import Post
from citebot.storage.failpoints import failpoint

T = TypeVar("T")
NOT_YOURS = "There is no such question, or it was not yours."
DESK = 4
"""Threads for what people wait for at once."""
AGAIN = (0.0, 0.1, 0.2, 0.4)
"""Seconds before each try to begin a question anew: its notice is on show a moment before that is written down."""


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
        taken_over: TakenOver = lambda queue: None,
    ) -> None:
        patience = patience or Patience()
        self._database = database
        self._look_for_ends = asyncio.Event()
        self._patience = patience
        self._transactor = Transactor(database, settings.workers + patience.senders + 2)
        self._door = Door(database)
        self._desk = Transactor(database, DESK)
        self._answering = Answering(self._transactor, handler, patience)
        self._posting = Posting(self._transactor, sender, patience)
        self._inbox = Pump(
            self._transactor,
            "inbox",
            self._answer,
            slots=settings.workers,
            lease=settings.lease,
            poll=patience.poll,
            platforms=platforms,
            taken_over=taken_over,
            lost=self._lost,
        )
        self._outbox = Pump(
            self._transactor,
            "outbox",
            self._show,
            slots=patience.senders,
            lease=settings.lease,
            poll=patience.poll,
            platforms=platforms,
            taken_over=taken_over,
            lost=self._lost,
        )

    async def accept(self, inbound: Inbound) -> int:
        """Keep a question and return its id; after this it will be answered, or honestly refused, whatever happens."""
        job, new = await self._door.take(inbound)
        failpoint("after-inbox-commit")
        if new:
            self._inbox.wake()
        failpoint("before-ack")
        return job

    async def stop(self, job: int) -> None:
        """End a question: one that somebody works on ends where it is, one that nobody has begun is withdrawn.

        What was answered for now stays, and nobody waits for more.
        """
        going = self._answering.stop(job)

        def withdraw(tx: Transaction) -> None:
            inbound = endings.withdraw(tx, job)
            hints.give(tx, "ended")
            if inbound is None or inbound.unprompted:
                return
            to = place_for(inbound, job)
            if answers.of_question(tx, job) is not None:
                show_as_it_is(tx, job, to)
                return
            work.plan(tx, Post(to, notice=WITHDRAWN), inbox_id=job)

        try:
            await self._desk.write(withdraw)
        except StorageError:
            if not going:
                raise
        self._outbox.wake()

    async def take_back(self, conversation: Conversation, question: str) -> None:
        """End a question so that nothing of it stays on show, whoever works on it."""

        def end(tx: Transaction) -> int | None:
            job = endings.asked_by(tx, conversation, question).get(question)
            inbound = work.inbound_of(tx, job) if job is not None else None
            if job is None or inbound is None:
                return None
            if endings.take_back(tx, job):
                remove(tx, job, place_for(inbound, job))
            hints.give(tx, "ended")
            hints.give(tx, "outbox")
            return job

        job = await self._desk.write(end)
        if job is not None:
            self._answering.stop(job)
            self._outbox.wake()

    async def again(self, shown_key: str, asker: Person, *, anew: bool) -> bool:
        """Begin a question anew that ended without an answer; False when there is nothing to begin."""
        job = job_of(shown_key)

        def reopen(tx: Transaction) -> bool:
            inbound = work.inbound_of(tx, job) if job is not None else None
            if job is None or inbound is None or inbound.asker.id != asker.id:
                raise NotAllowed(NOT_YOURS)
            if not work.reopen(tx, job):
                return False
            shown.reopen(tx, shown_key, anew=anew)
            hints.give(tx, "inbox")
            return True

        for pause in AGAIN:
            await asyncio.sleep(pause)
            if await self._desk.write(reopen):
                self._inbox.wake()
                return True
        return False

    async def plan(self, planning: Callable[[Transaction], T]) -> T:
        """Write something that plans posts, in one transaction; they are sent at once."""

        def run(tx: Transaction) -> T:
            hints.give(tx, "outbox")
            return planning(tx)

        result = await self._desk.write(run)
        self._outbox.wake()
        return result

    async def look(self, reading: Callable[[Transaction], T]) -> T:
        """Look something up that a platform waits for: it never queues behind the work on questions."""
        return await self._desk.read(reading)

    async def note(self, writing: Callable[[Transaction], T]) -> T:
        """Write something that a platform waits for."""
        return await self._desk.write(writing)

    async def run(self) -> None:
        """Answer and send until `drain`; cancelled, it gives back what it holds."""
        loops = (self._heed_ends(), hints.heed(self._database, self._heard))
        beside = {asyncio.create_task(loop) for loop in loops}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._inbox.run())
                group.create_task(self._outbox.run())
        finally:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)

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
        self._door.close()
        self._desk.close()

    async def _answer(self, job: work.Job) -> None:
        await self._answering.handle(job)
        self._outbox.wake()

    async def _show(self, job: work.Job) -> None:
        await self._posting.handle(job)
        self._inbox.wake()

    async def _lost(self, job: work.Job) -> None:
        await show_last_again(self._transactor, job)
        self._outbox.wake()

    def _heard(self, hint: str) -> None:
        match hint:
            case "inbox":
                self._inbox.wake()
            case "outbox":
                self._outbox.wake()
            case "ended":
                self._look_for_ends.set()

    async def _heed_ends(self) -> None:
        """Stop working on questions that their askers ended in another process."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._patience.poll):
                    await self._look_for_ends.wait()
            self._look_for_ends.clear()
            if going := self._answering.going:
                with suppress(StorageError):  # looked at again in a moment, and before anything is stored
                    for job in await self._desk.read(partial(endings.ended_among, ids=going)):
                        self._answering.stop(job)
