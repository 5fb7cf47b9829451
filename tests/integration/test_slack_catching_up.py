"""What was said while nobody listened is read back: what of it is a question, and how far back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("slack_bolt")

from citebot.errors import StorageError
from citebot.ports import MemoryVault, PartContext
from citebot.testing.scripted_desk import ScriptedDesk
from citebot.testing.slack import FakeSlack
from citebot.testing.slack.control import BOT_SCOPES
from citebot_connectors.platforms.slack.link import Pace
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings


class Office:
    """A workspace, and a bot that comes and goes."""

    def __init__(self, slack: FakeSlack, folder: Path, **app: Any) -> None:
        self.slack = slack
        self.context = PartContext(data_dir=folder, vault=MemoryVault())
        self.alice, self.bob = slack.add_user("alice"), slack.add_user("bob")
        self.app = slack.add_app("citebot", **app)
        self.room = slack.add_channel("room", [self.alice, self.bob, self.app])

    async def say(self, text: str, **where: Any) -> str:
        """Alice says something; its time stamp."""
        return (await self.slack.say(self.alice, where.pop("place", self.room), text, **where)).ts

    @asynccontextmanager
    async def at_work(self, **settings: Any) -> AsyncIterator[ScriptedDesk]:
        """While the bot runs."""
        tokens = {"bot_token": self.app.bot_token, "app_token": self.app.app_token, "base_url": self.slack.api_url}
        platform = SlackPlatform(SlackSettings.model_validate(tokens | settings), self.context)
        platform.pace = Pace(ping=1.0, keepalive=5.0)
        desk = ScriptedDesk(platform=platform)
        running = asyncio.create_task(platform.run(desk))
        await self.slack.until(lambda: not platform.trouble or running.done())
        # The first start only notes how far everything was heard.
        while not await self.context.vault.names() and not running.done():
            await asyncio.sleep(0.01)
        try:
            yield desk
        finally:
            await desk.close()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def come_and_go(self) -> None:
        """Work for a moment."""
        async with self.at_work():
            pass


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with FakeSlack(speed=600) as slack:
        yield Office(slack, tmp_path)


async def silence(slack: FakeSlack) -> None:
    """Wait until Slack has given up on all it could not deliver."""
    await slack.until(lambda: all(delivery.over for delivery in slack.deliveries), timeout=20)


async def test_questions_everywhere_are_found_in_their_order(office: Office) -> None:
    await office.come_and_go()
    first = await office.say(f"{office.app.mention} what does it cost?")
    await office.say("good morning")
    second = await office.say(f"{office.app.mention} and in summer?", thread_ts=first)
    third = await office.say("and on Sundays?", thread_ts=first)
    direct = await office.say("what does it cost?", place=office.app)
    await silence(office.slack)
    async with office.at_work() as desk:
        await office.slack.until(lambda: len(desk.accepted) >= 4)
        assert [inbound.message_id for inbound in desk.accepted] == [first, second, third, direct]
        assert desk.accepted[-1].conversation.visibility == "dm"


async def test_what_was_no_question_then_is_none_now(office: Office) -> None:
    await office.come_and_go()
    root = await office.say("who knows the permit?")
    await office.say("I think it is 40 euros", thread_ts=root)
    asked = await office.say(f"{office.app.mention} is that right?", thread_ts=root)
    await office.say(office.app.mention)
    await silence(office.slack)
    async with office.at_work() as desk:
        await office.slack.until(lambda: desk.accepted)
        await office.slack.settled(quiet=0.5)
        assert [inbound.message_id for inbound in desk.accepted] == [asked]
    assert not office.slack.calls("chat.postEphemeral"), "a hint is of no use any more"


async def test_nothing_from_before_the_first_start_is_answered(office: Office) -> None:
    await office.say(f"{office.app.mention} is anybody there?")
    await silence(office.slack)
    async with office.at_work() as desk:
        await office.slack.settled(quiet=0.5)
        assert not desk.accepted
        assert not office.slack.calls("conversations.history")


async def test_reading_back_can_be_turned_off(office: Office) -> None:
    await office.come_and_go()
    await office.say(f"{office.app.mention} is anybody there?")
    await silence(office.slack)
    async with office.at_work(catch_up=0) as desk:
        await office.slack.settled(quiet=0.5)
        assert not desk.accepted


async def test_a_distributed_app_waits_as_long_as_slack_says(tmp_path: Path) -> None:
    async with FakeSlack(speed=20) as slack:
        office = Office(slack, tmp_path, distribution="unlisted")
        other = slack.add_channel("other", [office.alice, office.app])
        await office.come_and_go()
        asked = [await office.say(f"{office.app.mention} anybody?", place=place) for place in (office.room, other)]
        await silence(slack)
        async with office.at_work() as desk:
            await slack.until(lambda: len(desk.accepted) == 2, timeout=40)
        assert [inbound.message_id for inbound in desk.accepted] == asked
        assert any(call.result.get("error") == "ratelimited" for call in slack.calls("conversations.history"))


async def test_what_cannot_be_read_does_not_hold_up_the_rest(tmp_path: Path) -> None:
    async with FakeSlack(speed=600) as slack:
        office = Office(slack, tmp_path, scopes=BOT_SCOPES - {"groups:history", "mpim:read"})
        private = slack.add_channel("board", [office.alice, office.app], private=True)
        await office.come_and_go()
        await office.say(f"{office.app.mention} anybody?", place=private)
        direct = await office.say("anybody?", place=office.app)
        await silence(slack)
        async with office.at_work() as desk:
            await slack.until(lambda: desk.accepted)
            assert [inbound.message_id for inbound in desk.accepted] == [direct]


async def test_a_question_that_cannot_be_stored_is_taken_later(office: Office) -> None:
    await office.come_and_go()
    asked = await office.say(f"{office.app.mention} anybody?")
    await silence(office.slack)
    async with office.at_work() as desk:
        accept, failures = desk.accept, iter([True, True, False])

        async def refuse(inbound: Any) -> int:
            if next(failures, False):
                raise StorageError("The database is away.")
            return await accept(inbound)

        desk.accept = refuse  # type: ignore[method-assign]
        await office.slack.until(lambda: desk.accepted, timeout=40)
        assert [inbound.message_id for inbound in desk.accepted] == [asked]
