"""The fake Discord in a browser: one sees what people see and can do what they can do."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest

from citebot.testing.discord import App, Channel, FakeDiscord, User

StartBot = Callable[..., Awaitable[Any]]
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
async def browser(fake_discord: FakeDiscord) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(fake_discord.url) as session:
        yield session


async def page(browser: aiohttp.ClientSession, **query: str) -> str:
    async with browser.get("/", params=query) as answer:
        assert answer.status == 200
        return await answer.text()


async def act(browser: aiohttp.ClientSession, **form: str) -> tuple[int, str]:
    async with browser.post("/view/act", data=form, headers={"Accept": "application/json"}) as answer:
        return answer.status, await answer.text()


async def test_an_empty_guild_says_so(fake_discord: FakeDiscord, browser: aiohttp.ClientSession) -> None:
    assert await page(browser) == "There is nobody in this guild yet."


async def test_one_sees_what_a_person_sees(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, browser: aiohttp.ClientSession
) -> None:
    bob = fake_discord.add_user("bob")
    fake_discord.add_channel("secret-plans", [bob], nsfw=True)
    await fake_discord.say(bob, channel, f"**hello** {alice.mention} {SCRIPT} [x](javascript:alert) `a < b`")
    mine, theirs = await page(browser), await page(browser, **{"as": bob.id})
    assert "secret-plans" not in mine
    assert "secret-plans (private) (18+)" in theirs
    assert "<b>hello</b>" in mine
    assert "<mark>@alice</mark>" in mine
    assert "<code>a &lt; b</code>" in mine
    assert SCRIPT not in mine
    assert 'href="javascript' not in mine


async def test_one_asks_and_answers_by_hand(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, browser: Any, start_bot: StartBot
) -> None:
    bot = await start_bot(app)
    asked: list[Any] = []

    class Why(discord.ui.Modal, title="Why?"):
        more: Any = discord.ui.TextInput(label="More", custom_id="more")

        async def on_submit(self, interaction: discord.Interaction[Any]) -> None:
            await interaction.response.send_message(f"because {self.more.value}", ephemeral=True)

    class Down(discord.ui.Button[Any]):
        async def callback(self, interaction: discord.Interaction[Any]) -> None:
            await interaction.response.send_modal(Why())

    class Layout(discord.ui.LayoutView):
        words: Any = discord.ui.TextDisplay(f"# On the shelf\n{SCRIPT}")
        row: Any = discord.ui.ActionRow(Down(label="Not helpful", custom_id="down"))

    async def answer(interaction: discord.Interaction[Any]) -> None:
        asked.append((interaction.namespace.question, interaction.namespace.private))
        await interaction.response.send_message(view=Layout())

    bot.answer = answer
    assert (await act(browser, do="say", place=channel.id, line="/ask where are the keys? private:yes"))[0] == 200
    assert asked == [("where are the keys?", True)]
    seen = await page(browser)
    assert "<b>On the shelf</b>" in seen
    assert SCRIPT not in seen
    assert 'value="down"' in seen
    message = fake_discord.messages(channel)[0]
    assert (await act(browser, do="click", place=channel.id, message=message.id, action="down", value=""))[0] == 200
    assert '<div class="modal"><h2>Why?</h2>' in await page(browser)
    status, said = await act(browser, do="submit")
    assert (status, said) == (409, "more must be filled in")
    assert (await act(browser, do="submit", **{"value.more": "it is old"}))[0] == 200
    seen = await page(browser)
    assert "because it is old" in seen
    assert "only you see this" in seen
    assert "Dismiss" in seen
    assert (await act(browser, do="say", place=channel.id, line="/levitate"))[1] == "/levitate is not offered here"


async def test_menus_threads_and_forums(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, browser: Any, start_bot: StartBot
) -> None:
    bot = await start_bot(app)
    forum = fake_discord.add_channel("questions", kind="forum")
    await act(browser, do="say", place=channel.id, line="the printer is on fire")
    message = fake_discord.messages(channel)[0]
    assert "Ask about this" in await page(browser)
    assert (await act(browser, do="menu", place=channel.id, message=message.id, name="Ask about this"))[0] == 200
    await fake_discord.until(lambda: any(m.content == "the printer is on fire" for m in bot.heard))
    thread = await fake_discord.start_thread(alice, fake_discord.messages(channel)[0], "fires")
    await act(browser, do="say", place=thread.id, line="call somebody", thread=thread.id)
    seen = await page(browser, thread=thread.id)
    assert "call somebody" in seen
    assert "<h3>fires" in seen
    await act(browser, do="say", place=forum.id, line="Where are the keys?")
    assert "Where are the keys?" in await page(browser, **{"in": forum.id})
    await fake_discord.until(lambda: bot.happened("thread_create"))


async def test_without_a_bot_one_is_told(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, browser: Any, start_bot: StartBot
) -> None:
    bot = await start_bot(app)
    assert ">citebot<" in await page(browser)
    await bot.close()
    assert ">citebot (offline)<" in await page(browser)
    status, said = await act(browser, do="say", place=channel.id, line="/ask hello")
    assert (status, said) == (409, "The app did not answer (no_connections).")


async def test_forms_of_other_sites_are_refused(channel: Channel, browser: aiohttp.ClientSession) -> None:
    form = {"do": "say", "place": channel.id, "line": "hello"}
    async with browser.post("/view/act", data=form, headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403


async def test_it_is_started_from_the_command_line() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "citebot.testing.discord", "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            url = (await process.stdout.readline()).decode().split()[1]
            async with aiohttp.ClientSession() as session, session.get(url) as answer:
                assert "questions" in await answer.text()
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()
