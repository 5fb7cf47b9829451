"""Promises on Discord: what is acknowledged while everything behind is held up, lost responses, limits, payloads."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("discord")
sys.path.insert(0, str(Path(__file__).parent))  # the tests are no package

from discord_harness import City, city
from discord_replica import DiscordReplica
from replicas import furnish

from citebot.storage import Database, schema


async def at_work(place: City, folder: Path, **more: Any) -> DiscordReplica:
    """A replica in this process, over a new database."""
    url = f"sqlite:///{folder / 'citebot.db'}"
    schema.upgrade(Database(url))
    config = place.config(url=url, folder=folder, hasty=True, **more)
    await furnish(config, DiscordReplica)
    return DiscordReplica(config)


@pytest.fixture
async def quick() -> AsyncIterator[City]:
    """A Discord with its limits."""
    async with city(speed=20, people=20, channels=5) as place:
        yield place


async def test_p3_everybody_is_answered_at_once_while_everything_behind_stands_still(
    quick: City, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    replica = await at_work(quick, tmp_path, stalled=True)
    async with replica.working():
        await quick.discord.until(lambda: replica.platform.trouble == "")
        for start in range(0, count(40, 10_000), 20):
            some = (quick.command(start + n, n, f"What does permit {start + n} cost?") for n in range(20))
            assert [one.kind for one in await asyncio.gather(*some)] == ["deferred"] * 20
        took = sorted(one.ack_seconds or 99.0 for one in quick.discord.deliveries)
        p50, p99 = took[len(took) // 2], took[len(took) * 99 // 100]
        print(f"{len(took)} interactions: p50 {p50:.3f} s, p99 {p99:.3f} s, at most {took[-1]:.3f} s")
        assert p99 <= 1.0


async def test_p2_lost_responses_and_floods_show_no_answer_twice(
    quick: City, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    replica = await at_work(quick, tmp_path)
    async with replica.working():
        await quick.discord.until(lambda: replica.platform.trouble == "")
        for number in range(count(6, 300)):
            quick.discord.settings.copies = 1 + number % 3
            method = ("create_message", "edit_message", "edit_original_response")[number % 3]
            quick.discord.faults.drop_response(method)
            await quick.mention(number, number, f"What does permit {number} cost?")
            await quick.command(number, number, f"What does the permit {number} cost?")
        await quick.all_answered(timeout=count(90, 900))
        await quick.discord.settled(timeout=60)
        assert {len(quick.replies(asked)) for asked in quick.asked} == {1}


async def test_many_askers_under_the_real_limits_lose_nothing_and_break_nothing(
    quick: City, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    replica = await at_work(quick, tmp_path)
    askers = count(15, 200)
    async with replica.working():
        await quick.discord.until(lambda: replica.platform.trouble == "")
        asking = (quick.command(n, n, f"What does permit {n} cost?") for n in range(askers))
        await asyncio.gather(*asking)
        await quick.all_answered(timeout=120)

    sent, strikes = len(quick.discord.sent), quick.discord.strikes
    print(f"{len(quick.asked)} of {askers} answered, {strikes} of {sent} calls were refused for their pace or rights")
    assert len(quick.asked) == askers
    assert quick.discord.strikes <= max(1, len(quick.discord.sent) // 1_000) + 5


async def test_p18_nothing_that_is_sent_calls_links_or_unfurls(
    quick: City, tmp_path: Path, count: Callable[[int, int], int]
) -> None:
    replica = await at_work(quick, tmp_path)
    evil = "@everyone <@&1> [permit](https://evil.example) https://evil.example discord.gg/evil"
    async with replica.working():
        await quick.discord.until(lambda: replica.platform.trouble == "")
        for number in range(count(4, 200)):
            await quick.command(number, number, f"What does permit {number} cost? {evil}")
        await quick.all_answered(timeout=count(60, 600))
        for asked in quick.asked:
            for shown in quick.replies(asked):
                assert shown.calls == frozenset()
                assert not shown.unfurls
                assert not [link for link in shown.links if "evil" in link]
