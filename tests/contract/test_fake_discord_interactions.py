"""Interactions of the fake Discord, answered by discord.py's own client."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import discord
import pytest
from discord import app_commands

from citebot.testing.discord import App, Channel, FakeDiscord, NotPossible, Permission, User

StartBot = Callable[..., Awaitable[Any]]
Interaction = discord.Interaction[Any]


@pytest.fixture
def bob(fake_discord: FakeDiscord) -> User:
    return fake_discord.add_user("bob")


@pytest.fixture
async def bot(app: App, start_bot: StartBot) -> Any:
    return await start_bot(app)


ASK = {"question": "where are the keys?"}


async def test_an_answer_is_a_reply_that_all_see(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any
) -> None:
    async def answer(interaction: Interaction) -> None:
        assert interaction.user.name == "alice"
        assert interaction.permissions.value == int(fake_discord.permissions(channel, alice))
        assert interaction.app_permissions.send_messages
        assert interaction.namespace.question == ASK["question"]
        await interaction.response.send_message("on the shelf")

    bot.answer = answer
    outcome = await fake_discord.command(alice, channel, "ask", ASK)
    assert (outcome.acked, outcome.kind, outcome.body["content"]) == (True, "message", "on the shelf")
    assert [m.text for m in fake_discord.messages(channel)] == ["on the shelf"]


async def test_a_deferral_thinks_until_it_is_edited(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any
) -> None:
    async def answer(interaction: Interaction) -> None:
        given = await interaction.response.defer(thinking=True)
        assert given is not None
        shown = fake_discord.answer(outcome_of(fake_discord))
        assert shown is not None
        assert (given.message_id, shown.loading) == (int(shown.id), True)
        await interaction.edit_original_response(content="on the shelf")

    bot.answer = answer
    outcome = await fake_discord.command(alice, channel, "ask", ASK)
    assert outcome.kind == "deferred"
    await fake_discord.settled()
    shown = fake_discord.answer(outcome)
    assert shown is not None
    assert (shown.text, shown.loading, shown.edited) == ("on the shelf", False, False)


def outcome_of(fake: FakeDiscord) -> Any:
    """The newest interaction, as an outcome has it."""
    from citebot.testing.discord import Outcome

    return Outcome(True, interaction=list(fake.world.interactions.values())[-1])


async def test_the_first_follow_up_after_a_deferral_takes_its_place(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any
) -> None:
    async def answer(interaction: Interaction) -> None:
        await interaction.response.defer(thinking=True, ephemeral=True)
        await interaction.followup.send("first")
        await interaction.followup.send("second", ephemeral=True)
        await interaction.followup.send("third")

    bot.answer = answer
    outcome = await fake_discord.command(alice, channel, "ask", ASK)
    await fake_discord.settled()
    shown = fake_discord.answer(outcome)
    assert shown is not None
    assert (shown.text, shown.only_for) == ("first", alice.id), "a private deferral stays private"
    assert [(m.text, bool(m.only_for)) for m in fake_discord.follow_ups(outcome)] == [
        ("second", True),
        ("third", False),
    ]
    assert [m.text for m in fake_discord.messages(channel)] == ["third"]


async def test_a_public_deferral_cannot_become_private(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any
) -> None:
    async def answer(interaction: Interaction) -> None:
        await interaction.response.defer(thinking=True)
        await interaction.followup.send("not so private", ephemeral=True)

    bot.answer = answer
    await fake_discord.command(alice, channel, "ask", ASK)
    await fake_discord.settled()
    assert [m.text for m in fake_discord.messages(channel)] == ["not so private"]


async def test_who_answers_late_or_twice_is_refused(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any
) -> None:
    fake_discord.clock.speed, fake_discord.clock.least_patience, codes = 10, 0.3, []

    async def late(interaction: Interaction) -> None:
        await asyncio.sleep(0.7)
        with pytest.raises(discord.NotFound) as error:
            await interaction.response.send_message("too late")
        codes.append(error.value.code)

    bot.answer = late
    outcome = await fake_discord.command(alice, channel, "ask", ASK)
    assert (outcome.acked, outcome.reason) == (False, "timeout")
    await fake_discord.until(lambda: codes)

    async def twice(interaction: Interaction) -> None:
        await interaction.response.defer()
        interaction.response._response_type = None
        with pytest.raises(discord.HTTPException) as error:
            await interaction.response.defer()
        codes.append(error.value.code)

    bot.answer = twice
    assert (await fake_discord.command(alice, channel, "ask", ASK)).acked
    await fake_discord.until(lambda: len(codes) == 2)
    assert codes == [10062, 40060]


async def test_a_token_works_for_fifteen_minutes(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any
) -> None:
    kept: list[Interaction] = []

    async def answer(interaction: Interaction) -> None:
        await interaction.response.defer()
        kept.append(interaction)

    bot.answer = answer
    await fake_discord.command(alice, channel, "ask", ASK)
    await fake_discord.until(lambda: kept)
    fake_discord.clock.skip(890)
    await kept[0].edit_original_response(content="in time")
    fake_discord.clock.skip(20)
    for late in (
        kept[0].edit_original_response(content="too late"),
        kept[0].followup.send("too late"),
        kept[0].delete_original_response(),
    ):
        with pytest.raises(discord.HTTPException) as error:
            await late
        assert (error.value.status, error.value.code) == (401, 50027)
    assert fake_discord.strikes == 3
    place = bot.get_channel(int(channel.id))
    await place.send("a normal message works")


async def test_nothing_can_be_written_with_a_token_before_the_first_answer(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any
) -> None:
    codes = []

    async def answer(interaction: Interaction) -> None:
        for early in (interaction.followup.send("early"), interaction.edit_original_response(content="early")):
            with pytest.raises(discord.NotFound) as error:
                await early
            codes.append(error.value.code)
        await interaction.response.send_message("now")

    bot.answer = answer
    await fake_discord.command(alice, channel, "ask", ASK)
    await fake_discord.settled()
    assert codes == [10015, 10015]


async def test_original_responses_are_read_edited_and_deleted(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any
) -> None:
    async def answer(interaction: Interaction) -> None:
        await interaction.response.send_message("one", ephemeral=True)
        assert (await interaction.original_response()).content == "one"
        await interaction.edit_original_response(content="two")
        further = await interaction.followup.send("three", wait=True)
        await further.edit(content="four")
        await further.delete()
        await interaction.delete_original_response()
        with pytest.raises(discord.NotFound):
            await interaction.edit_original_response(content="gone")

    bot.answer = answer
    outcome = await fake_discord.command(alice, channel, "ask", ASK)
    await fake_discord.settled()
    assert fake_discord.answer(outcome) is None
    assert [s.method for s in fake_discord.sent[-7:]] == [
        "get_original_response",
        "edit_original_response",
        "create_followup",
        "edit_followup",
        "delete_followup",
        "delete_original_response",
        "edit_original_response",
    ]


async def test_ephemeral_messages_are_for_one_person(
    fake_discord: FakeDiscord, alice: User, bob: User, channel: Channel, bot: Any
) -> None:
    bot.answer = lambda i: i.response.send_message("psst", ephemeral=True)
    outcome = await fake_discord.command(alice, channel, "ask", ASK)
    shown = fake_discord.answer(outcome)
    assert shown is not None
    assert fake_discord.messages(channel) == fake_discord.messages(channel, seen_by=bob) == []
    assert [m.text for m in fake_discord.messages(channel, seen_by=alice)] == ["psst"]
    with pytest.raises(discord.NotFound):
        await bot.get_channel(int(channel.id)).fetch_message(int(shown.id))
    with pytest.raises(NotPossible):
        await fake_discord.dismiss(bob, shown)
    await fake_discord.dismiss(alice, shown)
    assert fake_discord.messages(channel, seen_by=alice) == []


async def test_autocomplete_offers_up_to_25(fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any) -> None:
    bot.offers = [f"Title {number}" for number in range(25)]
    outcome = await fake_discord.autocomplete(alice, channel, "ask", "question", "tit")
    assert [c["name"] for c in outcome.body["choices"]] == bot.offers
    bot.offers.append("one too many")
    fake_discord.clock.speed = 10
    assert not (await fake_discord.autocomplete(alice, channel, "ask", "question", "tit")).acked
    assert fake_discord.calls("create_interaction_response")[-1].result["errors"]["data"]["choices"]


async def test_a_context_menu_comes_with_the_content(
    fake_discord: FakeDiscord, alice: User, bob: User, channel: Channel, bot: Any
) -> None:
    message = await fake_discord.say(bob, channel, "the printer is on fire")
    outcome = await fake_discord.context_menu(alice, "Ask about this", message)
    assert outcome.acked
    assert [m.content for m in bot.heard if m.content] == ["the printer is on fire"]


class Feedback(discord.ui.DynamicItem[discord.ui.Button[Any]], template=r"fb:(?P<sign>up|down):(?P<key>\d+)"):
    """A button that survives restarts; down asks why."""

    def __init__(self, sign: str, key: str) -> None:
        super().__init__(discord.ui.Button(label=sign, custom_id=f"fb:{sign}:{key}"))
        self.sign = sign

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: Any, match: Any, /) -> Feedback:
        """Made again from its id."""
        return cls(match["sign"], match["key"])

    async def callback(self, interaction: Interaction) -> None:
        """Thank, or ask why."""
        if self.sign == "up":
            await interaction.response.edit_message(content="thank you", view=None)
        else:
            await interaction.response.send_modal(Why())


class Why(discord.ui.Modal, title="Why?"):
    """Two kinds of fields."""

    reason: Any = discord.ui.Label(
        text="Reason",
        component=discord.ui.RadioGroup(
            custom_id="reason",
            options=[discord.RadioGroupOption(label=v, value=v) for v in ("wrong", "old")],
        ),
    )
    more: Any = discord.ui.TextInput(label="More", custom_id="more", required=False, max_length=100)

    async def on_submit(self, interaction: Interaction) -> None:
        """Say what was filled in."""
        text = f"{self.reason.component.value}: {self.more.value}"
        await interaction.response.send_message(text, ephemeral=True)


async def with_feedback(interaction: Interaction) -> None:
    view = discord.ui.View(timeout=None)
    view.add_item(Feedback("up", "7"))
    view.add_item(Feedback("down", "7"))
    await interaction.response.send_message("an answer", view=view)


async def test_buttons_and_modals(
    fake_discord: FakeDiscord, alice: User, bob: User, channel: Channel, bot: Any
) -> None:
    bot.add_dynamic_items(Feedback)
    bot.answer = with_feedback
    asked = await fake_discord.command(alice, channel, "ask", ASK)
    shown = fake_discord.answer(asked)
    assert shown is not None
    assert shown.custom_ids == ["fb:up:7", "fb:down:7"]
    assert (await fake_discord.click(bob, shown, "fb:down:*")).kind == "modal"
    modal = fake_discord.modal(bob)
    assert modal is not None
    assert (modal.title, fake_discord.modal(alice)) == ("Why?", None)
    for wrong in ({}, {"reason": "rude"}, {"reason": "old", "more": "x" * 101}, {"reason": "old", "less": "x"}):
        with pytest.raises(NotPossible):
            await fake_discord.submit(bob, modal, wrong)
    thanked = await fake_discord.submit(bob, modal, {"reason": "old", "more": "since May"})
    answer = fake_discord.answer(thanked)
    assert answer is not None
    assert (answer.text, answer.only_for, fake_discord.modal(bob)) == ("old: since May", bob.id, None)
    assert (await fake_discord.click(alice, shown, "fb:up:7")).kind == "update"
    again = fake_discord.message(channel, shown)
    assert again is not None
    assert (again.text, again.custom_ids) == ("thank you", [])
    with pytest.raises(NotPossible):
        await fake_discord.click(alice, shown, "fb:up:7")


async def test_selects_take_what_they_offer(fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any) -> None:
    chosen = []

    class Choose(discord.ui.View):
        @discord.ui.select(custom_id="s", options=[discord.SelectOption(label=v) for v in "abc"], max_values=2)
        async def pick(self, interaction: Interaction, select: discord.ui.Select[Any]) -> None:
            chosen.extend(select.values)
            await interaction.response.defer()

    bot.answer = lambda i: i.response.send_message("choose", view=Choose())
    shown = fake_discord.answer(await fake_discord.command(alice, channel, "ask", ASK))
    assert shown is not None
    for wrong in ([], ["d"], ["a", "b", "c"]):
        with pytest.raises(NotPossible):
            await fake_discord.click(alice, shown, "s", wrong)
    assert (await fake_discord.click(alice, shown, "s", ["a", "c"])).kind == "deferred_update"
    assert chosen == ["a", "c"]


async def test_without_a_client_a_command_is_lost(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, bot: Any
) -> None:
    await bot.close()
    outcome = await fake_discord.command(alice, channel, "ask", ASK)
    assert (outcome.acked, outcome.reason) == (False, "no_connections")


async def test_options_are_checked_before_anything_is_sent(
    fake_discord: FakeDiscord, alice: User, channel: Channel, bot: Any
) -> None:
    for options in ({}, {"question": 7}, {"question": "x" * 6001}, {"question": "x", "loud": True}):
        with pytest.raises(NotPossible):
            await fake_discord.command(alice, channel, "ask", options)
    with pytest.raises(NotPossible):
        await fake_discord.command(alice, channel, "levitate")
    assert fake_discord.deliveries == []


async def test_who_is_offered_a_command(fake_discord: FakeDiscord, app: App, alice: User, bob: User, bot: Any) -> None:
    quiet, adult = fake_discord.add_channel("quiet"), fake_discord.add_channel("adult", nsfw=True)
    chief = fake_discord.add_user("chief", admin=True)
    everywhere, there = app_commands.AppCommandContext(guild=True), app_commands.AppInstallationType(user=True)

    def command(name: str, **more: Any) -> Any:
        async def nothing(interaction: Interaction) -> None: ...

        return app_commands.Command(name=name, description="x", callback=nothing, **more)

    manage = command("manage")
    manage.default_permissions = discord.Permissions(manage_guild=True)
    commands = [manage, command("spicy", nsfw=True), command("indoors", allowed_contexts=everywhere)]
    commands.append(command("mine", allowed_installs=there))
    for one in commands:
        bot.tree.add_command(one)
    await bot.tree.sync()

    def names(user: User, where: Any) -> set[str]:
        return {c["name"] for c in fake_discord.offered(user, where) if c["type"] == 1}

    assert names(alice, quiet) == {"ask", "indoors"}
    assert names(chief, quiet) == {"ask", "indoors", "manage"}
    assert names(alice, adult) == {"ask", "indoors", "spicy"}
    assert names(alice, app) == {"ask", "manage"}, "in a direct message nothing is computed"
    await fake_discord.install_for(app, bob)
    assert names(bob, quiet) == {"ask", "indoors", "mine"}
    assert names(bob, alice) == {"mine"}
    await fake_discord.permit(quiet, alice, deny=Permission.USE_APPLICATION_COMMANDS)
    assert names(alice, quiet) == set()


async def test_a_user_install_answers_where_the_bot_is_not(
    fake_discord: FakeDiscord, app: App, bob: User, bot: Any
) -> None:
    codes: list[int] = []
    fake_discord.settings.rates = False
    elsewhere = fake_discord.add_guild("Elsewhere", everyone=fake_discord.everyone().permissions)
    await fake_discord.join(bob, elsewhere)
    place = fake_discord.add_channel("town-square", guild=elsewhere)
    bot.tree.get_command("ask").allowed_installs = app_commands.AppInstallationType(guild=True, user=True)
    await bot.tree.sync()
    await fake_discord.install_for(app, bob)

    async def answer(interaction: Interaction) -> None:
        assert interaction.is_user_integration()
        assert not interaction.is_guild_integration()
        await interaction.response.send_message("from afar")
        for number in range(5):
            await interaction.followup.send(str(number))
        with pytest.raises(discord.HTTPException) as error:
            await interaction.followup.send("one more")
        codes.append(error.value.code)

    bot.answer = answer
    outcome = await fake_discord.command(bob, place, "ask", ASK)
    assert outcome.acked
    await fake_discord.until(lambda: codes or bot.errors)
    assert codes == [40094]
    assert fake_discord.messages(place)[0].text == "from afar"
    await fake_discord.set_permissions(
        fake_discord.everyone(elsewhere), fake_discord.everyone().permissions & ~Permission.USE_EXTERNAL_APPS
    )
    bot.answer = lambda i: i.response.send_message("hushed")
    hushed = fake_discord.answer(await fake_discord.command(bob, place, "ask", ASK))
    assert hushed is not None
    assert hushed.only_for == bob.id


async def test_commands_are_kept_by_name_and_guild_commands_hide_global_ones(
    fake_discord: FakeDiscord, app: App, alice: User, channel: Channel, bot: Any
) -> None:
    before = {c["name"]: c["id"] for c in fake_discord.commands(app)}
    await bot.tree.sync()
    assert {c["name"]: c["id"] for c in fake_discord.commands(app)} == before
    bot.tree.copy_global_to(guild=discord.Object(int(fake_discord.guild.id)))
    synced = await bot.tree.sync(guild=discord.Object(int(fake_discord.guild.id)))
    assert {c.guild_id for c in synced} == {int(fake_discord.guild.id)}
    assert len(fake_discord.offered(alice, channel)) == 2
    assert (await fake_discord.command(alice, channel, "ask", ASK)).acked
    await fake_discord.uninstall(app)
    assert fake_discord.commands(app, fake_discord.guild) == []


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"description": ""}, "description"),
        ({"description": "x" * 101}, "description"),
        ({"name": "Ask Me"}, "name"),
        ({"name_localizations": {"xx": "ask"}}, "name_localizations.xx"),
        ({"name_localizations": {"de": "Frag Mich"}}, "name_localizations.de"),
        ({"options": [{"type": 3, "name": "q", "description": "x"}] * 26}, "options"),
        ({"options": [{"type": 12, "name": "q", "description": "x"}]}, "options.0.type"),
        (
            {
                "options": [
                    {"type": 3, "name": "a", "description": "x"},
                    {"type": 3, "name": "b", "description": "x", "required": True},
                ]
            },
            "options.1",
        ),
        (
            {
                "options": [
                    {
                        "type": 3,
                        "name": "a",
                        "description": "x",
                        "autocomplete": True,
                        "choices": [{"name": "x", "value": "x"}],
                    }
                ]
            },
            "options.0.autocomplete",
        ),
        ({"type": 3, "description": "not here"}, "description"),
    ],
)
async def test_a_command_that_discord_refuses_is_named_by_field(
    app: App, bot: Any, change: dict[str, Any], field: str
) -> None:
    command = {"name": "ask", "description": "Ask", "type": 1} | change
    with pytest.raises(discord.HTTPException) as error:
        await bot.http.bulk_upsert_global_commands(int(app.id), [{"name": "fine", "description": "x"}, command])
    assert error.value.code == 50035
    assert f"In 1.{field}" in error.value.text


async def test_a_sync_that_fails_names_the_command(app: App, bot: Any) -> None:
    bot.tree.get_command("ask").description = "x" * 101
    with pytest.raises(app_commands.CommandSyncFailure, match="ask"):
        await bot.tree.sync()
