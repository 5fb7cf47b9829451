"""Promise P31: gateways, workers and sync replicas are replaced one after the other while people ask."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")
pytest.importorskip("elasticsearch")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from fleet import ROLES, fleet, settings_for
from replicas import open_work
from slack_harness import Town, town
from sqlalchemy import text

from citebot.storage import Database, schema, sources
from citebot.storage.tables import metadata
from citebot.testing.slack import Message

EACH = 2
PACE = 0.2
"""Seconds between two questions: five a second."""
DRAIN_MOST = 25.0


class Wiki:
    """A file that a source reads; every rolling restart adds a document."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.count = 0

    def add(self) -> None:
        row = {"id": f"permit{self.count}", "title": f"Permit {self.count}", "readers": ["everyone"]}
        with self.file.open("a") as lines:
            lines.write(json.dumps({**row, "text": f"The permit number {self.count} costs 40 euros."}) + "\n")
        self.count += 1


async def ask_on(place: Town, questions: list[Message]) -> None:
    """Five questions a second, until cancelled."""
    while True:
        began = time.monotonic()
        number = len(questions)
        questions.append(await place.ask(number, number, f"What does permit {number % 5} cost?"))
        await asyncio.sleep(max(0.0, PACE - (time.monotonic() - began)))


def read(database: Database) -> int:
    """Documents that were read."""
    with database.read() as tx:
        return int(tx.execute(text("SELECT count(*) FROM document")).scalar_one())


@pytest.mark.postgres
@pytest.mark.elasticsearch
@pytest.mark.slow
@pytest.mark.timeout(7200)
async def test_rolling_restarts_lose_nothing_and_double_nothing(
    postgres_url: str, elasticsearch_url: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    wiki, rounds, began = Wiki(tmp_path / "wiki.jsonl"), count(3, 100), time.monotonic()
    for _ in range(5):
        wiki.add()
    with closing(Database(postgres_url)) as database:
        schema.upgrade(database)
        with database.write() as tx:
            names = ", ".join(table.name for table in metadata.sorted_tables)
            tx.execute(text(f"TRUNCATE {names} RESTART IDENTITY CASCADE"))
            sources.add(tx, name="wiki", type="jsonl", settings={"path": str(wiki.file)})
        async with town(speed=60, channels=10) as place:
            settings = settings_for(place, url=postgres_url, elasticsearch=elasticsearch_url)
            with fleet(settings, tmp_path) as ships:
                for role in ("sync", "worker", "gateway"):
                    await asyncio.gather(*(ships.start(role) for _ in range(EACH)))
                questions: list[Message] = []
                asking = asyncio.create_task(ask_on(place, questions))
                for number in range(rounds):
                    wiki.add()
                    await ships.roll(ROLES[number % len(ROLES)])
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                end = time.monotonic() + 90
                while time.monotonic() < end and (
                    not all(map(place.answered, questions)) or open_work(database) or read(database) < wiki.count
                ):
                    await asyncio.sleep(0.2)
                await place.slack.settled(timeout=60)
            seen = Counter(len(place.replies(question)) for question in questions)
            unanswered = [question.ts for question in questions if not place.answered(question)]
            print(
                f"{rounds} rolling restarts, {len(questions)} questions in {time.monotonic() - began:.0f} s; "
                f"visible messages {dict(seen)}, unanswered {len(unanswered)}, "
                f"slowest drain {max(ships.drains):.1f} s, documents {read(database)} of {wiki.count}"
            )
            assert not unanswered
            assert seen == {1: len(questions)}
            assert max(ships.drains) <= DRAIN_MOST
            assert read(database) == wiki.count
