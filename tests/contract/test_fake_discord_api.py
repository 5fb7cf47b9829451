"""Messages, threads and refusals of the fake Discord, seen by discord.py's own client."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest

from citebot.testing.discord import App, Channel, FakeDiscord, NotPossible, Permission, User

StartBot = Callable[..., Awaitable[Any]]


@pytest.fixture
def app(app: App, fake_discord: FakeDiscord) -> App:
    fake_discord.settings.rates = False
    return app


@pytest.fixture
async def bot(app: App, channel: Channel, start_bot: StartBot) -> Any:
    return await start_bot(app)


@pytest.fixture
def place(bot: Any, channel: Channel) -> Any:
    return bot.get_channel(int(channel.id))


async def code(call: Any) -> tuple[int, int]:
    with pytest.raises(discord.HTTPException) as error:
        await call
    return error.value.status, error.value.code


async def test_content_types_are_exact_and_unknown_addresses_say_so(fake_discord: FakeDiscord, app: App) -> None:
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {app.token}"}) as session:
        async with session.get(f"{fake_discord.api_url}/users/@me") as found:
            assert found.headers["Content-Type"] == "application/json"
            assert (await found.json())["id"] == app.id
        async with session.get(f"{fake_discord.api_url}/levitate") as unknown:
            assert (unknown.status, (await unknown.json())["message"]) == (404, "404: Not Found")
        async with session.post(
            f"{fake_discord.api_url}/users/@me/channels", data="{", headers={"Content-Type": "application/json"}
        ) as broken:
            assert (broken.status, (await broken.json())["code"]) == (400, 50109)


@pytest.mark.parametrize("header", ["", "Bot nobody", "Bearer TOKEN"])
async def test_who_is_nobody_is_refused(fake_discord: FakeDiscord, app: App, header: str) -> None:
    headers = {"Authorization": header.replace("TOKEN", app.token)} if header else {}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.get(f"{fake_discord.api_url}/users/@me") as no,
    ):
        assert (no.status, await no.json()) == (401, {"message": "401: Unauthorized", "code": 0})


async def test_a_reset_token_ends_what_went_on(fake_discord: FakeDiscord, app: App, bot: Any) -> None:
    old = app.token
    assert fake_discord.reset_token(app) == app.token != old
    with pytest.raises(discord.ConnectionClosed) as closed:
        await bot.task
    assert closed.value.code == 4004
    async with (
        aiohttp.ClientSession(headers={"Authorization": f"Bot {old}"}) as session,
        session.get(f"{fake_discord.api_url}/users/@me") as refused,
    ):
        assert refused.status == 401


async def test_a_message_is_written_answered_edited_and_deleted(
    fake_discord: FakeDiscord, alice: User, channel: Channel, place: Any
) -> None:
    asked = await fake_discord.say(alice, channel, "where are the keys?")
    message = await place.send("**on** the shelf", reference=place.get_partial_message(int(asked.id)))
    shown = fake_discord.messages(channel)[-1]
    assert (shown.text, shown.reply_to, shown.edited) == ("**on** the shelf", asked.id, False)
    assert shown.calls == frozenset(), "replies ping only where they may"
    await message.edit(content="in the drawer")
    assert [(m.text, m.edited) for m in fake_discord.messages(channel)][-1] == ("in the drawer", True)
    await message.add_reaction("✅")
    assert fake_discord.messages(channel)[-1].reactions == {"✅": [str(place.guild.me.id)]}
    await message.delete()
    assert [m.id for m in fake_discord.messages(channel)] == [asked.id]
    assert await code(message.edit(content="gone")) == (404, 10008)


async def test_only_own_messages_are_edited_and_deleted(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, place: Any
) -> None:
    theirs = await fake_discord.say(alice, channel, "mine")
    message = await place.fetch_message(int(theirs.id))
    assert await code(message.edit(content="yours")) == (403, 50005)
    assert await code(message.delete()) == (403, 50013)
    await fake_discord.permit(channel, app, allow=Permission.MANAGE_MESSAGES)
    await message.delete()
    assert fake_discord.messages(channel) == []


@pytest.mark.parametrize(
    ("denied", "status"),
    [(Permission.VIEW_CHANNEL, (403, 50001)), (Permission.SEND_MESSAGES, (403, 50013))],
)
async def test_what_is_denied_is_refused_from_then_on(
    fake_discord: FakeDiscord, app: App, channel: Channel, place: Any, denied: Permission, status: tuple[int, int]
) -> None:
    await place.send("before")
    await fake_discord.permit(channel, app, deny=denied)
    assert await code(place.send("after")) == status
    assert await code(place.typing().__aenter__()) == status
    await fake_discord.permit(channel, app)
    await place.send("again")
    assert [m.text for m in fake_discord.messages(channel)] == ["before", "again"]


async def test_files_and_embeds_need_their_permission(
    fake_discord: FakeDiscord, app: App, channel: Channel, place: Any
) -> None:
    await fake_discord.permit(channel, app, deny=Permission.ATTACH_FILES)
    assert await code(place.send(file=discord.File(io.BytesIO(b"x"), "x.txt"))) == (403, 50013)
    await place.send(embed=discord.Embed(title="hello"))
    await fake_discord.permit(channel, app, allow=Permission.ATTACH_FILES, deny=Permission.EMBED_LINKS)
    message = await place.send(file=discord.File(io.BytesIO(b"content"), "x.txt"))
    assert await message.attachments[0].read() == b"content"
    assert await code(place.send(embed=discord.Embed(title="hello"))) == (403, 50013)
    big = discord.File(io.BytesIO(b"x" * (10 * 1024 * 1024 + 1)), "big.bin")
    assert await code(place.send(file=big)) == (413, 40005)


async def test_without_history_nothing_is_read_or_answered(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, place: Any
) -> None:
    asked = await fake_discord.say(alice, channel, f"{app.mention} hello")
    assert [m.content async for m in place.history()] == [f"<@{app.id}> hello"]
    await fake_discord.permit(channel, app, deny=Permission.READ_MESSAGE_HISTORY)
    assert [m async for m in place.history()] == []
    assert await code(place.fetch_message(int(asked.id))) == (403, 50013)
    assert await code(place.send("yes", reference=place.get_partial_message(int(asked.id)))) == (403, 160002)


async def test_history_is_paged_both_ways(fake_discord: FakeDiscord, alice: User, channel: Channel, place: Any) -> None:
    messages = [await fake_discord.say(alice, channel, f"{number}") for number in range(120)]
    assert [m.id async for m in place.history(limit=None)] == [int(m.id) for m in reversed(messages)]
    after = place.history(after=discord.Object(int(messages[9].id)), limit=None, oldest_first=True)
    assert [m.id async for m in after] == [int(m.id) for m in messages[10:]]
    before = place.history(before=discord.Object(int(messages[9].id)), limit=3)
    assert [m.id async for m in before] == [int(m.id) for m in reversed(messages[6:9])]


async def test_a_reply_to_what_is_gone_is_refused(
    fake_discord: FakeDiscord, alice: User, channel: Channel, place: Any
) -> None:
    asked = await fake_discord.say(alice, channel, "hello")
    await fake_discord.delete(alice, asked)
    gone = discord.MessageReference(message_id=int(asked.id), channel_id=place.id)
    assert await code(place.send("yes", reference=gone)) == (400, 50035)
    gone.fail_if_not_exists = False
    await place.send("yes", reference=gone)
    assert fake_discord.messages(channel)[-1].reply_to == ""


async def test_a_nonce_makes_one_message(fake_discord: FakeDiscord, channel: Channel, place: Any) -> None:
    first, second = await place.send("once", nonce="n1"), await place.send("once", nonce="n1")
    await place.send("twice", nonce="n2")
    assert first.id == second.id
    assert [m.text for m in fake_discord.messages(channel)] == ["once", "twice"]
    fake_discord.clock.skip(600)
    assert (await place.send("later", nonce="n1")).id != first.id, "a nonce is remembered for minutes"
    assert await code(place.send("long", nonce="n" * 26)) == (400, 50035)


async def test_mentions_call_whom_they_may(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, place: Any
) -> None:
    role = fake_discord.add_role("helpers", [alice], mentionable=True)
    closed = fake_discord.add_role("board", [alice])
    text = f"@everyone <@{alice.id}> <@&{role.id}> <@&{closed.id}> `<@{app.id}>`"
    everything = discord.AllowedMentions.all()
    await place.send(text)
    await place.send(text, allowed_mentions=everything)
    await place.send(text, allowed_mentions=discord.AllowedMentions(users=[discord.Object(int(alice.id))]))
    calls = [m.calls for m in fake_discord.messages(channel)]
    assert calls == [set(), {alice.id, role.id}, {alice.id}]
    assert fake_discord.sent[-3].args["allowed_mentions"] == {"parse": []}
    await fake_discord.permit(channel, app, allow=Permission.MENTION_EVERYONE)
    await place.send(text, allowed_mentions=everything)
    assert fake_discord.messages(channel)[-1].calls == {"everyone", alice.id, role.id, closed.id}
    view = discord.ui.LayoutView()
    view.add_item(discord.ui.TextDisplay(f"<@{alice.id}>"))
    await place.send(view=view, allowed_mentions=everything)
    assert fake_discord.messages(channel)[-1].calls == {alice.id}, "texts of layouts call too"


async def test_links_that_unfurl_are_told_from_those_that_do_not(
    fake_discord: FakeDiscord, channel: Channel, place: Any
) -> None:
    for text, more in (
        ("see https://a.example/x", {}),
        ("see <https://a.example/x>", {}),
        ("see https://a.example/x", {"suppress_embeds": True}),
        ("see `https://a.example/x`", {}),
        ("see [x](https://a.example/x)", {}),
    ):
        await place.send(text, **more)
    shown = fake_discord.messages(channel)
    assert [m.unfurls for m in shown] == [True, False, False, False, True]
    assert [bool(m.links) for m in shown] == [True, True, True, False, True]


async def test_threads_of_messages(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, place: Any
) -> None:
    message = await place.send("an answer")
    thread = await message.create_thread(name="more", auto_archive_duration=60)
    assert thread.id == message.id
    assert await code(message.create_thread(name="again")) == (400, 160004)
    await thread.send("hello")
    mine = fake_discord.thread_of(fake_discord.messages(channel)[0])
    assert mine is not None
    assert fake_discord.messages(channel)[0].thread == mine.id
    await fake_discord.say(alice, mine, "hello too")
    assert set(mine.thread_members) == {app.bot.id, alice.id}, "who speaks is in it"
    await thread.add_user(discord.Object(int(alice.id)))
    with pytest.raises(NotPossible):
        await fake_discord.archive(alice, mine)


async def test_an_archived_thread_opens_when_somebody_writes_a_locked_one_does_not(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any, place: Any
) -> None:
    chief = fake_discord.add_user("chief", admin=True)
    thread = await (await place.send("an answer")).create_thread(name="more")
    mine = fake_discord.threads(channel)[0]
    said = await thread.send("one")
    await fake_discord.archive(chief, mine)
    assert await code(said.edit(content="two")) == (400, 50083)
    await thread.send("open again")
    assert not mine.archived
    await fake_discord.archive(chief, mine, archived=False, locked=True)
    assert await code(thread.send("locked")) == (403, 160005)
    await fake_discord.archive(chief, mine, archived=True, locked=True)
    assert await code(thread.send("locked")) == (400, 50083)
    with pytest.raises(NotPossible):
        await fake_discord.say(alice, mine, "locked")


async def test_private_threads_are_for_their_members(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, bot: Any, place: Any
) -> None:
    await fake_discord.permit(channel, app, deny=Permission.CREATE_PRIVATE_THREADS)
    assert await code(place.create_thread(name="secret")) == (403, 50013)
    secret = await fake_discord.start_thread(alice, channel, "secret", private=True)
    assert await code(bot.fetch_channel(int(secret.id))) == (403, 50001)
    await fake_discord.invite(alice, secret, app)
    thread = await bot.fetch_channel(int(secret.id))
    assert thread.is_private()
    await thread.send("hello")
    assert await code(thread.fetch_members()) == (403, 50001), "needs the members intent"
    assert (await thread.fetch_member(int(alice.id))).id == int(alice.id)
    await thread.leave()
    assert await code(thread.send("gone")) == (403, 50001)


async def test_forum_posts(fake_discord: FakeDiscord, app: App, alice: User, bot: Any) -> None:
    forum = fake_discord.add_channel("questions", kind="forum", tags=["solved", "!official"])
    post = await fake_discord.post(alice, forum, "Where are the keys?", f"{app.mention} please", tags=["solved"])
    await fake_discord.until(lambda: bot.heard)
    assert bot.heard[0].id == bot.heard[0].channel.id == int(post.id)
    thread = await bot.fetch_channel(int(post.id))
    assert thread.applied_tags == [thread.parent.available_tags[0]]
    assert await code(thread.edit(applied_tags=[])) == (403, 50013)
    await thread.send("on the shelf")
    await fake_discord.permit(forum, app, allow=Permission.MANAGE_THREADS)
    await thread.edit(applied_tags=thread.parent.available_tags, archived=True)
    assert (post.archived, len(post.applied_tags)) == (True, 2)
    with pytest.raises(NotPossible):
        await fake_discord.say(alice, forum, "not here")


async def test_direct_messages(fake_discord: FakeDiscord, app: App, alice: User, bot: Any) -> None:
    await (await bot.fetch_user(int(alice.id))).send("hello")
    assert [m.text for m in fake_discord.messages(fake_discord.direct(alice, app))] == ["hello"]
    alice.takes_direct = False
    assert await code((await bot.fetch_user(int(alice.id))).send("hello?")) == (403, 50007)


async def test_what_is_deleted_is_unknown(
    fake_discord: FakeDiscord, app: App, channel: Channel, bot: Any, place: Any
) -> None:
    thread = await (await place.send("an answer")).create_thread(name="more")
    await fake_discord.delete_channel(channel)
    assert await code(place.send("hello")) == (404, 10003)
    assert await code(thread.send("hello")) == (404, 10003)
    guild = bot.get_guild(int(fake_discord.guild.id))
    await fake_discord.uninstall(app)
    assert await code(guild.fetch_channels()) == (403, 50001)
    await fake_discord.delete_guild(fake_discord.guild)
    assert await code(guild.fetch_channels()) == (404, 10004)


async def test_members_are_read_one_by_one(fake_discord: FakeDiscord, alice: User, bot: Any) -> None:
    guild = bot.get_guild(int(fake_discord.guild.id))
    assert (await guild.fetch_member(int(alice.id))).name == "alice"
    assert (await guild.query_members(user_ids=[int(alice.id)]))[0].name == "alice"
    stranger = fake_discord.add_user("stranger", guilds=[])
    assert await code(guild.fetch_member(int(stranger.id))) == (404, 10007)
    assert await code(bot.http.get_members(guild.id, 1, None)) == (403, 50001)


async def test_who_is_timed_out_only_reads(fake_discord: FakeDiscord, app: App, alice: User, place: Any) -> None:
    await fake_discord.time_out(app)
    assert await code(place.send("hello")) == (403, 50013)
    await fake_discord.time_out(app, seconds=0)
    await place.send("hello")


async def test_everything_sent_is_recorded(fake_discord: FakeDiscord, app: App, place: Any) -> None:
    await place.send("one", embed=discord.Embed(description="two"))
    sent = fake_discord.calls("create_message")[-1]
    assert (sent.args["content"], sent.args["embeds"][0]["description"], sent.app_id) == ("one", "two", app.id)
    assert (sent.status, sent.result["content"]) == (200, "one")
