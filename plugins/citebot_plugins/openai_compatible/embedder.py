"""The embedder `openai_compatible`."""

from __future__ import annotations

import asyncio
import hashlib
import math
import struct
from collections.abc import AsyncIterator, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel

from citebot.errors import ModelRefused
from citebot.model import Embedding, Finding
from citebot.ports import PartContext
from citebot.prompting import tokens
from citebot_plugins.openai_compatible.cutting import pieces
from citebot_plugins.openai_compatible.examining import examined
from citebot_plugins.openai_compatible.server import Server
from citebot_plugins.openai_compatible.settings import EmbedderSettings

_LONGEST_NAME = 80
_CUT_AT_ONCE = 64
_LEAST = 32  # tokens of a text, however long the prefix is


class OpenAICompatibleEmbedder:
    """Sends texts to `/embeddings`, `batch_size` at a time."""

    name: ClassVar[str] = "openai_compatible"
    summary: ClassVar[str] = "Any server with OpenAI's /embeddings: TEI, vLLM, Ollama, llama.cpp, LiteLLM, Azure"
    Settings: ClassVar[type[BaseModel]] = EmbedderSettings

    def __init__(self, settings: EmbedderSettings, context: PartContext) -> None:
        self.model_id = ""
        self.dimensions = 0
        self._settings = settings
        self._server = Server("embedder", settings, limit="max_tokens")

    async def open(self) -> None:
        """Ask how long the model's vectors are, unless the settings say it."""
        await self._server.open()
        try:
            self.dimensions = self._settings.dimensions or 0
            if not self.dimensions:
                [row] = await self._rows(["How long is a vector?"])
                self.dimensions = len(row) // 2
        except BaseException:
            await self.close()
            raise
        self.model_id = self._model_id()

    async def close(self) -> None:
        await self._server.close()

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        """One embedding per text; longer ones than `max_tokens` get one row per window."""
        windows: list[list[str]] = []
        for start in range(0, len(texts), _CUT_AT_ONCE):
            windows += await asyncio.to_thread(self._cut_all, texts[start : start + _CUT_AT_ONCE])
        flat = [window for text in windows for window in text]
        rows: list[bytes] = []
        for start in range(0, len(flat), self._settings.batch_size):
            rows += await self._rows(flat[start : start + self._settings.batch_size])
        remaining = iter(rows)
        nothing = bytes(2 * self.dimensions)
        return [Embedding(self.dimensions, b"".join(next(remaining) for _ in text) or nothing) for text in windows]

    async def embed_query(self, text: str) -> Embedding:
        """One row, over what the model reads at once."""
        windows = await asyncio.to_thread(self._cut, self._settings.query_prefix, text, 1)
        rows = await self._rows(windows) if windows else [bytes(2 * self.dimensions)]
        return Embedding(self.dimensions, rows[0])

    async def examine(self) -> AsyncIterator[Finding]:
        """Embed one text."""

        async def call() -> str:
            [row] = await self._rows(["Are you there?"])
            return f"answers with vectors of {len(row) // 2} numbers"

        async for finding in examined(self._server, call):
            yield finding

    def _cut_all(self, texts: Sequence[str]) -> list[list[str]]:
        return [self._cut(self._settings.passage_prefix, text, self._settings.max_windows) for text in texts]

    def _cut(self, prefix: str, text: str, most: int) -> list[str]:
        """What is sent for a text; nothing for one without words, which servers refuse."""
        limit = max(_LEAST, self._settings.max_tokens - tokens(prefix))
        return [prefix + part for part in pieces(text, limit=limit, most=most) if part.strip()]

    async def _rows(self, texts: Sequence[str]) -> list[bytes]:
        body: dict[str, Any] = {**self._settings.extra_body, "model": self._settings.model, "input": list(texts)}
        if self._settings.dimensions:
            body["dimensions"] = self._settings.dimensions
        answer = await self._server.ask("/embeddings", body)
        return await asyncio.to_thread(self._read, answer, len(texts))

    def _read(self, answer: Any, count: int) -> list[bytes]:
        """The rows in the order of the texts."""
        try:
            items = answer["data"]
            vectors = {item.get("index", place): item["embedding"] for place, item in enumerate(items)}
            if len(items) != count or set(vectors) != set(range(count)):
                raise self._server.malformed()
            return [self._row(vectors[place]) for place in range(count)]
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
            raise self._server.malformed() from None

    def _row(self, vector: list[float]) -> bytes:
        size, place = self.dimensions or self._settings.dimensions or len(vector), self._server.place
        if not vector or len(vector) != size:
            raise ModelRefused(
                f"Model “{place.model}” at {place.url} gives vectors of {len(vector)} numbers, not of {size}: another "
                "model answers to this name now. Put the right one there, or start Citebot again to embed everything "
                "anew with this one.",
                why="model",
            )
        length = math.hypot(*vector)
        if not math.isfinite(length):
            raise self._server.malformed()
        return struct.pack(f"<{size}e", *(value / (length or 1.0) for value in vector))

    def _model_id(self) -> str:
        settings = self._settings
        name = settings.model
        if len(name) > _LONGEST_NAME:
            name = f"{name[:40]}…{hashlib.sha256(name.encode()).hexdigest()[:12]}"
        # The question's prefix is left out on purpose: changing it leaves the passages' vectors as they are.
        prefix = hashlib.sha256(settings.passage_prefix.encode()).hexdigest()[:6] if settings.passage_prefix else "-"
        return f"openai:{name}:{self.dimensions}:w{settings.max_tokens}x{settings.max_windows}:{prefix}"
