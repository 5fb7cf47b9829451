"""A company with a handful of documents that asks Citebot in Slack: everything but Slack itself is the real thing."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from citebot.access import Directory
from citebot.app import Citebot
from citebot.model import Status
from citebot.ports import Draft, GenerationRequest
from citebot.storage import Database, schema
from citebot.testing.fake_models import QuotingGenerator
from citebot.testing.memory_index import MemoryIndex

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from handbook import read_handbook
from slack_team import SlackTeam

from citebot.testing.slack import FakeSlack

BOARD = ("alice@example.com", "carol@example.com")


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
async def team(slack_bot: Citebot, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[SlackTeam]:
    """The company at work; an indirect parameter is further settings of the platform."""
    async with FakeSlack(speed=60) as slack:
        made = SlackTeam(slack, slack_bot, **getattr(request, "param", {}))
        await read_handbook(slack_bot, tmp_path, lobby=f"channel:slack:{slack.workspace.id}:{made.lobby.id}")
        async with made.working():
            yield made


@pytest.fixture
async def discord_team(slack_bot: Citebot, tmp_path: Path) -> AsyncIterator[Any]:
    """The same company at work in Discord."""
    pytest.importorskip("discord")
    from discord_team import DiscordTeam, furnish

    from citebot.testing.discord import FakeDiscord

    async with FakeDiscord(speed=60, rates=False) as discord:
        made = DiscordTeam(discord, slack_bot)
        await furnish(made, tmp_path)
        async with made.working():
            yield made
