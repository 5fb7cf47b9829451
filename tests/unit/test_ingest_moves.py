"""What moves keeps its passages: nothing is embedded again, old citations lead to the new place, no admin is asked."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from citebot.errors import StopSync
from citebot.ingest import EmbeddingWorker, Feeder, runner
from citebot.model import Passage, Readers
from citebot.ports import PartContext, Source
from citebot.settings import IngestSettings
from citebot.storage import passages
from citebot.testing.fake_models import FakeEmbedder
from citebot.testing.memory_index import MemoryIndex
from citebot.testing.sources.world import Killed, SourceWorld
from citebot_connectors.sources.files import FilesSource

BOARD = Readers.of(groups=["board"])


class FolderLab:
    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings: dict[str, Any] = {"path": folder, **settings}

    def source(self, state_dir: Path) -> Source:
        return FilesSource(FilesSource.Settings.model_validate(self.settings), PartContext(state_dir))  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    for number in range(20):
        path = folder / ("rare" if number % 5 else "often") / f"{number:02}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Page {number}\n\nText of page {number}.\n")
    return folder


@pytest.fixture
def lab(folder: Path) -> FolderLab:
    return FolderLab(folder)


@pytest.fixture
def world(lab: FolderLab, tmp_path: Path) -> Iterator[SourceWorld]:
    world = SourceWorld(lab, tmp_path / "world")  # type: ignore[arg-type]
    world.run()
    yield world
    world.close()


def places(world: SourceWorld) -> dict[int, str]:
    return {passage.id: passage.document_id for passage in world.passages()}


def only(world: SourceWorld, document_id: str) -> Passage:
    (found,) = [passage for passage in world.passages() if passage.document_id == document_id]
    return found


def test_a_renamed_folder_keeps_all_it_has(world: SourceWorld, folder: Path) -> None:
    before = places(world)
    (folder / "rare").rename(folder / "well done")
    counts = world.run()
    assert (counts.saved, counts.removed, counts.chunks) == (16, 0, 0)
    assert places(world) == {key: place.replace("rare/", "well done/") for key, place in before.items()}
    passage = only(world, "well done/01.md")
    assert (passage.path, passage.url) == (("well done",), (folder / "well done" / "01.md").as_uri())
    assert world.run().saved == 0, "and then all is as it was"


async def test_what_moved_is_not_embedded_again(world: SourceWorld, folder: Path) -> None:
    worker = EmbeddingWorker(world.database, FakeEmbedder(), Feeder(world.database, MemoryIndex()))
    assert await worker.run_once() == 20
    (folder / "rare").rename(folder / "new")
    (folder / "often" / "00.md").rename(folder / "zero.md")
    world.run()
    assert await worker.run_once() == 0
    with world.database.read() as tx:
        assert passages.count_missing(tx, FakeEmbedder().model_id) == 0


def test_a_file_that_is_called_after_its_name_has_another_title_and_is_there_once(
    world: SourceWorld, folder: Path
) -> None:
    (folder / "plan.md").write_text("Of mice and men.")
    world.run()
    (folder / "plan.md").rename(folder / "purpose.md")
    counts = world.run()
    assert (counts.removed, counts.chunks) == (0, 1)
    assert [p.title for p in world.passages() if "mice" in p.text] == ["purpose"]


def test_a_copy_is_a_new_document(world: SourceWorld, folder: Path) -> None:
    before = places(world)
    (folder / "copy.md").write_bytes((folder / "rare" / "01.md").read_bytes())
    (folder / "rare" / "02.md").unlink()
    counts = world.run()
    assert (counts.saved, counts.removed, counts.chunks) == (1, 1, 1)
    assert places(world).items() >= {key: p for key, p in before.items() if p != "rare/02.md"}.items()


def test_one_of_two_copies_moves(world: SourceWorld, folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.md").write_text("# Twin\n\nThe same.")
    world.run()
    before = {place: key for key, place in places(world).items()}
    (folder / "a.md").rename(folder / "c.md")
    (folder / "d.md").write_text("# Twin\n\nThe same.")
    world.run()
    after = {place: key for key, place in places(world).items()}
    assert (after["b.md"], after["c.md"]) == (before["b.md"], before["a.md"])
    assert after["d.md"] not in before.values()


def test_many_copies_move_each_to_its_own_place(world: SourceWorld, folder: Path) -> None:
    for name in ("x", "y", "z"):
        (folder / f"{name}.txt").write_text("To be written.")
    world.run()
    before = {place: key for key, place in places(world).items()}
    for name, where in {"x": "later", "y": "last", "z": "first"}.items():
        (folder / where).mkdir()
        (folder / f"{name}.txt").rename(folder / where / f"{name}.txt")
    world.run()
    after = {place: key for key, place in places(world).items()}
    moved = [after[place] for place in ("later/x.txt", "last/y.txt", "first/z.txt")]
    assert moved == [before["x.txt"], before["y.txt"], before["z.txt"]]


def test_twins_move_together(world: SourceWorld, folder: Path) -> None:
    for name in ("a", "b"):
        (folder / "often" / f"{name}.md").write_text("# Twin\n\nThe same.")
    world.run()
    before = set(places(world))
    (folder / "often").rename(folder / "seldom")
    assert world.run().removed == 0
    assert set(places(world)) == before


def test_what_is_gone_is_gone_although_something_came(world: SourceWorld, folder: Path) -> None:
    for path in sorted((folder / "rare").iterdir())[:12]:
        path.rename(path.with_suffix(".txt"))
        path.with_suffix(".txt").write_text(f"Another text in {path.name}.")
    with pytest.raises(StopSync, match="12 of 20"):
        world.run()
    assert len([text for text in world.texts().values() if text.startswith("Text of page")]) == 20
    assert world.run(allow_removals=True).removed == 12


def test_readers_are_those_of_the_new_place(lab: FolderLab, world: SourceWorld, folder: Path) -> None:
    lab.settings["rules"] = [{"glob": "shut/*", "readers": ["board"]}]
    world.run()
    before = only(world, "rare/01.md")
    (folder / "shut").mkdir()
    (folder / "rare" / "01.md").rename(folder / "shut" / "01.md")
    world.run()
    after = only(world, "shut/01.md")
    assert (after.id, after.readers) == (before.id, BOARD)
    (folder / "shut" / "01.md").rename(folder / "01.md")
    world.run()
    assert only(world, "01.md").readers == Readers.everyone()


def test_files_that_were_not_read_for_long_move_like_others(
    world: SourceWorld, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "FETCHED_AT_ONCE", 5)
    before = set(places(world))
    (folder / "rare").rename(folder / "young")  # fetched behind those that are not there any more
    counts = world.run(settings=IngestSettings(refetch_days=1e-9))
    assert (counts.removed, set(places(world))) == (0, before)


def test_files_that_change_places_with_the_same_size_and_time(world: SourceWorld, folder: Path) -> None:
    a, b, aside = folder / "a.txt", folder / "b.txt", folder / "aside"
    for path, text in ((a, "one"), (b, "two")):
        path.write_text(text)
        os.utime(path, (1, 1))
    world.run()
    a.rename(aside)
    b.rename(a)
    aside.rename(b)
    world.run()
    assert (world.texts()["a.txt"], world.texts()["b.txt"]) == ("two", "one")


def test_a_listing_that_forgets_a_document_moves_nothing(world: SourceWorld, folder: Path) -> None:
    before = only(world, "rare/01.md")
    (folder / "copy.md").write_bytes((folder / "rare" / "01.md").read_bytes())
    world.run(world.watched(refs=lambda refs: [ref for ref in refs if ref.id != "rare/01.md"]))
    assert only(world, "rare/01.md").id == before.id
    assert only(world, "copy.md").id != before.id


@pytest.mark.parametrize("kill_at", range(1, 45, 3))
def test_a_run_that_was_killed_while_it_moved_loses_nothing(world: SourceWorld, folder: Path, kill_at: int) -> None:
    before = set(places(world))
    (folder / "rare").rename(folder / "new")
    (folder / "often" / "00.md").unlink()
    try:
        world.run(world.watched(kill_at=kill_at))
    except Killed:
        world.run()
    after = places(world)
    assert set(after) < before
    assert sorted(after.values()) == sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*.md"))
