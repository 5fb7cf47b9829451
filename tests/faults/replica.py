"""One process of the bot on some platform, over a database that others may share."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import structlog
from zygote import fork_each

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
from citebot.testing.fake_models import FakeEmbedder, QuotingGenerator
from citebot.testing.memory_index import MemoryIndex

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


class Replica(ABC):
    """Citebot with a platform and a desk."""

    name: ClassVar[str]

    def __init__(self, config: dict[str, Any]) -> None:
        self.config, folder = config, Path(config["folder"])
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

    @abstractmethod
    def made(self, config: dict[str, Any], context: PartContext) -> Any:
        """The platform."""

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


async def work_until_killed(replica: Replica) -> None:
    """Be a replica."""
    async with replica.working() as tasks:
        await asyncio.gather(*tasks)


def fork_replicas(kind: type[Replica]) -> None:
    """Fork them."""
    plain = structlog.processors.KeyValueRenderer()
    structlog.configure(processors=[plain], logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    fork_each(lambda config: asyncio.run(work_until_killed(kind(config))))
