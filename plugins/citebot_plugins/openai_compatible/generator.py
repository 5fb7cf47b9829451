"""The generator `openai_compatible`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, ClassVar

from pydantic import BaseModel

from citebot.errors import ModelUnavailable
from citebot.model import Finding, Status, Turn
from citebot.ports import Draft, GenerationRequest, PartContext, Usage, Used, unmetered
from citebot.prompting import Prompt, rewriting, tokens, write
from citebot_plugins.openai_compatible.examining import examined
from citebot_plugins.openai_compatible.reply import Prices, Reply
from citebot_plugins.openai_compatible.server import Server
from citebot_plugins.openai_compatible.settings import GeneratorSettings

_PATH = "/chat/completions"


class OpenAICompatibleGenerator:
    """Streams `/chat/completions`."""

    name: ClassVar[str] = "openai_compatible"
    summary: ClassVar[str] = "Any server with OpenAI's /chat/completions: vLLM, Ollama, llama.cpp, LiteLLM, Azure"
    Settings: ClassVar[type[BaseModel]] = GeneratorSettings

    def __init__(self, settings: GeneratorSettings, context: PartContext) -> None:
        self._settings = settings
        self._server = Server("generator", settings, limit="max_prompt_tokens")
        self._prices = Prices(settings.price_input, settings.price_output)

    async def open(self) -> None:
        await self._server.open()

    async def close(self) -> None:
        await self._server.close()

    def most(self) -> Usage:
        """By `max_prompt_tokens` and `max_output_tokens`."""
        read, written = self._settings.max_prompt_tokens, self._settings.max_output_tokens
        return Usage(self._settings.model, read, written, self._prices.of(read, written))

    def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        """One streamed call."""
        prompt = partial(write, request, max_tokens=self._settings.max_prompt_tokens)
        return self._say(prompt, used=request.used, literal=request.attempt > 1)

    async def rewrite(self, question: str, history: Sequence[Turn], *, used: Used = unmetered) -> str:
        """One call, whose whole text is the question."""
        prompt = partial(rewriting, question, history, max_tokens=self._settings.max_prompt_tokens)
        pieces = [piece async for piece in self._say(prompt, used=used, literal=True) if isinstance(piece, Draft)]
        if any(piece.cut_off for piece in pieces):
            raise ModelUnavailable("The model did not come to the end of the question.")
        return "".join(piece.text for piece in pieces).strip()

    async def examine(self) -> AsyncIterator[Finding]:
        """Ask the model for a word, with all that can be wrong on the way."""
        prompt = partial(rewriting, "Are you there?", (), max_tokens=self._settings.max_prompt_tokens)

        async def call() -> str:
            async with aclosing(self._say(prompt, used=unmetered)) as pieces:
                await anext(pieces)  # one word is enough, after all that it has to think
            return "answers"

        async for finding in examined(self._server, call):
            yield finding

    async def _say(
        self, prompt: Callable[[], Prompt], *, used: Used, literal: bool = False
    ) -> AsyncGenerator[Draft | Status, None]:
        told = prompt()
        reply = Reply(self._server, prompt_tokens=tokens(told.system) + tokens(told.user))
        body = self._body(told, literal=literal)
        try:
            async with self._server.stream(_PATH, body, declined=reply.decline) as events:
                try:
                    async for event in events:
                        if text := reply.read(event):
                            yield Draft(text)
                except ModelUnavailable:
                    if not reply.reason:  # what breaks after the model has said why it ends takes nothing from its text
                        raise
            if rest := reply.end():
                yield Draft(rest)
            if reply.cut_off:
                yield Draft("", cut_off=True)
        finally:
            if not reply.declined:
                used(reply.usage(self._prices))

    def _body(self, prompt: Prompt, *, literal: bool) -> dict[str, Any]:
        settings = self._settings
        body: dict[str, Any] = {
            **settings.extra_body,
            "model": settings.model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            "stream": True,
            settings.output_limit: settings.max_output_tokens,
        }
        if settings.temperature != "default":
            body["temperature"] = 0.0 if literal else settings.temperature
        if settings.ask_usage:
            body["stream_options"] = {"include_usage": True}
        return body
