"""Keeps an index equal to the database, by following `index_log` from where the index stands."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from citebot.ports import Index, IndexChanges
from citebot.storage import Database, index_log, passages

log = structlog.get_logger("citebot.feeder")

CHANGES_AT_ONCE = 5_000
LOG_KEPT = 1_000_000
"""Changes kept for the index of another process that follows the same database."""
Progress = Callable[[int, int], None]
"""Called with the passages done and the passages there are."""


@dataclass(frozen=True, slots=True)
class _Rebuilt:
    """How far a rebuild has come."""

    model: str | None
    head: int
    """Of the log, when it began: what came after is applied from there."""
    after: int = 0
    passages: int = 0


class Feeder:
    """One feeder per index. Whatever happens to it, feeding again ends in the same index."""

    def __init__(self, database: Database, index: Index) -> None:
        self._database = database
        self._index = index
        self._model: str | None = None
        self._trimmed = 0
        self._cut_short: _Rebuilt | None = None
        self._turn = asyncio.Lock()

    def use_model(self, model: str) -> None:
        """Feed the vectors of this model from now on; an index that holds another's is built anew."""
        self._model = model

    async def catch_up(self) -> None:
        """Apply everything that the index has not seen."""
        async with self._turn:
            if await self._must_rebuild():
                await self._rebuild(lambda done, total: None, go_on=True)
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

    async def _rebuild(self, progress: Progress, *, go_on: bool = False) -> None:
        done = await self._begun() if go_on else None
        self._cut_short = None
        if done is None:
            await self._index.reset()
            with self._database.read() as tx:
                done = _Rebuilt(self._model, head=index_log.head(tx))
        with self._database.read() as tx:
            last = passages.newest_id(tx)
        while (changes := await asyncio.to_thread(self._page, done.after, done.head)) is not None:
            # Only the last page moves the position: a rebuild that another process ends begins again.
            self._cut_short = done
            await self._index.apply(changes)
            done = replace(done, after=changes.puts[-1].id, passages=done.passages + len(changes.puts))
            progress(done.after, last)
        self._cut_short = None

    async def _begun(self) -> _Rebuilt | None:
        """How far a rebuild of ours came that was cut short, if the index still has what it was given."""
        done = self._cut_short
        if done is None or done.model != self._model:
            return None
        return done if (await self._index.stats()).passages == done.passages else None

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
