"""Events and Socket Mode of the fake Slack, heard by an unmodified Bolt app."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from citebot.testing.slack import App, FakeSlack

Json = dict[str, Any]


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack(speed=60) as slack:
        yield slack


class Heard:
    """A Bolt app that keeps the body of every event, and answers mentions in their thread."""

    def __init__(self, slack: FakeSlack, app: App) -> None:
        self.bodies: list[Json] = []
        self.retries: list[str | None] = []
        self.fail = 0
        self.bolt = AsyncApp(client=AsyncWebClient(app.bot_token, base_url=slack.api_url), process_before_response=True)
        self.bolt.use(self.keep)
        self.bolt.event("app_mention")(self.answer)
        self.bolt.event({"type": "message", "subtype": None})(self.ignore)
        for kind in ("message", "member_joined_channel", "channel_left", "channel_archive", "channel_rename"):
            self.bolt.event(kind)(self.ignore)
        for kind in ("app_home_opened", "reaction_added", "file_shared", "member_left_channel", "app_uninstalled"):
            self.bolt.event(kind)(self.ignore)
        for kind in ("tokens_revoked", "user_change"):
            self.bolt.event(kind)(self.ignore)

    async def keep(self, body: Json, req: Any, next: Any) -> None:
        self.bodies.append(body)
        self.retries.append((req.headers.get("x-slack-retry-num") or [None])[0])
        if self.fail > 0:
            self.fail -= 1
            raise RuntimeError("not now")
        await next()

    async def answer(self, event: Json, say: Any) -> None:
        await say("here", thread_ts=event.get("thread_ts") or event["ts"])

    async def ignore(self) -> None:
        """Heard."""

    def events(self, kind: str) -> list[Json]:
        return [b["event"] for b in self.bodies if b["event"]["type"] == kind]

    def subtypes(self) -> list[str]:
        return [e.get("subtype", "") for e in self.events("message")]


@asynccontextmanager
async def connected(slack: FakeSlack, app: App, heard: Heard, *, ping: float = 1.0) -> AsyncIterator[Any]:
    handler = AsyncSocketModeHandler(heard.bolt, app.app_token, ping_interval=ping)
    before = len(slack.sockets(app))
    await handler.connect_async()
    await slack.until(lambda: len(slack.sockets(app)) > before)
    try:
        yield handler.client
    finally:
        await handler.close_async()


async def test_a_mention_is_heard_twice_and_answered_in_its_thread(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        question = await slack.say(alice, channel, f"{app.mention} where?")
        await slack.until(lambda: len(slack.messages(channel, question.ts)) == 2)
        await slack.settled()
    message, mention = heard.events("message")[0], heard.events("app_mention")[0]
    assert message["ts"] == mention["ts"] == question.ts
    assert message["text"] == mention["text"] == f"<@{app.bot.id}> where?"
    assert (message["channel_type"], "channel_type" in mention) == ("channel", False)
    bodies = [b for b in heard.bodies if b["event"]["ts"] == question.ts]
    assert len({b["event_id"] for b in bodies}) == 2
    assert bodies[0]["authorizations"][0] == {
        "enterprise_id": None,
        "team_id": slack.workspace.id,
        "user_id": app.bot.id,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    assert slack.messages(channel, question.ts)[1].user == app.bot.id


async def test_what_people_type_arrives_escaped(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        await slack.say(alice, channel, "if a < b && <!here> see https://x.example/?a=1&b=2 @nobody #general")
        await slack.settled()
    (event,) = heard.events("message")
    assert event["text"] == (
        f"if a &lt; b &amp;&amp; &lt;!here&gt; see <https://x.example/?a=1&amp;b=2> @nobody <#{channel.id}|general>"
    )


async def test_a_direct_message_is_no_mention(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        await slack.say(alice, app, f"{app.mention} psst")
        await slack.settled()
    (event,) = heard.events("message")
    assert (event["channel_type"], "thread_ts" in event, heard.events("app_mention")) == ("im", False, [])
    assert event["assistant_thread"]["action_token"]


async def test_an_app_hears_only_the_channels_it_is_in(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    elsewhere, private = slack.add_channel("random", [alice]), slack.add_channel("secret", [alice, app], private=True)
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        await slack.say(alice, elsewhere, f"{app.mention} hello?")
        await slack.say(alice, private, "hello")
        await slack.settled()
    assert [(b["event"]["type"], b["event"]["channel_type"]) for b in heard.bodies] == [("message", "group")]


async def test_an_app_hears_only_what_it_subscribed_to_and_has_scopes_for(slack: FakeSlack) -> None:
    app = slack.add_app(
        "citebot", events=["app_mention", "message.channels"], scopes=["app_mentions:read", "chat:write"]
    )
    alice = slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        await slack.say(alice, channel, f"{app.mention} hello")
        await slack.settled()
    assert [b["event"]["type"] for b in heard.bodies] == ["app_mention"]


async def test_edits_and_deletions_are_heard(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        message = await slack.say(alice, channel, "frist")
        await slack.edit(alice, message, "first")
        await slack.delete(alice, message)
        await slack.settled()
    _, edited, deleted = heard.events("message")
    assert (edited["subtype"], edited["message"]["text"], edited["previous_message"]["text"]) == (
        "message_changed",
        "first",
        "frist",
    )
    assert edited["message"]["edited"]["user"] == alice.id
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", message.ts)


async def test_the_deleted_root_of_a_thread_becomes_a_tombstone(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        root = await slack.say(alice, channel, "question")
        await slack.say(alice, channel, "more", thread_ts=root.ts)
        await slack.delete(alice, root)
        await slack.settled()
    last = heard.events("message")[-1]
    assert (last["subtype"], last["message"]["subtype"]) == ("message_changed", "tombstone")


async def test_membership_and_channel_changes_are_heard(slack: FakeSlack) -> None:
    app, alice, bob = slack.add_app("citebot"), slack.add_user("alice"), slack.add_user("bob")
    channel = slack.add_channel("general", [alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        await slack.invite(alice, channel, app)
        await slack.join(bob, channel)
        await slack.leave(bob, channel)
        await slack.rename(alice, channel, "lobby")
        await slack.kick(alice, channel, app)
        await slack.archive(alice, channel)
        await slack.settled()
    joined = heard.events("member_joined_channel")
    assert [(e["user"], e.get("inviter")) for e in joined] == [(app.bot.id, alice.id), (bob.id, None)]
    assert [e["user"] for e in heard.events("member_left_channel")] == [bob.id]
    assert heard.events("channel_rename")[0]["channel"]["name"] == "lobby"
    assert [e["channel"] for e in heard.events("channel_left")] == [channel.id]
    assert [e["user"] for e in heard.events("channel_archive")] == [alice.id]


async def test_home_reactions_and_files_are_heard(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        await slack.open_home(alice, app)
        await slack.open_home(alice, app, "messages", viewing=channel)
        message = await slack.say(alice, channel, "see", files=[("plan.txt", b"a plan")])
        await slack.react(alice, message, "eyes")
        await slack.settled()
    home, messages = heard.events("app_home_opened")
    assert (home["tab"], messages["tab"], messages["context"]["entities"][0]["value"]) == (
        "home",
        "messages",
        channel.id,
    )
    assert heard.subtypes() == ["file_share"]
    assert heard.events("message")[0]["files"][0]["mimetype"] == "text/plain"
    assert heard.events("reaction_added")[0]["item"] == {"type": "message", "channel": channel.id, "ts": message.ts}


async def test_a_shared_channel_says_so(slack: FakeSlack) -> None:
    other = slack.add_workspace("Other")
    app, mallory = slack.add_app("citebot"), slack.add_user("mallory", workspace=other)
    channel = slack.add_channel("shared", [app, mallory], shared_with=[other])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        await slack.say(mallory, channel, f"{app.mention} hello")
        await slack.settled()
        found = await heard.bolt.client.apps_event_authorizations_list(
            event_context=heard.bodies[0]["event_context"], token=app.app_token
        )
    body = heard.bodies[0]
    assert (body["is_ext_shared_channel"], body["event"]["user_team"]) == (True, other.id)
    assert [a["team_id"] for a in found["authorizations"]] == [slack.workspace.id]


async def test_the_end_of_an_installation_is_heard(slack: FakeSlack) -> None:
    app = slack.add_app("citebot")
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        await heard.bolt.client.auth_test()
        await slack.uninstall(app)
        await slack.settled()
    assert [d.body["event"]["type"] for d in slack.deliveries] == ["tokens_revoked", "app_uninstalled"]


async def test_a_deactivated_person_leaves_the_channels_and_is_announced(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        await slack.deactivate(alice)
        await slack.settled()
        user = (await heard.bolt.client.users_info(user=alice.id))["user"]
    assert [(e["user"]["id"], e["user"]["deleted"]) for e in heard.events("user_change")] == [(alice.id, True)]
    assert (user["deleted"], channel.members) == (True, [app.bot.id])


async def test_each_event_goes_to_one_socket(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    one, two = Heard(slack, app), Heard(slack, app)
    async with connected(slack, app, one), connected(slack, app, two):
        for number in range(4):
            await slack.say(alice, channel, str(number))
        await slack.settled()
    assert [len(one.bodies), len(two.bodies)] == [2, 2]
    assert {b["event"]["text"] for b in one.bodies + two.bodies} == set("0123")


async def test_an_eleventh_socket_is_refused(slack: FakeSlack) -> None:
    app = slack.add_app("citebot")
    web = AsyncWebClient(app.bot_token, base_url=slack.api_url)
    async with aiohttp.ClientSession() as session:
        sockets = []
        for number in range(1, 12):
            url = (await web.apps_connections_open(app_token=app.app_token))["url"]
            sockets.append(await session.ws_connect(url))
            first = await sockets[-1].receive_json()
            if number <= 10:
                assert (first["type"], first["num_connections"]) == ("hello", number)
                assert first["debug_info"]["approximate_connection_time"] > 0
        assert (first["type"], first["reason"]) == ("disconnect", "too_many_websockets")
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_an_event_that_is_not_acked_comes_again_at_most_three_times(slack: FakeSlack) -> None:
    slack.clock.speed, slack.clock.least_patience = 3000, 0.05
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    heard.fail = 100
    async with connected(slack, app, heard):
        await slack.say(alice, channel, "hello")
        await slack.settled()
    assert heard.retries == ["0", "1", "2", "3"]
    assert len({b["event_id"] for b in heard.bodies}) == 1
    (delivery,) = slack.deliveries
    assert (delivery.acked, delivery.attempts, delivery.reason) == (False, 4, "timeout")


async def test_an_event_is_kept_for_an_app_that_comes_back(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    await slack.say(alice, channel, "anybody?")
    async with connected(slack, app, heard):
        await slack.settled()
    (delivery,) = slack.deliveries
    assert (delivery.acked, delivery.attempts, [b["event"]["text"] for b in heard.bodies]) == (True, 3, ["anybody?"])


async def test_copies_of_an_event_have_the_same_id(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    slack.settings.copies = 3
    async with connected(slack, app, heard):
        await slack.say(alice, channel, "hello")
        await slack.settled()
        slack.redeliver(slack.deliveries[0])
        await slack.settled()
    assert len(heard.bodies) == 4
    assert len({b["event_id"] for b in heard.bodies}) == 1


@pytest.mark.parametrize("how", ["refresh", "warning", "age"])
async def test_a_refreshed_socket_is_replaced(slack: FakeSlack, how: str) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard):
        (old,) = slack.sockets(app)
        if how == "age":
            slack.clock.skip(18_061)
        else:
            await slack.refresh_sockets(app, warn=how == "warning")
        await slack.until(lambda: [s.number for s in slack.sockets(app)] not in ([], [old.number]))
        await slack.say(alice, channel, "hello")
        await slack.settled()
    assert heard.subtypes() == [""]


async def test_a_dropped_socket_comes_back(slack: FakeSlack) -> None:
    app = slack.add_app("citebot")
    heard = Heard(slack, app)
    async with connected(slack, app, heard, ping=0.2):
        (old,) = slack.sockets(app)
        slack.drop_sockets(app)
        await slack.until(lambda: [s.number for s in slack.sockets(app)] not in ([], [old.number]))


async def test_a_deaf_socket_stays_open_and_loses_events_until_the_client_notices(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard, ping=0.4) as client:
        (deaf,) = slack.deafen(app)
        await slack.say(alice, channel, "hello?")
        await asyncio.sleep(0.2)
        assert (heard.bodies, await client.is_connected(), deaf.delivered) == ([], True, 1)
        await slack.until(lambda: heard.bodies)
        assert deaf not in slack.sockets(app)
        await slack.settled()
    assert slack.deliveries[0].attempts > 1


async def test_a_socket_can_be_deaf_while_pings_go_on(slack: FakeSlack) -> None:
    app, alice = slack.add_app("citebot"), slack.add_user("alice")
    channel = slack.add_channel("general", [app, alice])
    heard = Heard(slack, app)
    async with connected(slack, app, heard, ping=0.1) as client:
        slack.deafen(app, pings=True)
        await slack.say(alice, channel, "hello?")
        await asyncio.sleep(0.6)
        assert await client.is_connected()
        assert (heard.bodies, len(slack.sockets(app))) == ([], 1)
