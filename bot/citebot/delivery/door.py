"""The door through which questions come in: those that come together are kept in one transaction.

A durable transaction costs the same for one question as for many, and on SQLite each waits for the one before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from operator import itemgetter

from citebot.delivery.threads import Transactor
from citebot.ports import Inbound
from citebot.storage import Database, Transaction, conversations, hints, work
from citebot.storage.envelopes import lane
from citebot.storage.failpoints import failpoint

Kept = tuple[int, bool]
"""The id of a question, and whether it is new."""


class Door:
    """Keeps questions, on a thread of its own."""

    def __init__(self, database: Database) -> None:
        self._transactor = Transactor(database, 1)
        self._waiting: list[tuple[Inbound, asyncio.Future[Kept]]] = []
        self._work: asyncio.Task[None] | None = None

    async def take(self, inbound: Inbound) -> Kept:
        """Keep a question; it is on the disk when this returns."""
        kept: asyncio.Future[Kept] = asyncio.get_running_loop().create_future()
        self._waiting.append((inbound, kept))
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._take_all())
        return await kept

    def close(self) -> None:
        """Wait for what is being written and end the thread."""
        self._transactor.close()

    async def _take_all(self) -> None:
        while self._waiting:
            some, self._waiting = self._waiting, []
            if len(some) > 1 and await self._take_some(some, alone=False):
                continue
            for one in some:
                await self._take_some([one], alone=True)

    async def _take_some(self, some: Sequence[tuple[Inbound, asyncio.Future[Kept]]], *, alone: bool) -> bool:
        """Whether they were kept; one that is alone hears why it was not."""
        inbounds = [inbound for inbound, _ in some]
        try:
            found = await self._transactor.write(lambda tx: _keep(tx, inbounds), durable=True)
        except Exception as error:  # noqa: BLE001 - it is the error of whoever waits
            if alone and not some[0][1].done():
                some[0][1].set_exception(error)
            return False
        for (_, kept), one in zip(some, found, strict=True):
            if not kept.done():  # nobody waits for it any more
                kept.set_result(one)
        return True


def _keep(tx: Transaction, inbounds: Sequence[Inbound]) -> list[Kept]:
    keys = [(lane(inbound.conversation), inbound.message_id) for inbound in inbounds]
    first: dict[tuple[str, str], Inbound] = {}
    for key, inbound in zip(keys, inbounds, strict=True):
        first.setdefault(key, inbound)  # many a message comes twice, and both at once
    # By their lanes, so that two processes take the locks of lanes in one order.
    kept = {key: work.accept(tx, first[key]) for key in sorted(first, key=itemgetter(0))}
    for key, inbound in first.items():
        job, new = kept[key]
        if new and not conversations.spend(tx, inbound):
            work.mark_over_budget(tx, job, inbound)
    if any(new for _, new in kept.values()):
        hints.give(tx, "inbox")
    failpoint("before-inbox-commit")
    return [kept[key] for key in keys]
