"""Clicks, commands, shortcuts, modals and Home of the fake Slack, through Bolt in both modes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    ContextActionsBlock,
    FeedbackButtonObject,
    FeedbackButtonsElement,
    IconButtonElement,
    InputBlock,
    Option,
    PlainTextInputElement,
    SectionBlock,
    StaticSelectElement,
)
from slack_sdk.models.views import View
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from citebot.testing.slack import App, Channel, FakeSlack, NotPossible, User

Json = dict[str, Any]


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
def app(slack: FakeSlack) -> App:
    return slack.add_app("citebot", commands=["/ask"], shortcuts=["ask_about", "ask_anything"])


@pytest.fixture
def alice(slack: FakeSlack) -> User:
    return slack.add_user("alice")


@pytest.fixture
def channel(slack: FakeSlack, app: App, alice: User) -> Channel:
    return slack.add_channel("general", [app, alice])


@pytest.fixture(params=["socket", "http"])
async def bolt(slack: FakeSlack, app: App, request: pytest.FixtureRequest) -> AsyncIterator[AsyncApp]:
    """A Bolt app that is connected; listeners may be added later."""
    client = AsyncWebClient(app.bot_token, base_url=slack.api_url)
    bolt = AsyncApp(client=client, signing_secret=app.signing_secret)
    if request.param == "socket":
        handler = AsyncSocketModeHandler(bolt, app.app_token, ping_interval=1)
        await handler.connect_async()
        await slack.until(lambda: slack.sockets(app))
        yield bolt
        await handler.close_async()
    else:
        runner = web.AppRunner(bolt.web_app(path="/slack/events", port=0), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        app.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
        yield bolt
        await runner.cleanup()


def modal(**more: Any) -> View:
    return View(
        type="modal",
        callback_id="why",
        title="Why?",
        submit="Send",
        blocks=[
            InputBlock(block_id="reason", label="Reason", element=PlainTextInputElement(action_id="text")),
            InputBlock(
                block_id="kind",
                label="Kind",
                optional=True,
                element=StaticSelectElement(action_id="choice", options=[Option(text="Wrong", value="wrong")]),
            ),
        ],
        **more,
    )


FEEDBACK = ContextActionsBlock(
    elements=[
        FeedbackButtonsElement(
            action_id="feedback",
            positive_button=FeedbackButtonObject(text="Good", value="up"),
            negative_button=FeedbackButtonObject(text="Bad", value="down"),
        ),
        IconButtonElement(action_id="delete", icon="trash", text="Delete", value="17"),
    ]
)


async def test_buttons_feedback_and_icons_are_clicked(
    slack: FakeSlack, app: App, bolt: AsyncApp, channel: Channel, alice: User
) -> None:
    seen: list[Json] = []

    async def keep(ack: Any, body: Json, action: Json) -> None:
        await ack()
        seen.append({**action, "container": body["container"], "message": body["message"]["ts"]})

    for action_id in ("more", "feedback", "delete"):
        bolt.action(action_id)(keep)
    button = ActionsBlock(elements=[ButtonElement(action_id="more", text="More", value="p2")])
    posted = await bolt.client.chat_postMessage(channel=channel.id, text="answer", blocks=[button, FEEDBACK])
    (message,) = slack.messages(channel)
    assert (await slack.click(alice, message, "more")).acked
    await slack.click(alice, message, "feedback", "negative")
    await slack.click(alice, message, "delete")
    await slack.until(lambda: len(seen) == 3)
    assert [(a["type"], a["value"]) for a in seen] == [
        ("button", "p2"),
        ("feedback_buttons", "down"),
        ("icon_button", "17"),
    ]
    assert {a["container"]["message_ts"] for a in seen} == {a["message"] for a in seen} == {posted["ts"]}
    with pytest.raises(NotPossible, match="nothing with the action_id"):
        await slack.click(alice, message, "nothing")


async def test_a_click_can_be_answered_in_place(
    slack: FakeSlack, bolt: AsyncApp, channel: Channel, alice: User
) -> None:
    @bolt.action("done")
    async def done(ack: Any, respond: Any) -> None:
        await ack()
        await respond(text="Done & dusted", replace_original=True)

    button = ActionsBlock(elements=[ButtonElement(action_id="done", text="Done", value="1")])
    await bolt.client.chat_postMessage(channel=channel.id, text="open", blocks=[button])
    await slack.click(alice, slack.messages(channel)[0], "done")
    await slack.until(lambda: slack.messages(channel)[0].text == "Done &amp; dusted")
    assert [s.args["text"] for s in slack.calls("response_url")] == ["Done & dusted"]


async def test_a_command_is_answered_by_ack_and_by_response_url(
    slack: FakeSlack, bolt: AsyncApp, channel: Channel, alice: User
) -> None:
    @bolt.command("/ask")
    async def ask(ack: Any, command: Json, respond: Any) -> None:
        await ack(f"Looking for {command['text']}")
        await respond(text="Found", response_type="in_channel")

    outcome = await slack.command(alice, channel, "/ask where a<b?")
    await slack.until(lambda: len(slack.messages(channel, seen_by=alice)) == 2)
    assert outcome.acked
    assert [m.text for m in slack.messages(channel)] == ["Found"]
    assert {m.text for m in slack.messages(channel, seen_by=alice)} == {"Looking for where a&lt;b?", "Found"}
    with pytest.raises(NotPossible, match="not a valid command"):
        await slack.command(alice, channel, "/dance")


async def test_what_is_not_acked_fails_for_the_person(
    slack: FakeSlack, bolt: AsyncApp, channel: Channel, alice: User
) -> None:
    slack.clock.speed = 60

    @bolt.command("/ask")
    async def ask() -> None:
        """Forgets to ack."""

    outcome = await slack.command(alice, channel, "/ask why")
    assert (outcome.acked, outcome.reason in ("timeout", "http_timeout", "http_error")) == (False, True)


async def test_a_shortcut_opens_a_modal_whose_submission_is_checked(
    slack: FakeSlack, bolt: AsyncApp, channel: Channel, alice: User
) -> None:
    sent: list[Json] = []

    @bolt.shortcut("ask_about")
    async def ask_about(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=modal(private_metadata=body["message"]["text"]))
        await ack()

    @bolt.view("why")
    async def submitted(ack: Any, view: Json) -> None:
        text = view["state"]["values"]["reason"]["text"]["value"]
        if len(text) < 3:
            await ack(response_action="errors", errors={"reason": "Say more."})
            return
        sent.append(view)
        await ack()

    message = await slack.say(alice, channel, "odd answer")
    await slack.shortcut(alice, "ask_about", message)
    view = await slack.until(lambda: slack.modal(alice))
    with pytest.raises(NotPossible, match="text must be filled in"):
        await slack.submit(alice, view, {})
    await slack.submit(alice, view, {"text": "no"})
    assert (slack.modal(alice), view.errors) == (view, {"reason": "Say more."})
    await slack.submit(alice, view, {"text": "too short", "choice": "wrong"})
    assert slack.modal(alice) is None
    assert sent[0]["private_metadata"] == "odd answer"
    assert sent[0]["state"]["values"]["kind"]["choice"]["selected_option"]["value"] == "wrong"


async def test_a_global_shortcut_has_no_message(slack: FakeSlack, bolt: AsyncApp, alice: User) -> None:
    seen: list[str] = []

    @bolt.shortcut("ask_anything")
    async def ask(ack: Any, body: Json) -> None:
        await ack()
        seen.append(body["type"])

    await slack.shortcut(alice, "ask_anything")
    await slack.until(lambda: seen == ["shortcut"])


async def test_a_closed_modal_is_told_to_apps_that_ask(slack: FakeSlack, bolt: AsyncApp, alice: User) -> None:
    closed: list[str] = []

    @bolt.shortcut("ask_anything")
    async def ask(ack: Any, body: Json, client: AsyncWebClient) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=modal(notify_on_close=True))
        await ack()

    @bolt.view_closed("why")
    async def gone(ack: Any, view: Json) -> None:
        await ack()
        closed.append(view["id"])

    await slack.shortcut(alice, "ask_anything")
    view = await slack.until(lambda: slack.modal(alice))
    await slack.close(alice, view)
    await slack.until(lambda: closed == [view.id])
    assert slack.modal(alice) is None


async def test_home_is_published_and_its_buttons_work(slack: FakeSlack, app: App, bolt: AsyncApp, alice: User) -> None:
    pressed: list[str] = []

    @bolt.event("app_home_opened")
    async def opened(event: Json, client: AsyncWebClient) -> None:
        button = ActionsBlock(elements=[ButtonElement(action_id="refresh", text="Refresh", value="1")])
        await client.views_publish(user_id=event["user"], view=View(type="home", blocks=[button]))

    @bolt.action("refresh")
    async def refresh(ack: Any, body: Json) -> None:
        await ack()
        pressed.append(body["view"]["type"])

    await slack.open_home(alice, app)
    home = await slack.until(lambda: slack.home(alice, app))
    await slack.click(alice, home, "refresh")
    await slack.until(lambda: pressed == ["home"])
    await slack.open_home(alice, app)
    await slack.until(lambda: slack.deliveries[-1].over)
    assert slack.deliveries[-1].body["event"]["view"]["id"] == home.id


async def refusal(call: Any) -> str:
    with pytest.raises(SlackApiError) as error:
        await call
    return str(error.value.response["error"])


async def test_a_trigger_is_good_once_and_for_three_seconds(slack: FakeSlack, app: App, alice: User) -> None:
    client = AsyncWebClient(app.bot_token, base_url=slack.api_url)
    await slack.shortcut(alice, "ask_anything")
    trigger = slack.deliveries[-1].body["trigger_id"]
    await client.views_open(trigger_id=trigger, view=modal())
    assert await refusal(client.views_open(trigger_id=trigger, view=modal())) == "exchanged_trigger_id"
    await slack.shortcut(alice, "ask_anything")
    late = slack.deliveries[-1].body["trigger_id"]
    slack.clock.skip(3)
    assert await refusal(client.views_open(trigger_id=late, view=modal())) == "expired_trigger_id"
    assert await refusal(client.views_open(trigger_id="x", view=modal())) == "invalid_trigger_id"


async def test_views_are_updated_by_hash_and_pushed_three_high(slack: FakeSlack, app: App, alice: User) -> None:
    client = AsyncWebClient(app.bot_token, base_url=slack.api_url)

    async def trigger() -> str:
        await slack.shortcut(alice, "ask_anything")
        return str(slack.deliveries[-1].body["trigger_id"])

    opened = (await client.views_open(trigger_id=await trigger(), view=modal()))["view"]
    await client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal(private_metadata="new"))
    assert (
        await refusal(client.views_update(view_id=opened["id"], hash=opened["hash"], view=modal())) == "hash_conflict"
    )
    assert await refusal(client.views_update(view_id="V1", view=modal())) == "not_found"
    for _ in range(2):
        await client.views_push(trigger_id=await trigger(), view=modal())
    assert await refusal(client.views_push(trigger_id=await trigger(), view=modal())) == "push_limit_reached"


async def test_a_response_url_is_good_five_times_and_for_half_an_hour(
    slack: FakeSlack, app: App, channel: Channel, alice: User
) -> None:
    await slack.command(alice, channel, "/ask one")
    hook = AsyncWebhookClient(slack.deliveries[-1].body["response_url"])
    statuses = [(await hook.send(text=str(n))).status_code for n in range(6)]
    assert statuses == [200] * 5 + [404]
    assert len(slack.messages(channel, seen_by=alice)) == 5
    await slack.command(alice, channel, "/ask two")
    late = AsyncWebhookClient(slack.deliveries[-1].body["response_url"])
    slack.clock.skip(1801)
    answer = await late.send(text="late")
    assert (answer.status_code, "expired_url" in answer.body) == (404, True)


async def test_a_button_for_some_is_not_shown_to_others(
    slack: FakeSlack, app: App, channel: Channel, alice: User
) -> None:
    client = AsyncWebClient(app.bot_token, base_url=slack.api_url)
    only = ButtonElement(action_id="mine", text="Mine", value="1", visible_to_user_ids=["U1"])
    section = SectionBlock(text="x", accessory=only)
    await client.chat_postMessage(channel=channel.id, text="x", blocks=[section])
    with pytest.raises(NotPossible, match="not shown to alice"):
        await slack.click(alice, slack.messages(channel)[0], "mine")


async def test_an_ephemeral_message_is_clicked_by_its_reader_alone_and_can_be_taken_away(
    slack: FakeSlack, app: App, channel: Channel, alice: User
) -> None:
    bob = slack.add_user("bob")
    channel.members.append(bob.id)
    client = AsyncWebClient(app.bot_token, base_url=slack.api_url)
    button = ActionsBlock(elements=[ButtonElement(action_id="share", text="Share", value="1")])
    await client.chat_postEphemeral(channel=channel.id, user=alice.id, text="x", blocks=[button])
    (message,) = slack.messages(channel, seen_by=alice)
    with pytest.raises(NotPossible, match="not on this person's screen"):
        await slack.click(bob, message, "share")
    await slack.click(alice, message, "share")
    body = slack.deliveries[-1].body
    assert (body["container"]["is_ephemeral"], "message" in body) == (True, False)
    await AsyncWebhookClient(body["response_url"]).send_dict({"delete_original": True})
    assert slack.messages(channel, seen_by=alice) == []
