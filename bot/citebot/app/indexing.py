"""The index in all its versions: the one that answers, the next, the kept one, and the standby."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from citebot.app.standby import Standby, WithStandby
from citebot.errors import CitebotError, IndexUnavailable
from citebot.ingest import Build, Builder, EmbeddingWorker, Feeder
from citebot.ports import Beside, BuildsBeside, Embedder, Index, IndexStats, Searchable, TellsModel
from citebot.storage import Database, index_log

FEED_EVERY = 1.0
"""Seconds between two looks of the standby at the log."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """An index beside the one that answers."""

    role: str
    """`next`: it is being built. `kept`: it answered before. `standby`: it answers while the index is away."""
    place: str
    passages: int
    vectors: int
    vector_model: str
    bytes: int
    seq: int
    behind: int
    refused: int
    share: float | None = None
    """Of the next one: how much of what it must hold it does, 0..1."""
    ready: bool | None = None
    """Whether the next one may answer."""
    seconds_left: float | None = None
    """At the rate since it was begun."""


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What the index holds and how far behind the database it is."""

    engine: str
    place: str
    passages: int
    vectors: int
    vector_model: str
    bytes: int
    seq: int
    behind: int
    """Changes in the database's log that the index has not applied."""
    refused: int
    """Passages that the index will never take."""
    others: tuple[VersionStatus, ...] = ()


class Indexing:
    """Feeds, builds and switches."""

    def __init__(
        self,
        database: Database,
        index: Index,
        *,
        embedder: Embedder | None = None,
        previous: Embedder | None = None,
        standby: Index | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._index = index
        self._embedder = embedder
        self._previous = previous
        self._now = now
        self.feeder = Feeder(database, index)
        self.standby = Standby(database, standby) if standby is not None else None
        self.builder = Builder(database, index) if isinstance(index, BuildsBeside) else None

    @cached_property
    def searched(self) -> Searchable:
        """What questions are looked up in."""
        return WithStandby(self._index, self.standby) if self.standby is not None else self._index

    def use_model(self, model: str) -> None:
        """Vectors are made by this model from now on."""
        self.feeder.use_model(model)
        if self.builder is not None:
            self.builder.use_model(model)

    @cached_property
    def _embedding_before(self) -> EmbeddingWorker | None:
        return EmbeddingWorker(self._database, self._previous, None) if self._previous is not None else None

    async def embed_with_previous(self) -> None:
        """Make the vectors of new passages by the model before, as long as its index answers."""
        worker, previous, index = self._embedding_before, self._previous, self._index
        if worker is None or previous is None or self._embedder is None or not isinstance(index, BuildsBeside):
            return
        if not self._embedder.model_id or index.vector_model in ("", self._embedder.model_id):
            return
        await previous.open()
        if previous.model_id == index.vector_model:
            await worker.run_once()

    async def keep_standby(self, folder: Path | None) -> None:
        """Feed the standby until cancelled, or until it cannot be. Raises `DataFolderBusy`. No folder: it is ours."""
        assert self.standby is not None, "called only where there is one"
        async with self.standby.opened(folder):
            while True:
                # Questions come with vectors of the model of the index.
                if isinstance(self._index, TellsModel) and self._index.vector_model:
                    self.standby.feeder.use_model(self._index.vector_model)
                await self.standby.feeder.catch_up()
                await asyncio.sleep(FEED_EVERY)

    async def check(self) -> None:
        """Raise `IndexUnavailable` unless questions can be answered, be it by the standby."""
        if self.standby is None or await self.standby.age() is None:
            await self._index.stats()

    async def trouble(self) -> str:
        """Why the standby must answer, if so."""
        if self.standby is None:
            return ""
        try:
            await self._index.stats()
        except IndexUnavailable as error:
            return f"The index is away, its standby answers: {error}"
        return ""

    # --- commands ------------------------------------------------------------------------------------------------

    async def status(self) -> IndexStatus:
        """What there is."""
        stats, head = await self._index.stats(), await asyncio.to_thread(self._head)
        others = [await self._beside(which, head) for which in ("next", "kept")]
        if self.standby is not None and await self.standby.age() is not None:
            others.append(_version("standby", await self.standby.index.stats(), head))
        return IndexStatus(
            engine=self._index.name,
            place=stats.place,
            passages=stats.passages,
            vectors=stats.vectors,
            vector_model=stats.vector_model,
            bytes=stats.bytes,
            seq=stats.seq,
            behind=max(0, head - stats.seq),
            refused=stats.refused,
            others=tuple(one for one in others if one is not None),
        )

    async def choose_model(self) -> None:
        """Find out which model makes the vectors, by opening it. Raises `ModelUnavailable`."""
        if self._embedder is not None:
            await self._embedder.open()
            self.use_model(self._embedder.model_id)

    async def switch(self, *, back: bool = False) -> str:
        """Let the next index answer, or the kept one again; returns which."""
        builder = self._needs_builder()
        return (await builder.switch_back() if back else await builder.switch()).place

    async def drop(self, which: Beside) -> str:
        """Delete the kept or the next index; returns which."""
        self._needs_builder()
        assert isinstance(self._index, BuildsBeside), "it has a builder"
        version = await self._index.beside(which)
        if version is None:
            raise CitebotError("There is no index to drop: `citebot index status` shows those there are.")
        place = (await version.stats()).place
        await self._index.drop(which)
        return place

    async def purge(self) -> None:
        """Erase deleted text from the files of every version."""
        await self.feeder.catch_up()
        await self._index.purge()
        await self.feeder.catch_up()
        if self.builder is None or not isinstance(self._index, BuildsBeside):
            return
        head = await asyncio.to_thread(self._head)
        await self.builder.run_once()
        options: dict[Beside, str] = {"next": " --unfinished", "kept": ""}
        for which, option in options.items():
            version = await self._index.beside(which)
            if version is None:
                continue
            stats = await version.stats()
            if stats.seq < head:
                raise CitebotError(
                    f"{stats.place} does not follow now and may hold removed text: purge again later, or delete it: "
                    f"citebot index drop{option}"
                )
            await version.purge()

    def _needs_builder(self) -> Builder:
        if self.builder is None:
            raise CitebotError(
                f"The index {self._index.name} is built anew in its own place: there is never another to switch to."
            )
        return self.builder

    async def _beside(self, which: Beside, head: int) -> VersionStatus | None:
        if self.builder is None or not isinstance(self._index, BuildsBeside):
            return None
        version = await self._index.beside(which)
        if version is None:
            return None
        stats = await version.stats()
        if which == "kept":
            return _version(which, stats, head)
        build = await self.builder.state()
        return _version(which, stats, head, build, self._seconds_left(build, stats)) if build is not None else None

    def _seconds_left(self, build: Build | None, stats: IndexStats) -> float | None:
        if build is None or build.ready or not build.share or stats.began is None:
            return None
        return max(0.0, self._now() - stats.began) * (1 - build.share) / build.share

    def _head(self) -> int:
        with self._database.read() as tx:
            return index_log.head(tx)


def _version(
    role: str, stats: IndexStats, head: int, build: Build | None = None, left: float | None = None
) -> VersionStatus:
    return VersionStatus(
        role=role,
        place=stats.place,
        passages=stats.passages,
        vectors=stats.vectors,
        vector_model=stats.vector_model,
        bytes=stats.bytes,
        seq=stats.seq,
        behind=max(0, head - stats.seq),
        refused=stats.refused,
        share=build.share if build else None,
        ready=build.ready if build else None,
        seconds_left=left,
    )
