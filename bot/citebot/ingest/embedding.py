"""Fills in the vectors: passages are found by their words at once, and by their meaning when this has come by."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from citebot.errors import ModelUnavailable
from citebot.model import Embedding
from citebot.ports import Embedder
from citebot.storage import Database, passages

AT_ONCE = 128
DELAYS = (1.0, 5.0, 20.0)
"""Seconds between the tries of a batch; after the last the run ends, and the next one goes on where it stood."""
Sleep = Callable[[float], Awaitable[None]]

log = structlog.get_logger("citebot.embedding")


@dataclass(frozen=True, slots=True)
class EmbeddingProgress:
    """How far the vectors are."""

    done: int
    total: int
    rate: float
    """Passages per second."""

    @property
    def seconds_left(self) -> float | None:
        """At this rate; None before there is one."""
        return (self.total - self.done) / self.rate if self.rate else None


class UsesModel(Protocol):
    """Who is told which model makes the vectors from now on."""

    def use_model(self, model: str) -> None:
        """It is this one."""


class EmbeddingWorker:
    """Embeds passages that have no vector of the current model, oldest first."""

    def __init__(
        self, database: Database, embedder: Embedder, told: UsesModel | None, *, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._told = told
        self._sleep = sleep
        self._checked = ("", 0)
        """Model and newest passage of the last look that found nothing missing."""

    async def run_once(
        self,
        *,
        progress: Callable[[EmbeddingProgress], None] | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> int:
        """Embed until nothing is missing; returns how many passages got vectors.

        Stopped or cancelled, it keeps what it made. Raises `ModelUnavailable` when the model stays away.
        """
        self._tell()
        if not await asyncio.to_thread(self._work_to_do):
            return 0
        await self._embedder.open()
        self._tell()
        model = self._embedder.model_id
        total, done, began = await asyncio.to_thread(self._missing, model), 0, time.monotonic()
        after = 0
        if progress:
            progress(EmbeddingProgress(0, total, 0.0))
        newest = await asyncio.to_thread(self._newest)
        while not stop() and (batch := await asyncio.to_thread(self._next, model, after)):
            await asyncio.to_thread(self._save, model, await self._embedded(batch))
            after = batch[-1][0]
            done += len(batch)
            if progress:
                progress(EmbeddingProgress(done, max(done, total), done / max(1e-6, time.monotonic() - began)))
        if not stop():
            self._checked = (model, newest)
        return done

    async def _embedded(self, batch: Sequence[tuple[int, str]]) -> list[tuple[int, Embedding]]:
        """Vectors of a batch, the longest texts first: they decide how long it takes."""
        ordered = sorted(batch, key=lambda row: -len(row[1]))
        for delay in (*DELAYS, None):
            try:
                vectors = await self._embedder.embed_passages([text for _, text in ordered])
            except ModelUnavailable as error:
                if delay is None:
                    raise
                log.warning("model unavailable, will be tried again", seconds=delay, error=str(error))
                await self._sleep(delay)
            else:
                return [(key, made) for (key, _), made in zip(ordered, vectors, strict=True)]
        raise AssertionError("the last try returns or raises")

    def _tell(self) -> None:
        """Also when no vector is missing: the index may hold those of another model all the same."""
        if self._told is not None and self._embedder.model_id:
            self._told.use_model(self._embedder.model_id)

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
