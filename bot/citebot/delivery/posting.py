"""From a planned post to a shown one."""

from __future__ import annotations

import structlog

from citebot.delivery.answering import describe
from citebot.delivery.contracts import Patience, Sender
from citebot.delivery.threads import Transactor
from citebot.errors import CannotShow, LeaseLost, Retry
from citebot.model import Json
from citebot.storage import Transaction, answers, work
from citebot.storage.failpoints import failpoint

log = structlog.get_logger("citebot.delivery")

TOLD_MOST = 15.0
"""Seconds until the next attempt at most, where the platform named a shorter time: there are others who wait."""


class Posting:
    """Works on rows of the outbox."""

    def __init__(self, transactor: Transactor, sender: Sender, patience: Patience) -> None:
        self._transactor = transactor
        self._sender = sender
        self._delays = patience.send_delays

    async def handle(self, job: work.Job) -> None:
        """Show one post. The platform makes a second showing harmless, by the key; the fence makes it rare."""
        failpoint("after-outbox-claim")
        await self._transactor.write(lambda tx: work.guard(tx, job))
        failpoint("before-post")
        try:
            result = await self._sender(job.post)
        except LeaseLost:
            raise
        except Exception as error:  # noqa: BLE001  # a platform may fail in any way; the post is kept
            await self._failed(job, error)
            return
        failpoint("after-post-before-commit")
        said: Json = dict(result) if result is not None else None

        def done(tx: Transaction) -> None:
            work.complete(tx, job, result=said)
            answers.forget_live(tx, job.post.answer_id)
            failpoint("before-outbox-commit")

        await self._transactor.write(done)
        failpoint("after-outbox-commit")

    async def _failed(self, job: work.Job, error: Exception) -> None:
        why = describe(error)
        if isinstance(error, CannotShow) or job.attempts > len(self._delays):
            log.error("post given up", job=job.id, attempts=job.attempts, error=why)
            await self._transactor.write(lambda tx: _bury(tx, job, why))
            return
        after = self._delays[job.attempts - 1]
        if isinstance(error, Retry) and error.after is not None:
            after = max(error.after, min(after, TOLD_MOST))
        log.warning("post failed", job=job.id, attempt=job.attempts, again_in=after, error=why)
        await self._transactor.write(lambda tx: work.retry(tx, job, after=after, why=why))


def _bury(tx: Transaction, job: work.Job, why: str) -> None:
    work.dead(tx, job, why=why)
    answers.forget_live(tx, job.post.answer_id)
