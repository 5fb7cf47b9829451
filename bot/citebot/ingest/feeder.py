"""Keeps an index equal to the database, by following `index_log` from where the index stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from citebot.ports import Index, IndexChanges
from citebot.storage import Database, index_log, passages

log = structlog.get_logger("citebot.feeder")

CHANGES_AT_ONCE = 5_000
LOG_KEPT = 1_000_000
"""Changes kept for the index of another process that follows the same database."""
Progress = Callable[[int, int], None]
"""Called with the passages done and the passages there are."""


class Feeder:
    """One feeder per index. Whatever happens to it, feeding again ends in the same index."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index
        self._model: str | None = None
        self._trimmed = 0
        self._turn = asyncio.Lock()

    def use_model(self, model: str) -> None:
        """Feed the vectors of this model from now on; an index that holds another's is built anew."""
        self._model = model

    async def catch_up(self) -> None:
        """Apply everything that the index has not seen."""
        async with self._turn:
            if await self._must_rebuild():
                await self._rebuild(lambda done, total: None)
            position = await self._index.position()
            while (changes := await asyncio.to_thread(self._changes, position)) is not None:
                await self._index.apply(changes)
                position = changes.seq
            if position - self._trimmed >= LOG_KEPT:
                # An index that stands before this is built anew; the log would grow for ever otherwise.
                await asyncio.to_thread(self._trim, position - LOG_KEPT // 2)
                self._trimmed = position

    async def rebuild(self, progress: Progress = lambda done, total: None) -> None:
        """Build the index anew from the tables; vectors are rows too, so nothing is embedded."""
        async with self._turn:
            await self._rebuild(progress)

    async def _must_rebuild(self) -> bool:
        stats = await self._index.stats()
        if self._model is None:
            self._model = stats.vector_model or await asyncio.to_thread(self._stored_model)
        if stats.vector_model and self._model and stats.vector_model != self._model:
            log.warning("another embedding model: the index is built anew", old=stats.vector_model, new=self._model)
            return True
        return await asyncio.to_thread(self._is_cut_off, stats.seq)

    def _stored_model(self) -> str | None:
        with self._database.read() as tx:
            models = passages.models(tx)
        return models[0] if models else None

    def _is_cut_off(self, position: int) -> bool:
        """Whether the log cannot lead from this position to the head."""
        with self._database.read() as tx:
            head, oldest = index_log.head(tx), index_log.oldest(tx)
            if position == 0:
                return passages.newest_id(tx) > 0
        return position > head or (position < head and (oldest is None or position < oldest - 1))

    def _changes(self, position: int) -> IndexChanges | None:
        with self._database.read() as tx:
            rows = index_log.since(tx, position, CHANGES_AT_ONCE)
            if not rows:
                return None
            touched = {what: [r.passage_id for r in rows if r.what == what] for what in ("put", "remove", "vector")}
            puts = passages.entries(tx, sorted(set(touched["put"])))
            wanted = sorted({*touched["put"], *touched["vector"]})
            vectors = passages.embeddings(tx, self._model, wanted) if self._model else []
        alive = {entry.id for entry in puts}
        removals = {*touched["remove"], *(set(touched["put"]) - alive)}
        return IndexChanges(
            seq=rows[-1].seq,
            puts=tuple(puts),
            removals=tuple(sorted(removals)),
            vectors=tuple((key, made) for key, made in vectors if key not in removals),
            vector_model=(self._model or "") if vectors else "",
        )

    def _trim(self, upto: int) -> None:
        with self._database.write() as tx:
            index_log.trim(tx, upto)

    async def _rebuild(self, progress: Progress) -> None:
        await self._index.reset()
        with self._database.read() as tx:
            head, last = index_log.head(tx), passages.newest_id(tx)
        after = 0
        while (changes := await asyncio.to_thread(self._page, after, head)) is not None:
            after = changes.puts[-1].id
            # Only the last page moves the position: a rebuild that is cut short begins again.
            await self._index.apply(changes)
            progress(after, last)

    def _page(self, after: int, head: int) -> IndexChanges | None:
        with self._database.read() as tx:
            puts = passages.scan(tx, after=after, limit=CHANGES_AT_ONCE)
            if not puts:
                return None
            more = passages.scan(tx, after=puts[-1].id, limit=1)
            vectors = passages.embeddings(tx, self._model, [entry.id for entry in puts]) if self._model else []
        return IndexChanges(
            seq=0 if more else head,
            puts=tuple(puts),
            vectors=tuple(vectors),
            vector_model=(self._model or "") if vectors else "",
        )
