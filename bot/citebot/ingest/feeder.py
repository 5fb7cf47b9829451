"""Keeps an index equal to the database, by following `index_log` from where the index stands."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from citebot.ingest.following import from_log, from_tables, is_cut_off
from citebot.ports import BuildsBeside, Index, IndexChanges
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

    model: str
    head: int
    """Of the log, when it began: what came after is applied from there."""
    after: int = 0
    passages: int = 0


class Feeder:
    """One feeder per index. Whatever happens to it, feeding again ends in the same index."""

    def __init__(self, database: Database, index: Index, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._index = index
        self._clock = clock
        self._model = ""
        """Whose vectors are fed."""
        self._wanted = ""
        self._trimmed = 0
        self._cut_short: _Rebuilt | None = None
        self._turn = asyncio.Lock()
        self._current: float | None = None

    def use_model(self, model: str) -> None:
        """Feed the vectors of this model from now on; an index that holds another's and has none beside is built anew.

        What builds beside goes on with the model it has, until another is switched in.
        """
        self._wanted = model

    async def catch_up(self) -> None:
        """Apply everything that the index has not seen."""
        async with self._turn:
            if await self._must_rebuild():
                await self._rebuild(lambda done, total: None, go_on=True)
            position = await self._index.position()
            began = self._clock()
            while (changes := await asyncio.to_thread(self._changes, position)) is not None:
                await self._index.apply(changes)
                position, began = changes.seq, self._clock()
            self._current = began
            if position - self._trimmed >= LOG_KEPT:
                # An index that stands before this is built anew; the log would grow for ever otherwise.
                await asyncio.to_thread(self._trim, position - LOG_KEPT // 2)
                self._trimmed = position

    async def age(self) -> float | None:
        """Seconds since the index was seen to hold everything; None when it never was, and does not now."""
        if self._current is not None:
            return self._clock() - self._current
        position = await self._index.position()
        return 0.0 if position and position == await asyncio.to_thread(self._head) else None

    async def rebuild(self, progress: Progress = lambda done, total: None) -> None:
        """Build the index anew from the tables; vectors are rows too, so nothing is embedded."""
        async with self._turn:
            await self._rebuild(progress)

    async def _must_rebuild(self) -> bool:
        position = await self._index.position()
        if isinstance(self._index, BuildsBeside):
            self._model = self._index.vector_model or await self._next_model()
            return await asyncio.to_thread(is_cut_off, self._database, position)
        held = (await self._index.stats()).vector_model
        self._model = self._wanted or held or await self._next_model()
        if held and held != self._model:
            log.warning("another embedding model: the index is built anew", old=held, new=self._model)
            return True
        return await asyncio.to_thread(is_cut_off, self._database, position)

    async def _next_model(self) -> str:
        """Of an index that has no vectors yet."""
        return self._wanted or self._model or await asyncio.to_thread(self._stored_model)

    def _stored_model(self) -> str:
        with self._database.read() as tx:
            return next(iter(passages.models(tx)), "")

    def _head(self) -> int:
        with self._database.read() as tx:
            return index_log.head(tx)

    def _changes(self, position: int) -> IndexChanges | None:
        return from_log(self._database, position, model=self._model, limit=CHANGES_AT_ONCE)

    def _trim(self, upto: int) -> None:
        with self._database.write() as tx:
            index_log.trim(tx, upto)

    async def _rebuild(self, progress: Progress, *, go_on: bool = False) -> None:
        done = await self._begun() if go_on else None
        self._cut_short = None
        if done is None:
            self._model, self._current = await self._next_model(), None
            await self._index.reset()
            done = _Rebuilt(self._model, head=await asyncio.to_thread(self._head))
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
        puts, vectors = from_tables(self._database, after, model=self._model, limit=CHANGES_AT_ONCE)
        if not puts:
            return None
        more, _ = from_tables(self._database, puts[-1].id, model="", limit=1)
        return IndexChanges(
            seq=0 if more else head,
            puts=tuple(puts),
            vectors=tuple(vectors),
            vector_model=self._model if vectors else "",
        )
