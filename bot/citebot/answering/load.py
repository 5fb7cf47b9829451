"""Stage 4: text enters the path, from the database and after a second look at who may read it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import structlog

from citebot.access import Checked, LiveReaders
from citebot.answering.fuse import Fused
from citebot.model import Passage, Question, ScoredPassage
from citebot.storage import Database, passages

log = structlog.get_logger("citebot.answering")

LOADED = 32
"""Passages that an answer is chosen from."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Passages the audience may read, best first."""

    passages: tuple[ScoredPassage, ...]
    withheld: int = 0
    """Found by the index, refused here: readers or sources did not fit. Only the count is ever told."""
    gone: int = 0
    """Found by the index, no longer in the database."""


class Loader:
    """The only stage that reads passages; everything behind it sees what the audience may see."""

    def __init__(self, database: Database, live: LiveReaders | None = None) -> None:
        self._database = database
        self._live = live

    async def run(self, question: Question, fused: Sequence[Fused], *, limit: int = LOADED) -> Loaded:
        """The best `limit` passages that pass, in fused order."""
        allowed: list[ScoredPassage] = []
        withheld = gone = 0
        # In slices: when the index is behind, the best of what is left must still be found.
        for start in range(0, len(fused), limit):
            some = fused[start : start + limit]
            rows = await asyncio.to_thread(self._read, [hit.id for hit in some])
            for hit in some:
                passage = rows.get(hit.id)
                if passage is None:
                    gone += 1
                elif not may_use(question, passage):
                    withheld += 1
                else:
                    allowed.append(ScoredPassage(passage, hit.score, hit.legs))
            if len(allowed) >= limit:
                break
        if withheld:
            log.warning("the index offered passages the audience may not read", count=withheld)
        return Loaded(tuple(allowed[:limit]), withheld, gone)

    async def still_readable(self, question: Question, ids: Iterable[int]) -> Checked:
        """Those of `ids` that exist and that the audience may read at this moment, as the sources themselves say it."""
        rows = await asyncio.to_thread(self._read, list(ids))
        return await self.live(question, [passage for passage in rows.values() if may_use(question, passage)])

    async def live(self, question: Question, passages: Collection[Passage]) -> Checked:
        """Those of a few passages that their sources open to the audience now."""
        if self._live is None:
            return Checked(frozenset(passage.id for passage in passages))
        return await self._live.check(question.audience, question.asker, passages)

    def _read(self, ids: Sequence[int]) -> dict[int, Passage]:
        with self._database.read() as tx:
            return passages.by_ids(tx, ids)


def may_use(question: Question, passage: Passage) -> bool:
    """Whether every reader of the answer may read this passage, and its source was asked for."""
    return question.audience.may_read(passage.readers) and (not question.sources or passage.source in question.sources)
