"""Mode `http`: signed posts reach the same handlers; what is not Slack's reaches none."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from citebot.errors import PluginError, Retry
from citebot.ports import PartContext
from citebot.testing.scripted_desk import ScriptedDesk

pytest.importorskip("slack_bolt")

from citebot.testing.slack import App, FakeSlack
from citebot_connectors.platforms.slack.manifest import PATH
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings


class Listening:
    """Citebot behind an address that Slack posts to."""

    def __init__(self, slack: FakeSlack, app: App, **settings: Any) -> None:
        self.slack, self.app = slack, app
        given = {"mode": "http", "port": 0, "signing_secret": app.signing_secret, "bot_token": app.bot_token}
        self.platform = SlackPlatform(
            SlackSettings.model_validate({**given, "base_url": slack.api_url, "catch_up": 0, **settings}),
            PartContext(data_dir=Path()),
        )
        self.desk = ScriptedDesk(platform=self.platform)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.platform.run(self.desk))
        connected = asyncio.create_task(self.platform.connected.wait())
        await asyncio.wait({running, connected}, timeout=30, return_when=asyncio.FIRST_COMPLETED)
        try:
            if running.done():
                await running
            self.app.request_url = self.platform.address + PATH
            yield
        finally:
            running.cancel()
            connected.cancel()
            await asyncio.gather(running, connected, return_exceptions=True)
            await self.desk.close()

    async def post(self, body: bytes, **headers: str) -> tuple[int, str]:
        async with aiohttp.ClientSession() as session:
            given = {"Content-Type": "application/json", **headers}
            async with session.post(self.platform.address + PATH, data=body, headers=given) as answer:
                return answer.status, await answer.text()


@pytest.fixture
async def listening() -> AsyncIterator[Listening]:
    async with FakeSlack(speed=60) as slack:
        made = Listening(slack, slack.add_app("citebot", commands=["/ask"]))
        async with made.working():
            yield made


async def test_item_2_http_mode_answers_mentions_with_the_same_handlers(listening: Listening) -> None:
    slack, alice = listening.slack, listening.slack.add_user("alice")
    general = slack.add_channel("general", [alice, listening.app])
    question = await slack.say(alice, general, f"{listening.app.mention} where are the keys?")
    await slack.until(lambda: len(slack.messages(general, question.ts)) > 1)
    await slack.settled()

    assert [one.text for one in listening.desk.accepted] == ["where are the keys?"]
    assert all(delivery.acked for delivery in slack.deliveries)
    assert listening.platform.trouble == ""


async def test_commands_and_buttons_come_in_by_http(listening: Listening) -> None:
    slack, alice = listening.slack, listening.slack.add_user("alice")
    general = slack.add_channel("general", [alice, listening.app])
    outcome = await slack.command(alice, general, "/ask where are the keys?")
    assert "where are the keys" in json.dumps(outcome.body)
    await slack.until(lambda: listening.desk.accepted)
    question = await slack.say(alice, general, f"{listening.app.mention} where are the doors?")
    await slack.until(lambda: [m for m in slack.messages(general, question.ts)[1:] if m.element("citebot_delete")])
    answer = slack.messages(general, question.ts)[-1]
    await slack.click(alice, answer, "citebot_delete")
    await slack.settled()

    assert len(slack.messages(general, question.ts)) == 1


async def test_the_address_is_proved_only_to_slack(listening: Listening) -> None:
    assert (await listening.slack.verify_url(listening.app)).body == {"challenge": "challenge"}
    status, text = await listening.post(b'{"type": "url_verification", "challenge": "x"}')
    assert (status, "challenge" in text) == (401, False)


async def test_a_question_that_could_not_be_stored_comes_again(listening: Listening) -> None:
    slack, alice = listening.slack, listening.slack.add_user("alice")
    general = slack.add_channel("general", [alice, listening.app])
    listening.desk.problem = Retry("The database is busy.")
    await slack.say(alice, general, f"{listening.app.mention} where are the keys?")
    await slack.until(lambda: any(d.reason == "http_error" for d in slack.deliveries))
    listening.desk.problem = None
    await slack.until(lambda: listening.desk.accepted, timeout=30)
    await slack.settled()
    assert len({one.delivery_id for one in listening.desk.accepted}) == 1


async def test_the_desks_own_routes_are_served_beside(listening: Listening) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"{listening.platform.address}{PATH}") as answer:
        assert answer.status == 405
    async with aiohttp.ClientSession() as session, session.get(f"{listening.platform.address}/elsewhere") as answer:
        assert answer.status == 404


async def test_a_signature_is_worth_five_minutes_and_one_handling(listening: Listening) -> None:
    slack, alice = listening.slack, listening.slack.add_user("alice")
    general = slack.add_channel("general", [alice, listening.app])
    question = await slack.say(alice, general, f"{listening.app.mention} where are the keys?")
    await slack.settled()
    (told,) = [d for d in slack.deliveries if d.body["event"]["type"] == "app_mention"]
    body, handled = json.dumps(told.body).encode(), len(listening.desk.deliveries)
    fresh = slack.poster.sign(listening.app, body, timestamp=str(int(time.time()) + 1))
    old = slack.poster.sign(listening.app, body, timestamp=str(int(time.time()) - 301))

    assert (await listening.post(body, **fresh))[0] == 200
    assert len(listening.desk.deliveries) == handled + 1  # told anew by Slack: the inbox knows it
    assert (await listening.post(body, **fresh))[0] == 200
    assert (await listening.post(body, **old))[0] == 401
    assert len(listening.desk.deliveries) == handled + 1
    assert [one.message_id for one in listening.desk.accepted] == [question.ts]


async def test_a_missing_signing_secret_and_a_taken_port_are_one_line(listening: Listening) -> None:
    port = listening.platform.address.rpartition(":")[2]
    with pytest.raises(PluginError, match=r"Slack needs platform\.slack\.signing_secret\."):
        async with Listening(listening.slack, listening.app, signing_secret="").working():
            pass
    with pytest.raises(Exception, match=r"Change platform\.slack\.host or platform\.slack\.port\."):
        async with Listening(listening.slack, listening.app, port=int(port)).working():
            pass
