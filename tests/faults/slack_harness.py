"""A Slack with people, and replicas of the bot that are started and killed."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from slack_replica import Replica, add_handbook

from citebot.storage import Database, work
from citebot.testing.slack import App, Channel, FakeSlack, Message, Shown, User

ZYGOTE = Path(__file__).parent / "slack_replica.py"
NOTICES = ("I could not answer this question",)


@dataclass(slots=True)
class Town:
    """Who asks whom where."""

    slack: FakeSlack
    app: App
    people: list[User]
    channels: list[Channel]

    async def ask(self, who: int, where: int, text: str, *, thread_ts: str = "") -> Message:
        """Somebody mentions the bot."""
        user, channel = self.people[who % len(self.people)], self.channels[where % len(self.channels)]
        return await self.slack.say(user, channel, f"{self.app.mention} {text}", thread_ts=thread_ts)

    def replies(self, question: Message) -> list[Shown]:
        """What the bot shows in the thread of a message."""
        channel = self.slack.world.channels[question.channel]
        thread = self.slack.messages(channel, question.thread_ts or question.ts)
        return [shown for shown in thread if shown.user == self.app.bot.id]

    def answered(self, question: Message) -> bool:
        """Whether something complete stands there."""
        return any(complete(shown) for shown in self.replies(question))

    def config(self, *, folder: Path, **more: Any) -> dict[str, Any]:
        """What a replica must know."""
        tokens = {"bot_token": self.app.bot_token, "app_token": self.app.app_token, "base_url": self.slack.api_url}
        pace = {"ping": 2.0, "keepalive": 2.0, "patience": 5.0}
        return {"slack": tokens, "pace": pace, "folder": str(folder), **more}


def complete(shown: Shown) -> bool:
    """Whether a message is an answer to its end, or an honest notice."""
    return shown.element("citebot_delete") is not None or shown.text.startswith(NOTICES)


@asynccontextmanager
async def town(*, speed: float, people: int = 10, channels: int = 10, rates: bool = True) -> AsyncIterator[Town]:
    """Open for as long as a test needs it."""
    # The usual log takes its time over every error.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    async with FakeSlack(speed=speed, rates=rates) as slack:
        users = [slack.add_user(f"person{number}") for number in range(people)]
        app = slack.add_app("citebot")
        rooms = [slack.add_channel(f"room{number}", [*users, app]) for number in range(channels)]
        yield Town(slack, app, users, rooms)


async def furnish(config: dict[str, Any], kind: type[Replica] = Replica) -> None:
    """Put the handbook into the database of a replica."""
    replica = kind(config)
    await replica.open()
    await add_handbook(replica, Path(config["folder"]))
    replica.desk.delivery.close()
    replica.database.close()


@dataclass(slots=True)
class Replicas:
    """Processes of the bot, kept at two and killed."""

    config: dict[str, Any]
    zygote: Process
    chance: random.Random = field(default_factory=lambda: random.Random(20))
    kills: Counter[str] = field(default_factory=Counter)
    _alive: dict[int, str] = field(default_factory=dict)

    async def start(self, *, failpoint: str = "", **more: Any) -> int:
        """One more; it will be killed where it is told."""
        armed = {"failpoint": failpoint, "hit": self.chance.randint(1, 3), "seed": self.chance.random()}
        config = {**self.config, **armed, **more}
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.write((json.dumps(config) + "\n").encode())
        pid = int(await self.zygote.stdout.readline())
        self._alive[pid] = failpoint
        return pid

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


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


@asynccontextmanager
async def replicas(config: dict[str, Any], script: Path = ZYGOTE) -> AsyncIterator[Replicas]:
    """None at first."""
    with (Path(config["folder"]) / "stderr").open("w") as errors:
        zygote = await asyncio.create_subprocess_exec(
            sys.executable, str(script), stdin=PIPE, stdout=PIPE, stderr=errors
        )
        made = Replicas(config, zygote)
        try:
            yield made
        finally:
            made.kill_all()
            assert zygote.stdin is not None
            zygote.stdin.close()
            await zygote.wait()


def open_work(database: Database) -> int:
    """Rows of both queues that are not finished."""
    with database.read() as tx:
        counts = [work.counts(tx, "inbox"), work.counts(tx, "outbox")]
    return sum(n for count in counts for state, n in count.items() if state in ("ready", "leased"))
