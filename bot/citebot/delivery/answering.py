"""From a claimed question to a stored answer and a planned post, in one transaction under the fence."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import structlog

from citebot.delivery.contracts import Assignment, Handler, Notice, Outcome, Patience, Reply, Silence
from citebot.delivery.threads import Transactor
from citebot.errors import CitebotError, LeaseLost, NotAllowed, Retry, WrongUse
from citebot.ports import Inbound, Outbound
from citebot.storage import Transaction, answers, endings, shown, work
from citebot.storage.envelopes import Post
from citebot.storage.failpoints import failpoint

log = structlog.get_logger("citebot.delivery")

GIVEN_UP = "I could not answer this question, although I tried several times. Please ask it again later."
WITHDRAWN = "Stopped before it was begun."
NOT_YET = "answered for now"
REMOVAL = "-gone"
"""Ends the key of the post that removes what was shown under the rest of it."""


class Answering:
    """Works on rows of the inbox."""

    def __init__(self, transactor: Transactor, handler: Handler, patience: Patience) -> None:
        self._transactor = transactor
        self._handler = handler
        self._patience = patience
        self._delays = patience.answer_delays
        self._stops: dict[int, asyncio.Event] = {}

    @property
    def going(self) -> list[int]:
        """The questions that are being worked on here, and that nobody has ended."""
        return [inbox_id for inbox_id, stopped in self._stops.items() if not stopped.is_set()]

    def stop(self, inbox_id: int) -> bool:
        """Ask the handler to end a question; False when this process is not working on it."""
        event = self._stops.get(inbox_id)
        if event is not None:
            event.set()
        return event is not None

    async def handle(self, job: work.Job) -> None:
        """Answer one question."""
        failpoint("after-claim")
        if job.ending == "taken back":
            await self._transactor.write(lambda tx: self._remove(tx, job))
            return
        late = self._patience.late_window / self._patience.late_first if job.aside else 0
        if job.attempts > len(self._delays) + 1 + late:
            # It was claimed often and never came back: it may be what kills the process.
            await self._give_up(job, "too many attempts")
            return
        stopped = self._stops[job.id] = asyncio.Event()
        if job.ending is not None:
            stopped.set()
        try:
            await self._answer(job, stopped)
        finally:
            # Not before it is stored, or a stop could be missed.
            self._stops.pop(job.id, None)

    async def _answer(self, job: work.Job, stopped: asyncio.Event) -> None:
        inbound, to = job.inbound, place_of(job)
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
                    late=job.aside,
                )
            )
        except LeaseLost:
            raise
        except (NotAllowed, WrongUse) as refusal:
            outcome = Silence() if inbound.unprompted else Notice(str(refusal))
        except Exception as error:  # noqa: BLE001  # whatever it was: the question must survive it
            await self._failed(job, error, stopped)
            return
        failpoint("after-handler")
        await self._transactor.write(lambda tx: self._store(tx, job, outcome, stopped))
        failpoint("after-answer-commit")

    def _store(self, tx: Transaction, job: work.Job, outcome: Outcome, stopped: asyncio.Event) -> None:
        work.guard(tx, job)
        ending = endings.ended(tx, job.id)
        if ending == "taken back":
            self._remove(tx, job)
            failpoint("before-answer-commit")
            return
        ended = stopped.is_set() or ending is not None
        if job.aside and not _is_better(outcome, ended=ended):
            self._wait_on(tx, job, ended=ended, why=NOT_YET)
            failpoint("before-answer-commit")
            return
        if isinstance(outcome, Reply) and outcome.for_now:
            work.step_aside(tx, job, after=self._patience.late_first, why=NOT_YET)
        else:
            work.complete(tx, job)
        to = place_of(job)
        if isinstance(outcome, Reply):
            answers.save(tx, outcome.answer, outcome.trace, inbox_id=job.id)
            work.plan(tx, Post(to, answer_id=outcome.answer.id), inbox_id=job.id, anew=job.aside)
        elif isinstance(outcome, Notice):
            work.plan(tx, Post(to, notice=outcome.text), inbox_id=job.id, anew=job.aside)
        else:
            work.erase(tx, job.id)
        failpoint("before-answer-commit")

    def _remove(self, tx: Transaction, job: work.Job) -> None:
        work.complete(tx, job)
        work.erase(tx, job.id)
        remove(tx, job.id, place_of(job))

    def _wait_on(self, tx: Transaction, job: work.Job, *, ended: bool, why: str) -> None:
        """An answer for now stands there: try again later, or let it say that nothing better comes."""
        patience, waited = self._patience, work.waited(tx, job)
        left = patience.late_window - waited
        if left > 0 and not ended:
            pause = max(patience.late_first, min(waited, patience.late_most))
            work.retry(tx, job, after=min(pause, left), why=why)
            return
        if ended:
            work.complete(tx, job)
        else:
            log.warning("no late answer", job=job.id, attempts=job.attempts, error=why)
            work.dead(tx, job, why=why)
        show_as_it_is(tx, job.id, place_of(job))

    async def _failed(self, job: work.Job, error: Exception, stopped: asyncio.Event) -> None:
        why = describe(error)
        if job.aside:

            def wait(tx: Transaction) -> None:
                work.guard(tx, job)
                if (ending := endings.ended(tx, job.id)) == "taken back":
                    self._remove(tx, job)
                else:
                    self._wait_on(tx, job, ended=stopped.is_set() or ending is not None, why=why)

            await self._transactor.write(wait)
            return
        if job.attempts > len(self._delays):
            await self._give_up(job, why)
            return
        after = max(self._delays[job.attempts - 1], (error.after or 0.0) if isinstance(error, Retry) else 0.0)
        log.warning("question failed", job=job.id, attempt=job.attempts, again_in=after, error=why)

        def later(tx: Transaction) -> None:
            work.guard(tx, job)
            match endings.ended(tx, job.id):
                case "taken back":
                    self._remove(tx, job)
                case "withdrawn":
                    work.complete(tx, job)
                    if not job.inbound.unprompted:
                        work.plan(tx, Post(place_of(job), notice=WITHDRAWN), inbox_id=job.id)
                case None:
                    work.retry(tx, job, after=after, why=why)
            failpoint("before-retry-commit")

        await self._transactor.write(later)

    async def _give_up(self, job: work.Job, why: str) -> None:
        log.error("question given up", job=job.id, attempts=job.attempts, error=why)
        to = place_of(job)

        def bury(tx: Transaction) -> None:
            work.dead(tx, job, why=why)
            if job.aside:
                show_as_it_is(tx, job.id, to)
            elif not job.inbound.unprompted or shown.messages(tx, to.idempotency_key):
                work.plan(tx, Post(to, notice=GIVEN_UP), inbox_id=job.id)

        await self._transactor.write(bury)


def _is_better(outcome: Outcome, *, ended: bool) -> bool:
    """Whether it shall take the place of an answer for now."""
    if ended:
        return isinstance(outcome, Reply) and outcome.answer.answered
    return not (isinstance(outcome, Reply) and outcome.for_now)


def place_of(job: work.Job) -> Outbound:
    """Where a question is answered."""
    return place_for(job.inbound, job.id)


def place_for(inbound: Inbound, inbox_id: int) -> Outbound:
    """The same for a question of which only that is known."""
    return Outbound(inbound.conversation, inbound.message_id, key(inbox_id), inbound.account)


def remove(tx: Transaction, inbox_id: int, to: Outbound) -> None:
    """Plan that nothing of a question stays on show."""
    away = replace(to, idempotency_key=f"{to.idempotency_key}{REMOVAL}")
    work.plan(tx, Post(away, removal=True), inbox_id=inbox_id)


def shown_under(to: Outbound) -> Outbound:
    """What a planned removal is to remove."""
    return replace(to, idempotency_key=to.idempotency_key.removesuffix(REMOVAL))


def show_as_it_is(tx: Transaction, inbox_id: int, to: Outbound) -> None:
    """Show the answer for now once more: what it says of a better one follows from the state of its question."""
    stored = answers.of_question(tx, inbox_id)
    work.plan(tx, Post(to, answer_id=stored.id if stored else "", notice=GIVEN_UP), inbox_id=inbox_id, anew=True)


def key(inbox_id: int) -> str:
    """The idempotency key of everything shown for one question."""
    return f"inbox-{inbox_id}"


def job_of(idempotency_key: str) -> int | None:
    """The question of such a key."""
    number = idempotency_key.removeprefix("inbox-")
    return int(number) if idempotency_key.startswith("inbox-") and number.isascii() and number.isdigit() else None


def describe(error: Exception) -> str:
    """An error for the row and the log: our own say something, others might quote what nobody may read."""
    return str(error) if isinstance(error, CitebotError) else type(error).__name__
