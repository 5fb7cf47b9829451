"""The web chat keeps the platform contract, over real HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from citebot.ports import Inbound, PartContext
from citebot.testing.contract_platform import PlatformContract
from citebot.testing.scripted_desk import ScriptedDesk
from citebot_connectors.platforms.console.platform import ConsolePlatform
from citebot_connectors.platforms.console.settings import ConsoleSettings


class OverHttp:
    """Asks by POST and reads the event stream, as the page does."""

    def __init__(self) -> None:
        self.platform = ConsolePlatform(ConsoleSettings(port=0), PartContext(data_dir=Path()))
        self.platform.announce = lambda line: None
        self.desk = ScriptedDesk(platform=self.platform)

    async def start(self) -> None:
        self.running = asyncio.create_task(self.platform.run(self.desk))
        await asyncio.wait_for(self.platform.listening.wait(), 10)
        self.client = httpx.AsyncClient(base_url=self.platform.address, timeout=10, trust_env=False)

    async def ask(self, text: str, *, message: str = "message-1") -> bool:
        body = {"text": text, "id": message, "conversation": "conversation-1"}
        return (await self.client.post("/api/questions", json=body)).status_code == 202

    async def visible(self, inbound: Inbound) -> list[str]:
        text = ""
        async with self.client.stream("GET", f"/api/questions/{inbound.message_id}/events") as stream:
            name = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    text = self._show(name, json.loads(line.removeprefix("data: ")), text)
        return [text]

    def _show(self, name: str, data: dict[str, Any], before: str) -> str:
        if name == "text":
            return f"{before}{data['text']}"
        if name == "failed":
            return f"{before}\n{data['notice']}"
        if name == "done":
            titles = [citation["title"] for citation in data["answer"]["citations"]]
            return "\n".join([data["answer"]["text"], *titles])
        return "" if name == "reset" else before

    async def stop(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running


class TestConsolePlatform(PlatformContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[OverHttp]:
        harness = OverHttp()
        await harness.start()
        yield harness
        await harness.client.aclose()
        await harness.stop()
