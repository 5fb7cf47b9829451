"""Sources with a change feed: listed once, then polled; what the feed loses or hides, a listing finds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import update

from citebot.errors import CursorExpired, StopSync
from citebot.model import Batch, Document, Failed, Gone, Json, Readers, Ref
from citebot.ports import NoSettings, Source, SourceContext, SourceSpec
from citebot.storage import clock, sources, tables
from citebot.testing.sources.world import Killed, SourceWorld

EVERYONE = Readers.everyone()
BOARD = Readers.of(groups=["board"])


class Journal:
    """A place whose every change is written into a journal; it can be read, and it can die, at every request."""

    name = "journal"
    summary = "for tests"
    Settings = NoSettings

    def __init__(self, *, spec: SourceSpec | None = None) -> None:
        self.spec = spec or SourceSpec(feed_reports_deletes=True)
        self.documents: dict[str, Document] = {}
        self.entries: list[tuple[str, str]] = []
        self.kept_from = 0
        self.page = 3
        self.asked: list[str] = []
        self.during_listing: Any = None
        self.kill_at = 0

    def put(self, key: str, text: str, readers: Readers = EVERYONE, *, silently: bool = False) -> None:
        old = self.documents.get(key)
        version = old.version if old and silently else f"v{len(self.entries)}"
        url = f"https://example.org/{key}"
        self.documents[key] = Document(key, f"Title of {key}", text, readers, url=url, version=version)
        if not silently:
            self.entries.append(("put", key))

    def drop(self, key: str) -> None:
        del self.documents[key]
        self.entries.append(("drop", key))

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        after = cursor if isinstance(cursor, str) else ""
        while True:
            self._request("list")
            keys = sorted(key for key in self.documents if key > after)[: self.page]
            if not keys:
                return
            after = keys[-1]
            yield Batch(tuple(self._ref(key) for key in keys), cursor=after)
            if self.during_listing:
                self.during_listing, change = None, self.during_listing
                change()

    def fetch(self, ctx: SourceContext, ids: Sequence[str]) -> Iterator[Document | Gone | Failed]:
        for key in ids:
            self._request(f"fetch {key}")
            yield self.documents.get(key) or Gone(key)

    def changes(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        self._request("changes")
        at = cursor if isinstance(cursor, int) else len(self.entries)
        if at < self.kept_from:
            raise CursorExpired("The journal was cut.")
        while True:
            some = self.entries[at : at + self.page]
            at += len(some)
            yield Batch(tuple(self._entry(*entry) for entry in some), cursor=at)
            if at >= len(self.entries):
                return
            self._request("changes")

    def _entry(self, what: str, key: str) -> Ref | Gone:
        return self._ref(key) if what == "put" and key in self.documents else Gone(key)

    def _ref(self, key: str) -> Ref:
        return Ref(key, self.documents[key].version, self.documents[key].readers.tag)

    def _request(self, what: str) -> None:
        self.asked.append(what)
        if self.kill_at and len(self.asked) == self.kill_at:
            raise Killed


class Failing:
    """The journal on a day on which it cannot be listed."""

    name = "failing"

    def __init__(self, journal: Journal) -> None:
        self.spec = journal.spec
        self.fetch = journal.fetch
        self.changes = journal.changes

    def list(self, ctx: SourceContext, cursor: Json) -> Iterator[Batch]:
        raise StopSync("The token has expired.")


class JournalLab:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal

    def source(self, state_dir: Path) -> Source:
        return self.journal


def world_of(journal: Journal, folder: Path) -> SourceWorld:
    return SourceWorld(JournalLab(journal), folder)  # type: ignore[arg-type]


@pytest.fixture
def journal() -> Journal:
    journal = Journal()
    for number in range(8):
        journal.put(f"d{number}", f"Text {number}.")
    return journal


@pytest.fixture
def world(journal: Journal, tmp_path: Path) -> Iterator[SourceWorld]:
    world = world_of(journal, tmp_path)
    world.run()
    journal.asked.clear()
    yield world
    world.close()


def run(world: SourceWorld, journal: Journal, **options: Any) -> None:
    world.run(journal, **options)


def set_back(world: SourceWorld, table: Any, **ages: timedelta) -> None:
    """As if this had been so long ago."""
    with world.database.write() as tx:
        now = clock.now(tx)
        tx.execute(update(table).values(**{name: now - age for name, age in ages.items()}))


def test_a_poll_without_change_is_one_request(world: SourceWorld, journal: Journal) -> None:
    world.run()
    assert journal.asked == ["changes"]


def test_a_poll_fetches_what_the_feed_names_and_no_more(world: SourceWorld, journal: Journal) -> None:
    journal.put("d1", "Another text.")
    journal.put("new", "A new page.")
    journal.drop("d7")
    world.run()
    assert sorted(journal.asked) == ["changes", "fetch d1", "fetch d7", "fetch new"]
    texts = world.texts()
    assert (texts["d1"], texts["new"], "d7" in texts) == ("Another text.", "A new page.", False)


def test_what_changes_during_the_first_listing_is_not_missed(tmp_path: Path) -> None:
    journal = Journal()
    for number in range(8):
        journal.put(f"d{number}", f"Text {number}.")

    def change() -> None:
        journal.put("d0", "Changed behind the listing.")
        journal.put("a", "New behind the listing.")
        journal.drop("d1")

    journal.during_listing = change
    world = world_of(journal, tmp_path)
    world.run()
    texts = world.texts()
    assert (texts["d0"], texts["a"], "d1" in texts) == ("Changed behind the listing.", "New behind the listing.", False)
    world.close()


def test_what_the_feed_calls_gone_and_still_answers_stays(world: SourceWorld, journal: Journal) -> None:
    journal.entries.extend(("drop", f"d{number}") for number in range(8))
    world.run()
    assert len(world.texts()) == 8


def test_many_removals_in_a_feed_wait_for_a_word(world: SourceWorld, journal: Journal) -> None:
    for number in range(7):
        journal.drop(f"d{number}")
    with pytest.raises(StopSync, match="citebot source confirm lab"):
        world.run()
    assert len(world.texts()) == 8
    with world.database.write() as tx:
        row = sources.get(tx, "lab")
        assert row is not None
        sources.allow_removals(tx, row.id, True)
    world.run()
    assert list(world.texts()) == ["d7"]
    with world.database.read() as tx:
        row = sources.get(tx, "lab")
        assert row is not None
        assert not row.removals_allowed, "a confirmation counts once"


def test_a_feed_that_was_cut_off_leads_to_a_listing(world: SourceWorld, journal: Journal) -> None:
    journal.put("d1", "Another text.")
    del journal.documents["d7"]  # the journal knows nothing of it
    journal.kept_from = len(journal.entries)
    world.run()
    assert "list" in journal.asked
    assert (world.texts()["d1"], "d7" in world.texts()) == ("Another text.", False)
    journal.asked.clear()
    world.run()
    assert journal.asked == ["changes"]


def test_a_listing_that_failed_is_made_up_for(world: SourceWorld, journal: Journal) -> None:
    journal.put("d1", "Another text.")
    journal.kept_from = len(journal.entries)
    with pytest.raises(StopSync):
        world.run(Failing(journal))  # type: ignore[arg-type]
    world.run()
    assert world.texts()["d1"] == "Another text.", "the feed goes on from after the edit, so only a listing finds it"


def test_a_feed_not_read_for_longer_than_it_keeps_leads_to_a_listing(world: SourceWorld, journal: Journal) -> None:
    journal.spec = replace(journal.spec, feed_keeps=timedelta(days=30))
    world.run()
    assert "list" not in journal.asked
    set_back(world, tables.source, feed_at=timedelta(days=31))
    world.run()
    assert "list" in journal.asked


def test_everything_is_listed_again_when_it_is_time_or_asked_for(world: SourceWorld, journal: Journal) -> None:
    del journal.documents["d7"]
    world.run()
    assert "d7" in world.texts(), "neither in the feed nor listed"
    run(world, journal, full=True)
    assert "d7" not in world.texts()
    del journal.documents["d6"]
    set_back(world, tables.source, swept_at=timedelta(days=2))
    world.run()
    assert "d6" not in world.texts()


@pytest.mark.parametrize(("took", "since", "listed"), [(1, 26, True), (3, 26, False), (3, 61, True), (48, 200, True)])
def test_a_place_that_is_slow_to_list_is_listed_less_often(
    world: SourceWorld, journal: Journal, took: int, since: int, listed: bool
) -> None:
    """In hours: every day, or so that listings take a twentieth of the time, but once a week."""
    with world.database.write() as tx:
        swept = clock.now(tx) - timedelta(hours=since)
        tx.execute(update(tables.source).values(sweep_began_at=swept - timedelta(hours=took), swept_at=swept))
    journal.asked.clear()
    world.run(journal)
    assert ("list" in journal.asked) == listed


def test_silent_edits_are_found_within_the_rolling_period(world: SourceWorld, journal: Journal) -> None:
    journal.put("d1", "Edited without a trace.", silently=True)
    journal.put("d2", "Text 2.", BOARD, silently=True)
    run(world, journal, full=True)
    assert world.texts()["d1"] == "Text 1."
    set_back(world, tables.document, fetched_at=timedelta(days=8))
    journal.asked.clear()
    world.run()
    assert len([what for what in journal.asked if what.startswith("fetch")]) == 8
    assert world.texts()["d1"] == "Edited without a trace."
    assert {p.readers for p in world.passages() if p.document_id == "d2"} == {BOARD}
    journal.asked.clear()
    world.run()
    assert journal.asked == ["changes"], "read again once, not every time"


def test_killed_at_every_request_it_ends_as_one_that_was_not(tmp_path: Path) -> None:
    """At every request of a load and of the poll after it."""
    clean = _story(tmp_path / "clean", kill_at=0)
    steps = len(clean[1])
    assert steps > 15
    for at in range(1, steps + 1):
        state, _ = _story(tmp_path / f"killed-{at}", kill_at=at)
        assert state == clean[0], f"killed at request {at}: {clean[1][at - 1]}"


def _story(folder: Path, *, kill_at: int) -> tuple[list[tuple[object, ...]], list[str]]:
    journal = Journal()
    journal.kill_at = kill_at
    world = world_of(journal, folder)
    for number in range(8):
        journal.put(f"d{number}", f"Text {number}.")
    _until_done(world)
    journal.put("d1", "Another text.")
    journal.put("d2", "Text 2.", BOARD)
    journal.put("new", "A new page.")
    journal.drop("d7")
    _until_done(world)
    state = world.state()
    world.close()
    return state, journal.asked


def _until_done(world: SourceWorld) -> None:
    try:
        world.run()
    except Killed:
        world.run()


class AnyOrder(RuleBasedStateMachine):
    """Edits, deletions, moved readers and lost journals in any order, with polls that die anywhere in between."""

    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.journal = Journal()
        self.journal.put("always", "There from the start.")
        self.count = 0
        self.world = world_of(self.journal, Path(tempfile.mkdtemp(dir=self.folder)))

    @rule(key=st.sampled_from("abcdefgh"), board=st.booleans())
    def put(self, key: str, board: bool) -> None:
        self.count += 1
        self.journal.put(key, f"Text number {self.count}.", BOARD if board else EVERYONE)

    @rule(key=st.sampled_from("abcdefgh"))
    def drop(self, key: str) -> None:
        if key in self.journal.documents:
            self.journal.drop(key)

    @rule()
    def cut_the_journal(self) -> None:
        self.journal.kept_from = len(self.journal.entries)

    @rule(requests=st.integers(1, 12))
    def die(self, requests: int) -> None:
        self.journal.kill_at = len(self.journal.asked) + requests
        with suppress(Killed, StopSync):
            run(self.world, self.journal)
        self.journal.kill_at = 0

    @rule()
    def read(self) -> None:
        run(self.world, self.journal, allow_removals=True)
        self._compare()

    @rule()
    def poll(self) -> None:
        try:
            run(self.world, self.journal)
        except StopSync:
            run(self.world, self.journal, allow_removals=True)
        self._compare()

    @invariant()
    def nobody_reads_more_than_was_ever_allowed(self) -> None:
        assert all(passage.readers.principals for passage in self.world.passages())

    def teardown(self) -> None:
        self.world.close()

    def _compare(self) -> None:
        found = {(p.document_id, p.text, p.readers) for p in self.world.passages()}
        assert found == {(key, d.body, d.readers) for key, d in self.journal.documents.items()}


def test_any_order_of_changes_and_deaths(tmp_path_factory: pytest.TempPathFactory) -> None:
    AnyOrder.folder = tmp_path_factory.mktemp("any-order")
    machine: Any = AnyOrder.TestCase
    machine.settings = hypothesis_settings(max_examples=25, stateful_step_count=15, deadline=None)
    machine("runTest").runTest()
