"""Promise P6 on Slack: questions of one thread are answered in the order in which they were asked."""

from __future__ import annotations

import asyncio
import random
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from slack_harness import Town, furnish, town
from slack_replica import Replica

from citebot.storage import Database, schema
from citebot.testing.slack import Message

TOGETHER = 10
"""Threads in which somebody is asking at the same time."""


async def ask_thrice(place: Town, number: int, chance: random.Random, *, gap: float) -> list[Message]:
    """Three questions of one person, the second before the first is answered."""
    asked = [await place.ask(number, number, "What does the first permit cost?")]
    for which in ("second", "third"):
        await asyncio.sleep(chance.uniform(0, gap))
        text = f"What does the {which} permit cost?"
        asked.append(await place.ask(number, number, text, thread_ts=asked[0].ts))
    return asked


def order(place: Town, root: Message) -> list[str]:
    """Which questions of a thread were answered, in the order of the answers."""
    said = ((shown.metadata or {}).get("event_payload") or {} for shown in place.replies(root))
    return [data["question"] for data in said if data]


@pytest.mark.parametrize(("replicas", "gap"), [(1, 0.02), (2, 0.6)], ids=["one process", "two processes"])
@pytest.mark.timeout(3600)
async def test_quick_questions_of_a_thread_are_answered_in_their_order(
    tmp_path: Path, count: Callable[[int, int], int], replicas: int, gap: float
) -> None:
    url, chance = f"sqlite:///{tmp_path / 'citebot.db'}", random.Random(6)
    database = Database(url)
    schema.upgrade(database)
    database.close()
    threads: list[list[Message]] = []

    def answered() -> bool:
        return all(len(order(place, asked[0])) >= 3 for asked in threads[-TOGETHER:])

    async with town(speed=20, people=25, channels=25) as place, AsyncExitStack() as stack:
        config = place.config(folder=tmp_path, url=url, wait=0.3, fails=0.1, hasty=True)
        await furnish(config)
        for number in range(replicas):
            await stack.enter_async_context(Replica({**config, "seed": number}).working())
        await place.slack.until(lambda: len(place.slack.sockets(place.app)) == replicas, timeout=60)
        for first in range(0, count(10, 500), TOGETHER):
            some = range(first, first + TOGETHER)
            threads += await asyncio.gather(*(ask_thrice(place, number, chance, gap=gap) for number in some))
            await place.slack.until(answered, timeout=300)
            print(f"{len(threads)} threads")
        await place.slack.settled(timeout=60)
        wrong = [asked for asked in threads if order(place, asked[0]) != [message.ts for message in asked]]
    print(f"{len(threads)} threads of three questions: {len(wrong)} in another order")
    assert not wrong
