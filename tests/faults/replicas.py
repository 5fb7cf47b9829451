"""Replicas of the bot on some platform: at work in this process, or as processes that are started and killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from replica import Replica, add_handbook
from zygote import Zygote, gone, zygote_of

from citebot.storage import Database, work
from citebot.testing.chat.fake import Fake


async def furnish(config: dict[str, Any], kind: type[Replica]) -> None:
    """Put the handbook into the database of a replica."""
    replica = kind(config)
    await replica.open()
    await add_handbook(replica, Path(config["folder"]))
    replica.desk.delivery.close()
    replica.database.close()


@asynccontextmanager
async def at_work(replica: Replica, fake: Fake[Any]) -> AsyncIterator[None]:
    """In this process, once it is connected."""
    async with replica.working() as tasks:
        await fake.until(lambda: not replica.platform.trouble or any(task.done() for task in tasks), timeout=60)
        yield


@dataclass(slots=True)
class Replicas:
    """Processes of the bot, kept at two and killed."""

    config: dict[str, Any]
    zygote: Zygote
    chance: random.Random = field(default_factory=lambda: random.Random(20))
    kills: Counter[str] = field(default_factory=Counter)
    _alive: dict[int, str] = field(default_factory=dict)

    async def start(self, *, failpoint: str = "", **more: Any) -> None:
        """One more; it will be killed where it is told."""
        armed = {"failpoint": failpoint, "hit": self.chance.randint(1, 3), "seed": self.chance.random()}
        pid = await asyncio.to_thread(self.zygote.fork, {**self.config, **armed, **more})
        self._alive[pid] = failpoint

    def alive(self) -> dict[int, str]:
        """Those that live, and the point that will kill them."""
        for pid, failpoint in list(self._alive.items()):
            if gone(pid):
                del self._alive[pid]
                self.kills[failpoint or "random"] += 1
        return dict(self._alive)

    def kill_one(self) -> None:
        """kill -9 one that no point will kill."""
        free = [pid for pid, failpoint in self.alive().items() if not failpoint]
        if free:
            os.kill(self.chance.choice(free), signal.SIGKILL)

    def kill_all(self) -> None:
        """The end."""
        for pid in self._alive:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def replicas(config: dict[str, Any], script: Path) -> Iterator[Replicas]:
    """None at first."""
    with zygote_of(script, Path(config["folder"])) as zygote:
        made = Replicas(config, zygote)
        try:
            yield made
        finally:
            made.kill_all()


def open_work(database: Database) -> int:
    """Rows of both queues that are not finished."""
    with database.read() as tx:
        counts = [work.counts(tx, "inbox"), work.counts(tx, "outbox")]
    return sum(n for count in counts for state, n in count.items() if state in ("ready", "leased"))
