"""A Slack with people, who ask by mentions."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from citebot.testing.slack import App, Channel, FakeSlack, Message, Shown, User

SCRIPT = Path(__file__).parent / "slack_replica.py"
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
