"""The embedder for those who want keyword search alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import BaseModel

from citebot.errors import ModelUnavailable
from citebot.model import Embedding
from citebot.ports import NoSettings, PartContext


class NoEmbedder:
    """Makes no vectors: `dimensions` is 0, and whoever asks for one is told that only keyword search is available."""

    name: ClassVar[str] = "none"
    summary: ClassVar[str] = "No vectors: keyword search only"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, settings: BaseModel, context: PartContext) -> None:
        self.model_id = "none"
        self.dimensions = 0

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        """Refuses, unless there is nothing to do."""
        if texts:
            self._refuse()
        return []

    async def embed_query(self, text: str) -> Embedding:
        """Refuses."""
        return self._refuse()

    def _refuse(self) -> Embedding:
        raise ModelUnavailable(
            'The embedder is `none`: keyword search only; set `use = "local"` in [embedder] for more'
        )
