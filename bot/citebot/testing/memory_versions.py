"""The index in plain Python with another beside it, as `BuildsBeside` wants it; for tests."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import ClassVar

from pydantic import BaseModel

from citebot.errors import IndexUnavailable
from citebot.ports import Beside, IndexChanges, IndexHits, IndexQuery, IndexStats, NoSettings, PartContext
from citebot.testing.memory_index import MemoryIndex


class _Version(MemoryIndex):
    """One of them: it knows how far its building is."""

    def __init__(self, place: str, *, seq: int = 0, model: str = "", built_to: int | None = None) -> None:
        super().__init__()
        self._opened = True
        self._seq, self._model = seq, model
        self._place, self._built_to, self._began = place, built_to, None if built_to is None else 0.0

    async def apply(self, changes: IndexChanges) -> None:
        behind = changes.seq < self._seq
        await super().apply(changes)
        if not behind:
            self._built_to = changes.built_to

    async def stats(self) -> IndexStats:
        return replace(await super().stats(), place=self._place, built_to=self._built_to, began=self._began)


class MemoryVersions:
    """Everything is asked of the version that answers."""

    name: ClassVar[str] = "memory_versions"
    summary: ClassVar[str] = "several versions in memory, for tests"
    Settings: ClassVar[type[BaseModel]] = NoSettings

    def __init__(self, settings: NoSettings | None = None, context: PartContext | None = None) -> None:
        self._numbers = itertools.count(1)
        self._active = self._make()
        self._others: dict[Beside, _Version] = {}

    @property
    def vector_model(self) -> str:
        return self._active._model

    async def open(self) -> None:
        self._active._opened = True

    async def close(self) -> None:
        self._active._opened = False

    async def position(self) -> int:
        return await self._active.position()

    async def apply(self, changes: IndexChanges) -> None:
        await self._active.apply(changes)

    async def search(self, query: IndexQuery) -> IndexHits:
        return await self._active.search(query)

    async def purge(self) -> None:
        await self._active.purge()

    async def reset(self) -> None:
        self._active = self._make()

    async def stats(self) -> IndexStats:
        return await self._active.stats()

    async def beside(self, which: Beside) -> _Version | None:
        return self._others.get(which)

    async def begin(self, *, seq: int, model: str) -> _Version:
        made = self._others["next"] = self._make(seq=seq, model=model, built_to=0)
        return made

    async def switch(self) -> None:
        if "next" not in self._others:
            raise IndexUnavailable("There is no next index to switch to.")
        self._others["kept"], self._active = self._active, self._others.pop("next")

    async def switch_back(self) -> None:
        if "kept" not in self._others:
            raise IndexUnavailable("There is no kept index to switch back to.")
        self._others["kept"], self._active = self._active, self._others["kept"]

    async def drop(self, which: Beside) -> None:
        self._others.pop(which, None)

    def _make(self, *, seq: int = 0, model: str = "", built_to: int | None = None) -> _Version:
        return _Version(f"memory-{next(self._numbers)}", seq=seq, model=model, built_to=built_to)
