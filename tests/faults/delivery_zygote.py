"""Started by the kill tests: forks workers, each a whole Delivery.

A worker accepts its share of the events, answers whatever it can claim, and writes what the outside world would see of
it to files in the folder.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import text

sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from zygote import fork_each

from citebot.delivery import Assignment, Delivery, Outcome, Patience, Post, Reply
from citebot.model import Answer, Audience, Conversation, Json, Person, Question
from citebot.ports import Inbound
from citebot.settings import DeliverySettings
from citebot.storage import Database, Transaction, answers, work

STEPS = 3
structlog.configure(
    processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.PrintLoggerFactory(sys.stderr)
)


class Outside:
    """What the outside world sees: acknowledgements and posts, one line each, appended at once."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / f"{os.getpid()}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(self, *words: object) -> None:
        os.write(self._file, (" ".join(map(str, words)) + "\n").encode())


class Worker:
    """One process of the bot."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._chance = random.Random(config["seed"])
        self._stops = set(config["stops"])
        self._steps = 0
        self._events = config["events"]
        self._database = Database(config["url"])
        self._outside = Outside(Path(config["folder"]))
        settings = DeliverySettings(workers=4, lease=config["lease"])
        patience = Patience(
            answer_delays=(0.05,) * 10_000,
            send_delays=(0.05,) * 10_000,
            late_first=0.05,
            late_most=0.2,
            late_window=1e6,
            poll=0.1,
        )
        self._late = config["late"]
        self._delivery = Delivery(
            self._database, handler=self._handle, sender=self._send, settings=settings, patience=patience
        )

    async def run(self) -> None:
        ended = asyncio.get_running_loop().create_task(self._delivery.run())
        asyncio.get_running_loop().add_signal_handler(
            signal.SIGTERM, lambda: asyncio.ensure_future(self._delivery.drain(10))
        )
        await asyncio.gather(*(self._accept(event) for event in self._events))
        await ended
        self._delivery.close()
        self._database.close()

    async def _accept(self, event: dict[str, Any]) -> None:
        # Spread out, so that kills come at every stage.
        await asyncio.sleep(self._chance.random() * 0.5)
        place = Conversation("scripted", f"c{event['conversation']}")
        await self._delivery.accept(
            Inbound(f"d{event['id']}", f"m{event['id']}", place, Person("ann"), str(event["id"]))
        )
        self._outside.write("ack", event["id"])

    async def _handle(self, asked: Assignment) -> Outcome:
        done = await asyncio.to_thread(self._steps_done, asked.job)
        if asked.attempt == 1 and self._chance.random() < 0.1:
            raise RuntimeError("the model is down")
        for step in range(done, STEPS):
            await asyncio.sleep(self._chance.random() * 0.01)
            self._steps += 1
            if self._steps in self._stops:
                os.kill(os.getpid(), signal.SIGSTOP)
            await asyncio.to_thread(self._do_step, asked, step)
        before = await asyncio.to_thread(self._answered, asked.job)
        answer = before or uuid.uuid4().hex
        question = Question(asked.inbound.text, asked.inbound.asker, asked.inbound.conversation, Audience(frozenset()))
        if self._late and (not asked.late or self._chance.random() < 0.4):
            return Reply(Answer(answer, question, "passages", answered=False), {}, for_now=True)
        return Reply(Answer(answer, question, f"answer {answer}", answered=True), {})

    def _answered(self, job: int) -> str:
        with self._database.read() as tx:
            found = answers.of_question(tx, job)
        return found.id if found else ""

    def _steps_done(self, job: int) -> int:
        with self._database.read() as tx:
            return int(tx.execute(text("SELECT count(*) FROM effect WHERE job = :job"), {"job": job}).scalar_one())

    def _do_step(self, asked: Assignment, step: int) -> None:
        with self._database.write() as tx:
            asked.guard(tx)
            tx.execute(text("INSERT INTO effect (job, step) VALUES (:job, :step)"), {"job": asked.job, "step": step})

    async def _send(self, post: Post) -> Mapping[str, Json]:
        shown = await asyncio.to_thread(self._text_of, post)
        self._outside.write("shown", post.to.idempotency_key, post.to.reply_to, shown, time.time_ns())
        return {"ts": post.to.idempotency_key}

    def _text_of(self, post: Post) -> str:
        with self._database.read() as tx:
            found = answers.get(tx, post.answer_id)
        return found.text.replace(" ", "-") if found else post.notice


def without_fence() -> None:
    """Take the fence out: a worker that slept through its lease may write as if it had not."""
    real = work._change

    def change(tx: Transaction, job: work.Job, **values: object) -> None:
        table = work._TABLES[job.queue]
        row = tx.execute(table.select().where(table.c.id == job.id)).one()
        if row.state == "leased":
            real(tx, work.Job(job.queue, job.id, row.fence, job.attempts, job.created_at, job.body), **values)

    work._change = change
    work.guard = lambda tx, job: None


def worker(config: dict[str, Any]) -> None:
    """Be one worker until killed or told to end."""
    random.seed(config["seed"])
    if not config["fence"]:
        without_fence()
    asyncio.run(Worker(config).run())


if __name__ == "__main__":
    fork_each(worker)
