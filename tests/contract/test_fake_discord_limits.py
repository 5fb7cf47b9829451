"""Limits of the fake Discord: texts, components, rates, bans, and what a test can make go wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import discord
import pytest

from citebot.testing.discord import App, Channel, FakeDiscord, User

StartBot = Callable[..., Awaitable[Any]]
V2 = 1 << 15
LINK = {"type": 2, "style": 5, "label": "source", "url": "https://a.example/x"}


def row(*children: dict[str, Any]) -> dict[str, Any]:
    return {"type": 1, "components": list(children)}


def button(key: str, **more: Any) -> dict[str, Any]:
    return {"type": 2, "style": 1, "label": "press", "custom_id": key} | more


def text(content: str) -> dict[str, Any]:
    return {"type": 10, "content": content}


def select(**more: Any) -> dict[str, Any]:
    return {"type": 3, "custom_id": "s", "options": [{"label": "a", "value": "a"}]} | more


@pytest.fixture
async def api(fake_discord: FakeDiscord, app: App) -> Any:
    """Calls the REST API without a library: verb, path and body to status, body and headers."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bot {app.token}"}) as session:

        async def call(verb: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any, Any]:
            async with session.request(verb, fake_discord.api_url + path, json=body, **more) as answer:
                found = await answer.json() if answer.content_type == "application/json" else await answer.text()
                return answer.status, found, answer.headers

        yield call


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "x" * 2001}, "content"),
        ({"content": "x", "components": [button("a")]}, "components.0.type"),
        ({"content": "x", "components": [row(button("a"))] * 6}, "components"),
        ({"content": "x", "components": [row(*(button(str(n)) for n in range(6)))]}, "components.0.components"),
        ({"content": "x", "components": [row(button("a"), select())]}, "components.0.components.1"),
        ({"content": "x", "components": [row(button("a"), button("a"))]}, "components"),
        ({"content": "x", "components": [row(button("a", label="x" * 81))]}, "components.0.components.0.label"),
        ({"content": "x", "components": [row(button("x" * 101))]}, "components.0.components.0.custom_id"),
        ({"content": "x", "components": [row(button("a", label=""))]}, "components.0.components.0.label"),
        ({"content": "x", "components": [row(LINK | {"url": "javascript:x"})]}, "components.0.components.0.url"),
        (
            {"content": "x", "components": [row(LINK | {"url": "https://" + "x" * 512})]},
            "components.0.components.0.url",
        ),
        ({"content": "x", "components": [row(LINK | {"custom_id": "a"})]}, "components.0.components.0.custom_id"),
        ({"content": "x", "components": [row(select(placeholder="x" * 151))]}, "components.0.components.0.placeholder"),
        ({"content": "x", "components": [row(select(max_values=26))]}, "components.0.components.0.max_values"),
        (
            {"content": "x", "components": [row(select(options=[{"label": "a", "value": "a"}] * 2))]},
            "components.0.components.0.options.1.value",
        ),
        ({"content": "x", "components": [text("only in layouts")]}, "components.0.type"),
        ({"content": "x", "components": [text("x")], "flags": V2}, "content"),
        ({"embeds": [{"title": "x"}], "components": [text("x")], "flags": V2}, "embeds"),
        ({"components": [text("x" * 4001)], "flags": V2}, "components"),
        ({"components": [text("x" * 2001), text("x" * 2000)], "flags": V2}, "components"),
        ({"components": [text("x")] * 41, "flags": V2}, "components"),
        ({"components": [{"type": 17, "components": [text("x")] * 40}], "flags": V2}, "components"),
        ({"components": [{"type": 9, "components": [text("x")]}], "flags": V2}, "components.0.accessory"),
        (
            {"components": [{"type": 9, "components": [text("x")] * 4, "accessory": LINK}], "flags": V2},
            "components.0.components",
        ),
        ({"components": [{"type": 17, "components": [{"type": 17, "components": []}]}], "flags": V2}, "components.0"),
        ({"components": [text("")], "flags": V2}, "components.0.content"),
        ({"embeds": [{"title": "x" * 257}]}, "embeds.0.title"),
        ({"embeds": [{"description": "x" * 4097}]}, "embeds.0.description"),
        ({"embeds": [{"fields": [{"name": "x", "value": "x" * 1025}]}]}, "embeds.0.fields.0.value"),
        ({"embeds": [{"fields": [{"name": "x", "value": "x"}] * 26}]}, "embeds.0.fields"),
        ({"embeds": [{"footer": {"text": "x" * 2049}}]}, "embeds.0.footer.text"),
        ({"embeds": [{"description": "x" * 4000}, {"description": "x" * 2001}]}, "embeds"),
        ({"embeds": [{"title": "x"}] * 11}, "embeds"),
        ({"embeds": [{"title": "x", "url": "file:///etc/passwd"}]}, "embeds.0.url"),
        ({"content": "x", "allowed_mentions": {"parse": ["all"]}}, "allowed_mentions.parse.0"),
        ({"content": "x", "allowed_mentions": {"parse": ["users"], "users": ["1"]}}, "allowed_mentions"),
    ],
)
async def test_what_is_too_much_is_refused_by_field(
    api: Any, channel: Channel, fake_discord: FakeDiscord, body: dict[str, Any], field: str
) -> None:
    status, answer, _ = await api("POST", f"/channels/{channel.id}/messages", body)
    assert (status, answer["code"], answer["message"]) == (400, 50035, "Invalid Form Body")
    here = answer["errors"]
    for step in field.split("."):
        here = here[step]
    assert here
    assert fake_discord.messages(channel) == []


@pytest.mark.parametrize(
    "body",
    [
        {"content": "x" * 2000},
        {"content": "x", "components": [row(*(button(f"{r}{n}") for n in range(5))) for r in range(5)]},
        {"content": "x", "components": [row(select(options=[{"label": "a", "value": str(n)} for n in range(25)]))]},
        {"components": [text("x" * 2000), text("x" * 2000)], "flags": V2},
        {"components": [{"type": 17, "components": [text("x")] * 39}], "flags": V2},
        {"components": [{"type": 9, "components": [text("x")] * 3, "accessory": LINK}, {"type": 14}], "flags": V2},
        {"embeds": [{"title": "x" * 256, "description": "x" * 4096}] + [{"title": "x"}] * 9},
    ],
)
async def test_what_is_just_allowed_is_shown(
    api: Any, channel: Channel, fake_discord: FakeDiscord, body: dict[str, Any]
) -> None:
    status, answer, _ = await api("POST", f"/channels/{channel.id}/messages", body)
    assert status == 200, answer
    assert len(fake_discord.messages(channel)) == 1


async def test_components_have_ids_and_texts(api: Any, channel: Channel, fake_discord: FakeDiscord) -> None:
    layout = {"type": 17, "components": [text("# Title"), {"type": 14}, row(LINK, button("up"))]}
    _, answer, _ = await api("POST", f"/channels/{channel.id}/messages", {"components": [layout], "flags": V2})
    assert answer["components"][0]["id"] == 1
    assert [c["id"] for c in answer["components"][0]["components"]] == [2, 3, 4]
    shown = fake_discord.messages(channel)[0]
    assert shown.text == "# Title\nsource\npress"
    assert (set(shown.links), shown.custom_ids, shown.unfurls) == ({"https://a.example/x"}, ["up"], False)


async def test_a_layout_stays_one(api: Any, channel: Channel, fake_discord: FakeDiscord) -> None:
    fake_discord.settings.rates = False
    _, sent, _ = await api("POST", f"/channels/{channel.id}/messages", {"components": [text("x")], "flags": V2})
    path = f"/channels/{channel.id}/messages/{sent['id']}"
    changes: list[dict[str, Any]] = [{"content": "plain"}, {"flags": 0}, {"components": []}]
    for wrong in changes:
        assert (await api("PATCH", path, wrong))[0] == 400
    assert (await api("PATCH", path, {"components": [text("y")]}))[0] == 200
    _, plain, _ = await api("POST", f"/channels/{channel.id}/messages", {"content": "plain"})
    path = f"/channels/{channel.id}/messages/{plain['id']}"
    assert (await api("PATCH", path, {"components": [text("y")], "flags": V2}))[0] == 400, "it still has its content"
    assert (await api("PATCH", path, {"components": [text("y")], "flags": V2, "content": None}))[0] == 200
    assert (await api("POST", f"/channels/{channel.id}/messages", {"content": ""}))[1]["code"] == 50006


async def test_buckets_are_told_and_enforced(fake_discord: FakeDiscord, api: Any, channel: Channel) -> None:
    path = f"/channels/{channel.id}/messages"
    answers = [await api("POST", path, {"content": "x"}) for _ in range(6)]
    assert [status for status, _, _ in answers] == [200] * 5 + [429]
    assert [headers["X-RateLimit-Remaining"] for _, _, headers in answers] == ["4", "3", "2", "1", "0", "0"]
    _, body, headers = answers[-1]
    assert 0 < body["retry_after"] <= 5
    assert (body["global"], headers["Via"], headers["X-RateLimit-Scope"]) == (False, "1.1 google", "user")
    other = fake_discord.add_channel("other")
    assert (await api("POST", f"/channels/{other.id}/messages", {"content": "x"}))[0] == 200, "each channel has its own"
    fake_discord.clock.skip(6)
    assert (await api("POST", path, {"content": "x"}))[0] == 200
    assert fake_discord.strikes == 1


async def test_discord_py_keeps_to_the_buckets(
    fake_discord: FakeDiscord, app: App, channel: Channel, start_bot: StartBot
) -> None:
    fake_discord.clock.speed = 20
    bot = await start_bot(app)
    await asyncio.gather(*(bot.get_channel(int(channel.id)).send(str(n)) for n in range(25)))
    assert len(fake_discord.messages(channel)) == 25
    assert fake_discord.strikes <= 1


async def test_fifty_calls_a_second_over_all(fake_discord: FakeDiscord, api: Any) -> None:
    channels = [fake_discord.add_channel(f"c{n}") for n in range(12)]
    answers = [await api("POST", f"/channels/{c.id}/typing") for c in channels for _ in range(5)]
    limited = [(body, headers) for status, body, headers in answers if status == 429]
    assert limited
    assert all(body["global"] and headers["X-RateLimit-Global"] == "true" for body, headers in limited)
    fake_discord.clock.skip(1)
    assert (await api("GET", "/users/@me"))[0] == 200


async def test_ten_thousand_invalid_requests_ban_the_address(fake_discord: FakeDiscord, api: Any) -> None:
    for _ in range(9_999):
        fake_discord.rest.buckets.strike()
    assert (await api("GET", "/users/@me"))[0] == 200
    wrong = {"Authorization": "Bot nobody"}
    assert (await api("GET", "/users/@me", headers=wrong))[0] == 401
    status, page, headers = await api("GET", "/users/@me")
    assert (status, headers.get("Via")) == (429, None)
    assert "Access denied" in page
    fake_discord.clock.skip(3_601)
    assert (await api("GET", "/users/@me"))[0] == 200
    for _ in range(9_999):
        fake_discord.rest.buckets.strike()
    fake_discord.clock.skip(601)
    await api("GET", "/users/@me", headers=wrong)
    assert (await api("GET", "/users/@me"))[0] == 200, "old ones do not count"


async def test_too_many_new_commands_in_a_day(app: App, api: Any, fake_discord: FakeDiscord) -> None:
    path = f"/applications/{app.id}/commands"

    def commands(prefix: str, count: int) -> list[dict[str, Any]]:
        return [{"name": f"{prefix}{n}", "description": "x"} for n in range(count)]

    assert (await api("PUT", path, commands("a", 101)))[1]["code"] == 30032
    for _ in range(3):
        assert (await api("PUT", path, commands("a", 100)))[0] == 200, "what stays the same costs nothing"
    assert (await api("PUT", path, commands("b", 100)))[0] == 200
    assert (await api("PUT", path, commands("c", 1)))[1]["code"] == 30034
    fake_discord.clock.skip(86_401)
    assert (await api("PUT", path, commands("c", 1)))[0] == 200


async def test_faults_are_met_as_they_were_arranged(fake_discord: FakeDiscord, api: Any, channel: Channel) -> None:
    path, faults = f"/channels/{channel.id}/messages", fake_discord.faults
    faults.fail("create_message", status=502)
    assert (await api("POST", path, {"content": "502"}))[0] == 502
    storm = faults.storm("create_message", retry_after=0.25)
    status, body, _ = await api("POST", path, {"content": "429"})
    assert (status, body["retry_after"], storm.met) == (429, 0.25, 1)
    faults.error("create_message", "50013")
    assert (await api("POST", path, {"content": "403"}))[1] == {"message": "Missing Permissions", "code": 50013}
    faults.refuse("create_message")
    with pytest.raises(aiohttp.ClientError):
        await api("POST", path, {"content": "refused"})
    faults.drop_response("create_message")
    with pytest.raises(aiohttp.ClientError):
        await api("POST", path, {"content": "dropped"})
    stall = faults.stall("create_message")
    waiting = asyncio.create_task(api("POST", path, {"content": "stalled"}))
    await fake_discord.until(lambda: stall.met)
    assert [m.text for m in fake_discord.messages(channel)] == ["dropped"], "what was dropped was done"
    stall.gate.set()
    assert (await waiting)[0] == 200


async def test_discord_py_rides_out_a_storm(
    fake_discord: FakeDiscord, app: App, channel: Channel, start_bot: StartBot
) -> None:
    bot = await start_bot(app)
    storm = fake_discord.faults.storm("create_message", times=3, retry_after=0.05)
    await bot.get_channel(int(channel.id)).send("through")
    assert (storm.met, [m.text for m in fake_discord.messages(channel)]) == (3, ["through"])


async def test_a_modal_that_is_too_much_is_refused(
    fake_discord: FakeDiscord, app: App, channel: Channel, start_bot: StartBot
) -> None:
    alice: User = fake_discord.add_user("alice")
    bot = await start_bot(app)
    refused: list[Any] = []
    inputs = {"type": 18, "label": "x", "component": {"type": 4, "style": 1, "custom_id": "a"}}
    good = {"custom_id": "m", "title": "Why", "components": [inputs]}
    changes: list[dict[str, Any]] = [
        {"title": "x" * 46},
        {"components": []},
        {"components": [inputs] * 6},
        {"components": [inputs | {"label": "x" * 46}]},
        {"components": [inputs, inputs]},
        {"components": [row(button("a"))]},
        {},
    ]
    for change in changes:

        async def answer(interaction: discord.Interaction[Any], body: Any = good | change) -> None:
            url = f"{fake_discord.api_url}/interactions/{interaction.id}/{interaction.token}/callback"
            async with (
                aiohttp.ClientSession() as session,
                session.post(url, json={"type": 9, "data": body}) as response,
            ):
                refused.append(await response.json() if response.status == 400 else response.status)
            if response.status == 400:
                await interaction.response.defer()

        bot.answer = answer
        await fake_discord.command(alice, channel, "ask", {"question": "x"})
    await fake_discord.until(lambda: len(refused) == 7)
    assert [r["code"] if isinstance(r, dict) else r for r in refused] == [50035] * 6 + [204]
    assert refused[0]["errors"]["data"]["title"]
    assert fake_discord.modal(alice) is not None
