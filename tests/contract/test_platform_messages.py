"""Platforms with messages keep the contract through the core, however little they can do."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from citebot.errors import CitebotError
from citebot.ports import Capabilities, Inbound
from citebot.testing.contract_platform import PlatformContract
from citebot.testing.scripted_desk import ScriptedDesk, outbound
from citebot.testing.scripted_messages import ScriptedMessages

ABLE = {
    "grows": Capabilities(stream=True, edit=True, text_limit=4_000, edits_per_second=1_000.0),
    "edits": Capabilities(edit=True, text_limit=2_000, edits_per_second=1_000.0),
    "lines": Capabilities(text_limit=400, edits_per_second=1_000.0),
}


class Service:
    def __init__(self, capabilities: Capabilities) -> None:
        self.platform = ScriptedMessages(capabilities)
        self.desk = ScriptedDesk(platform=self.platform)
        self.running = asyncio.create_task(self.platform.run(self.desk))

    async def ask(self, text: str, *, message: str = "message-1") -> bool:
        try:
            await self.platform.ask(text, message=message)
        except CitebotError:
            return False
        return True

    async def visible(self, inbound: Inbound) -> list[str]:
        await asyncio.sleep(0.01)
        place = outbound(inbound).reply_to
        mine = [posted for posted in self.platform.posted.values() if posted.to.reply_to == place]
        return ["\n".join([posted.text, *posted.titles]) for posted in mine]

    async def stop(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running


class TestMessages(PlatformContract):
    @pytest.fixture(params=ABLE.values(), ids=ABLE)
    async def harness(self, request: pytest.FixtureRequest) -> AsyncIterator[Service]:
        service = Service(request.param)
        yield service
        await service.stop()
