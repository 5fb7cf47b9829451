"""The gateway of the fake Discord, seen by discord.py's own client."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest

from citebot.testing.discord import App, Channel, FakeDiscord, Permission, User
from citebot.testing.discord.state import EPOCH

StartBot = Callable[..., Awaitable[Any]]


class Raw:
    """A socket of the gateway without a library."""

    def __init__(self, fake: FakeDiscord, session: aiohttp.ClientSession, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.fake, self.session, self.ws = fake, session, ws

    async def receive(self, *wanted: str | int) -> Any:
        """The next frame with one of these ops or event names."""
        async with asyncio.timeout(30):
            while True:
                message = await self.ws.receive()
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return self.ws.close_code
                frame = json.loads(message.data)
                if not wanted or frame["op"] in wanted or frame["t"] in wanted:
                    return frame

    async def identify(self, token: str, intents: int = 513, **more: Any) -> Any:
        """Begin a session; READY, or what came instead."""
        body = {"token": token, "intents": intents, "properties": {}, **more}
        await self.ws.send_json({"op": 2, "d": body})
        return await self.receive("READY", 9)


@pytest.fixture
async def raw(fake_discord: FakeDiscord) -> Any:
    async with aiohttp.ClientSession() as session:

        async def connect(query: str = "v=10&encoding=json") -> Raw:
            ws = await session.ws_connect(f"{fake_discord.gateway_url}?{query}")
            return Raw(fake_discord, session, ws)

        yield connect


async def test_hello_then_ready_then_the_guilds(
    fake_discord: FakeDiscord, app: App, channel: Channel, raw: Any
) -> None:
    socket = await raw()
    assert (await socket.receive())["op"] == 10
    ready = (await socket.identify(app.token))["d"]
    assert ready["guilds"] == [{"id": fake_discord.guild.id, "unavailable": True}]
    assert ready["resume_gateway_url"] == fake_discord.gateway_url
    assert ready["application"]["id"] == app.id
    guild = (await socket.receive("GUILD_CREATE"))["d"]
    assert [c["name"] for c in guild["channels"]] == ["general"]
    assert [m["user"]["id"] for m in guild["members"]] == [app.bot.id], "others only with the members intent"


async def test_frames_are_one_zlib_stream_when_asked_for(app: App, raw: Any) -> None:
    socket = await raw("v=10&encoding=json&compress=zlib-stream")
    unpack = zlib.decompressobj()
    first = await socket.ws.receive()
    assert first.type is aiohttp.WSMsgType.BINARY
    assert first.data.endswith(b"\x00\x00\xff\xff")
    assert json.loads(unpack.decompress(first.data))["op"] == 10
    await socket.ws.send_json({"op": 1, "d": None})
    second = await socket.ws.receive()
    assert json.loads(unpack.decompress(second.data))["op"] == 11


@pytest.mark.parametrize(
    ("query", "frames", "code"),
    [
        ("v=6", [], 4012),
        ("v=10", ["nonsense"], 4002),
        ("v=10", [{"op": 8, "d": {}}], 4003),
        ("v=10", [{"op": 2, "d": {"token": "nobody", "intents": 0}}], 4004),
        ("v=10", [{"op": 2, "d": {"token": "TOKEN", "intents": 0, "shard": [2, 2]}}], 4010),
        ("v=10", [{"op": 2, "d": {"token": "TOKEN", "intents": 1 << 40}}], 4013),
        ("v=10", [{"op": 2, "d": {"token": "TOKEN", "intents": 1 << 15}}], 4014),
        ("v=10", [{"op": 2, "d": {"token": "TOKEN", "intents": 0}}] * 2, 4005),
        ("v=10", [{"op": 2, "d": {"token": "TOKEN", "intents": 0}}, {"op": 99}], 4001),
        ("v=10", [{"op": 1, "d": None}] * 121, 4008),
    ],
)
async def test_what_is_wrong_closes_with_its_code(app: App, raw: Any, query: str, frames: list[Any], code: int) -> None:
    socket = await raw(query)
    for frame in frames:
        await socket.ws.send_str(json.dumps(frame).replace("TOKEN", app.token) if frame != "nonsense" else frame)
    assert await socket.receive("never") == code


async def test_a_client_that_sends_no_heartbeats_is_closed(raw: Any, app: App, fake_discord: FakeDiscord) -> None:
    fake_discord.clock.speed, fake_discord.clock.least_patience = 10_000, 0.02
    socket = await raw()
    await socket.identify(app.token)
    assert await socket.receive("never") == 4009


async def test_an_unprivileged_session_reads_only_what_is_meant_for_the_bot(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, start_bot: StartBot
) -> None:
    bot = await start_bot(app)
    await fake_discord.say(alice, channel, "nobody is asked")
    await fake_discord.say(alice, channel, f"{app.mention} is asked")
    mine = await fake_discord.say(alice, channel, "first")
    await fake_discord.say(alice, app, "a direct one")
    await fake_discord.until(lambda: len(bot.heard) == 4)
    assert [m.content for m in bot.heard] == ["", f"<@{app.id}> is asked", "", "a direct one"]
    assert bot.user in bot.heard[1].mentions
    with pytest.raises(discord.NotFound):
        await bot.get_channel(int(channel.id)).fetch_message(1)
    fetched = await bot.get_channel(int(channel.id)).fetch_message(int(mine.id))
    assert fetched.content == "", "nor by asking for it"


async def test_with_the_intent_all_contents_are_read(
    fake_discord: FakeDiscord, alice: User, channel: Channel, start_bot: StartBot
) -> None:
    app = fake_discord.add_app("reader", intents=["message_content"])
    intents = discord.Intents.default()
    intents.message_content = True
    bot = await start_bot(app, intents=intents)
    await fake_discord.say(alice, channel, "nobody is asked")
    await fake_discord.until(lambda: bot.heard)
    assert bot.heard[0].content == "nobody is asked"


async def test_an_intent_that_was_not_granted_ends_the_client(
    fake_discord: FakeDiscord, app: App, start_bot: StartBot
) -> None:
    intents = discord.Intents.default()
    intents.message_content = True
    bot = await start_bot(app, intents=intents, wait=False)
    assert bot.task is not None
    with pytest.raises(discord.PrivilegedIntentsRequired):
        await bot.task


async def test_a_wrong_token_ends_the_client(app: App, start_bot: StartBot) -> None:
    bot = await start_bot(app, wait=False, token="wrong")
    assert bot.task is not None
    with pytest.raises(discord.LoginFailure):
        await bot.task


@pytest.mark.parametrize("how", ["drop", "reconnect", "invalid but resumable", "close"])
async def test_what_was_missed_comes_with_the_resume(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, start_bot: StartBot, how: str
) -> None:
    bot = await start_bot(app)
    match how:
        case "drop":
            fake_discord.drop_sockets(app)
        case "reconnect":
            await fake_discord.reconnect_sockets(app)
        case "close":
            await fake_discord.close_sockets(app, 4000)
        case _:
            await fake_discord.invalidate_sessions(app, resumable=True)
    await fake_discord.until(lambda: not fake_discord.sessions(app))
    await fake_discord.say(alice, channel, f"{app.mention} missed?")
    await fake_discord.until(lambda: bot.heard)
    assert (fake_discord.identifies, fake_discord.resumes) == (1, 1)
    assert [m.content for m in bot.heard] == [f"<@{app.id}> missed?"]


async def test_what_happened_while_no_session_lived_is_lost(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, start_bot: StartBot
) -> None:
    bot = await start_bot(app)
    fake_discord.clock.skip(5)  # the next session may begin
    fake_discord.forget_sessions(app)
    await fake_discord.say(alice, channel, f"{app.mention} lost")
    await fake_discord.until(lambda: fake_discord.ready(app))
    await fake_discord.say(alice, channel, f"{app.mention} heard")
    await fake_discord.until(lambda: bot.heard)
    assert [m.content for m in bot.heard] == [f"<@{app.id}> heard"]
    assert fake_discord.identifies == 2


async def test_a_session_that_was_away_too_long_cannot_be_resumed(
    fake_discord: FakeDiscord, app: App, raw: Any
) -> None:
    socket = await raw()
    ready = await socket.identify(app.token)
    fake_discord.drop_sockets(app)
    await fake_discord.until(lambda: not fake_discord.sessions(app))
    resume = {"op": 6, "d": {"token": app.token, "session_id": ready["d"]["session_id"], "seq": 1}}
    fake_discord.clock.skip(121)
    again = await raw()
    await again.ws.send_json(resume)
    assert (await again.receive(9))["d"] is False


async def test_sessions_begin_one_at_a_time(app: App, raw: Any, fake_discord: FakeDiscord) -> None:
    first, second = await raw(), await raw()
    assert (await first.identify(app.token))["op"] == 0
    assert (await second.identify(app.token))["op"] == 9
    fake_discord.clock.skip(6)
    assert (await second.identify(app.token))["op"] == 0


async def test_too_many_sessions_in_a_day_cost_the_token(app: App, raw: Any, fake_discord: FakeDiscord) -> None:
    app.identifies_left, token = 1, app.token
    socket = await raw()
    await socket.identify(token)
    fake_discord.clock.skip(6)
    assert await (await raw()).identify(token) == 4004
    assert await socket.receive("never") == 4004, "the sessions that lived are closed"
    assert app.token != token


async def test_shards_hear_of_their_own_guilds(fake_discord: FakeDiscord, app: App, alice: User, raw: Any) -> None:
    fake_discord.settings.max_concurrency = 2
    home, last = int(fake_discord.guild.id) >> 22, max(int(one) >> 22 for one in (app.id, alice.id))
    later = last + 1 + (last - home) % 2 + EPOCH  # odd ms after the first: on the other shard
    fake_discord.clock.wall = lambda: (later + 0.5) / 1000
    other = fake_discord.add_guild("Other")
    await fake_discord.install(app, other)
    sockets = [await raw() for _ in range(2)]
    for number, socket in enumerate(sockets):
        ready = await socket.identify(app.token, shard=[number, 2])
        assert [(int(g["id"]) >> 22) % 2 for g in ready["d"]["guilds"]] == [number]
    await fake_discord.join(alice, other)
    for guild in (fake_discord.guild, other):
        await fake_discord.say(alice, fake_discord.add_channel("hall", guild=guild), "hello")
    for number, socket in enumerate(sockets):
        told = (await socket.receive("MESSAGE_CREATE"))["d"]["guild_id"]
        assert (int(told) >> 22) % 2 == number


async def test_a_sharded_client_is_ready(fake_discord: FakeDiscord, app: App, start_bot: StartBot) -> None:
    fake_discord.settings.shards = fake_discord.settings.max_concurrency = 2
    bot = await start_bot(app)
    assert sorted(bot.shards) == [0, 1]
    assert {s.shard for s in fake_discord.sessions(app)} == {(0, 2), (1, 2)}


async def test_a_malformed_event_ends_the_loop_of_the_client(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, start_bot: StartBot
) -> None:
    bot = await start_bot(app)
    await fake_discord.send_malformed(app)
    assert bot.task is not None
    with pytest.raises(TypeError, match="dict"):
        await bot.task


async def test_a_deaf_socket_is_found_out_by_its_heartbeats(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, start_bot: StartBot
) -> None:
    bot = await start_bot(app, heartbeat_timeout=2.0)
    fake_discord.deafen(app)
    await fake_discord.say(alice, channel, f"{app.mention} anybody?")
    assert not bot.heard
    await fake_discord.until(lambda: bot.heard, timeout=60)
    assert fake_discord.resumes == 1


async def test_guilds_come_and_go(fake_discord: FakeDiscord, app: App, start_bot: StartBot) -> None:
    bot = await start_bot(app)
    other = fake_discord.add_guild("Other")
    await fake_discord.install(app, other)
    await fake_discord.until(lambda: bot.happened("guild_join"))
    await fake_discord.outage(other)
    await fake_discord.until(lambda: bot.happened("guild_unavailable"))
    await fake_discord.outage(other, over=True)
    await fake_discord.until(lambda: bot.happened("guild_available"))
    await fake_discord.uninstall(app, other)
    await fake_discord.until(lambda: bot.happened("guild_remove"))
    await fake_discord.delete_guild(fake_discord.guild)
    await fake_discord.until(lambda: len(bot.happened("guild_remove")) == 2)


async def test_edits_deletions_reactions_and_threads_are_told(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, start_bot: StartBot
) -> None:
    bot = await start_bot(app)
    message = await fake_discord.say(alice, channel, f"{app.mention} one")
    await fake_discord.edit(alice, message, f"{app.mention} two")
    await fake_discord.react(alice, message, "👍")
    thread = await fake_discord.start_thread(alice, message, "more")
    await fake_discord.say(alice, thread, f"{app.mention} in the thread")
    await fake_discord.archive(alice, thread)
    await fake_discord.delete(alice, message)
    await fake_discord.until(lambda: bot.happened("raw_message_delete"))
    assert bot.happened("raw_message_edit")[0][0].data["content"] == f"<@{app.id}> two"
    assert str(bot.happened("raw_reaction_add")[0][0].emoji) == "👍"
    assert bot.happened("thread_create")[0][0].id == int(message.id)
    assert bot.happened("raw_thread_update")[0][0].data["thread_metadata"]["archived"]
    spoken = next(m for m in bot.heard if m.content.endswith("in the thread"))
    assert isinstance(spoken.channel, discord.Thread)


async def test_what_the_bot_cannot_see_is_not_told(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, start_bot: StartBot
) -> None:
    hidden = fake_discord.add_channel("hidden", [alice])
    bot = await start_bot(app)
    secret = await fake_discord.start_thread(alice, channel, "secret", private=True)
    await fake_discord.say(alice, hidden, "@everyone not for the bot")
    await fake_discord.say(alice, secret, "nor this")
    await fake_discord.say(alice, channel, f"{app.mention} but this")
    await fake_discord.until(lambda: bot.heard)
    assert [m.channel.id for m in bot.heard] == [int(channel.id)]
    await fake_discord.say(alice, secret, f"{app.mention} come in")
    await fake_discord.until(lambda: len(bot.heard) == 2)
    assert bot.heard[1].channel.id == int(secret.id), "who is mentioned is in the thread"
    await fake_discord.permit(channel, app, deny=Permission.VIEW_CHANNEL)
    await fake_discord.say(alice, channel, f"{app.mention} not any more")
    await fake_discord.settled()
    assert len(bot.heard) == 2


async def test_who_sees_a_channel_again_is_told_of_its_threads(
    fake_discord: FakeDiscord, app: App, alice: User, start_bot: StartBot
) -> None:
    hidden = fake_discord.add_channel("hidden", [alice])
    thread = await fake_discord.start_thread(alice, hidden, "inside")
    bot = await start_bot(app)
    guild = bot.get_guild(int(fake_discord.guild.id))
    assert guild.get_thread(int(thread.id)) is None
    await fake_discord.permit(hidden, app, allow=Permission.VIEW_CHANNEL)
    await fake_discord.until(lambda: guild.get_thread(int(thread.id)))
    await fake_discord.say(alice, thread, f"{app.mention} now")
    await fake_discord.until(lambda: bot.heard)
