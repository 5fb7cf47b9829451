"""The embedder `cohere`."""

from __future__ import annotations

import asyncio
import base64
import math
import re
import struct
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any, ClassVar, Literal

from pydantic import BaseModel

from citebot.errors import ModelUnavailable
from citebot.model import Embedding, Finding
from citebot.ports import PartContext
from citebot_plugins.cohere.client import ONCE, Client
from citebot_plugins.cohere.examining import examine
from citebot_plugins.cohere.settings import EmbedderSettings
from citebot_plugins.cohere.wording import sendable

LONGEST = 100_000
"""Characters of one text; Cohere cuts off at its own limit of tokens, after it got them all."""
REQUEST = 200_000
"""Characters of one request."""
_FIXED = re.compile(r"-v[123]\.")
"""Models whose vectors have one length, and which refuse to be asked for it."""


class CohereEmbedder:
    """One vector for a text.

    Asks for base64: the SDK reads numbers forty times as slowly, two seconds for a batch, and holds the event loop up.
    """

    name: ClassVar[str] = "cohere"
    summary: ClassVar[str] = "Embed models of Cohere"
    Settings: ClassVar[type[BaseModel]] = EmbedderSettings

    def __init__(self, settings: EmbedderSettings, context: PartContext) -> None:
        self._settings = settings
        self._client = Client(settings, at="embedder.cohere")
        self.dimensions = settings.dimensions
        self.model_id = f"cohere:{settings.model[:100]}:{settings.dimensions}"

    async def open(self) -> None:
        """Load the SDK; nothing is sent."""
        await self._client.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        """One row per text, in as many requests as it takes, one after the other."""
        found: list[Embedding] = []
        for batch in _batches(texts, self._settings.batch_size):
            found += await self._embed(batch, "search_document")
        return found

    async def embed_query(self, text: str) -> Embedding:
        """One row."""
        [found] = await self._embed([sendable(text[:LONGEST])], "search_query")
        return found

    async def examine(self) -> AsyncIterator[Finding]:
        """Whether the key and the model are good."""
        async for finding in examine(Client(self._settings, at="embedder.cohere"), endpoint="embed"):
            yield finding

    async def _embed(self, texts: list[str], kind: Literal["search_document", "search_query"]) -> list[Embedding]:
        asked: dict[str, Any] = {}
        if not _FIXED.search(self._settings.model):
            asked["output_dimension"] = self.dimensions
        with self._client.told():
            answer = await self._client.api.embed(
                model=self._settings.model,
                texts=texts,
                input_type=kind,
                embedding_types=["base64"],
                truncate="END",
                request_options=ONCE,
                **asked,
            )
            rows = await asyncio.to_thread(lambda: [_floats(row) for row in answer.embeddings.base64 or ()])
        if len(rows) != len(texts):
            raise ModelUnavailable(f"{self._settings.host} was to embed {len(texts)} texts, and sent {len(rows)}.")
        if lengths := {len(row) for row in rows} - {self.dimensions}:
            raise ModelUnavailable(
                f"The vectors of “{self._settings.model}” have {min(lengths)} dimensions: set "
                f"embedder.cohere.dimensions = {min(lengths)}, which is {self.dimensions} now."
            )
        return await asyncio.to_thread(lambda: [self._row(row) for row in rows])

    def _row(self, values: Sequence[float]) -> Embedding:
        length = math.hypot(*values)
        if not math.isfinite(length) or not length:
            raise ModelUnavailable(f"{self._settings.host} sent a vector that is none.")
        data = struct.pack(f"<{len(values)}e", *(value / length for value in values))
        return Embedding(self.dimensions, data)


def _floats(row: str) -> tuple[float, ...]:
    """Little-endian float32. Raises `ValueError`."""
    data = base64.b64decode(row, validate=True)
    if len(data) % 4:
        raise ValueError("no row of floats")
    return struct.unpack(f"<{len(data) // 4}f", data)


def _batches(texts: Sequence[str], most: int) -> Iterator[list[str]]:
    batch: list[str] = []
    length = 0
    for text in texts:
        one = sendable(text[:LONGEST])
        if batch and (len(batch) == most or length + len(one) > REQUEST):
            yield batch
            batch, length = [], 0
        batch.append(one)
        length += len(one)
    if batch:
        yield batch
