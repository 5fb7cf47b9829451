"""Sources, their queue of documents, and groups of people, on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from citebot.errors import WrongUse
from citebot.model import Document, Group, Readers, Ref
from citebot.storage import Database, documents, index_log, people, sources, todo
from citebot.storage.todo import Todo


@pytest.fixture
def source(database: Database) -> int:
    with database.write() as tx:
        return sources.add(tx, name="wiki", type="files", settings={"path": "/docs", "nested": {"a": [1]}}).id


def test_a_source_is_kept_with_settings_and_cursor(database: Database, source: int) -> None:
    with database.write() as tx:
        assert sources.begin_sweep(tx, source) == 1
        sources.set_cursor(tx, source, {"page": 3})
        sources.set_paused(tx, "wiki", True)
        row = sources.get(tx, "wiki")
    assert row is not None
    assert (row.settings, row.cursor, row.paused, row.sweep) == (
        {"path": "/docs", "nested": {"a": [1]}},
        {"page": 3},
        True,
        1,
    )
    with database.write() as tx:
        sources.set_cursor(tx, source, None)
        assert [r.cursor for r in sources.list_all(tx)] == [None]
        assert sources.get(tx, "other") is None


def test_a_taken_name_is_refused_and_the_transaction_goes_on(database: Database, source: int) -> None:
    with database.write() as tx:
        with pytest.raises(WrongUse, match="already a source named 'wiki'"):
            sources.add(tx, name="wiki", type="files", settings={})
        sources.add(tx, name="wiki2", type="files", settings={})
    with database.read() as tx:
        assert [row.name for row in sources.list_all(tx)] == ["wiki", "wiki2"]


def test_the_end_of_a_run_is_written_down(database: Database, source: int) -> None:
    with database.write() as tx:
        sources.finish(tx, source, failure=None)
        (well,) = sources.statuses(tx)
        sources.finish(tx, source, failure="401: the token is not valid any more")
        (badly,) = sources.statuses(tx)
    assert (well.failure, well.synced is not None) == ("", True)
    assert (badly.failure, badly.synced) == ("401: the token is not valid any more", well.synced)


def test_removing_a_source_leaves_nothing_and_tells_the_index(database: Database, source: int) -> None:
    with database.write() as tx:
        for name in ("a", "b"):
            doc = Document(name, name, "", Readers.everyone())
            documents.save(tx, source, doc, [], content_hash="", readers_tag="", version="", sweep=1)
        todo.add(tx, source, [Ref("c")])
        people.replace(tx, "wiki", [Group("staff", frozenset({"ann"}))])
    with database.write() as tx:
        assert (sources.remove(tx, "wiki"), sources.remove(tx, "wiki")) == (2, 0)
        assert (sources.statuses(tx), people.all_groups(tx), todo.waiting(tx, source)) == ([], {}, 0)
        assert [(row.what, row.passage_id) for row in index_log.since(tx, 0, 9)] == [("source", source)]


def test_listed_documents_wait_until_they_are_done(database: Database, source: int) -> None:
    with database.write() as tx:
        todo.add(tx, source, [Ref("b", "1", "r"), Ref("a", "1"), Ref("a", "2")])
        assert todo.take(tx, source, 10) == [Todo("a", "2", "", 0), Todo("b", "1", "r", 0)]
        assert len(todo.take(tx, source, 1)) == 1
        todo.done(tx, source, ["a"])
        assert todo.waiting(tx, source) == 1
        assert sources.statuses(tx)[0].waiting == 1


def test_a_failing_document_is_put_off_and_parked_after_three_times(database: Database, source: int) -> None:
    with database.write() as tx:
        todo.add(tx, source, [Ref("a", "1")])
        todo.fail(tx, source, "a", "500")
        assert todo.take(tx, source, 10) == []
        for _ in range(2):
            todo.fail(tx, source, "a", "500", retry_after=0)
        assert (todo.parked(tx, source), todo.take(tx, source, 10)) == ([("a", "500", 3)], [])
        todo.add(tx, source, [Ref("a", "1")])
        assert todo.parked(tx, source), "the same version listed again stays parked"
        tx.execute(text("UPDATE todo SET not_before = '2020-01-01'"))  # a day later
        assert [one.external_id for one in todo.take(tx, source, 10)] == ["a"]
        todo.add(tx, source, [Ref("a", "2")])
        assert todo.take(tx, source, 10) == [Todo("a", "2", "", 0)]


def test_permanent_failures_are_parked_at_once_and_get_another_chance(database: Database, source: int) -> None:
    with database.write() as tx:
        todo.add(tx, source, [Ref("a"), Ref("b")])
        todo.fail(tx, source, "a", "encrypted PDF", permanent=True)
        todo.fail(tx, source, "never listed", "too large", permanent=True)
        assert [name for name, _, _ in todo.parked(tx, source)] == ["a", "never listed"]
        assert (sources.statuses(tx)[0].parked, todo.waiting(tx, source)) == (2, 1)
        assert todo.unpark(tx, source) == 2
        assert {row.external_id for row in todo.take(tx, source, 9)} == {"a", "b", "never listed"}


def test_groups_are_replaced_per_origin_and_go_stale(database: Database) -> None:
    with database.write() as tx:
        people.replace(tx, "settings", [Group("board", frozenset({"ann"}))])
        people.replace(tx, "wiki", [Group("staff", frozenset({"ann", "bob"})), Group("empty", frozenset())])
        now = database.now(tx)
        assert people.groups_of(tx, "ann", fresh_after=now - timedelta(minutes=1)) == {"board", "staff"}
        assert people.groups_of(tx, "ann", fresh_after=now + timedelta(minutes=1)) == {"board"}
        assert people.members(tx, "staff") == {"ann", "bob"}
        people.replace(tx, "wiki", [Group("staff", frozenset({"bob"}))])
        assert people.groups_of(tx, "ann", fresh_after=None) == {"board"}
        assert people.all_groups(tx) == {"board": {"ann"}, "staff": {"bob"}}
