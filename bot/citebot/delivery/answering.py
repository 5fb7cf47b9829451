"""From a claimed question to a stored answer and a planned post, in one transaction under the fence."""

from __future__ import annotations

import asyncio

import structlog

from citebot.delivery.contracts import Assignment, Handler, Notice, Outcome, Patience, Reply
from citebot.delivery.threads import Transactor
from citebot.errors import CitebotError, LeaseLost, NotAllowed, Retry, WrongUse
from citebot.ports import Outbound
from citebot.storage import Transaction, answers, work
from citebot.storage.envelopes import Post
from citebot.storage.failpoints import failpoint

log = structlog.get_logger("citebot.delivery")

GIVEN_UP = "I could not answer this question, although I tried several times. Please ask it again later."
WITHDRAWN = "Stopped before it was begun."


class Answering:
    """Works on rows of the inbox."""

    def __init__(self, transactor: Transactor, handler: Handler, patience: Patience) -> None:
        self._transactor = transactor
        self._handler = handler
        self._delays = patience.answer_delays
        self._stops: dict[int, asyncio.Event] = {}

    def stop(self, inbox_id: int) -> bool:
        """Ask the handler to end a question; False when this process is not working on it."""
        event = self._stops.get(inbox_id)
        if event is not None:
            event.set()
        return event is not None

    async def handle(self, job: work.Job) -> None:
        """Answer one question."""
        failpoint("after-claim")
        if job.attempts > len(self._delays) + 1:
            # It was claimed often and never came back: it may be what kills the process.
            await self._give_up(job, "too many attempts")
            return
        stopped = self._stops[job.id] = asyncio.Event()
        inbound = job.inbound
        to = Outbound(inbound.conversation, inbound.message_id, key(job.id))
        try:
            outcome = await self._handler(
                Assignment(
                    job=job.id,
                    attempt=job.attempts,
                    inbound=inbound,
                    to=to,
                    asked_at=job.created_at,
                    guard=lambda tx: work.guard(tx, job),
                    stopped=stopped,
                )
            )
        except LeaseLost:
            raise
        except (NotAllowed, WrongUse) as refusal:
            outcome = Notice(str(refusal))
        except Exception as error:  # noqa: BLE001  # whatever it was: the question must survive it
            await self._failed(job, error)
            return
        finally:
            del self._stops[job.id]
        failpoint("after-handler")
        await self._transactor.write(lambda tx: self._store(tx, job, to, outcome))
        failpoint("after-answer-commit")

    def _store(self, tx: Transaction, job: work.Job, to: Outbound, outcome: Outcome) -> None:
        work.complete(tx, job)
        if isinstance(outcome, Reply):
            answers.save(tx, outcome.answer, outcome.trace, inbox_id=job.id)
            work.plan(tx, Post(to, answer_id=outcome.answer.id), inbox_id=job.id)
        else:
            work.plan(tx, Post(to, notice=outcome.text), inbox_id=job.id)
        failpoint("before-answer-commit")

    async def _failed(self, job: work.Job, error: Exception) -> None:
        why = describe(error)
        if job.attempts > len(self._delays):
            await self._give_up(job, why)
            return
        after = max(self._delays[job.attempts - 1], (error.after or 0.0) if isinstance(error, Retry) else 0.0)
        log.warning("question failed", job=job.id, attempt=job.attempts, again_in=after, error=why)

        def later(tx: Transaction) -> None:
            work.retry(tx, job, after=after, why=why)
            failpoint("before-retry-commit")

        await self._transactor.write(later)

    async def _give_up(self, job: work.Job, why: str) -> None:
        log.error("question given up", job=job.id, attempts=job.attempts, error=why)
        inbound = job.inbound
        to = Outbound(inbound.conversation, inbound.message_id, key(job.id))

        def bury(tx: Transaction) -> None:
            work.dead(tx, job, why=why)
            work.plan(tx, Post(to, notice=GIVEN_UP), inbox_id=job.id)

        await self._transactor.write(bury)


def key(inbox_id: int) -> str:
    """The idempotency key of everything shown for one question."""
    return f"inbox-{inbox_id}"


def describe(error: Exception) -> str:
    """An error for the row and the log: our own say something, others might quote what nobody may read."""
    return str(error) if isinstance(error, CitebotError) else type(error).__name__
