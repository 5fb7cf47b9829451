"""What the fake Slack refuses: blocks, texts, too many calls; and the faults a test arranges."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
)
from slack_sdk.models.views import View
from slack_sdk.web.async_client import AsyncWebClient

from citebot.testing.slack import App, Channel, FakeSlack

Json = dict[str, Any]


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
def app(slack: FakeSlack) -> App:
    return slack.add_app("citebot")


@pytest.fixture
def channel(slack: FakeSlack, app: App) -> Channel:
    return slack.add_channel("general", [app, slack.add_user("alice")])


@pytest.fixture
def web(slack: FakeSlack, app: App) -> AsyncWebClient:
    return AsyncWebClient(app.bot_token, base_url=slack.api_url, retry_handlers=[])


async def refusal(call: Any) -> Any:
    with pytest.raises(SlackApiError) as error:
        await call
    return error.value.response


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


def button(**more: Any) -> Json:
    return {"type": "button", "action_id": "a", "text": plain("x"), **more}


def section(text: str) -> Json:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def feedback(count: int) -> Json:
    one = {"text": plain("Good"), "value": "up"}
    element = {"type": "feedback_buttons", "positive_button": one, "negative_button": one}
    return {"type": "context_actions", "elements": [element] * count}


def table(rows: int, cells: int) -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * cells] * rows}


LONGEST: dict[str, tuple[Any, Any]] = {
    "50 blocks": ([{"type": "divider"}] * 50, [{"type": "divider"}] * 51),
    "section 3000": ([section("x" * 3000)], [section("x" * 3001)]),
    "header 150": ([{"type": "header", "text": plain("x" * 150)}], [{"type": "header", "text": plain("x" * 151)}]),
    "markdown 12000": ([{"type": "markdown", "text": "x" * 12000}], [{"type": "markdown", "text": "x" * 12001}]),
    "markdown in sum": ([{"type": "markdown", "text": "x" * 6000}] * 2, [{"type": "markdown", "text": "x" * 6001}] * 2),
    "25 actions": (
        [{"type": "actions", "elements": [button()] * 25}],
        [{"type": "actions", "elements": [button()] * 26}],
    ),
    "10 in context": (
        [{"type": "context", "elements": [plain("x")] * 10}],
        [{"type": "context", "elements": [plain("x")] * 11}],
    ),
    "5 context actions": ([feedback(5)], [feedback(6)]),
    "button text 75": (
        [{"type": "actions", "elements": [button(text=plain("x" * 75))]}],
        [{"type": "actions", "elements": [button(text=plain("x" * 76))]}],
    ),
    "button value 2000": (
        [{"type": "actions", "elements": [button(value="x" * 2000)]}],
        [{"type": "actions", "elements": [button(value="x" * 2001)]}],
    ),
    "button url 3000": (
        [{"type": "actions", "elements": [button(url="x" * 3000)]}],
        [{"type": "actions", "elements": [button(url="x" * 3001)]}],
    ),
    "block_id 255": (
        [{"type": "divider", "block_id": "x" * 255}],
        [{"type": "divider", "block_id": "x" * 256}],
    ),
    "table 100 rows": ([table(100, 1)], [table(101, 1)]),
    "table 20 cells": ([table(1, 20)], [table(1, 21)]),
    "one table": ([table(1, 1)], [table(1, 1)] * 2),
    "10 fields": (
        [{"type": "section", "fields": [plain("x")] * 10}],
        [{"type": "section", "fields": [plain("x")] * 11}],
    ),
    "a text that is not empty": ([section("x")], [section("")]),
    "known types": ([{"type": "divider"}], [{"type": "marquee"}]),
    "known properties": ([{"type": "divider"}], [{"type": "divider", "colour": "red"}]),
    "required properties": ([section("x")], [{"type": "section"}]),
    "block_ids that differ": (
        [{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "b"}],
        [{"type": "divider", "block_id": "a"}] * 2,
    ),
}


@pytest.mark.parametrize("limit", LONGEST)
async def test_blocks_within_a_limit_pass_and_beyond_it_do_not(
    web: AsyncWebClient, channel: Channel, limit: str
) -> None:
    within, beyond = LONGEST[limit]
    await web.chat_postMessage(channel=channel.id, text="x", blocks=within)
    response = await refusal(web.chat_postMessage(channel=channel.id, text="x", blocks=beyond))
    assert response["error"] == "invalid_blocks"
    (message,) = set(response["response_metadata"]["messages"])
    assert message.startswith("[ERROR] ")
    assert "[json-pointer:/blocks" in message


async def test_markdown_that_draws_more_than_fifty_blocks_is_refused(web: AsyncWebClient, channel: Channel) -> None:
    fifty = "\n".join(f"# Heading {n}\ntext" for n in range(25))
    await web.chat_postMessage(channel=channel.id, text="x", blocks=[{"type": "markdown", "text": fifty}])
    more = [{"type": "markdown", "text": f"{fifty}\n# One more"}]
    response = await refusal(web.chat_postMessage(channel=channel.id, text="x", blocks=more))
    assert response["error"] == "msg_blocks_too_long"


async def test_long_text_is_cut_in_a_post_and_refused_in_an_update(
    slack: FakeSlack, web: AsyncWebClient, channel: Channel
) -> None:
    posted = await web.chat_postMessage(channel=channel.id, text="x" * 40_001)
    assert posted["response_metadata"]["warnings"] == ["message_truncated"]
    assert len(slack.messages(channel)[0].text) == 40_000
    await web.chat_update(channel=channel.id, ts=posted["ts"], text="x" * 4000)
    response = await refusal(web.chat_update(channel=channel.id, ts=posted["ts"], text="x" * 4001))
    assert response["error"] == "msg_too_long"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"text": ""}, "no_text"),
        ({"text": "x", "markdown_text": "x"}, "markdown_text_conflict"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"text": "x", "metadata": {"event": 1}}, "invalid_metadata_format"),
        ({"text": "x", "blocks": "[{"}, "invalid_blocks"),
    ],
)
async def test_a_message_needs_a_text_and_one_kind_of_it(
    web: AsyncWebClient, channel: Channel, body: Json, error: str
) -> None:
    response = await refusal(web.api_call("chat.postMessage", json={"channel": channel.id, **body}))
    assert response["error"] == error


async def test_an_update_without_blocks_keeps_them(slack: FakeSlack, web: AsyncWebClient, channel: Channel) -> None:
    posted = await web.chat_postMessage(channel=channel.id, text="x", blocks=[section("kept")])
    await web.chat_update(channel=channel.id, ts=posted["ts"], text="new")
    assert (slack.messages(channel)[0].text, slack.messages(channel)[0].fallback) == ("kept", "new")
    await web.chat_update(channel=channel.id, ts=posted["ts"], text="new", blocks=[])
    assert slack.messages(channel)[0].text == "new"


async def test_views_have_limits_of_their_own(web: AsyncWebClient) -> None:
    good = {"type": "modal", "title": plain("Why?"), "blocks": [{"type": "divider"}]}
    await web.blocks_validate(view=good)
    for bad in (
        {"title": plain("x" * 25)},
        {"blocks": [{"type": "divider"}] * 101},
        {"blocks": [{"type": "markdown", "text": "x"}]},
        {"private_metadata": "x" * 3001},
        {"type": "window"},
        {"blocks": [{"type": "input", "label": plain("x"), "element": {"type": "plain_text_input"}}]},
    ):
        assert (await refusal(web.blocks_validate(view={**good, **bad})))["error"] == "invalid_arguments"


async def test_a_home_for_nobody_is_refused(web: AsyncWebClient, app: App) -> None:
    home = View(type="home", blocks=[section("x")])
    assert (await refusal(web.views_publish(user_id=app.bot.id, view=home)))["error"] == "user_not_found"


async def test_methods_are_limited_by_tier_with_a_time_to_wait(slack: FakeSlack, web: AsyncWebClient, app: App) -> None:
    for _ in range(20):
        await web.users_list()
    response = await refusal(web.users_list())
    assert (response.status_code, response["error"]) == (429, "ratelimited")
    assert response.headers["Retry-After"] == "3"
    await web.users_info(user=app.bot.id)
    other = slack.install(app, slack.add_workspace("Other"))
    await web.users_list(token=other.token)
    slack.clock.skip(3)
    await web.users_list()


async def test_a_channel_takes_a_burst_and_then_a_message_a_second(
    slack: FakeSlack, web: AsyncWebClient, app: App, channel: Channel
) -> None:
    posts = [web.chat_postMessage(channel=channel.id, text=str(n)) for n in range(12)]
    outcomes = await asyncio.gather(*posts, return_exceptions=True)
    limited = [o for o in outcomes if isinstance(o, SlackApiError)]
    assert {o.response.headers["Retry-After"] for o in limited} == {"1"}
    assert len(slack.messages(channel)) == 12 - len(limited) == 10
    elsewhere = slack.add_channel("random", [app])
    await web.chat_postMessage(channel=elsewhere.id, text="x")


async def test_limits_of_rate_can_be_switched_off(slack: FakeSlack, web: AsyncWebClient) -> None:
    slack.settings.rates = False
    for _ in range(25):
        await web.users_list()


async def test_slacks_own_retry_handler_gets_through(slack: FakeSlack, app: App) -> None:
    web = AsyncWebClient(app.bot_token, base_url=slack.api_url, retry_handlers=[AsyncRateLimitErrorRetryHandler()])
    storm = slack.faults.storm("auth.test")
    await web.auth_test()
    assert (storm.met, len(slack.calls("auth.test"))) == (1, 2)


async def test_an_unlisted_app_reads_one_page_of_fifteen_a_minute(slack: FakeSlack) -> None:
    app, alice = slack.add_app(distribution="unlisted"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    for number in range(20):
        await slack.say(alice, channel, str(number))
    web = AsyncWebClient(app.bot_token, base_url=slack.api_url, retry_handlers=[])
    page = await web.conversations_history(channel=channel.id, limit=100)
    assert (len(page["messages"]), page["has_more"]) == (15, True)
    response = await refusal(web.conversations_history(channel=channel.id))
    assert (response["error"], response.headers["Retry-After"]) == ("ratelimited", "60")


async def test_a_dropped_response_comes_after_the_deed(slack: FakeSlack, web: AsyncWebClient, channel: Channel) -> None:
    slack.faults.drop_response("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await web.chat_postMessage(channel=channel.id, text="once")
    assert [m.text for m in slack.messages(channel)] == ["once"]
    slack.faults.refuse("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await web.chat_postMessage(channel=channel.id, text="never")
    assert [m.text for m in slack.messages(channel)] == ["once"]


async def test_slacks_default_client_says_it_twice_when_the_response_is_dropped(
    slack: FakeSlack, app: App, channel: Channel
) -> None:
    web = AsyncWebClient(app.bot_token, base_url=slack.api_url, retry_handlers=[AsyncConnectionErrorRetryHandler()])
    slack.faults.drop_response("chat.postMessage")
    await web.chat_postMessage(channel=channel.id, text="twice")
    assert [m.text for m in slack.messages(channel)] == ["twice", "twice"]


@pytest.mark.parametrize("after", [False, True])
async def test_a_call_can_stall_before_or_after_the_deed(
    slack: FakeSlack, web: AsyncWebClient, channel: Channel, after: bool
) -> None:
    fault = slack.faults.stall("chat.postMessage", after=after)
    call = asyncio.create_task(web.chat_postMessage(channel=channel.id, text="x"))
    await slack.until(lambda: fault.met)
    await asyncio.sleep(0.05)
    assert (len(slack.messages(channel)), call.done()) == (int(after), False)
    fault.gate.set()
    await call
    assert len(slack.messages(channel)) == 1


async def test_calls_can_fail_with_a_status_or_an_error(
    slack: FakeSlack, web: AsyncWebClient, channel: Channel
) -> None:
    slack.faults.fail(status=503, times=2)
    for _ in range(2):
        with pytest.raises(SlackApiError) as error:
            await web.auth_test()
        assert error.value.response.status_code == 503
    slack.faults.error("auth.test", "fatal_error")
    assert (await refusal(web.auth_test()))["error"] == "fatal_error"
    await web.auth_test()
