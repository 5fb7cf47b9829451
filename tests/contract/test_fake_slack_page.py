"""The fake Slack in a browser: one sees what people see and can do what they can do."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from citebot.testing.slack import App, Channel, FakeSlack, User

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
def app(slack: FakeSlack) -> App:
    return slack.add_app("citebot", commands=["/ask"], shortcuts=["ask"])


@pytest.fixture
def alice(slack: FakeSlack) -> User:
    return slack.add_user("alice")


@pytest.fixture
def channel(slack: FakeSlack, app: App, alice: User) -> Channel:
    return slack.add_channel("general", [app, alice])


@pytest.fixture
async def browser(slack: FakeSlack) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(slack.url) as session:
        yield session


@pytest.fixture
def web(slack: FakeSlack, app: App) -> AsyncWebClient:
    return AsyncWebClient(app.bot_token, base_url=slack.api_url)


async def page(browser: aiohttp.ClientSession, **query: str) -> str:
    async with browser.get("/", params=query) as answer:
        assert answer.status == 200
        return await answer.text()


async def act(browser: aiohttp.ClientSession, **form: str) -> tuple[int, str]:
    async with browser.post("/view/act", data=form, headers={"Accept": "application/json"}) as answer:
        return answer.status, await answer.text()


async def test_an_empty_workspace_says_so(browser: aiohttp.ClientSession) -> None:
    assert "nobody in this workspace" in await page(browser)


async def test_messages_are_shown_and_escaped(
    slack: FakeSlack, web: AsyncWebClient, channel: Channel, alice: User, browser: aiohttp.ClientSession
) -> None:
    await slack.say(alice, channel, f"{SCRIPT} & *more*")
    evil = [
        {
            "type": "markdown",
            "text": f'# {SCRIPT}\n**bold** [x](javascript:alert(1)) [ok](https://ok.example/"onload=x)',
        },
        {"type": "section", "text": {"type": "mrkdwn", "text": f'{SCRIPT} <https://ok.example|"{SCRIPT}>'}},
        {"type": "header", "text": {"type": "plain_text", "text": SCRIPT}},
        {"type": "table", "rows": [[{"type": "raw_text", "text": SCRIPT}]]},
        {"type": "image", "alt_text": SCRIPT, "image_url": "https://ok.example/x.png"},
    ]
    await web.chat_postMessage(channel=channel.id, text="x", blocks=evil)
    html = await page(browser)
    assert html.count("<script>") == 1  # the page's own
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 7
    assert ("<b>bold</b>" in html, "<b>more</b>" in html, "javascript:alert(1)" in html) == (True, True, True)
    assert ('href="javascript' in html, '"onload' in html, "<img" in html) == (False, False, False)


async def test_what_is_typed_is_said_and_a_thread_can_be_opened(
    slack: FakeSlack, channel: Channel, alice: User, browser: aiohttp.ClientSession
) -> None:
    place = {"as": alice.id, "in": channel.id}
    assert await act(browser, do="say", line="hello", **place) == (200, "{}")
    (message,) = slack.messages(channel)
    await act(browser, do="say", line="again", thread=message.ts, keep=message.ts, **place)
    assert [m.text for m in slack.messages(channel, message.ts)] == ["hello", "again"]
    assert "1 reply" in await page(browser, **place)
    assert "again" in await page(browser, thread=message.ts, **place)


async def test_what_a_person_could_not_do_is_refused_in_words(
    slack: FakeSlack, channel: Channel, alice: User, browser: aiohttp.ClientSession
) -> None:
    place = {"as": alice.id, "in": channel.id}
    assert await act(browser, do="say", line="/dance", **place) == (409, "/dance is not a valid command")
    assert await act(browser, do="say", line="/ask", **place) == (409, "The app did not answer (no_connections).")


async def test_forms_of_other_sites_are_refused(channel: Channel, alice: User, browser: aiohttp.ClientSession) -> None:
    form = {"do": "say", "line": "x", "as": alice.id, "in": channel.id}
    async with browser.post("/view/act", data=form, headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403


async def test_buttons_modals_and_home_work_from_the_page(
    slack: FakeSlack, web: AsyncWebClient, app: App, channel: Channel, alice: User, browser: aiohttp.ClientSession
) -> None:
    bolt = AsyncApp(client=web)
    label = {"type": "plain_text", "text": "Why"}
    field = {"type": "input", "label": label, "element": {"type": "plain_text_input", "action_id": "text"}}
    view = {"type": "modal", "callback_id": "why", "title": label, "submit": label, "blocks": [field]}
    got: list[str] = []

    @bolt.action("why")
    async def why(ack, body, client) -> None:  # type: ignore[no-untyped-def]
        await client.views_open(trigger_id=body["trigger_id"], view=view)
        await ack()

    @bolt.view("why")
    async def told(ack, view) -> None:  # type: ignore[no-untyped-def]
        await ack()
        got.extend(v["text"]["value"] for v in view["state"]["values"].values())

    handler = AsyncSocketModeHandler(bolt, app.app_token)
    await handler.connect_async()
    await slack.until(lambda: slack.sockets(app))
    button = {"type": "actions", "elements": [{"type": "button", "action_id": "why", "text": label}]}
    posted = await web.chat_postMessage(channel=channel.id, text="x", blocks=[button])
    place = {"as": alice.id, "in": channel.id}
    assert await act(browser, do="click", message=posted["ts"], action="why", value="", **place) == (200, "{}")
    modal = slack.modal(alice)
    assert modal is not None
    assert 'name="value.text"' in await page(browser, **place)
    await act(browser, do="submit", view=modal.id, **{"value.text": "because"}, **place)
    await slack.until(lambda: got == ["because"])
    await web.views_publish(user_id=alice.id, view={"type": "home", "blocks": [{"type": "header", "text": label}]})
    assert ">Why</div>" in await page(browser, home=app.id, **place)
    await handler.close_async()


async def test_it_runs_alone_for_a_browser_and_a_bot(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "citebot.testing.slack", "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, cwd=tmp_path)
    assert process.stdout is not None
    lines = [(await process.stdout.readline()).decode().split() for _ in range(5)]
    async with aiohttp.ClientSession() as session, session.get(lines[0][1]) as answer:
        assert "# general" in await answer.text()
    who = await AsyncWebClient(lines[2][1], base_url=lines[1][1]).auth_test()
    assert who["user"] == "citebot"
    process.send_signal(signal.SIGINT)
    assert (await process.stdout.readline(), await process.wait()) == (b"Stopped.\n", 0)


async def test_links_and_calls_of_a_message_are_listed(slack: FakeSlack, web: AsyncWebClient, channel: Channel) -> None:
    text = (
        "see <https://a.example/?x=1&amp;y=2|a> [b](https://b.example) https://c.example <mailto:d@e.example> <!here>"
    )
    button = {
        "type": "button",
        "action_id": "x",
        "url": "https://f.example",
        "text": {"type": "plain_text", "text": "F"},
    }
    image = {"type": "image", "alt_text": "g", "image_url": "https://g.example/g.png"}
    blocks = [{"type": "markdown", "text": text}, {"type": "actions", "elements": [button]}, image]
    await web.chat_postMessage(channel=channel.id, text="x", blocks=blocks)
    (shown,) = slack.messages(channel)
    assert shown.calls == {"here"}
    assert shown.links == {
        "https://a.example/?x=1&y=2",
        "https://b.example",
        "https://c.example",
        "mailto:d@e.example",
        "https://f.example",
        "https://g.example/g.png",
    }
