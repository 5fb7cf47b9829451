"""Citebot with parts that can be made ill, asked on the web chat and in Slack, and what people are shown by both."""

from __future__ import annotations

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event, select

from citebot.access import Directory
from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.delivery import Patience
from citebot.errors import IndexUnavailable
from citebot.model import Embedding, ScoredPassage, Status
from citebot.pluginmanager import PluginManager
from citebot.ports import (
    Draft,
    GenerationRequest,
    IndexHits,
    IndexQuery,
    PartContext,
    Platform,
    Usage,
    Used,
    unmetered,
)
from citebot.settings import load_settings
from citebot.storage import Database, schema, sources, tables
from citebot.testing.fake_models import FakeEmbedder, FakeReranker, QuotingGenerator
from citebot.testing.memory_index import MemoryIndex
from citebot.testing.slack import FakeSlack, Message, Shown
from citebot.testing.slack.control import BOT_SCOPES
from citebot_connectors.platforms.console.platform import ConsolePlatform
from citebot_connectors.platforms.console.settings import ConsoleSettings
from citebot_connectors.platforms.slack.link import Pace
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings

pytest.register_assert_rewrite("degraded_rows")  # which is imported after this

QUESTION = "What does the parking permit cost?"
ANSWER = "The parking permit costs 40 euros a month. [1]"
Pages = dict[str, tuple[str, str, list[str]]]
"""Title, text and readers by id."""
PAGES: Pages = {"parking": ("Parking", "The parking permit costs 40 euros a month.", ["everyone"])}
QUICK = Patience(answer_delays=(0.05,) * 3, late_first=0.15, late_most=0.3, late_window=1.2, poll=0.05)
"""Minutes as tenths of a second."""
PATIENT = replace(QUICK, late_window=300.0)
"""Whatever the machine is doing, an answer that comes late is waited for."""
BUSY = 1.0
"""Seconds a locked database is waited for."""
PLENTY = 1_000_000_000
"""Pages of a database that may grow."""


class Writer(QuotingGenerator):
    """Quotes. Its next calls raise `ills` instead, and all raise `ill`; `gate` holds them up."""

    def __init__(self) -> None:
        super().__init__()
        self.ills: list[Exception] = []
        self.ill: Exception | None = None
        self.draft: str | None = None
        """What it writes instead of a quotation."""
        self.breaks: Exception | None = None
        """What comes after the text."""
        self.gate = asyncio.Event()
        self.gate.set()

    def most(self) -> Usage:
        """It costs something, as models do."""
        return Usage("quoting", 1_000, 100)

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        self.requests.append(request)
        await self.gate.wait()
        if self.ills:
            raise self.ills.pop(0)
        if self.ill is not None:
            raise self.ill
        yield Draft(self.draft or f"{request.passages[0].passage.text} [1]\n\n")
        if self.breaks is not None:
            raise self.breaks


class Searched(MemoryIndex):
    """Can be down for some searches, or know only a part."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.partial, self.searches = 0, False, 0

    async def search(self, query: IndexQuery) -> IndexHits:
        self.searches += 1
        if self.down:
            self.down -= 1
            raise IndexUnavailable("The index does not answer.")
        return replace(await super().search(query), partial=self.partial)


class Ranker(FakeReranker):
    """Counts its calls."""

    calls = 0

    async def rerank(self, question: str, passages: Sequence[ScoredPassage], *, used: Used = unmetered) -> list[float]:
        self.calls += 1
        return await super().rerank(question, passages, used=used)


class Meaning(FakeEmbedder):
    """Counts the questions it was asked about."""

    calls = 0

    async def embed_query(self, text: str) -> Embedding:
        self.calls += 1
        return await super().embed_query(text)


class Disk:
    """How large a database may become. It listens from the start: SQLAlchemy's listeners are not for changing them
    while other threads use them."""

    def __init__(self, database: Database) -> None:
        self.pages = PLENTY
        event.listen(database._engine, "checkout", self._limit)

    def _limit(self, connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {self.pages}")


@dataclass
class Ward:
    """Citebot and the parts it is made of."""

    bot: Citebot
    writer: Writer
    index: Searched
    ranker: Ranker
    embedder: Meaning
    disk: Disk

    @property
    def requests(self) -> int:
        """Calls of the model."""
        return len(self.writer.requests)

    def heal(self) -> None:
        """All is well, and nothing was ever asked."""
        self.writer.ills, self.writer.ill, self.writer.draft, self.writer.breaks = [], None, None, None
        self.writer.gate.set()
        self.writer.requests.clear()
        self.index.down, self.index.partial, self.index.searches = 0, False, 0
        self.ranker.fail, self.ranker.delay, self.ranker.calls = False, 0.0, 0
        self.embedder.fail, self.embedder.delay, self.embedder.calls = False, 0.0, 0


@asynccontextmanager
async def ward(folder: Path, pages: Pages = PAGES, **given: Any) -> AsyncIterator[Ward]:
    """A healthy one; further arguments are settings with `__` for dots."""
    folder.mkdir(parents=True, exist_ok=True)
    values = {"data_dir": folder, "plugins.enabled": ["jsonl"], "answering.threshold": 0.0, "delivery.lease": 30.0}
    values |= {name.replace("__", "."): value for name, value in given.items()}
    settings = load_settings(overrides=values, environ={}, folder=folder)
    database = Database(f"sqlite:///{folder / 'citebot.db'}", busy_seconds=BUSY)
    schema.upgrade(database)
    made = Ward(None, Writer(), Searched(), Ranker(), Meaning(), Disk(database))  # type: ignore[arg-type]  # made in the next line
    made.bot = Citebot(
        settings=settings,
        plugins=PluginManager.load(settings),
        database=database,
        directory=Directory(database, settings.access),
        index=made.index,
        embedder=made.embedder,
        reranker=made.ranker,
        generator=made.writer,
    )
    await made.index.open()
    await made.embedder.open()
    rows = [{"id": key, "title": page[0], "text": page[1], "readers": page[2]} for key, page in pages.items()]
    (folder / "handbook.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with database.write() as tx:
        if sources.get(tx, "handbook") is None:
            sources.add(tx, name="handbook", type="jsonl", settings={"path": str(folder / "handbook.jsonl")})
    await made.bot.sync("handbook")
    await made.bot.feeder.catch_up()
    assert made.bot.embedding is not None, "it has an embedder"
    await made.bot.embedding.run_once()
    await made.bot.feeder.catch_up()
    yield made
    await made.index.close()
    database.close()


# --- what people see ---------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """A question, and what is to be read about it."""

    id: str
    within: str = ""
    """The question whose thread it is in, in Slack."""
    statuses: list[str] = field(default_factory=list)
    text: str = ""
    notes: list[str] = field(default_factory=list)
    buttons: set[str] = field(default_factory=set)
    """`retry`, `feedback`."""
    final: bool = False
    answer_id: str = ""
    messages: int = 0
    """How many there are in all, and how often the last changed."""
    changes: int = 0


class Place(ABC):
    """Where questions are asked."""

    desk: Desk
    name: str

    def __init__(self, ward: Ward, patience: Patience = QUICK) -> None:
        self.ward = ward
        self.patience = patience

    @abstractmethod
    async def ask(self, text: str = QUESTION) -> Seen:
        """Ask and return at once."""

    @abstractmethod
    async def follow_up(self, seen: Seen) -> Seen:
        """Ask the same again in the same conversation."""

    @abstractmethod
    async def stop(self, seen: Seen) -> None:
        """Stop the answer."""

    @abstractmethod
    async def look(self, seen: Seen) -> None:
        """Read again."""

    async def until(self, seen: Seen, wanted: Callable[[Seen], Any], *, timeout: float = 60.0) -> Seen:
        """Look until it is as it should be."""
        end = asyncio.get_running_loop().time() + timeout
        while True:
            await self.look(seen)
            if wanted(seen):
                return seen
            assert asyncio.get_running_loop().time() < end, f"still {seen}"
            await asyncio.sleep(0.02)

    async def answer(self, seen: Seen) -> Seen:
        """What stands there in the end."""
        return await self.until(seen, lambda now: now.final)

    @asynccontextmanager
    async def at_work(self, platform: Platform) -> AsyncIterator[None]:
        """While the desk's workers and the platform run; they are cut off at the end, as by a crash."""
        self.desk = Desk(self.ward.bot, platform, patience=self.patience)
        tasks = [asyncio.create_task(self.desk.delivery.run()), asyncio.create_task(platform.run(self.desk))]
        try:
            yield
        finally:
            for task in tasks:
                if task.done() and not task.cancelled():
                    task.result()  # a loop that ended by itself ended by an error
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.desk.delivery.close()


class OnConsole(Place):
    """The web chat, over HTTP, as its page speaks to it."""

    name = "console"
    client: httpx.AsyncClient

    def __init__(self, ward: Ward, patience: Patience = QUICK) -> None:
        super().__init__(ward, patience)
        self.readers: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def open(self) -> AsyncIterator[OnConsole]:
        """While it serves."""
        platform = ConsolePlatform(ConsoleSettings(port=0), PartContext(data_dir=Path()))
        platform.announce = lambda line: None
        async with self.at_work(platform):
            await asyncio.wait_for(platform.listening.wait(), 10)
            async with httpx.AsyncClient(base_url=platform.address, timeout=30, trust_env=False) as self.client:
                yield self
                for reader in self.readers:
                    reader.cancel()
                await asyncio.gather(*self.readers, return_exceptions=True)

    async def ask(self, text: str = QUESTION) -> Seen:
        said = await self.post(text)
        assert said.status_code == 202, said.text
        seen = Seen(said.json()["id"], messages=1)
        self.readers.append(asyncio.create_task(self._read(seen)))
        return seen

    async def post(self, text: str = QUESTION) -> httpx.Response:
        return await self.client.post("/api/questions", json={"text": text, "conversation": "conversation-1"})

    async def follow_up(self, seen: Seen) -> Seen:
        return await self.ask()

    async def stop(self, seen: Seen) -> None:
        said = await self.client.post(f"/api/questions/{seen.id}/stop", json={})
        assert said.status_code == 202, said.text

    async def look(self, seen: Seen) -> None:
        """Its reader does that."""

    async def _read(self, seen: Seen) -> None:
        name = ""
        async with self.client.stream("GET", f"/api/questions/{seen.id}/events") as stream:
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self._take(seen, name, json.loads(line.removeprefix("data: ")))

    @staticmethod
    def _take(seen: Seen, name: str, data: dict[str, Any]) -> None:
        if name == "status":
            seen.statuses.append(data["note"])
        elif name in ("done", "for_now"):
            answer = data["answer"]
            seen.text, seen.notes, seen.answer_id = answer["text"], answer["notes"], answer["id"]
            # The page offers to ask again below every complete answer.
            seen.final, seen.buttons = name == "done", {"feedback", "retry"} if name == "done" else {"feedback"}
            seen.changes += 1
        elif name == "failed":
            seen.text, seen.final, seen.buttons = data["notice"], True, {"retry"}
            seen.changes += 1


class InSlack(Place):
    """A channel in Slack; `general` is read by Alice and Bob."""

    name = "slack"

    @asynccontextmanager
    async def open(self, slack: FakeSlack | None = None) -> AsyncIterator[InSlack]:
        """While it works; given a workspace, it goes on there."""
        if slack is None:
            async with FakeSlack(speed=60) as made, self.open(made) as opened:
                yield opened
            return
        self.slack = slack
        if not slack.world.apps:
            people = [slack.add_user(name) for name in ("alice", "bob")]
            app = slack.add_app("citebot", scopes={*BOT_SCOPES, "users:read.email"}, commands=["/ask"])
            slack.add_channel("general", [*people, app])
        self.app = next(iter(slack.world.apps.values()))
        self.alice = next(user for user in slack.world.users.values() if user.name == "alice")
        self.general = next(one for one in slack.world.channels.values() if one.name == "general")
        tokens = {"bot_token": self.app.bot_token, "app_token": self.app.app_token, "base_url": slack.api_url}
        self.platform = SlackPlatform(SlackSettings.model_validate(tokens), PartContext(data_dir=Path()))
        self.platform.pace = Pace(ping=1.0, keepalive=0.5, patience=5.0)
        async with self.at_work(self.platform):
            await slack.until(lambda: self.platform.trouble == "")
            yield self

    async def ask(self, text: str = QUESTION) -> Seen:
        said = await self.slack.say(self.alice, self.general, f"{self.app.mention} {text}")
        return Seen(said.ts)

    def shown(self, seen: Seen) -> list[Shown]:
        """Our messages in the thread of a question."""
        thread = self.slack.messages(self.general, seen.within or seen.id)
        ours = [one for one in thread if one.user == self.app.bots[self.general.team].id]
        return [
            one for one in ours if (one.metadata or {}).get("event_payload", {}).get("question", seen.id) == seen.id
        ]

    async def stop(self, seen: Seen) -> None:
        """What the native stop button does; it is offered only while something is written."""
        with self.ward.bot.database.read() as tx:
            query = select(tables.inbox.c.id).where(tables.inbox.c.message_id == seen.id)
            job = tx.execute(query).scalar_one()
        await self.desk.stop(job)

    async def follow_up(self, seen: Seen) -> Seen:
        where = {"thread_ts": seen.id}
        said = await self.slack.say(self.alice, self.general, f"{self.app.mention} {QUESTION}", **where)
        return Seen(said.ts, within=seen.id)

    async def press(self, seen: Seen, action: str) -> None:
        """A button of the answer."""
        await self.slack.click(self.alice, self.shown(seen)[0], action)

    def alone(self) -> list[str]:
        """What only Alice sees, anywhere in the channel."""
        where = ["", *(ts for ts, one in self.general.messages.items() if one.user == self.alice.id)]
        shown = [one for ts in where for one in self.slack.messages(self.general, ts, seen_by=self.alice)]
        return list({one.ts: one.text for one in shown if one.only_for == self.alice.id}.values())

    def message(self, seen: Seen) -> Message:
        """As it was asked."""
        return self.general.messages[seen.id]

    async def look(self, seen: Seen) -> None:
        shown = self.shown(seen)
        seen.messages = len(shown)
        told = self.slack.calls("assistant.threads.setStatus")
        seen.statuses = [str(one.args.get("status")) for one in told if one.args.get("thread_ts") == seen.id]
        if not shown:
            return
        blocks = shown[0].blocks
        text = "\n".join(block["text"] for block in blocks if block["type"] == "markdown")
        seen.text = text if isinstance(text, str) else ""
        lines = [block["elements"][0]["text"] for block in blocks if block["type"] == "context"]
        seen.notes = [line for line in lines if isinstance(line, str)]
        found = {"retry": "citebot_retry", "feedback": "citebot_feedback"}
        seen.buttons = {name for name, action in found.items() if shown[0].element(action)}
        seen.final = bool(seen.buttons) and "I will update" not in seen.text
        edits = [one for one in self.slack.calls("chat.update") if one.args.get("ts") == shown[0].ts]
        seen.changes = sum(bool(one.result.get("ok")) for one in edits)
