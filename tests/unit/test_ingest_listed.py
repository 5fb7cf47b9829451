"""What a listing has named: nothing is written where nothing can go on from it, and nothing is lost where it can."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from citebot.ingest.listed import Listed
from citebot.model import Batch, Document, Failed, Gone, Json, Readers, Ref
from citebot.ports import NoSettings, Source, SourceContext, SourceSpec
from citebot.storage.documents import Version
from citebot.testing.sources.world import SourceWorld

PAGE = 3


class PagedSource:
    """Twenty documents in pages of three; only after every so many pages can another process go on."""

    name = "paged"
    summary = "for tests"
    Settings = NoSettings
    spec = SourceSpec()

    def __init__(self, *, cursor_every: int) -> None:
        self.keys = [f"d{number:02}" for number in range(20)]
        self.asked: list[str] = []
        self.pages: list[int] = []
        self._every = cursor_every

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        start = cursor if isinstance(cursor, int) else 0
        for at in range(start, len(self.keys), PAGE):
            self.pages.append(at // PAGE)
            refs = tuple(Ref(key, "1") for key in self.keys[at : at + PAGE])
            last = self._every and (at // PAGE + 1) % self._every == 0
            yield Batch(refs, cursor=at + PAGE if last else None)

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        self.asked.extend(ids)
        for key in ids:
            yield (
                Document(key, key, f"Text of {key}.", Readers.everyone(), version="1")
                if key in self.keys
                else Gone(key)
            )


class Lab:
    def __init__(self, source: PagedSource) -> None:
        self._source = source

    def source(self, state_dir: Path) -> Source:
        return self._source  # type: ignore[return-value]


def rows(folder: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "world.db")) as database:
        return database.execute("SELECT * FROM document ORDER BY id").fetchall()


def test_a_poll_without_change_writes_no_document(tmp_path: Path) -> None:
    source = PagedSource(cursor_every=0)
    world = SourceWorld(Lab(source), tmp_path)  # type: ignore[arg-type]
    world.run()
    before = rows(tmp_path)
    world.run()
    assert rows(tmp_path) == before
    source.keys.remove("d07")
    assert (world.run().removed, len(world.texts())) == (1, 19)
    world.close()


@pytest.mark.parametrize("cursor_every", [1, 2, 4])
def test_what_was_named_before_a_kill_is_named(tmp_path: Path, cursor_every: int) -> None:
    source = PagedSource(cursor_every=cursor_every)
    world = SourceWorld(Lab(source), tmp_path)  # type: ignore[arg-type]
    world.run()
    source.pages.clear()
    source.asked.clear()
    asked = iter([False] * 3 + [True])
    world.run(stop=lambda: next(asked, False))
    assert source.pages == [0, 1, 2, 3]
    assert world.run().removed == 0
    assert source.pages[4:7] == [4, 5, 6], "it went on"
    assert source.asked == []
    world.close()


def test_rows_far_apart_are_told_apart(tmp_path: Path) -> None:
    world = SourceWorld(Lab(PagedSource(cursor_every=0)), tmp_path)  # type: ignore[arg-type]
    world.run()
    listed = Listed(1, 2)
    with world.database.read() as tx:
        listed.note(tx, {"a": Version("", "", 20), "b": Version("", "", 1), "c": Version("", "", 8)}, lasting=False)
        unseen = [one.external_id for one in listed.unseen(tx)]
    assert unseen == [key for number, key in enumerate(PagedSource(cursor_every=0).keys, 1) if number not in (1, 8, 20)]
    world.close()
