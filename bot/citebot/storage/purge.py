"""Forgetting deleted text for good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from citebot.errors import StorageError
from citebot.storage.batches import batches
from citebot.storage.database import Database, Transaction
from citebot.storage.tables import answer, inbox, passage

REMOVED = "[This text was removed: a document that it quoted has been deleted or changed.]"
REPLACED = ".replaced"
"""Ends the name of a database that a backup took the place of."""
_REWRITTEN = ("document", "passage", "embedding", "answer", "inbox", "outbox", "todo", "index_log", "curated_answer")


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did."""

    answers: int
    """Stored answers that quoted something that is gone, and were emptied."""
    histories: int
    """Finished questions whose conversation history was dropped."""


def purge(db: Database) -> Purged:
    """Make the text of removed documents unrecoverable from the database's files.

    Answers that quoted a removed passage lose their text. On PostgreSQL the server's own write-ahead archive and
    backups are beyond our reach.
    """
    with db.write() as tx:
        purged = Purged(_scrub_answers(tx), _scrub_histories(tx))
    if db.dialect == "sqlite":
        Path(f"{db.where}{REPLACED}").unlink(missing_ok=True)
    with db.outside() as run:
        if db.dialect != "sqlite":
            for table in _REWRITTEN:
                run(f"VACUUM FULL {table}")
            return purged
        # Deleted cells are zeroed at once, but rows that moved between pages leave copies: only a rewrite has none.
        run("VACUUM")
        busy = run("PRAGMA wal_checkpoint(TRUNCATE)")[0][0]
    if busy:
        raise StorageError(
            f"Another process is reading {db.where}, so its log still holds removed text. Stop it and purge again."
        )
    return purged


def _scrub_answers(tx: Transaction) -> int:
    rows = tx.execute(select(answer.c.id, answer.c.body)).all()
    alive = _alive(tx, {ref["passage_id"] for row in rows for ref in _references(row.body)})
    scrubbed = 0
    for row in rows:
        gone = [ref for ref in _references(row.body) if ref["passage_id"] not in alive and ref["title"] != REMOVED]
        if not gone:
            continue
        for ref in gone:
            # An id may be a path or an address, and those say what was in it.
            ref.update({"document_id": "", "title": REMOVED, "url": "", "anchor": ""})
        for citation in row.body["citations"]:
            if citation["passage_id"] not in alive:
                citation.update({"headings": [], "sentences": []})
        body = row.body | {"notes": []}  # they name documents too
        tx.execute(update(answer).where(answer.c.id == row.id).values(text=REMOVED, body=body))
        scrubbed += 1
    return scrubbed


def _scrub_histories(tx: Transaction) -> int:
    scrubbed = 0
    for row in tx.execute(select(inbox.c.id, inbox.c.body).where(inbox.c.state.in_(("done", "dead")))).all():
        if row.body.get("history") or row.body.get("attachments"):
            body = {**row.body, "history": [], "attachments": []}
            tx.execute(update(inbox).where(inbox.c.id == row.id).values(body=body))
            scrubbed += 1
    return scrubbed


def _references(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [*body["citations"], *body["closest"]]


def _alive(tx: Transaction, ids: Iterable[int]) -> set[int]:
    found: set[int] = set()
    for some in batches(sorted(ids)):
        found.update(tx.execute(select(passage.c.id).where(passage.c.id.in_(some))).scalars())
    return found
