"""Discord keeps the platform contract: a real client over the protocol server of the tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("discord")

from citebot.ports import Inbound, PartContext
from citebot.testing.contract_platform import PlatformContract
from citebot.testing.discord import FakeDiscord, Outcome
from citebot.testing.scripted_desk import ScriptedDesk
from citebot_connectors.platforms.discord.link import Pace
from citebot_connectors.platforms.discord.platform import DiscordPlatform
from citebot_connectors.platforms.discord.settings import DiscordSettings


class Server:
    """A server with one channel, and somebody who asks by the command."""

    def __init__(self, discord: FakeDiscord) -> None:
        self.discord = discord
        self.alice = discord.add_user("alice", owner=True)
        self.app = discord.add_app("citebot", intents=())
        self.channel = discord.add_channel("general")
        settings = DiscordSettings.model_validate(
            {
                "bot_token": self.app.token,
                "guilds": [discord.guild.id],
                "base_url": discord.api_url,
                "gateway_url": discord.gateway_url,
            }
        )
        self.platform = DiscordPlatform(settings, PartContext(data_dir=Path()))
        self.platform.pace, self.platform.edit_gap = Pace(identify=0.05, ready=0.1), 0.05
        self.platform.wall = discord.clock.wall
        self.desk = ScriptedDesk(platform=self.platform)
        self.running = asyncio.create_task(self.platform.run(self.desk))
        self._bodies: dict[str, Any] = {}
        self._outcomes: dict[str, Outcome] = {}

    async def ask(self, text: str, *, message: str = "message-1") -> bool:
        if message in self._bodies:
            await self.discord.send_event(self.app, "INTERACTION_CREATE", self._bodies[message])
            await self.discord.settled()
            return True
        outcome = await self.discord.command(self.alice, self.channel, "ask", {"question": text})
        self._bodies[message] = self.discord.deliveries[-1].body
        if outcome.interaction is not None:
            self._outcomes[outcome.interaction.id] = outcome
        return outcome.kind == "deferred"

    async def visible(self, inbound: Inbound) -> list[str]:
        await self.discord.settled()
        outcome = self._outcomes[inbound.message_id.partition(" ")[0]]
        first = self.discord.answer(outcome)
        shown = [*([first] if first is not None and not first.loading else []), *self.discord.follow_ups(outcome)]
        return [one.text for one in shown]

    async def stop(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running


class TestDiscordPlatform(PlatformContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Server]:
        async with FakeDiscord(speed=60, rates=False) as discord:
            server = Server(discord)
            await discord.until(lambda: server.platform.connected.is_set())
            yield server
            await server.stop()
