"""Streams, agent sessions and search of the fake Slack, by Slack's own client and helper."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.models.blocks import RawTextObject, TableBlock
from slack_sdk.models.messages.chunk import BlocksChunk, MarkdownTextChunk, PlanUpdateChunk, TaskUpdateChunk
from slack_sdk.web.async_client import AsyncWebClient

from citebot.testing.slack import App, Channel, FakeSlack, Message, NotPossible, User


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack(rates=False) as slack:
        yield slack


@pytest.fixture
def app(slack: FakeSlack) -> App:
    return slack.add_app("citebot", user_scopes=["search:read.private"])


@pytest.fixture
def web(slack: FakeSlack, app: App) -> AsyncWebClient:
    return AsyncWebClient(app.bot_token, base_url=slack.api_url, retry_handlers=[])


@pytest.fixture
def alice(slack: FakeSlack) -> User:
    return slack.add_user("alice")


@pytest.fixture
def channel(slack: FakeSlack, app: App, alice: User) -> Channel:
    return slack.add_channel("general", [app, alice])


@pytest.fixture
async def question(slack: FakeSlack, channel: Channel, alice: User) -> Message:
    return await slack.say(alice, channel, "where?")


async def refusal(call: Any) -> str:
    with pytest.raises(SlackApiError) as error:
        await call
    return str(error.value.response["error"])


def recipient(user: User) -> dict[str, str]:
    return {"recipient_user_id": user.id, "recipient_team_id": user.team}


async def test_the_helper_streams_text_tasks_and_final_blocks(
    slack: FakeSlack, web: AsyncWebClient, channel: Channel, question: Message, alice: User
) -> None:
    stream = await web.chat_stream(channel=channel.id, thread_ts=question.ts, buffer_size=5, **recipient(alice))
    await stream.append(chunks=[TaskUpdateChunk(id="1", title="Searching", status="in_progress")])
    await stream.append(markdown_text="**Hello** ")
    shown = slack.messages(channel, question.ts)[1]
    assert (shown.streaming, shown.text) == ("open", "Searching\n**Hello** ")
    await stream.append(chunks=[TaskUpdateChunk(id="1", title="Searched", status="complete", output="2 pages")])
    buttons = {
        "type": "actions",
        "elements": [{"type": "button", "action_id": "x", "text": {"type": "plain_text", "text": "OK"}}],
    }
    await stream.stop(markdown_text="world", blocks=[buttons])
    shown = slack.messages(channel, question.ts)[1]
    assert (shown.streaming, shown.text.splitlines()) == ("stopped", ["Searched", "2 pages", "**Hello** world", "OK"])
    assert shown.element("x") is not None


async def test_a_plan_holds_its_tasks_and_blocks_follow(
    slack: FakeSlack, web: AsyncWebClient, channel: Channel, question: Message, alice: User
) -> None:
    args = {"channel": channel.id, "thread_ts": question.ts, "task_display_mode": "plan", **recipient(alice)}
    started = await web.chat_startStream(
        **args, chunks=[PlanUpdateChunk(title="Working"), MarkdownTextChunk(text="so")]
    )
    table = TableBlock(rows=[[RawTextObject(text="cell")]])
    tasks = [TaskUpdateChunk(id="a", title="Read", status="pending", details="one "), BlocksChunk(blocks=[table])]
    await web.chat_appendStream(channel=channel.id, ts=started["ts"], chunks=tasks)
    more = [TaskUpdateChunk(id="a", title="Reading", status="in_progress", details="two")]
    await web.chat_appendStream(channel=channel.id, ts=started["ts"], chunks=more)
    plan, text, cells = slack.messages(channel, question.ts)[1].blocks
    assert (plan["title"], plan["tasks"][0]["title"], plan["tasks"][0]["details"]) == ("Working", "Reading", "one two")
    assert (text["text"], cells["type"]) == ("so", "table")


@pytest.mark.parametrize("left_out", ["recipient_user_id", "recipient_team_id"])
async def test_a_stream_in_a_channel_needs_its_recipient(
    web: AsyncWebClient, channel: Channel, question: Message, alice: User, left_out: str
) -> None:
    given = {name: value for name, value in recipient(alice).items() if name != left_out}
    call = web.chat_startStream(channel=channel.id, thread_ts=question.ts, **given)
    assert await refusal(call) == f"missing_{left_out}"


async def test_a_stream_in_a_direct_message_does_not(
    slack: FakeSlack, web: AsyncWebClient, app: App, alice: User
) -> None:
    question = await slack.say(alice, app, "where?")
    direct = slack.direct(alice, app)
    started = await web.chat_startStream(channel=direct.id, thread_ts=question.ts, markdown_text="here")
    assert slack.messages(direct, question.ts)[1].ts == started["ts"]


async def test_a_stream_dies_after_five_minutes_and_only_an_update_repairs_it(
    web: AsyncWebClient, slack: FakeSlack, channel: Channel, question: Message, alice: User
) -> None:
    stream = await web.chat_stream(channel=channel.id, thread_ts=question.ts, buffer_size=1, **recipient(alice))
    await stream.append(markdown_text="half an ")
    slack.clock.skip(301)
    assert slack.messages(channel, question.ts)[1].streaming == "died"
    assert await refusal(stream.append(markdown_text="answer")) == "message_not_in_streaming_state"
    assert await refusal(stream.stop()) == "message_not_in_streaming_state"
    assert stream.ts is not None
    await web.chat_update(channel=channel.id, ts=stream.ts, text="half an answer")
    shown = slack.messages(channel, question.ts)[1]
    assert (shown.streaming, shown.text) == ("", "half an answer")


async def test_an_open_stream_can_be_neither_updated_nor_deleted(
    web: AsyncWebClient, channel: Channel, question: Message, alice: User
) -> None:
    started = await web.chat_startStream(channel=channel.id, thread_ts=question.ts, **recipient(alice))
    assert await refusal(web.chat_update(channel=channel.id, ts=started["ts"], text="x")) == "streaming_state_conflict"
    assert await refusal(web.chat_delete(channel=channel.id, ts=started["ts"])) == "cant_delete_message"
    await web.chat_stopStream(channel=channel.id, ts=started["ts"], markdown_text="x")
    assert await refusal(web.chat_stopStream(channel=channel.id, ts=started["ts"])) == "message_not_in_streaming_state"
    await web.chat_update(channel=channel.id, ts=started["ts"], text="y")


async def test_streams_have_limits(web: AsyncWebClient, channel: Channel, question: Message, alice: User) -> None:
    started = await web.chat_startStream(channel=channel.id, thread_ts=question.ts, **recipient(alice))
    place = {"channel": channel.id, "ts": started["ts"]}
    await web.chat_appendStream(**place, markdown_text="x" * 12_000)
    assert await refusal(web.chat_appendStream(**place, markdown_text="x" * 12_001)) == "msg_too_long"
    long = [TaskUpdateChunk(id="1", title="x" * 257, status="pending")]
    assert await refusal(web.chat_appendStream(**place, chunks=long)) == "msg_too_long"
    assert await refusal(web.chat_appendStream(**place)) == "no_text"
    assert await refusal(web.chat_appendStream(**place, chunks=[{"type": "song"}])) == "invalid_chunks"
    both = web.chat_appendStream(**place, markdown_text="x", chunks=[MarkdownTextChunk(text="x")])
    assert await refusal(both) == "cannot_provide_both_markdown_text_and_chunks"
    divider = [{"type": "divider"}]
    await web.chat_appendStream(**place, chunks=[{"type": "blocks", "blocks": divider * 50}])
    more = web.chat_appendStream(**place, chunks=[{"type": "blocks", "blocks": divider}])
    assert await refusal(more) == "msg_blocks_too_long"


async def test_the_stop_button_ends_streams_and_is_heard(
    slack: FakeSlack, web: AsyncWebClient, channel: Channel, question: Message, alice: User
) -> None:
    with pytest.raises(NotPossible, match="no stop button"):
        await slack.stop_stream(alice, channel, question.ts)
    session = {"channel_id": channel.id, "thread_ts": question.ts}
    await web.agents_sessions_setStatus(**session, status="processing", title="Where", initiator_user_id=alice.id)
    started = await web.chat_startStream(
        channel=channel.id, thread_ts=question.ts, markdown_text="I", **recipient(alice)
    )
    await slack.stop_stream(alice, channel, question.ts)
    event = slack.deliveries[-1].body["event"]
    assert (event["type"], event["streaming_message_ts"], event["user"]) == (
        "agent_session_stopped",
        [started["ts"]],
        alice.id,
    )
    assert (
        await refusal(web.chat_appendStream(channel=channel.id, ts=started["ts"], markdown_text="x"))
        == "stopped_by_user"
    )
    assert slack.world.sessions[channel.id, question.ts].status == "processing"
    await web.agents_sessions_setStatus(**session, status="closed")
    await web.agents_sessions_rename(**session, title="Found")
    assert slack.world.sessions[channel.id, question.ts].title == "Found"


async def test_stopping_a_stream_may_end_the_session(
    slack: FakeSlack, web: AsyncWebClient, channel: Channel, question: Message, alice: User
) -> None:
    await web.agents_sessions_setStatus(channel_id=channel.id, thread_ts=question.ts, status="processing")
    started = await web.chat_startStream(channel=channel.id, thread_ts=question.ts, **recipient(alice))
    await web.chat_stopStream(channel=channel.id, ts=started["ts"], markdown_text="x", session_status="active")
    assert slack.world.sessions[channel.id, question.ts].status == "active"


async def test_sessions_are_for_agents_and_their_button_for_subscribers(slack: FakeSlack, alice: User) -> None:
    plain, mute = slack.add_app("plain", agent=False), slack.add_app("mute", events=[])
    channel = slack.add_channel("help", [plain, mute, alice])
    question = await slack.say(alice, channel, "where?")
    session = {"channel_id": channel.id, "thread_ts": question.ts, "status": "processing"}
    refused = AsyncWebClient(plain.bot_token, base_url=slack.api_url).agents_sessions_setStatus(**session)
    assert await refusal(refused) == "app_not_agent"
    warned = await AsyncWebClient(mute.bot_token, base_url=slack.api_url).agents_sessions_setStatus(**session)
    assert warned["warning"] == "missing_agent_session_stopped_event_subscription"
    with pytest.raises(NotPossible, match="did not subscribe"):
        await slack.stop_stream(alice, channel, question.ts)


async def test_a_status_goes_away_with_the_next_message_or_in_time(
    slack: FakeSlack, web: AsyncWebClient, channel: Channel, question: Message
) -> None:
    place = {"channel_id": channel.id, "thread_ts": question.ts}
    await web.assistant_threads_setStatus(**place, status="is reading", loading_messages=["Page 1", "Page 2"])
    thinking = slack.thinking(channel, question.ts)
    assert thinking is not None
    assert (thinking.text, thinking.loading_messages) == ("is reading", ["Page 1", "Page 2"])
    await web.chat_postMessage(channel=channel.id, thread_ts=question.ts, text="here")
    assert slack.thinking(channel, question.ts) is None
    await web.assistant_threads_setStatus(**place, status="is reading")
    slack.clock.skip(121)
    assert slack.thinking(channel, question.ts) is None


async def test_prompts_and_titles_are_kept(slack: FakeSlack, web: AsyncWebClient, app: App, alice: User) -> None:
    direct = slack.direct(alice, app)
    prompts = [{"title": "Leave", "message": "How many days?"}]
    await web.assistant_threads_setSuggestedPrompts(channel_id=direct.id, prompts=prompts, title="Try")
    assert slack.world.prompts[direct.id, ""] == {"title": "Try", "prompts": prompts}
    question = await slack.say(alice, app, "hi")
    await web.assistant_threads_setTitle(channel_id=direct.id, thread_ts=question.ts, title="Greeting")
    assert slack.world.titles[direct.id, question.ts] == "Greeting"
    many = web.assistant_threads_setSuggestedPrompts(channel_id=direct.id, prompts=prompts * 5)
    assert await refusal(many) == "invalid_arguments"


@pytest.mark.parametrize(
    ("scopes", "asker", "seen"),
    [
        (["search:read.public", "search:read.private"], "alice", {"help", "secret"}),
        (["search:read.public", "search:read.private"], "bob", {"help"}),
        (["search:read.public"], "alice", {"help"}),
    ],
)
async def test_search_sees_what_the_person_sees_and_the_scopes_allow(
    slack: FakeSlack, alice: User, scopes: list[str], asker: str, seen: set[str]
) -> None:
    app = slack.add_app("searcher", scopes=["app_mentions:read", *scopes])
    people = {"alice": alice, "bob": slack.add_user("bob")}
    public = slack.add_channel("help", [app, *people.values()])
    await slack.say(alice, slack.add_channel("secret", [alice], private=True), "the parking code is 17")
    await slack.say(people[asker], public, f"{app.mention} parking?")
    token = slack.deliveries[-1].body["event"]["assistant_thread"]["action_token"]
    client = AsyncWebClient(app.bot_token, base_url=slack.api_url, retry_handlers=[])
    types = ["public_channel", "private_channel"]
    found = await client.assistant_search_context(query="parking code", action_token=token, channel_types=types)
    assert {m["channel_name"] for m in found["results"]["messages"]} == seen
    assert await refusal(client.assistant_search_context(query="parking", action_token="x")) == "invalid_action_token"
    assert (await client.assistant_search_info())["is_ai_search_enabled"] is True


async def test_search_leaves_out_what_slack_leaves_out_and_puts_the_best_first(slack: FakeSlack, alice: User) -> None:
    app = slack.add_app("searcher", scopes=["app_mentions:read", "chat:write", "search:read.public"])
    place = slack.add_channel("help", [app, alice])
    old = slack.add_channel("old", [alice])
    one = await slack.say(alice, place, "The parking code is 17.")
    two = await slack.say(alice, place, "Parking is below the house.")
    await slack.say(alice, old, "The parking code was 16.")
    await slack.archive(alice, old)
    client = AsyncWebClient(app.bot_token, base_url=slack.api_url, retry_handlers=[])
    mine = (await client.chat_postMessage(channel=place.id, text="The parking code is a secret."))["ts"]
    await slack.say(alice, place, f"{app.mention} now")
    token = slack.deliveries[-1].body["event"]["assistant_thread"]["action_token"]

    async def found(**more: Any) -> list[str]:
        body = await client.assistant_search_context(query="parking code?", action_token=token, **more)
        return [message["message_ts"] for message in body["results"]["messages"]]

    assert await found() == [one.ts, two.ts]
    assert await found(limit=1) == [one.ts]
    assert await found(include_bots=True) == [mine, one.ts, two.ts]
    assert len(await found(include_archived_channels=True)) == 3
    assert await found(before=int(float(one.ts)) - 10) == []
    assert await found(after=int(float(two.ts)) + 10) == []
    assert await found(content_types="files") == []
    assert await refusal(found(before="soon")) == "invalid_arguments"
    slack.clock.skip(601)
    assert await refusal(found()) == "invalid_action_token"


async def test_a_guest_does_not_search_channels_they_are_not_in(slack: FakeSlack, alice: User) -> None:
    app = slack.add_app("searcher", scopes=["app_mentions:read", "search:read.public"])
    guest = slack.add_user("gina", guest="single")
    lobby = slack.add_channel("lobby", [app, alice, guest])
    await slack.say(alice, slack.add_channel("help", [alice]), "The parking code is 17.")
    said = await slack.say(alice, lobby, "The parking code is on the door.")
    await slack.say(guest, lobby, f"{app.mention} parking?")
    token = slack.deliveries[-1].body["event"]["assistant_thread"]["action_token"]
    client = AsyncWebClient(app.bot_token, base_url=slack.api_url, retry_handlers=[])
    body = await client.assistant_search_context(query="code door", action_token=token)
    assert [message["message_ts"] for message in body["results"]["messages"]] == [said.ts]


async def test_a_user_token_searches_without_an_action(slack: FakeSlack, app: App, alice: User) -> None:
    await slack.say(alice, slack.add_channel("secret", [alice], private=True), "the parking code is 17")
    who = {"client_id": app.client_id, "client_secret": app.client_secret, "code": slack.authorize(app, alice)}
    given = await AsyncWebClient(base_url=slack.api_url).api_call("oauth.v2.access", data=who)
    client = AsyncWebClient(given["authed_user"]["access_token"], base_url=slack.api_url)
    found = await client.assistant_search_context(query="parking", channel_types="private_channel")
    assert [m["content"] for m in found["results"]["messages"]] == ["the parking code is 17"]
