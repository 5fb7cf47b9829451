"""Slack keeps the platform contract: a real client over the protocol server of the tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")

from citebot.ports import Inbound, PartContext
from citebot.testing.contract_platform import PlatformContract
from citebot.testing.scripted_desk import ScriptedDesk
from citebot.testing.slack import FakeSlack, Message
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings


class Workspace:
    """A workspace with one channel, and people who mention the bot in it."""

    def __init__(self, slack: FakeSlack) -> None:
        self.slack = slack
        self.alice = slack.add_user("alice")
        self.app = slack.add_app("citebot")
        self.channel = slack.add_channel("general", [self.alice, self.app])
        settings = SlackSettings.model_validate(
            {"bot_token": self.app.bot_token, "app_token": self.app.app_token, "base_url": slack.api_url}
        )
        self.platform = SlackPlatform(settings, PartContext(data_dir=Path()))
        self.desk = ScriptedDesk(platform=self.platform)
        self.running = asyncio.create_task(self.platform.run(self.desk))
        self._messages: dict[str, Message] = {}

    async def ask(self, text: str, *, message: str = "message-1") -> bool:
        before = len(self.slack.deliveries)
        if message in self._messages:
            ts = self._messages[message].ts
            for delivery in [d for d in self.slack.deliveries if d.body.get("event", {}).get("ts") == ts]:
                self.slack.redeliver(delivery)
        else:
            self._messages[message] = await self.slack.say(self.alice, self.channel, f"{self.app.mention} {text}")
        mine = await self.slack.until(
            lambda: [d for d in self.slack.deliveries[before:] if d.body["event"]["type"] == "app_mention"]
        )
        await self.slack.until(lambda: mine[0].acked or mine[0].reason or mine[0].over, timeout=30)
        return mine[0].acked

    async def visible(self, inbound: Inbound) -> list[str]:
        await self.slack.settled()
        thread = self.slack.messages(self.channel, inbound.conversation.thread)
        return [shown.text for shown in thread if shown.ts != inbound.message_id]

    async def stop(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running


class TestSlackPlatform(PlatformContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Workspace]:
        async with FakeSlack(speed=60) as slack:
            workspace = Workspace(slack)
            await slack.until(lambda: slack.sockets(workspace.app))
            yield workspace
            await workspace.stop()
