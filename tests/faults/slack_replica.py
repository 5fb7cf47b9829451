"""One process of the bot on Slack, and the process that forks such, as quickly as they are killed.

One JSON object a line on stdin describes a replica; its process id is printed.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from citebot.access import Directory
from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.app.vault import DatabaseVault
from citebot.delivery import Delivery, Patience
from citebot.errors import Retry
from citebot.model import Embedding, Status
from citebot.pluginmanager import PluginManager
from citebot.ports import Draft, GenerationRequest, IndexHits, IndexQuery, PartContext
from citebot.settings import load_settings
from citebot.storage import Database, sources
from citebot.testing.failpoints import kill_at
from citebot.testing.fake_models import FakeEmbedder, QuotingGenerator
from citebot.testing.memory_index import MemoryIndex
from citebot_connectors.platforms.slack.link import Pace
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings

HASTY = Patience(answer_delays=(0.2,) * 100, send_delays=(0.2,) * 100, poll=0.2)
"""Waits less between attempts, and never gives up."""
STALL = 5.0
"""Seconds for which a stalled part does not answer."""


class Writer(QuotingGenerator):
    """Quotes; after a while, and not always the first time."""

    def __init__(self, chance: random.Random, *, wait: float, fails: float) -> None:
        super().__init__()
        self._chance = chance
        self._most = wait
        self._fails = fails

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        await asyncio.sleep(self._chance.random() * self._most)
        if self._chance.random() < self._fails:
            raise Retry("The model is down.")
        async for piece in super().generate(request):
            yield piece


class StalledIndex(MemoryIndex):
    """Blocks the thread of its search, like a client that waits for a server which is silent."""

    async def search(self, query: IndexQuery) -> IndexHits:
        await asyncio.to_thread(time.sleep, STALL)
        return await super().search(query)


class StalledEmbedder(FakeEmbedder):
    """The same of a model."""

    async def embed_query(self, text: str) -> Embedding:
        await asyncio.to_thread(time.sleep, STALL)
        return await super().embed_query(text)


class Replica:
    """Citebot with a platform and a desk, over a database that others may share."""

    name = "slack"

    def __init__(self, config: dict[str, Any]) -> None:
        folder = Path(config["folder"])
        chance = random.Random(config.get("seed", 1))
        stalled = config.get("stalled", False)
        delivery = {"delivery.lease": config.get("lease", 2.0), "delivery.workers": 4}
        settings = load_settings(
            overrides={"data_dir": folder, "plugins.enabled": ["jsonl"], "answering.threshold": 0.0, **delivery},
            environ={},
            folder=folder,
        )
        self.database = Database(config["url"])
        self.index = StalledIndex() if stalled else MemoryIndex()
        self.bot = Citebot(
            settings=settings,
            plugins=PluginManager.load(settings),
            database=self.database,
            directory=Directory(self.database, settings.access),
            index=self.index,
            embedder=StalledEmbedder() if stalled else None,
            reranker=None,
            generator=Writer(chance, wait=60.0 if stalled else config.get("wait", 0.0), fails=config.get("fails", 0.0)),
        )
        vault = DatabaseVault(self.database, settings, f"platform/{self.name}")
        self.platform = self.made(config, PartContext(data_dir=folder, vault=vault))
        self.desk = Desk(self.bot, self.platform)
        if config.get("hasty"):
            self.desk.delivery = Delivery(
                self.database,
                handler=self.desk.answer,
                sender=self.desk.send,
                settings=settings.delivery,
                platforms={self.name},
                patience=HASTY,
            )

    def made(self, config: dict[str, Any], context: PartContext) -> Any:
        """The platform."""
        platform = SlackPlatform(SlackSettings.model_validate(config["slack"]), context)
        platform.pace = Pace(**config.get("pace", {}))
        return platform

    async def listen(self) -> None:
        """Take questions."""
        await self.platform.run(self.desk)

    async def open(self) -> None:
        """Load what is searched."""
        await self.index.open()
        if self.bot.embedder is not None:
            await self.bot.embedder.open()
        await self.bot.feeder.catch_up()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        """While it runs; at the end it is cut off as by a crash."""
        await self.open()
        tasks = [asyncio.create_task(self.desk.delivery.run()), asyncio.create_task(self.listen())]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            self.desk.delivery.close()
            await self.index.close()
            self.database.close()


async def add_handbook(replica: Replica, folder: Path) -> None:
    """Give it one document that everybody may read."""
    row = {"id": "parking", "title": "Parking", "text": "The parking permit costs 40 euros.", "readers": ["everyone"]}
    (folder / "handbook.jsonl").write_text(json.dumps(row))
    with replica.database.write() as tx:
        sources.add(tx, name="handbook", type="jsonl", settings={"path": str(folder / "handbook.jsonl")})
    await replica.bot.sync("handbook")


async def work_until_killed(config: dict[str, Any], kind: type[Replica]) -> None:
    """Be a replica; without the test, nothing."""
    parent = os.getppid()
    if point := config.get("failpoint"):
        kill_at(point, hit=config["hit"])
    async with kind(config).working() as tasks:
        while os.getppid() == parent:
            done, _ = await asyncio.wait(tasks, timeout=0.5, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()


def main(kind: type[Replica] = Replica) -> None:
    """Fork replicas."""
    plain = structlog.processors.KeyValueRenderer()
    structlog.configure(processors=[plain], logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the dead
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            code = 1
            try:
                asyncio.run(work_until_killed(json.loads(line), kind))
                code = 0
            finally:
                os._exit(code)
        print(child, flush=True)


if __name__ == "__main__":
    main()
