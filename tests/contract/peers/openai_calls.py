"""Calls of the generator `openai_compatible` on a server of the test's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from citebot.errors import ModelUnavailable
from citebot.ports import Draft, GenerationRequest, PartContext, Usage
from citebot.testing.contract_generator import passages
from citebot.testing.models.openai import FakeOpenAI
from citebot_plugins.openai_compatible.generator import OpenAICompatibleGenerator
from citebot_plugins.openai_compatible.settings import GeneratorSettings

QUESTION = "How many days of leave?"


@asynccontextmanager
async def opened(server: FakeOpenAI, **more: Any) -> AsyncIterator[OpenAICompatibleGenerator]:
    given = {"base_url": server.base_url, "api_key": server.key, "model": "chat-1", "read_seconds": 5, **more}
    generator = OpenAICompatibleGenerator(GeneratorSettings.model_validate(given), PartContext(Path()))
    await generator.open()
    try:
        yield generator
    finally:
        await generator.close()


def request(used: list[Usage] | None = None, **more: Any) -> GenerationRequest:
    note = (lambda usage: None) if used is None else used.append
    return GenerationRequest(question=QUESTION, original=QUESTION, passages=passages(), used=note, **more)


async def said(generator: OpenAICompatibleGenerator, asked: GenerationRequest | None = None) -> str:
    return "".join([piece.text async for piece in generator.generate(asked or request()) if isinstance(piece, Draft)])


async def failure(server: FakeOpenAI, used: list[Usage] | None = None, **more: Any) -> ModelUnavailable:
    async with opened(server, **more) as generator:
        with pytest.raises(ModelUnavailable) as caught:
            await said(generator, request(used))
    assert "\n" not in str(caught.value)
    return caught.value
