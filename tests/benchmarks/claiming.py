"""How long a worker takes to claim questions from a full inbox, on PostgreSQL.

    CITEBOT_TEST_POSTGRES_URL=... python tests/benchmarks/claiming.py [--waiting 5000] [--json FILE]

A database of its own is made on the server and dropped again. Three inboxes: every question in a thread of its own; all
in a hundred threads, of which most wait behind another; the same with the first question of each being worked on.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, make_url, text

from citebot.model import Conversation, Person
from citebot.ports import Inbound
from citebot.storage import Database, schema, work

LIMIT = 10
TIMES = 50
FEW_THREADS = 100


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """The address of an empty database with our tables."""
    name = f"citebot_bench_{uuid.uuid4().hex[:8]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    try:
        with closing(Database(url)) as database:
            schema.upgrade(database)
        yield url
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        engine.dispose()


def fill(database: Database, waiting: int, *, threads: int) -> None:
    """So many questions in so many threads."""
    for first in range(0, waiting, 500):
        with database.write() as tx:
            for number in range(first, min(first + 500, waiting)):
                place = Conversation("slack", "C1", "T1", thread=str(number % threads))
                work.accept(tx, Inbound(f"d{number}", f"m{number}", place, Person("ann"), f"question {number}"))


def claim(database: Database) -> tuple[float, list[work.Job]]:
    """Milliseconds for one claim, and what was claimed."""
    began = time.perf_counter()
    with database.write() as tx:
        jobs = work.claim(tx, "inbox", lease=30, limit=LIMIT, platforms={"slack"})
    return (time.perf_counter() - began) * 1000, jobs


def give_back(database: Database, jobs: list[work.Job]) -> None:
    """As if nobody had claimed them."""
    with database.write() as tx:
        for job in jobs:
            work.release(tx, job)


def measure(url: str, waiting: int) -> dict[str, Any]:
    """All three inboxes, each with and without statistics of the table, which come a minute late."""
    found: dict[str, Any] = {"waiting": waiting, "claimed_at_once": LIMIT}
    for name, threads, busy in (
        ("own_threads", waiting, False),
        ("hundred_threads", FEW_THREADS, False),
        ("hundred_threads_all_busy", FEW_THREADS, True),
    ):
        with closing(Database(url)) as database:
            with database.write() as tx:
                tx.execute(text("TRUNCATE inbox, outbox RESTART IDENTITY CASCADE"))
            fill(database, waiting, threads=threads)
            if busy:
                with database.write() as tx:
                    assert len(work.claim(tx, "inbox", lease=3600, limit=threads)) == threads
            for state in ("not_analysed", "analysed"):
                if state == "analysed":
                    with database.outside() as run:
                        run("VACUUM ANALYZE inbox")
                        run("ANALYZE outbox")
                times = []
                for _ in range(TIMES):
                    took, jobs = claim(database)
                    assert len(jobs) == (0 if busy else LIMIT)
                    give_back(database, jobs)
                    times.append(took)
                p95 = sorted(times)[math.ceil(0.95 * len(times)) - 1]
                found[f"{name}.{state}"] = {
                    "median_ms": round(statistics.median(times), 2),
                    "p95_ms": round(p95, 2),
                }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waiting", type=int, default=5000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with fresh_database(os.environ["CITEBOT_TEST_POSTGRES_URL"]) as url:
        found = measure(url, options.waiting)
    found["load"] = round(os.getloadavg()[0], 1)
    print(json.dumps(found, indent=2))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
