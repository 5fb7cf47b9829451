"""Promise P3 on Slack: events are acknowledged at once, whatever is slow behind them."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from replicas import furnish, replicas
from slack_harness import SCRIPT, town
from slack_replica import SlackReplica

from citebot.testing.slack.core import Delivery

PER_SECOND = 10
"""Mentions; Slack sends two events about each."""


def late(delivery: Delivery) -> bool:
    """Whether an event had to be sent again."""
    return delivery.attempts > 1


@asynccontextmanager
async def busy(processes: int) -> AsyncIterator[None]:
    """While others want the processor."""
    burning = [await asyncio.create_subprocess_exec(sys.executable, "-c", "while True: pass") for _ in range(processes)]
    try:
        yield
    finally:
        for process in burning:
            process.kill()
            await process.wait()


@pytest.mark.slow
@pytest.mark.timeout(3600)
async def test_events_are_acknowledged_while_model_index_and_embedder_are_stalled(
    store: str, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    async with town(speed=1, people=50, channels=20) as place:
        config = place.config(folder=tmp_path, url=store, pace={})
        # By a name, because names are looked up on threads that what is stalled might hold.
        config["slack"]["base_url"] = config["slack"]["base_url"].replace("127.0.0.1", "localhost")
        await furnish(config, SlackReplica)
        with replicas(config, SCRIPT) as bot:
            async with busy(count(1, 2)):
                await bot.start(stalled=True)
                await place.slack.until(lambda: place.slack.sockets(place.app), timeout=60)
                for number in range(count(40, 5_000)):
                    await place.ask(number, number // 7, f"What does permit {number} cost?")
                    await asyncio.sleep(1 / PER_SECOND)
                    if number % 500 == 499:
                        print(f"{number + 1} mentions, {sum(map(late, place.slack.deliveries))} events late so far")
                await place.slack.until(lambda: all(delivery.over for delivery in place.slack.deliveries), timeout=400)
        took = sorted(delivery.ack_seconds or 99.0 for delivery in place.slack.deliveries)
        again = sum(map(late, place.slack.deliveries))
    p99 = took[int(0.99 * len(took))]
    print(f"{len(took)} events: acknowledged p50 {took[len(took) // 2]:.3f} s, p99 {p99:.3f} s, last {took[-1]:.3f} s")
    assert not again, f"{again} were not acknowledged within 3 s"
    assert p99 <= count(3, 1)
