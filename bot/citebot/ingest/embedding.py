"""Fills in the vectors: passages are found by their words at once, and by their meaning when this has come by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from citebot.ingest.feeder import Feeder
from citebot.model import Embedding
from citebot.ports import Embedder
from citebot.storage import Database, passages

AT_ONCE = 128


@dataclass(frozen=True, slots=True)
class EmbeddingProgress:
    """How far the vectors are."""

    done: int
    total: int
    rate: float
    """Passages per second."""


class EmbeddingWorker:
    """Embeds passages that have no vector of the current model, oldest first."""

    def __init__(self, database: Database, embedder: Embedder, feeder: Feeder) -> None:
        self._database = database
        self._embedder = embedder
        self._feeder = feeder
        self._checked = ("", 0)
        """Model and newest passage of the last look that found nothing missing."""

    async def run_once(self, *, progress: Callable[[EmbeddingProgress], None] | None = None) -> int:
        """Embed until nothing is missing; returns how many passages got vectors. Cancelled, it keeps what it made."""
        if not await asyncio.to_thread(self._work_to_do):
            return 0
        await self._embedder.open()
        model = self._embedder.model_id
        self._feeder.use_model(model)
        total, done, began = await asyncio.to_thread(self._missing, model), 0, time.monotonic()
        after = 0
        newest = await asyncio.to_thread(self._newest)
        while batch := await asyncio.to_thread(self._next, model, after):
            vectors = await self._embedder.embed_passages([text for _, text in batch])
            rows = [(key, made) for (key, _), made in zip(batch, vectors, strict=True)]
            await asyncio.to_thread(self._save, model, rows)
            after = batch[-1][0]
            done += len(batch)
            if progress:
                progress(EmbeddingProgress(done, max(done, total), done / max(1e-6, time.monotonic() - began)))
        self._checked = (model, newest)
        return done

    def _work_to_do(self) -> bool:
        """Whether vectors are missing, as far as can be told without loading the model: an idle server stays small.

        A model that was never opened has no id yet; then the one that made the stored vectors stands for it.
        """
        with self._database.read() as tx:
            newest = passages.newest_id(tx)
            if (self._embedder.model_id, newest) == self._checked:
                return False
            stored = passages.models(tx)
            model = self._embedder.model_id or (stored[0] if stored else "")
            if passages.count_missing(tx, model):
                return True
        self._checked = (self._embedder.model_id, newest)
        return False

    def _newest(self) -> int:
        with self._database.read() as tx:
            return passages.newest_id(tx)

    def _missing(self, model: str) -> int:
        with self._database.read() as tx:
            return passages.count_missing(tx, model)

    def _next(self, model: str, after: int) -> list[tuple[int, str]]:
        with self._database.read() as tx:
            return passages.unembedded(tx, model, after=after, limit=AT_ONCE)

    def _save(self, model: str, rows: Sequence[tuple[int, Embedding]]) -> None:
        with self._database.write() as tx:
            passages.save_embeddings(tx, model, rows)
