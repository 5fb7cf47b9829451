"""What a restored backup needs before it is used: what was removed after it goes again, and nothing is taken for new.

The backup may be days old. Row ids that were given out since, positions of the log and old work must not come back with
another meaning, so all counters are moved on, and every index is cut off from the log: it is built anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import delete, null, select, text, update

from citebot.errors import StorageError
from citebot.storage import clock, deletions, index_log, marks, purge
from citebot.storage.batches import batches
from citebot.storage.curated import KIND as CURATED
from citebot.storage.database import Database, Transaction
from citebot.storage.deletions import BEGIN, Run
from citebot.storage.tables import curated_answer, document, inbox, lease, metadata, outbox, passage, source, vault
from citebot.storage.tables import index_log as log_table
from citebot.storage.vault import HEARD

LATE = timedelta(minutes=10)
"""A question that waited when the backup was made is answered if it is not older than this, else it is closed."""
LEAVING_SECONDS = 3.0
"""A server takes a moment to end the connection of a process that has ended."""
CLOSED = "It was open in a backup that was restored."
GAP = 1_000_000
"""By which counters are moved on …"""
GAPS = {"index_log": 2**32, "passage": 10_000, "document": 10_000, "curated_answer": 1_000, "source": 100}
"""… but for those that stand for an unknown number of changes, are places in an array, typed by people, or short."""
TABLES = {"passage": passage, "document": document, "source": source, "curated_answer": curated_answer}

_SQLITE = (
    "INSERT INTO sqlite_sequence (name, seq) SELECT :table, 0 WHERE EXISTS (SELECT 1 FROM sqlite_master "
    "WHERE name = :table AND sql LIKE '%AUTOINCREMENT%') AND NOT EXISTS (SELECT 1 FROM sqlite_sequence "
    "WHERE name = :table)",
    "UPDATE sqlite_sequence SET seq = max(seq, :least) + :gap WHERE name = :table",
)
_POSTGRES = (
    "SELECT setval(counter, greatest(coalesce(pg_sequence_last_value(counter), 0), :least) + :gap) FROM "
    "(SELECT CAST(pg_get_serial_sequence(:table, :key) AS regclass) AS counter) AS found WHERE counter IS NOT NULL",
)


@dataclass(slots=True)
class Reapplied:
    """What was done to a restored database."""

    removed: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    """Rows by table that were removed or changed after the backup, and are removed again."""
    closed: int = 0
    """Passages whose readers changed after the backup: nobody sees them until they are read again."""
    curated_closed: list[int] = field(default_factory=list)
    """Answers of people that were changed after the backup: only people can say what they shall be."""
    complete: bool = False
    """Whether a record goes back to the backup; else what was removed goes when its source is read."""
    position: int = 0
    """Of the log, which goes on after it."""


def finish(db: Database, records: Sequence[Path]) -> Reapplied:
    """Make a restored database fit for use. Repeated, it does no harm."""
    if db.dialect != "sqlite":
        _refuse_company(db)
    with db.write() as tx:
        if db.dialect != "sqlite":
            tx.exec_driver_sql("SET LOCAL statement_timeout = 0")
        mark = marks.read(tx)
        backup = index_log.head(tx)
        made, newest = Reapplied(), 0
        for path in records:
            found = list(deletions.read(path, mark.identity))
            made.complete |= max((run.seq for run in found if run.what == BEGIN), default=0) <= backup
            later = [left for run in found if (left := run.after(backup))]
            newest = max([newest, *(run.row + run.count for run in later if run.what in ("put", "remove"))])
            _apply(tx, later, made)
        _start_anew(tx)
        _move_on(tx, backup, newest)
        made.position = index_log.head(tx)
    if any(made.removed.values()):
        purge.purge(db)
    return made


def _refuse_company(db: Database) -> None:
    others = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'citebot' "
        "AND pid <> pg_backend_pid()"
    )
    deadline = time.monotonic() + LEAVING_SECONDS
    while True:
        with db.read() as tx:
            number = tx.execute(others).scalar_one()
        if not number:
            return
        if time.monotonic() > deadline:
            raise StorageError(f"{number} connections of Citebot use {db.where}. Stop all its processes first.")
        time.sleep(0.1)


def _apply(tx: Transaction, runs: Iterable[Run], made: Reapplied) -> None:
    touched: set[int] = set()
    for run in runs:
        what = {"put": "passage", "remove": "passage", "curated": "curated_answer"}.get(run.what, run.what)
        if what not in TABLES:
            continue
        rows = TABLES[what].c.id.between(run.row, run.row + run.count - 1)
        if what == "passage":
            touched.update(tx.execute(select(passage.c.document_id).where(rows).distinct()).scalars())
        if run.what == "put":
            made.closed += tx.execute(update(passage).where(rows).values(readers=[])).rowcount
        else:
            made.removed[what] += tx.execute(delete(TABLES[what]).where(rows)).rowcount
    for some in batches(sorted(touched)):
        _settle(tx, some, made)


def _settle(tx: Transaction, touched: Sequence[int], made: Reapplied) -> None:
    """Documents of which something changed are read again as if they were new; those without a rest go."""
    theirs = select(document.c.external_id).join(source).where(document.c.id.in_(touched), source.c.type == CURATED)
    changed = [int(name) for name in tx.execute(theirs).scalars()]
    close = update(curated_answer).where(curated_answer.c.id.in_(changed)).values(readers=[])
    made.curated_closed += sorted(tx.execute(close.returning(curated_answer.c.id)).scalars())
    bare = ~select(passage.c.id).where(passage.c.document_id == document.c.id).exists()
    made.removed["document"] += tx.execute(delete(document).where(document.c.id.in_(touched), bare)).rowcount
    unknown = {"version": "", "readers_tag": "", "content_hash": ""}
    tx.execute(update(document).where(document.c.id.in_(touched)).values(unknown))


def _start_anew(tx: Transaction) -> None:
    """Sources are listed in full, nobody holds a right, and what was asked long ago is not answered now."""
    places = {"cursor": null(), "feed": null(), "feed_at": None, "swept_at": None, "removals_allowed": False}
    tx.execute(update(source).values(places))
    tx.execute(update(lease).values(holder="", until=clock.now(tx)))
    # Platforms would read back from there, and take questions for new that were answered after the backup.
    tx.execute(delete(vault).where(vault.c.name.startswith(HEARD)))
    for queue in (inbox, outbox):
        old = (queue.c.state.in_(("ready", "leased")), queue.c.created_at < clock.now(tx) - LATE)
        ended = {"state": "dead", "lease_until": None, "finished_at": clock.now(tx), "failure": CLOSED}
        tx.execute(update(queue).where(*old).values(ended))


def _move_on(tx: Transaction, backup: int, newest: int) -> None:
    tx.execute(delete(log_table))
    for table in metadata.sorted_tables:
        key = next(iter(table.primary_key)).name
        least = {"index_log": backup, "passage": newest}.get(table.name, 0)
        counter = {"table": table.name, "key": key, "least": least, "gap": GAPS.get(table.name, GAP)}
        for statement in _SQLITE if tx.dialect.name == "sqlite" else _POSTGRES:
            tx.execute(text(statement), counter)
