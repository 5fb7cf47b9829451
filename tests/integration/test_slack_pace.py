"""Slack is called as often as it likes, from threads of our own, and what grows can be taken back."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

pytest.importorskip("slack_bolt")

from citebot.conversing.pacing import Lane
from citebot.errors import CannotShow, Retry
from citebot.model import Conversation
from citebot.ports import Outbound
from citebot.testing.slack import Channel, FakeSlack
from citebot_connectors.platforms.slack.calling import Web
from citebot_connectors.platforms.slack.outlet import Outlet
from citebot_connectors.platforms.slack.private import respond
from citebot_connectors.platforms.slack.texts import texts_for
from citebot_connectors.platforms.slack.threads import Threads

PARKING = "What does the parking permit cost?"


@dataclass(frozen=True, slots=True)
class Placed:
    """A question in a channel, and what shows its answer."""

    slack: FakeSlack
    room: Channel
    outlet: Outlet
    to: Outbound


@pytest.fixture
async def placed() -> AsyncIterator[Placed]:
    async with FakeSlack() as slack:
        app, user = slack.add_app("citebot"), slack.add_user("zoe")
        room = slack.add_channel("room", [user, app])
        question = await slack.say(user, room, "Hello?")
        web = Web(app.bot_token, slack.api_url)
        outlet = Outlet(web, Threads(web), texts=lambda to: texts_for("en"), now=lambda: datetime.now(UTC))
        outlet.remember_asker(room.id, question.ts, user.id)
        place = Conversation("slack", room.id, slack.workspace.id, question.ts)
        yield Placed(slack, room, outlet, Outbound(place, question.ts, "inbox-1"))
        await web.close()


async def test_a_refused_stream_becomes_one_message_at_the_end(team: Any) -> None:
    team.slack.faults.storm("chat.startStream", times=9, retry_after=1)
    answer = await team.answer(await team.ask(team.alice, team.general, PARKING))

    assert "40 euros" in answer.text
    assert [len(team.slack.calls(f"chat.{method}")) for method in ("startStream", "postMessage")] == [1, 1]


async def test_after_a_refusal_streams_are_begun_as_often_as_slack_said(team: Any) -> None:
    team.slack.faults.storm("chat.startStream", retry_after=40)
    questions = [await team.ask(team.alice, team.general, f"{PARKING} {number}") for number in range(4)]
    for question in questions:
        await team.answer(question)

    assert len(team.slack.calls("chat.startStream")) == 1


async def test_many_calls_of_one_method_do_not_all_run_into_the_limit() -> None:
    async with FakeSlack() as slack:
        app = slack.add_app("citebot")
        web = Web(app.bot_token, slack.api_url)
        slack.faults.storm("users.info", times=100)
        found = await asyncio.gather(*(web.read("users.info", user="U1") for _ in range(50)), return_exceptions=True)
        await web.close()

    assert all(isinstance(error, Retry) and error.after for error in found)
    assert len(slack.calls("users.info")) <= 10


async def test_a_call_that_can_be_spared_keeps_the_distance_for_a_minute() -> None:
    now = 100.0
    lane = Lane(lambda: now)
    assert [lane.spare(), lane.spare()] == [True, True]
    lane.refused(3.0)
    assert (lane.spare(), lane.left) == (False, 3.0)
    now = 103.0
    assert [lane.spare(), lane.spare()] == [True, False]
    now = 200.0
    assert [lane.spare(), lane.spare()] == [True, True]


async def test_names_are_looked_up_while_the_threads_of_the_loop_are_taken() -> None:
    async with FakeSlack() as slack:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        gate = threading.Event()
        holding = asyncio.create_task(asyncio.to_thread(gate.wait))
        web = Web(slack.add_app("citebot").bot_token, slack.api_url.replace("127.0.0.1", "localhost"))
        try:
            async with asyncio.timeout(5):
                us = await web.identity()
        finally:
            gate.set()
            await holding
            await web.close()

    assert us.team == slack.workspace.id


async def test_a_stream_that_slack_refuses_for_now_is_given_up(placed: Placed) -> None:
    placed.slack.faults.storm("chat.startStream", retry_after=1)
    for _ in range(2):
        with pytest.raises(CannotShow):
            await placed.outlet.begin_stream(placed.to, key="inbox-1-0")

    assert len(placed.slack.calls("chat.startStream")) == 1


async def test_a_message_that_still_grows_is_taken_back(placed: Placed) -> None:
    growing = await placed.outlet.begin_stream(placed.to, key="inbox-1-0")
    await placed.outlet.extend_stream(placed.to, growing, "It is")
    await placed.outlet.delete(placed.room.id, growing)
    await placed.outlet.delete(placed.room.id, growing)  # one that is gone is fine

    thread = placed.to.conversation.thread
    assert [shown.ts for shown in placed.slack.messages(placed.room, thread)] == [thread]


async def test_a_call_after_the_end_leaves_no_connection_open(placed: Placed) -> None:
    web = placed.outlet._web
    await web.identity()
    await web.close()
    await web.write("auth.test")
    assert web._client is None


@pytest.mark.parametrize("later", range(8))
async def test_a_call_that_begins_while_connections_end_leaves_none_open(later: int) -> None:
    async with FakeSlack() as slack:
        web = Web(slack.add_app("citebot").bot_token, slack.api_url)

        async def call() -> None:
            for _ in range(later):
                await asyncio.sleep(0)
            await web.write("auth.test")

        await web.write("auth.test")
        await asyncio.gather(web.close(), call(), respond(web, f"{slack.api_url}gone", {"text": "Hello"}))

        assert not [one for one in gc.get_objects() if isinstance(one, aiohttp.ClientSession) and not one.closed]
