"""A company with a handful of documents that asks Citebot in Slack: everything but Slack itself is the real thing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from citebot.access import Directory
from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.model import Status
from citebot.ports import Draft, GenerationRequest, PartContext
from citebot.storage import Database, answers, schema, sources
from citebot.testing.fake_models import QuotingGenerator
from citebot.testing.memory_index import MemoryIndex

pytest.importorskip("slack_bolt")

from citebot.testing.slack import Channel, FakeSlack, Message, Shown, User
from citebot.testing.slack.control import BOT_SCOPES
from citebot_connectors.platforms.slack.link import Pace
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings

BOARD = ("alice@example.com", "carol@example.com")
DOCUMENTS = [
    ("parking", "Parking", "The parking permit costs 40 euros a month.", ["everyone"]),
    ("salaries", "Salaries", "The salary of a director is 9000 euros a month.", ["group:board"]),
    ("visitors", "Visitors", "Visitors sign the visitor book at the reception.", ["channel:slack:{team}:{lobby}"]),
]


class Writer(QuotingGenerator):
    """Writes by quoting; can be held up before the first word, and remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self._gate = asyncio.Event()
        self._gate.set()
        self.waiting = False
        self.asked: list[GenerationRequest] = []

    def pause(self) -> None:
        """Hold up the next answers."""
        self._gate.clear()

    def go_on(self) -> None:
        """Let them be written."""
        self._gate.set()

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        self.asked.append(request)
        self.waiting = not self._gate.is_set()
        await self._gate.wait()
        self.waiting = False
        async for piece in super().generate(request):
            yield piece


class SlackTeam:
    """Alice and Carol of the board, Bob, a guest, and channels they talk in."""

    def __init__(self, slack: FakeSlack, bot: Citebot, **settings: Any) -> None:
        self.slack, self.bot = slack, bot
        self.generator = bot.generator
        self.alice, self.bob, self.carol = (slack.add_user(name) for name in ("alice", "bob", "carol"))
        self.guest = slack.add_user("gina", guest="single")
        self.app = slack.add_app("citebot", scopes={*BOT_SCOPES, "users:read.email"})
        self.general = slack.add_channel("general", [self.alice, self.bob, self.app])
        self.board = slack.add_channel("board", [self.alice, self.carol, self.app], private=True)
        self.lobby = slack.add_channel("lobby", [self.alice, self.bob, self.guest, self.app])
        tokens = {"bot_token": self.app.bot_token, "app_token": self.app.app_token, "base_url": slack.api_url}
        self.platform = SlackPlatform(SlackSettings.model_validate(tokens | settings), PartContext(data_dir=Path()))
        self.platform.pace = Pace(ping=1.0, keepalive=0.5, patience=5.0)
        self.desk = Desk(bot, self.platform)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """While Citebot runs; at the end it is cut off as by a crash."""
        tasks = [asyncio.create_task(self.desk.delivery.run()), asyncio.create_task(self.platform.run(self.desk))]
        try:
            await self.slack.until(lambda: self.platform.trouble == "" or any(task.done() for task in tasks))
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.desk.delivery.close()

    async def ask(self, user: User, where: Channel, text: str, *, thread_ts: str = "") -> Message:
        """Mention the bot."""
        return await self.slack.say(user, where, f"{self.app.mention} {text}", thread_ts=thread_ts)

    def replies(self, question: Message, *, seen_by: User | None = None) -> list[Shown]:
        """What stands in the thread of a message, without the messages of people."""
        channel = self.slack.world.channels[question.channel]
        thread = self.slack.messages(channel, question.thread_ts or question.ts, seen_by=seen_by)
        return [shown for shown in thread if shown.user == self.app.bots[channel.team].id]

    async def answer(self, question: Message, *, number: int = 1, timeout: float = 40) -> Shown:
        """The answer to a message, once it is complete; the n-th of its thread."""

        def complete() -> Shown | None:
            done = [shown for shown in self.replies(question) if shown.element("citebot_delete")]
            return done[number - 1] if len(done) >= number else None

        await self.slack.until(complete, timeout=timeout)
        await self.slack.settled()
        found = complete()
        assert found is not None
        return found

    def stored(self) -> list[Any]:
        """The answers in the database."""
        with self.bot.database.read() as tx:
            return list(answers.recent(tx, 10))


@pytest.fixture
async def slack_bot(
    tmp_path: Path, plugin_manager: Callable[..., Any], citebot_settings: Callable[..., Any]
) -> AsyncIterator[Citebot]:
    """Citebot with an empty database, which answers whatever the confidence."""
    settings = citebot_settings(
        {"answering.threshold": 0.0, "delivery.lease": 2.0, "access.groups": {"board": list(BOARD)}}
    )
    database = Database(f"sqlite:///{tmp_path / 'citebot.db'}")
    schema.upgrade(database)
    index = MemoryIndex()
    await index.open()
    yield Citebot(
        settings=settings,
        plugins=plugin_manager("jsonl"),
        database=database,
        directory=Directory(database, settings.access),
        index=index,
        embedder=None,
        reranker=None,
        generator=Writer(),
    )
    await index.close()
    database.close()


@pytest.fixture
async def team(slack_bot: Citebot, tmp_path: Path) -> AsyncIterator[SlackTeam]:
    """The company at work."""
    async with FakeSlack(speed=60) as slack:
        made = SlackTeam(slack, slack_bot)
        places = {"team": slack.workspace.id, "lobby": made.lobby.id}
        now = datetime(2026, 3, 1, tzinfo=UTC).isoformat()
        rows = [
            {
                "id": key,
                "title": title,
                "text": text,
                "url": f"https://wiki.example.com/{key}",
                "readers": [reader.format(**places) for reader in readers],
                "updated": now,
            }
            for key, title, text, readers in DOCUMENTS
        ]
        path = tmp_path / "handbook.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        with slack_bot.database.write() as tx:
            sources.add(tx, name="handbook", type="jsonl", settings={"path": str(path)})
        await slack_bot.sync("handbook")
        await slack_bot.feeder.catch_up()
        async with made.working():
            yield made
