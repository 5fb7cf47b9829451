"""The platform in memory keeps the contract, so tests that use it are worth something."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from citebot.errors import CitebotError
from citebot.model import Conversation, Person
from citebot.ports import Inbound
from citebot.testing.contract_platform import PlatformContract
from citebot.testing.scripted_desk import ScriptedDesk, outbound
from citebot.testing.scripted_platform import ScriptedPlatform


class InMemory:
    def __init__(self) -> None:
        self.platform = ScriptedPlatform()
        self.desk = ScriptedDesk(platform=self.platform)
        self.running = asyncio.create_task(self.platform.run(self.desk))

    async def ask(self, text: str, *, message: str = "message-1") -> bool:
        try:
            await self.platform.ask(text, delivery_id=message, message_id=message)
        except CitebotError:
            return False
        return True

    async def visible(self, inbound: Inbound) -> list[str]:
        shown = self.platform.find(inbound)
        if shown is None:
            return []
        return ["\n".join([shown.text, shown.notice, *(citation.passage.title for citation in shown.citations)])]

    async def stop(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running


class TestScriptedPlatform(PlatformContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[InMemory]:
        harness = InMemory()
        yield harness
        await harness.stop()


async def test_fails_when_told_to_and_only_then() -> None:
    platform = InMemory()
    inbound = await platform.platform.ask("Who books trains?", delivery_id="other")
    await platform.desk.settle()
    platform.platform.fail("append")
    shown = await platform.platform.open_answer(outbound(inbound))
    with pytest.raises(CitebotError, match="down"):
        await shown.append("x")
    await shown.append("y")
    await platform.stop()


async def test_stalls_until_released() -> None:
    world = InMemory()
    gate = world.platform.stall("finish")
    inbound = await world.platform.ask("Who books trains?")
    await asyncio.sleep(0)
    shown = world.platform.find(inbound)
    assert shown is None or not shown.ended.is_set()
    gate.set()
    assert (await world.platform.answer(inbound)).text == "You asked: Who books trains?"
    await world.stop()


async def test_a_channel_without_known_members_is_seen_by_nobody_known() -> None:
    platform = ScriptedPlatform()
    channel = Conversation(platform="scripted", id="general", visibility="public")
    assert await platform.seen_by(channel, Person("alice")) is None
    platform.members["general"] = frozenset({Person("alice"), Person("bob")})
    assert await platform.seen_by(channel, Person("alice")) == platform.members["general"]
