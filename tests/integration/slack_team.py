"""People and channels in Slack, and Citebot at work among them."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.ports import PartContext
from citebot.storage import answers
from citebot.testing.chat.at_work import at_work
from citebot.testing.slack import Channel, FakeSlack, Message, Shown, User
from citebot.testing.slack.control import BOT_SCOPES
from citebot_connectors.platforms.slack.link import Pace
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings


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

    def working(self) -> AbstractAsyncContextManager[None]:
        """While Citebot runs; at the end it is cut off as by a crash."""
        return at_work(self.desk, self.platform, self.slack)

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
