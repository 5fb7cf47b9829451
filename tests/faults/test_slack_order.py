"""Promise P6 on Slack."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from chat_order import LEASE, Threads, hold_order
from replicas import furnish
from slack_harness import Town, town
from slack_replica import SlackReplica

from citebot.testing.slack import Message


class Mentions(Threads[Message]):
    """Threads that begin with the first question."""

    def __init__(self, place: Town) -> None:
        self.place, self.fake = place, place.slack

    async def ask(self, number: int, text: str, before: list[Message]) -> Message:
        return await self.place.ask(number, number, text, thread_ts=before[0].ts if before else "")

    def name(self, question: Message) -> str:
        return question.ts

    def order(self, asked: list[Message]) -> list[str]:
        said = ((shown.metadata or {}).get("event_payload") or {} for shown in self.place.replies(asked[0]))
        return [data["question"] for data in said if data]


@pytest.mark.parametrize(("replicas", "gap"), [(1, 0.02), (2, 0.6)], ids=["one process", "two processes"])
@pytest.mark.timeout(3600)
async def test_quick_questions_of_a_thread_are_answered_in_their_order(
    store: str, tmp_path: Path, count: Callable[[int, int], int], replicas: int, gap: float
) -> None:
    async with town(speed=20, people=25, channels=25) as place, AsyncExitStack() as stack:
        config = place.config(folder=tmp_path, url=store, lease=LEASE, wait=0.3, fails=0.1, hasty=True)
        await furnish(config, SlackReplica)
        for number in range(replicas):
            await stack.enter_async_context(SlackReplica({**config, "seed": number}).working())
        await place.slack.until(lambda: len(place.slack.sockets(place.app)) == replicas, timeout=60)
        await hold_order(Mentions(place), most=count(10, 500), gap=gap)
