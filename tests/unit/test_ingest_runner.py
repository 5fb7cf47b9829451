"""The runner's own promises: removals are guarded, runs exclude each other, failures are kept and forgiven."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from citebot.errors import StopSync
from citebot.ingest import SyncRunner
from citebot.ingest.holder import is_dead, new_holder
from citebot.model import Batch, Document, Failed, Gone, Group, Json, Part, Readers, Ref
from citebot.ports import NoSettings, Source, SourceContext, SourceSpec
from citebot.settings import IngestSettings
from citebot.storage import leases, people, sources, todo
from citebot.testing.sources.world import SourceWorld, Watched

EVERYONE = Readers.everyone()
BOARD = Readers.of(groups=["board"])


class DictSource:
    """A source over a dictionary."""

    name = "dict"
    summary = "for tests"
    Settings = NoSettings
    spec = SourceSpec()

    def __init__(self, documents: dict[str, Document | Failed]) -> None:
        self.documents = documents
        self.teams: list[Group] = []

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        yield Batch(tuple(Ref(key, _version(item), _tag(item)) for key, item in self.documents.items()))

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        for key in ids:
            yield self.documents.get(key) or Gone(key)

    def groups(self, ctx: SourceContext) -> list[Group]:
        return self.teams


def _version(item: Document | Failed) -> str:
    return item.version if isinstance(item, Document) else "bad"


def _tag(item: Document | Failed) -> str:
    return item.readers.tag if isinstance(item, Document) else "bad"


def page(number: int, text: str = "", **more: object) -> Document:
    made = Document(f"d{number}", f"Page {number}", text or f"Text {number}.", EVERYONE, version="1")
    return replace(made, **more)  # type: ignore[arg-type]


class DictLab:
    def __init__(self, source: DictSource) -> None:
        self._source = source

    def source(self, state_dir: Path) -> Source:
        return self._source  # type: ignore[return-value]


@pytest.fixture
def source() -> DictSource:
    return DictSource({f"d{number}": page(number) for number in range(20)})


@pytest.fixture
def world(source: DictSource, tmp_path: Path) -> Iterator[SourceWorld]:
    world = SourceWorld(DictLab(source), tmp_path)  # type: ignore[arg-type]
    yield world
    world.close()


def status(world: SourceWorld) -> sources.SourceRow:
    with world.database.read() as tx:
        row = sources.get(tx, "lab")
    assert row is not None
    return row


def test_many_removals_wait_for_a_word(world: SourceWorld, source: DictSource) -> None:
    world.run()
    for number in range(12):
        del source.documents[f"d{number}"]
    with pytest.raises(StopSync, match=r"12 of 20 .* citebot source confirm lab"):
        world.run()
    assert len(world.texts()) == 20
    assert "no longer shows" in (status(world).failure or "")
    assert world.run(allow_removals=True).removed == 12
    assert (len(world.texts()), status(world).failure) == (8, None)


def test_few_removals_need_none(world: SourceWorld, source: DictSource) -> None:
    world.run()
    for number in range(5):
        del source.documents[f"d{number}"]
    assert world.run().removed == 5


def test_a_listing_of_nothing_removes_nothing(world: SourceWorld, source: DictSource) -> None:
    source.documents = {"d1": page(1)}
    world.run()
    source.documents = {}
    with pytest.raises(StopSync, match="lists no document any more; 1 are stored"):
        world.run()
    assert len(world.texts()) == 1
    world.run(allow_removals=True)
    assert world.texts() == {}
    with pytest.raises(StopSync, match="citebot source check lab"):
        world.run()


def test_what_is_unseen_but_still_answers_stays(world: SourceWorld, source: DictSource) -> None:
    world.run()
    counts = world.run(Watched(source, refs=lambda refs: refs[3:]))  # type: ignore[arg-type]
    assert (counts.removed, len(world.texts())) == (0, 20)


def test_changed_readers_keep_ids_and_vectors(world: SourceWorld, source: DictSource) -> None:
    world.run()
    before = {passage.document_id: passage.id for passage in world.passages()}
    source.documents["d1"] = page(1, readers=BOARD)
    assert world.run().chunks == 0
    found = {passage.document_id: passage for passage in world.passages()}
    assert {key: passage.id for key, passage in found.items()} == before
    assert found["d1"].readers == BOARD


def test_a_document_that_closed_while_it_broke_is_hidden(world: SourceWorld, source: DictSource) -> None:
    world.run()
    source.documents["d1"] = page(1, "x", readers=BOARD, format="pdf", body=b"no pdf", version="2")
    assert world.run().failed == 1
    found = {passage.document_id: passage for passage in world.passages()}
    assert (found["d1"].text, found["d1"].readers) == ("Text 1.", Readers.nobody())
    source.documents["d1"] = page(1, readers=BOARD, version="3")
    world.run()
    assert {p.document_id: p.readers for p in world.passages()}["d1"] == BOARD


def test_a_document_that_broke_stays_as_it_was(world: SourceWorld, source: DictSource) -> None:
    world.run()
    source.documents["d1"] = page(1, format="pdf", body=b"no pdf", version="2")
    assert world.run().failed == 1
    assert world.texts()["d1"] == "Text 1."


def test_failures_are_tried_three_times_then_parked_and_forgiven(world: SourceWorld, source: DictSource) -> None:
    source.documents["d1"] = Failed("d1", "d1 is locked")
    for expected in (1, 0, 0):
        counts = world.run()
        assert counts.failed == expected  # a minute must pass between two tries
    with world.database.write() as tx:
        row = status(world)
        for _ in range(2):
            todo.fail(tx, row.id, "d1", "d1 is locked")
        assert todo.parked(tx, row.id) == [("d1", "d1 is locked", 3)]
    source.documents["d1"] = page(1)
    assert world.run().saved == 1
    with world.database.read() as tx:
        assert todo.parked(tx, row.id) == []


def test_an_id_too_long_to_be_stored_is_one_parked_line(world: SourceWorld, source: DictSource) -> None:
    long = "ä" * 1_100
    source.documents[long] = replace(page(99), id=long)
    for _ in range(2):
        world.run()
        ((key, why),) = world.parked().items()
        assert len(key.encode()) < 200
        assert "2,048 bytes" in why
    assert len(world.texts()) == 20, "the others are read"


def test_a_parked_document_that_is_gone_is_forgotten(world: SourceWorld, source: DictSource) -> None:
    source.documents["d1"] = Failed("d1", "broken", permanent=True)
    world.run()
    del source.documents["d1"]
    world.run()
    with world.database.read() as tx:
        assert todo.parked(tx, status(world).id) == []


def test_a_private_comment_stays_private(world: SourceWorld, source: DictSource) -> None:
    parts = (Part("Public reply.", readers=None), Part("Between us.", readers=BOARD))
    source.documents["d1"] = page(1, parts=parts, version="2")
    world.run()
    found = [passage for passage in world.passages() if passage.document_id == "d1"]
    assert [p.readers for p in found if "Between us" in p.text] == [BOARD]
    assert all("Between us" not in p.text for p in found if p.readers == EVERYONE)


def test_a_hook_that_breaks_costs_one_document(world: SourceWorld, source: DictSource) -> None:
    def hook(name: str, document: Document) -> Document:
        if document.id == "d3":
            raise RuntimeError("plugin")
        return replace(document, body=f"{document.body} [{name}]")

    with world.context() as context:
        counts = SyncRunner(
            world.database,
            source,  # type: ignore[arg-type]
            source="lab",
            context=context,
            settings=IngestSettings(),
            document_fetched=hook,
        ).run()
    assert (counts.saved, counts.failed) == (19, 1)
    assert world.texts()["d1"] == "Text 1. [lab]"


def test_groups_are_replaced_as_a_whole(world: SourceWorld, source: DictSource) -> None:
    source.teams = [Group("board", frozenset({"alice"})), Group("all", frozenset({"alice", "bob"}))]
    world.run()
    source.teams = [Group("all", frozenset({"bob"}))]
    world.run()
    with world.database.read() as tx:
        assert people.all_groups(tx) == {"all": frozenset({"bob"})}


def test_a_source_that_raises_ends_its_run_alone(world: SourceWorld, source: DictSource) -> None:
    with pytest.raises(StopSync, match="lab failed with ZeroDivisionError: oops"):
        world.run(Watched(source, list_error=ZeroDivisionError("oops")))  # type: ignore[arg-type]
    assert "oops" in (status(world).failure or "")
    world.run()
    assert status(world).failure is None


def test_only_one_run_at_a_time(world: SourceWorld) -> None:
    with world.database.write() as tx:
        assert leases.acquire(tx, f"source {status(world).id}", new_holder(), 60)
    with pytest.raises(StopSync, match="Another process is reading lab now"):
        world.run()


def test_a_dead_process_holds_nobody_up(world: SourceWorld) -> None:
    code = "from citebot.ingest.holder import new_holder; print(new_holder())"
    dead = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    with world.database.write() as tx:
        assert leases.acquire(tx, f"source {status(world).id}", dead, 60)
    assert world.run().saved == 20
    assert is_dead(dead)
    assert not is_dead(new_holder())
    assert not is_dead("other-host/1/1/ff")
    assert not is_dead("host:1")


def test_counts_are_shown_while_it_works(world: SourceWorld, source: DictSource) -> None:
    seen: list[tuple[int, int]] = []
    with world.context() as context:
        SyncRunner(
            world.database,
            source,  # type: ignore[arg-type]
            source="lab",
            context=context,
            settings=IngestSettings(),
            progress=lambda state: seen.append((state.listed, state.saved)),
        ).run()
    assert seen[0] == (20, 0)
    assert seen[-1] == (20, 20)


class PagedSource(DictSource):
    """Lists in pages of three and goes on from the cursor."""

    def __init__(self, documents: dict[str, Document | Failed]) -> None:
        super().__init__(documents)
        self.pages: list[Json] = []

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        keys = sorted(self.documents)
        start = cursor if isinstance(cursor, int) else 0
        while start < len(keys):
            self.pages.append(start)
            refs = tuple(Ref(key, _version(self.documents[key])) for key in keys[start : start + 3])
            start += 3
            yield Batch(refs, cursor=start)


def cut_off_listing(tmp_path: Path) -> tuple[PagedSource, SourceWorld]:
    """A source of 20 documents whose first run ended after three pages."""
    source = PagedSource({f"d{number:02}": replace(page(number), id=f"d{number:02}") for number in range(20)})
    world = SourceWorld(DictLab(source), tmp_path)  # type: ignore[arg-type]
    asked = iter([False, False, True])
    world.run(stop=lambda: next(asked, False))
    assert source.pages == [0, 3, 6]
    source.pages.clear()
    return source, world


def test_a_listing_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    source, world = cut_off_listing(tmp_path)
    counts = world.run()
    assert source.pages == [9, 12, 15, 18, 0, 3, 6, 9, 12, 15, 18]
    assert (counts.saved, counts.removed, len(world.texts())) == (20, 0, 20)
    world.close()


def test_what_changed_behind_a_cut_off_listing_is_seen_by_the_next_run(tmp_path: Path) -> None:
    source, world = cut_off_listing(tmp_path)
    del source.documents["d01"]
    source.documents["d02"] = replace(page(2, "Another text."), id="d02", version="2")
    source.documents["d03a"] = replace(page(3, "A new one."), id="d03a")
    world.run()
    texts = world.texts()
    assert "d01" not in texts
    assert (texts["d02"], texts["d03a"]) == ("Another text.", "A new one.")
    world.close()
