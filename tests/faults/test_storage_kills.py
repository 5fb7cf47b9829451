"""A process that dies while it saves documents leaves whole batches or nothing."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from citebot.storage import Database, schema

WRITER = """
import hashlib, sys, itertools
from citebot.model import Chunk, Document, Readers
from citebot.storage import Database, documents, sources
from citebot.testing.failpoints import kill_at
url, hit = sys.argv[1], int(sys.argv[2])
if hit:
    kill_at("before-documents-commit", hit=hit)
db = Database(url)
with db.write() as tx:
    row = sources.get(tx, "wiki") or sources.add(tx, name="wiki", type="files", settings={})
everyone = Readers.everyone()
print("ready", flush=True)
for batch in itertools.count():
    items = []
    for number in range(40):
        texts = [f"{batch}-{number}-{part}" for part in range(3)]
        chunks = [Chunk(t, (), "", "paragraph", everyone, hashlib.sha256(t.encode()).hexdigest()) for t in texts]
        document = Document(str(number), "t", "", everyone)
        items.append(documents.ToSave(document, chunks, str(batch), "", str(batch), batch))
    with db.write() as tx:
        documents.save_many(tx, row.id, items)
"""

UPGRADER = """
import sys, alembic.command
from citebot.storage import Database, schema
db = Database(sys.argv[1])
print("ready", flush=True)
schema.upgrade(db)
"""


def consistent(db: Database) -> str:
    """Check that one batch is stored whole and the log leads to exactly what is there; says which batch."""
    with db.read() as tx:
        versions = tx.execute(text("SELECT DISTINCT version FROM document")).scalars().all()
        texts = tx.execute(text("SELECT text FROM passage")).scalars().all()
        here = set(tx.execute(text("SELECT id FROM passage")).scalars())
        log = tx.execute(text("SELECT passage_id, what FROM index_log ORDER BY seq")).all()
    led_to: set[int] = set()
    for passage_id, what in log:
        (led_to.add if what == "put" else led_to.discard)(passage_id)
    assert led_to == here
    if not versions:
        assert texts == []
        return ""
    (version,) = versions
    assert sorted(texts) == sorted(f"{version}-{number}-{part}" for number in range(40) for part in range(3))
    return str(version)


def write_and_die(url: str, *, hit: int, after: float) -> None:
    child = subprocess.Popen([sys.executable, "-c", WRITER, url, str(hit)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    if not hit:
        time.sleep(after)
        child.kill()
    assert child.wait(60) == -signal.SIGKILL
    child.stdout.close()


def test_a_save_killed_anywhere_leaves_no_half_rows(
    database: Database, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    sqlite = database.dialect == "sqlite"
    url = f"sqlite:///{tmp_path / 'citebot.db'}" if sqlite else request.getfixturevalue("postgres_url")
    chance = random.Random(3)
    write_and_die(url, hit=1, after=0)
    assert consistent(database) == "", "killed before the first commit"
    write_and_die(url, hit=4, after=0)
    assert consistent(database) == "2"
    for _ in range(4):
        write_and_die(url, hit=0, after=chance.uniform(0.05, 0.4))
        consistent(database)


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05])
def test_an_upgrade_that_is_killed_can_be_repeated(tmp_path: Path, after: float) -> None:
    url = f"sqlite:///{tmp_path / 'citebot.db'}"
    child = subprocess.Popen([sys.executable, "-c", UPGRADER, url], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(after)
    child.kill()
    child.wait()
    child.stdout.close()
    db = Database(url)
    schema.upgrade(db)
    schema.check(db)
    db.close()
