"""The Web API of the fake Slack, seen by Slack's own client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from citebot.testing.slack import App, FakeSlack


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


def client(slack: FakeSlack, app: App, token: str | None = None) -> AsyncWebClient:
    return AsyncWebClient(token or app.bot_token, base_url=slack.api_url, retry_handlers=[])


async def refusal(call: Any) -> Any:
    with pytest.raises(SlackApiError) as error:
        await call
    return error.value.response


async def test_a_token_says_who_it_is(slack: FakeSlack) -> None:
    app = slack.add_app("citebot")
    who = await client(slack, app).auth_test()
    assert (who["user_id"], who["bot_id"], who["team_id"]) == (app.bot.id, app.bot.bot_id, slack.workspace.id)
    assert "chat:write" in who.headers["x-oauth-scopes"].split(",")


@pytest.mark.parametrize(("token", "error"), [("", "not_authed"), ("xoxb-nobody", "invalid_auth")])
async def test_a_token_that_is_not_one_is_refused(slack: FakeSlack, token: str, error: str) -> None:
    nobody = AsyncWebClient(token or None, base_url=slack.api_url)
    assert (await refusal(nobody.auth_test()))["error"] == error


async def test_a_revoked_token_is_refused(slack: FakeSlack) -> None:
    web = client(slack, slack.add_app())
    await web.auth_revoke()
    assert (await refusal(web.auth_test()))["error"] == "token_revoked"


async def test_the_token_of_an_uninstalled_app_is_refused(slack: FakeSlack) -> None:
    app = slack.add_app()
    await slack.uninstall(app)
    assert (await refusal(client(slack, app).auth_test()))["error"] == "account_inactive"


async def test_an_app_token_opens_sockets_and_nothing_else(slack: FakeSlack) -> None:
    app = slack.add_app()
    web = client(slack, app)
    assert (await refusal(web.auth_test(token=app.app_token)))["error"] == "not_allowed_token_type"
    assert (await refusal(web.apps_connections_open(app_token=app.bot_token)))["error"] == "not_allowed_token_type"
    assert (await web.apps_connections_open(app_token=app.app_token))["url"].startswith("ws://127.0.0.1:")


async def test_an_unknown_method_is_answered_with_200(slack: FakeSlack) -> None:
    response = await refusal(client(slack, slack.add_app()).api_call("chat.levitate"))
    assert (response.status_code, response["error"]) == (200, "unknown_method")


async def test_a_missing_scope_is_named(slack: FakeSlack) -> None:
    app = slack.add_app(scopes=["chat:write"])
    response = await refusal(client(slack, app).users_info(user=app.bot.id))
    assert (response["error"], response["needed"], response["provided"]) == (
        "missing_scope",
        "users:read",
        "chat:write",
    )


async def test_the_scope_for_messages_depends_on_the_kind_of_channel(slack: FakeSlack) -> None:
    app = slack.add_app(scopes=["channels:history"])
    private = slack.add_channel("secret", [app], private=True)
    public = slack.add_channel("general", [app])
    await client(slack, app).conversations_history(channel=public.id)
    response = await refusal(client(slack, app).conversations_history(channel=private.id))
    assert response["needed"] == "groups:history"


async def test_arguments_may_stand_in_the_query_a_form_or_json(slack: FakeSlack) -> None:
    app = slack.add_app()
    channel = slack.add_channel("general", [app])
    web = client(slack, app)
    args = {"channel": channel.id, "text": "hi"}
    await web.api_call("chat.postMessage", http_verb="GET", params=args)
    await web.api_call("chat.postMessage", params=args)
    await web.api_call("chat.postMessage", data=args)
    await web.api_call("chat.postMessage", json=args)
    assert [m.text for m in slack.messages(channel)] == ["hi"] * 4


async def test_posting_needs_membership_and_hides_what_is_private(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    web = client(slack, app)
    public, private = slack.add_channel("general", [alice]), slack.add_channel("secret", [alice], private=True)
    assert (await refusal(web.chat_postMessage(channel=public.id, text="x")))["error"] == "not_in_channel"
    assert (await refusal(web.chat_postMessage(channel=private.id, text="x")))["error"] == "channel_not_found"
    assert (await refusal(web.conversations_history(channel=public.id)))["error"] == "not_in_channel"
    assert (await refusal(web.conversations_members(channel=private.id)))["error"] == "channel_not_found"
    assert (await refusal(web.chat_postMessage(channel="C1", text="x")))["error"] == "channel_not_found"


async def test_chat_write_public_opens_public_channels(slack: FakeSlack) -> None:
    app = slack.add_app(scopes=["chat:write", "chat:write.public"])
    channel = slack.add_channel("general")
    await client(slack, app).chat_postMessage(channel="#general", text="x")
    assert [m.text for m in slack.messages(channel)] == ["x"]


async def test_an_archived_channel_takes_nothing(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    channel = slack.add_channel("old", [app, alice])
    await slack.archive(alice, channel)
    assert (await refusal(client(slack, app).chat_postMessage(channel=channel.id, text="x")))["error"] == "is_archived"


async def test_only_the_author_may_update_or_delete(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    web = client(slack, app)
    hers = await slack.say(alice, channel, "mine")
    mine = await web.chat_postMessage(channel=channel.id, text="draft")
    await web.chat_update(channel=channel.id, ts=mine["ts"], text="final")
    assert slack.messages(channel)[1].text == "final"
    response = await refusal(web.chat_update(channel=channel.id, ts=hers.ts, text="no"))
    assert response["error"] == "cant_update_message"
    assert (await refusal(web.chat_delete(channel=channel.id, ts=hers.ts)))["error"] == "cant_delete_message"
    assert (await refusal(web.chat_update(channel=channel.id, ts="1.2", text="x")))["error"] == "message_not_found"
    await web.chat_delete(channel=channel.id, ts=mine["ts"])
    assert [m.text for m in slack.messages(channel)] == ["mine"]


async def test_a_user_id_opens_a_direct_message(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    web = client(slack, app)
    posted = await web.chat_postMessage(channel=alice.id, text="psst")
    opened = await web.conversations_open(users=[alice.id])
    assert posted["channel"] == opened["channel"]["id"] == slack.direct(alice, app).id


async def test_an_ephemeral_message_is_seen_by_one_and_in_no_history(slack: FakeSlack) -> None:
    app, alice, bob = slack.add_app(), slack.add_user("alice"), slack.add_user("bob")
    channel = slack.add_channel("general", [app, alice, bob])
    web = client(slack, app)
    await web.chat_postEphemeral(channel=channel.id, user=alice.id, text="only you")
    assert [m.text for m in slack.messages(channel, seen_by=alice)] == ["only you"]
    assert slack.messages(channel, seen_by=bob) == slack.messages(channel) == []
    assert (await web.conversations_history(channel=channel.id))["messages"] == []


async def test_history_is_paged_by_cursor_newest_first(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    for number in range(5):
        await slack.say(alice, channel, str(number))
    pages = [
        page["messages"] async for page in await client(slack, app).conversations_history(channel=channel.id, limit=2)
    ]
    assert [[m["text"] for m in page] for page in pages] == [["4", "3"], ["2", "1"], ["0"]]
    response = await refusal(client(slack, app).conversations_history(channel=channel.id, cursor="nonsense"))
    assert response["error"] == "invalid_cursor"


async def test_history_between_two_times_leaves_out_their_ends_unless_inclusive(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    first, second, third = [await slack.say(alice, channel, t) for t in "abc"]
    web = client(slack, app)
    between = await web.conversations_history(channel=channel.id, oldest=first.ts, latest=third.ts)
    assert [m["text"] for m in between["messages"]] == ["b"]
    whole = await web.conversations_history(channel=channel.id, oldest=first.ts, latest=third.ts, inclusive=True)
    assert [m["ts"] for m in whole["messages"]] == [third.ts, second.ts, first.ts]


async def test_a_thread_is_its_root_and_its_replies(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    root = await slack.say(alice, channel, "question")
    web = client(slack, app)
    await web.chat_postMessage(channel=channel.id, text="answer", thread_ts=root.ts)
    thread = (await web.conversations_replies(channel=channel.id, ts=root.ts))["messages"]
    assert [(m["text"], m["thread_ts"]) for m in thread] == [("question", root.ts), ("answer", root.ts)]
    assert (thread[0]["reply_count"], thread[1]["parent_user_id"]) == (1, alice.id)
    assert [m["text"] for m in (await web.conversations_history(channel=channel.id))["messages"]] == ["question"]
    response = await refusal(web.chat_postMessage(channel=channel.id, text="x", thread_ts="1.000001"))
    assert response["error"] == "thread_not_found"


async def test_metadata_is_given_back_when_asked_for(slack: FakeSlack) -> None:
    app = slack.add_app()
    channel = slack.add_channel("general", [app])
    web = client(slack, app)
    metadata = {"event_type": "answer", "event_payload": {"id": "17"}}
    await web.chat_postMessage(channel=channel.id, text="x", metadata=metadata)
    asked = await web.conversations_history(channel=channel.id, include_all_metadata=True)
    plain = await web.conversations_history(channel=channel.id)
    assert asked["messages"][0]["metadata"] == metadata
    assert "metadata" not in plain["messages"][0]


async def test_channels_are_listed_by_kind_and_membership(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    slack.add_channel("general", [alice])
    joined, secret = slack.add_channel("help", [app]), slack.add_channel("secret", [app], private=True)
    slack.add_channel("hidden", [alice], private=True)
    web = client(slack, app)
    listed = await web.conversations_list(types="public_channel,private_channel")
    assert [c["name"] for c in listed["channels"]] == ["general", "help", "secret"]
    own = await web.users_conversations(types="public_channel,private_channel")
    assert [c["id"] for c in own["channels"]] == [joined.id, secret.id]
    assert (await web.conversations_info(channel=secret.id))["channel"]["is_private"]


async def test_members_are_paged(slack: FakeSlack) -> None:
    app = slack.add_app()
    people = [slack.add_user(f"user{n}") for n in range(5)]
    channel = slack.add_channel("general", people)
    pages = [p["members"] async for p in await client(slack, app).conversations_members(channel=channel.id, limit=3)]
    assert [len(p) for p in pages] == [3, 2]
    assert [*pages[0], *pages[1]] == [p.id for p in people]


async def test_a_user_shows_locale_guesthood_and_strangeness(slack: FakeSlack) -> None:
    app = slack.add_app()
    guest = slack.add_user("guest", guest="single", locale="de-DE")
    other = slack.add_workspace("Other")
    stranger = slack.add_user("stranger", workspace=other)
    web = client(slack, app)
    shown = (await web.users_info(user=guest.id, include_locale=True))["user"]
    assert (shown["is_restricted"], shown["is_ultra_restricted"], shown["locale"]) == (True, True, "de-DE")
    assert (await refusal(web.users_info(user=stranger.id)))["error"] == "user_not_found"
    slack.add_channel("shared", [app, stranger], shared_with=[other])
    shown = (await web.users_info(user=stranger.id))["user"]
    assert (shown["is_stranger"], shown["team_id"]) == (True, other.id)
    assert (await web.users_info(user=app.bot.id))["user"]["is_bot"]


async def test_groups_the_team_and_links_can_be_looked_up(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    group = slack.add_group("support", [alice])
    web = client(slack, app)
    assert (await web.usergroups_users_list(usergroup=group.id))["users"] == [alice.id]
    assert (await web.team_info())["team"]["name"] == "Acme"
    message = await slack.say(alice, channel, "hi")
    link = (await web.chat_getPermalink(channel=channel.id, message_ts=message.ts))["permalink"]
    assert link == f"https://acme.slack.com/archives/{channel.id}/p{message.ts.replace('.', '')}"


async def test_reactions_are_put_and_taken_back(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    message = await slack.say(alice, channel, "hi")
    web = client(slack, app)
    await web.reactions_add(channel=channel.id, timestamp=message.ts, name="eyes")
    assert slack.messages(channel)[0].reactions == {"eyes": [app.bot.id]}
    again = await refusal(web.reactions_add(channel=channel.id, timestamp=message.ts, name="eyes"))
    assert again["error"] == "already_reacted"
    await web.reactions_remove(channel=channel.id, timestamp=message.ts, name="eyes")
    gone = await refusal(web.reactions_remove(channel=channel.id, timestamp=message.ts, name="eyes"))
    assert gone["error"] == "no_reaction"


async def test_everything_sent_is_on_record(slack: FakeSlack) -> None:
    app = slack.add_app()
    channel = slack.add_channel("general", [app])
    await client(slack, app).chat_postMessage(channel=channel.id, text="x", unfurl_links=False)
    (sent,) = slack.calls("chat.postMessage")
    assert (sent.args["text"], sent.args["unfurl_links"], sent.app_id, sent.result["ok"]) == ("x", False, app.id, True)
    assert slack.messages(channel)[0].options == {"unfurl_links": False}


async def test_stray_signs_are_escaped_and_control_sequences_stay(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    web = client(slack, app)
    await web.chat_postMessage(channel=channel.id, text=f"a & b < c &amp; <@{alice.id}> <https://x.example|x> <!here>")
    (shown,) = slack.messages(channel)
    assert shown.text == f"a &amp; b &lt; c &amp; <@{alice.id}> <https://x.example|x> <!here>"
    assert shown.calls == {alice.id, "here"}


async def test_names_call_people_only_when_asked_to(slack: FakeSlack) -> None:
    app, alice = slack.add_app(), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    web = client(slack, app)
    for options in ({}, {"link_names": True}, {"parse": "full"}):
        await web.chat_postMessage(channel=channel.id, text="@alice and @channel", **options)
    assert [set(m.calls) for m in slack.messages(channel)] == [set(), {alice.id, "channel"}, {alice.id, "channel"}]
