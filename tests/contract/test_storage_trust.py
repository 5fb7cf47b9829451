"""How far a passage is trusted: as its source is, else by its kind; a change needs no reading anew."""

from __future__ import annotations

import pytest

from citebot.model import Chunk, Conversation, Document, DocumentKind, Person, Readers, Trust
from citebot.storage import Database, curated, documents, passages, sources
from citebot.storage.documents import ToSave


def save(database: Database, kind: DocumentKind, trust: Trust | None) -> int:
    """A document of one passage in a source; the passage's id."""
    document = Document("d", "Title", "Text.", Readers.everyone(), kind=kind)
    chunk = Chunk("Text.", (), "", "paragraph", Readers.everyone(), "h")
    with database.write() as tx:
        source = sources.add(tx, name="helpdesk", type="jsonl", settings={}, trust=trust).id
        documents.save_many(
            tx, source, [ToSave(document, [chunk], content_hash="h", readers_tag="", version="1", sweep=1)]
        )
        return passages.newest_id(tx)


def trust_of(database: Database, passage: int) -> Trust:
    with database.read() as tx:
        return passages.by_ids(tx, [passage])[passage].trust


@pytest.mark.parametrize(
    ("kind", "trust", "expected"),
    [
        ("ticket", None, "open"),
        ("page", None, "team"),
        ("file", None, "team"),
        ("thread", None, "team"),
        ("ticket", "team", "team"),
        ("page", "curated", "curated"),
        ("page", "open", "open"),
    ],
)
def test_it_is_that_of_the_source_else_of_the_kind(
    database: Database, kind: DocumentKind, trust: Trust | None, expected: Trust
) -> None:
    assert trust_of(database, save(database, kind, trust)) == expected


def test_a_change_counts_at_once(database: Database) -> None:
    passage = save(database, "ticket", None)
    for trust, expected in [("curated", "curated"), (None, "open")]:
        with database.write() as tx:
            sources.set_trust(tx, "helpdesk", trust)  # type: ignore[arg-type]
            assert [row.trust for row in sources.statuses(tx)] == [trust]
        assert trust_of(database, passage) == expected


def test_answers_that_people_chose_are_curated(database: Database) -> None:
    with database.write() as tx:
        curated.add(
            tx, question="Where?", text="There.", author=Person("ann"), url="", readers=Readers.everyone(),
            place=Conversation("slack", "C1"), message_id="1",
        )  # fmt: skip
        assert [(row.name, row.trust) for row in sources.statuses(tx)] == [(curated.SOURCE, "curated")]
