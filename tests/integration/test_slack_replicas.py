"""Slack with a gateway that listens and a worker that answers: what one is told must reach the other."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from slack_team import SlackTeam

from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.ports import PartContext
from citebot.storage import sources, work
from citebot.testing.slack import FakeSlack
from citebot_connectors.platforms.slack.platform import SlackPlatform

SALARY = "What is the salary of a director?"


class SplitTeam(SlackTeam):
    """The gateway is what a `SlackTeam` has; the worker has a platform and a desk of its own."""

    def __init__(self, slack: FakeSlack, bot: Citebot) -> None:
        super().__init__(slack, bot)
        self.shows = SlackPlatform(self.platform.settings, PartContext(data_dir=Path()))
        self.worker = Desk(bot, self.shows)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        loops = (self.platform.run(self.desk), self.shows.run_apart(), self.worker.delivery.run())
        tasks = [asyncio.create_task(loop) for loop in loops]
        try:
            await self.slack.until(lambda: self.platform.trouble == "" or any(task.done() for task in tasks))
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.worker.delivery.close()
            self.desk.delivery.close()


@pytest.fixture
async def split(slack_bot: Citebot, tmp_path: Path) -> AsyncIterator[SplitTeam]:
    """The company, where the board may read what directors earn."""
    async with FakeSlack(speed=60) as slack:
        made = SplitTeam(slack, slack_bot)
        text = "The salary of a director is 9000 euros a month."
        row = {"id": "salaries", "title": "Salaries", "text": text, "readers": ["group:board"]}
        (tmp_path / "handbook.jsonl").write_text(json.dumps(row))
        with slack_bot.database.write() as tx:
            sources.add(tx, name="handbook", type="jsonl", settings={"path": str(tmp_path / "handbook.jsonl")})
        await slack_bot.sync("handbook")
        async with made.working():
            yield made


async def test_the_worker_shows_what_the_gateway_took(split: Any) -> None:
    answer = await split.answer(await split.ask(split.alice, split.board, SALARY))

    assert "9000 euros" in answer.text
    asked = {sent.method for sent in split.slack.sent}
    assert "conversations.replies" not in asked, "the worker knows for whom the stream is"
    assert len(split.stored()) == 1


async def test_a_question_deleted_while_the_worker_writes_leaves_nothing(split: Any) -> None:
    split.generator.pause()
    question = await split.ask(split.alice, split.board, SALARY)
    await split.slack.until(lambda: split.generator.waiting)
    await split.slack.delete(split.alice, question)
    await split.slack.until(lambda: split.slack.deliveries[-1].over)
    split.generator.go_on()

    def at_rest() -> bool:
        with split.bot.database.read() as tx:
            return not any({"ready", "leased"} & set(work.counts(tx, queue)) for queue in ("inbox", "outbox"))

    await split.slack.until(at_rest)
    assert split.replies(question) == []
    assert split.stored() == []


async def test_whoever_comes_to_a_channel_closes_it_for_the_worker_at_once(split: Any) -> None:
    first = await split.answer(await split.ask(split.alice, split.board, SALARY))
    await split.slack.invite(split.alice, split.board, split.bob)
    await split.slack.until(lambda: all(delivery.over for delivery in split.slack.deliveries))
    second = await split.answer(await split.ask(split.alice, split.board, SALARY))

    assert "9000 euros" in first.text
    assert "9000 euros" not in second.text
