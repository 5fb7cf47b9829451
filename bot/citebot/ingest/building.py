"""Builds the next version of an index beside the one that answers.

It follows the log from the first moment, but only for the passages that it was given so far; page after page of the
tables comes to it until it has them all. A kill at any point goes on where its own state says it stands, and
whoever waits for vectors gives it only passages that have theirs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from citebot.errors import CitebotError, LeaseLost
from citebot.ingest.following import from_log, from_tables, is_cut_off
from citebot.ingest.holder import is_dead, new_holder
from citebot.ports import BuildsBeside, IndexChanges, IndexStats, IndexVersion
from citebot.storage import Database, index_log, leases, passages
from citebot.storage.leases import Lease

log = structlog.get_logger("citebot.building")

PASSAGES_AT_ONCE = 2_000
READY = 0.999
"""Share of the passages that the next version must hold before it may answer."""
LEASE = "index/build"
LEASE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Build:
    """How far the next version is."""

    place: str
    model: str
    done: int
    """Passages that are in with all that they must have."""
    total: int
    whole: bool
    """Every passage was given to it; what it lacks are vectors that are not made yet."""

    @property
    def share(self) -> float:
        """0..1."""
        return min(1.0, self.done / self.total) if self.total else 1.0

    @property
    def ready(self) -> bool:
        """Whether it may answer."""
        return self.whole and self.share >= READY


class Builder:
    """One at a time builds, whichever process it is in: it holds a lease."""

    def __init__(self, database: Database, index: BuildsBeside, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._index = index
        self._clock = clock
        self._holder = new_holder()
        self._wanted = ""

    def use_model(self, model: str) -> None:
        """Vectors are made by this model from now on: an index of another is built beside and switched in."""
        self._wanted = model

    async def run_once(self, progress: Callable[[Build, float | None], None] = lambda build, left: None) -> None:
        """Begin what is wanted and build as far as there is something to give; switch when another model is ready.

        `progress` is called with the seconds that are left at the rate so far. Nothing happens while another process
        builds.
        """
        if not await self._anything_to_do():
            return
        held = await asyncio.to_thread(self._take)
        if held is None:
            return
        try:
            await self._begin_if_wanted()
            if (kept := await self._index.beside("kept")) is not None:
                await self._keep(kept, held)
            if (version := await self._index.beside("next")) is not None:
                await self._build(version, held, progress)
                await self._switch_if_wanted()
        except LeaseLost:
            log.info("another process goes on building the index")
        finally:
            await asyncio.to_thread(self._release, held)

    async def begin(self) -> None:
        """Begin a next version of the wanted model unless there is one."""
        held = await asyncio.to_thread(self._take)
        if held is None:
            return  # whoever builds has begun
        try:
            if await self._index.beside("next") is None:
                await self._begin(self._wanted or self._index.vector_model)
        finally:
            await asyncio.to_thread(self._release, held)

    async def state(self) -> Build | None:
        """How far the next version is, if there is one."""
        version = await self._index.beside("next")
        return await self._state_of(await version.stats()) if version is not None else None

    async def switch(self) -> Build:
        """Let the next version answer; raises `CitebotError` when that would lose passages."""
        build = await self.state()
        if build is None:
            raise CitebotError("There is no index beside the one that answers: `citebot index rebuild` begins one.")
        if not build.ready:
            raise CitebotError(
                f"{build.place} is {_percent(build.share)} done ({build.done:,} of {build.total:,} passages"
                f"{'' if build.whole else ', still being built'}), and may answer from {_percent(READY)} on: "
                "`citebot index rebuild` goes on with it."
            )
        await self._index.switch()
        log.info("the index was switched", place=build.place, model=build.model)
        return build

    async def switch_back(self) -> IndexStats:
        """Let the kept version answer again, and keep the one that did."""
        kept = await self._index.beside("kept")
        if kept is None:
            raise CitebotError("No older index is kept: there is nothing to switch back to.")
        stats = await kept.stats()
        if await asyncio.to_thread(is_cut_off, self._database, stats.seq):
            raise CitebotError(f"{stats.place} is too old to be brought up to date: `citebot index drop` deletes it.")
        await self._index.switch_back()
        log.info("the index was switched back", place=stats.place, model=stats.vector_model)
        return stats

    # --- one run -------------------------------------------------------------------------------------------------

    async def _anything_to_do(self) -> bool:
        """Whether it is worth to take the lease."""
        if self._is_of_another_model():
            return True
        return any([await self._index.beside(which) is not None for which in ("next", "kept")])

    def _is_of_another_model(self) -> bool:
        return bool(self._wanted) and self._index.vector_model not in ("", self._wanted)

    async def _begin_if_wanted(self) -> None:
        """A model that another version holds already, because somebody switched back, is not built again."""
        held, wanted = self._index.vector_model, self._wanted
        if not self._is_of_another_model():
            return
        for which in ("next", "kept"):
            other = await self._index.beside(which)
            if other is not None and (await other.stats()).vector_model == wanted:
                return
        log.warning("another embedding model: an index is built beside the present one", old=held, new=wanted)
        await self._begin(wanted)

    async def _begin(self, model: str) -> IndexVersion:
        return await self._index.begin(seq=await asyncio.to_thread(self._head), model=model)

    async def _keep(self, kept: IndexVersion, held: Lease) -> None:
        """What is kept follows too, so that it can answer again, and has no text that was deleted."""
        stats = await kept.stats()
        if not await asyncio.to_thread(is_cut_off, self._database, stats.seq):
            await self._follow(kept, stats.seq, stats.vector_model, None, held)

    async def _build(self, version: IndexVersion, held: Lease, progress: Callable[[Build, float | None], None]) -> None:
        stats = await version.stats()
        if await asyncio.to_thread(is_cut_off, self._database, stats.seq):
            # Nobody has built for so long that the log does not reach back.
            version = await self._begin(stats.vector_model)
            stats = await version.stats()
        seq, built_to, model = stats.seq, stats.built_to, stats.vector_model
        build, began = await self._state_of(stats), self._clock()
        first = done = build.done
        while True:
            seq = await self._follow(version, seq, model, built_to, held)
            if built_to is None:
                return
            page = await asyncio.to_thread(self._page, seq, built_to, model)
            if page is None:
                return
            await asyncio.to_thread(self._renew, held)
            await version.apply(page)
            built_to, done = page.built_to, done + len(page.puts)
            rate = (done - first) / max(1e-6, self._clock() - began)
            left = max(0, build.total - done) / rate if rate else None
            progress(Build(build.place, model, min(done, build.total), build.total, built_to is None), left)

    async def _follow(self, version: IndexVersion, seq: int, model: str, built_to: int | None, held: Lease) -> int:
        while (
            changes := await asyncio.to_thread(
                from_log, self._database, seq, model=model, limit=PASSAGES_AT_ONCE, known_to=built_to
            )
        ) is not None:
            await asyncio.to_thread(self._renew, held)
            await version.apply(changes)
            seq = changes.seq
        return seq

    def _page(self, seq: int, after: int, model: str) -> IndexChanges | None:
        """The next passages; without any, that it is whole. None while they wait for their vectors."""
        puts, vectors = from_tables(self._database, after, model=model, limit=PASSAGES_AT_ONCE)
        if not puts:
            return IndexChanges(seq=seq)
        if model and len(vectors) < len(puts) and self._vectors_will_come(model):
            have = {key for key, _ in vectors}
            ready = next(at for at, entry in enumerate(puts) if entry.id not in have)
            puts = puts[:ready]
            vectors = [pair for pair in vectors if puts and pair[0] <= puts[-1].id]
            if not puts:
                return None
        return IndexChanges(
            seq=seq,
            puts=tuple(puts),
            vectors=tuple(vectors),
            vector_model=model if vectors else "",
            built_to=puts[-1].id,
        )

    def _vectors_will_come(self, model: str) -> bool:
        """Whether so many are missing that giving passages their words first would write most of them twice."""
        if model == self._index.vector_model:
            return False
        with self._database.read() as tx:
            return passages.count_missing(tx, model) > (1 - READY) * passages.count(tx)

    async def _switch_if_wanted(self) -> None:
        """An index of another model takes over by itself; one that somebody has rebuilt waits for them."""
        build = await self.state()
        if build is not None and build.ready and self._index.vector_model not in ("", build.model):
            await self.switch()

    async def _state_of(self, stats: IndexStats) -> Build:
        total, vectors = await asyncio.to_thread(self._wanted_of, stats.vector_model)
        # What an index refuses it will never hold, whichever version.
        missing = max(total - stats.passages, vectors - stats.vectors) - stats.refused
        return Build(stats.place, stats.vector_model, total - max(0, missing), total, stats.built_to is None)

    def _wanted_of(self, model: str) -> tuple[int, int]:
        """Passages and vectors that a version of a model must hold: all, where the present one is of another."""
        with self._database.read() as tx:
            total = passages.count(tx)
            if not model or model != self._index.vector_model:
                return total, total if model else 0
            return total, passages.count_embedded(tx, model)

    # --- the database --------------------------------------------------------------------------------------------

    def _head(self) -> int:
        with self._database.read() as tx:
            return index_log.head(tx)

    def _take(self) -> Lease | None:
        with self._database.write() as tx:
            holding = leases.holding(tx, LEASE)
            if holding is not None and is_dead(holding.holder):
                leases.release(tx, holding)
            return leases.acquire(tx, LEASE, self._holder, LEASE_SECONDS)

    def _renew(self, held: Lease) -> None:
        with self._database.write() as tx:
            leases.renew(tx, held, LEASE_SECONDS)

    def _release(self, held: Lease) -> None:
        with self._database.write() as tx:
            leases.release(tx, held)


def _percent(share: float) -> str:
    """Rounded down: 99.95 % of something is not all of it."""
    return f"{int(share * 1000) / 10:.1f} %"
