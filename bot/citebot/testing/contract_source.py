"""The contract of a knowledge source, as tests.

Inherit, and say how to change the place your source reads (see `citebot.testing.source_lab.Lab`):

    class TestMyWiki(SourceContract):
        def make_lab(self, folder: Path) -> Lab:
            return MyLab(folder)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from citebot.errors import StopSync
from citebot.model import Document, Failed, Gone, Readers, Ref
from citebot.testing.source_lab import Killed, Lab, SourceWorld

EVERYONE = Readers.everyone()
ODD_TITLES = (
    "Ümläut ß",
    "日本語の題名",
    "Who's & what? (2nd) 100% #1",
    "a/b",
    "[brackets] 'quotes' \"double\"",
    "emoji 🙂",
    "x" * 120,
)


class SourceContract:
    """What Citebot relies on in every source; each test runs the real sync over a real database."""

    def make_lab(self, folder: Path) -> Lab:
        """An empty place in `folder`, or on a server of yours."""
        raise NotImplementedError

    @pytest.fixture
    def lab(self, tmp_path: Path) -> Lab:
        """A place with seven documents."""
        lab = self.make_lab(tmp_path / "place")
        for number in range(7):
            lab.create(f"Page {number}", f"Text of page {number}.", EVERYONE)
        return lab

    @pytest.fixture
    def new_world(self, lab: Lab, tmp_path: Path) -> Iterator[Callable[[], SourceWorld]]:
        """Makes databases that read the lab."""
        made: list[SourceWorld] = []

        def make() -> SourceWorld:
            made.append(SourceWorld(lab, tmp_path / f"world-{len(made)}"))
            return made[-1]

        yield make
        for world in made:
            world.close()

    @pytest.fixture
    def world(self, new_world: Callable[[], SourceWorld]) -> SourceWorld:
        """A database that has not read the lab yet."""
        return new_world()

    # --- shape ---------------------------------------------------------------------------------------------------

    def test_describes_itself(self, lab: Lab, tmp_path: Path) -> None:
        source = lab.source(tmp_path)
        assert source.name
        assert source.summary
        assert source.Settings.model_json_schema()["type"] == "object"

    def test_lists_ids_that_are_unique_stable_and_short(self, lab: Lab, world: SourceWorld, tmp_path: Path) -> None:
        listings = []
        for _ in range(2):
            batches = list(lab.source(tmp_path).list(world.context(), None))
            assert all(len(json.dumps(batch.cursor)) < 16_000 for batch in batches)
            listings.append([item.id for batch in batches for item in batch.items])
        assert sorted(listings[0]) == sorted(set(listings[0])) == sorted(listings[1])
        assert all(0 < len(key.encode()) <= 512 for key in listings[0])

    def test_answers_every_id_once(self, lab: Lab, world: SourceWorld, tmp_path: Path) -> None:
        source = lab.source(tmp_path)
        ids = [item.id for batch in source.list(world.context(), None) for item in batch.items]
        answers = list(source.fetch(world.context(), [*ids, "no-such-document"]))
        assert sorted(answer.id for answer in answers) == sorted([*ids, "no-such-document"])
        documents = [answer for answer in answers if isinstance(answer, Document)]
        assert len(documents) == len(ids)
        assert all(document.title for document in documents)
        assert all(document.updated is None or document.updated.tzinfo for document in documents)

    # --- completeness and change ---------------------------------------------------------------------------------

    def test_reads_everything(self, world: SourceWorld) -> None:
        assert world.run().saved == 7
        texts = world.texts()
        assert len(texts) == 7
        assert all(any(f"Text of page {number}." in text for text in texts.values()) for number in range(7))

    def test_reads_nothing_twice(self, world: SourceWorld) -> None:
        world.run()
        source = world.watched()
        assert world.run(source).chunks == 0
        assert (source.counts.listed, source.counts.fetched) == (7, 0)

    def test_sees_what_was_created_edited_and_deleted(self, lab: Lab, world: SourceWorld) -> None:
        kept = lab.create("Kept", "First version.", EVERYONE)
        gone = lab.create("Gone", "Soon gone.", EVERYONE)
        world.run()
        lab.edit(kept, "Second and longer version.")
        lab.delete(gone)
        new = lab.create("New", "Just made.", EVERYONE)
        source = world.watched()
        counts = world.run(source)
        texts = world.texts()
        assert "Second and longer" in texts[kept]
        assert "Just made" in texts[new]
        assert gone not in texts
        assert (counts.saved, counts.removed, source.counts.fetched) == (2, 1, 3)

    def test_takes_any_title(self, lab: Lab, world: SourceWorld) -> None:
        ids = [lab.create(title, f"Odd text {number}.", EVERYONE) for number, title in enumerate(ODD_TITLES)]
        world.run()
        texts = world.texts()
        assert [texts[key] for key in ids] == [f"Odd text {number}." for number in range(len(ids))]
        source = world.watched()
        world.run(source)
        assert source.counts.fetched == 0

    # --- readers -------------------------------------------------------------------------------------------------

    def test_keeps_readers(self, lab: Lab, world: SourceWorld) -> None:
        board = lab.create("Minutes", "Secret numbers.", Readers.of(groups=["board"], people=["alice"]))
        world.run()
        found = {passage.document_id: passage.readers for passage in world.passages()}
        assert found[board].principals == {"group:board", "person:alice"}

    def test_shows_a_document_without_readers_to_nobody(self, lab: Lab, world: SourceWorld) -> None:
        key = lab.create("Unmarked", "Nobody said who may read this.", None)
        world.run()
        found = {passage.document_id: passage.readers for passage in world.passages()}
        assert found[key] == Readers.nobody()

    # --- sick sources --------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("left", [0, 3])
    def test_a_short_listing_removes_nothing(self, world: SourceWorld, left: int) -> None:
        world.run()
        before = world.state()
        with suppress(StopSync):  # or it finds, by asking for them, that all are still there
            world.run(world.watched(refs=lambda refs: refs[:left]))
        assert world.state() == before

    def test_a_listing_that_breaks_off_removes_nothing(self, world: SourceWorld) -> None:
        world.run()
        before = world.state()
        broken = world.watched(refs=lambda refs: refs[:2], list_error=ConnectionError("reset by peer"))
        with pytest.raises(StopSync, match="reset by peer"):
            world.run(broken)
        assert world.state() == before

    def test_answers_that_all_say_gone_remove_nothing(self, lab: Lab, world: SourceWorld) -> None:
        world.run()
        before = world.state()

        def anew(refs: list[Ref]) -> list[Ref]:
            return [Ref(ref.id, version="new") for ref in refs]

        with pytest.raises(StopSync, match="citebot source confirm"):
            world.run(world.watched(refs=anew, answer=lambda item: Gone(item.id, "no_access")))
        assert world.state() == before

    def test_one_bad_document_stays_alone(self, lab: Lab, world: SourceWorld) -> None:
        bad = lab.create("Bad", "Cannot be read.", EVERYONE)
        source = world.watched(answer=lambda item: Failed(item.id, "broken") if item.id == bad else item)
        counts = world.run(source)
        assert (counts.saved, counts.failed) == (7, 1)
        assert bad not in world.texts()

    # --- being killed --------------------------------------------------------------------------------------------

    def test_ends_the_same_wherever_it_is_killed(self, lab: Lab, new_world: Callable[[], SourceWorld]) -> None:
        clean = new_world()
        clean.run()
        world, number = new_world(), 0
        while number < 100:
            number += 1
            try:
                world.run(world.watched(kill_at=number))
                break
            except Killed:
                continue
        assert 1 < number < 100
        assert world.state() == clean.state()

    def test_ends_when_it_is_stopped(self, world: SourceWorld) -> None:
        source = world.watched()
        world.run(source, stop=lambda: source.counts.fetched >= 2)
        assert source.counts.fetched == 2
        assert len(world.texts()) == 2
        world.run()
        assert len(world.texts()) == 7
