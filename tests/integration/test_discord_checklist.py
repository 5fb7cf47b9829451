"""What a first-class Discord app does, by the numbers of docs/platforms/discord-checklist.md."""

from __future__ import annotations

from typing import Any

import pytest
from discord_team import PARKING, Permission

from citebot.admin.metrics import Metrics
from citebot.errors import NotAllowed
from citebot.model import Conversation, Person
from citebot.ports import Actor
from citebot.storage import conversations, curated
from citebot.storage.conversations import Place
from citebot.storage.tables import conversation_settings, inbox

EDITS = ("edit_original_response", "edit_webhook_message", "edit_message")


async def test_item_02_the_defer_comes_at_once_while_everything_behind_is_held_up(discord_team: Any) -> None:
    discord_team.generator.pause()
    asked = [await discord_team.ask(discord_team.alice, discord_team.general, PARKING) for _ in range(5)]
    discord_team.generator.go_on()

    assert [one.kind for one in asked] == ["deferred"] * 5
    assert all(one.ack_seconds < 3 for one in discord_team.discord.deliveries)
    for one in asked:
        await discord_team.answer(one)


async def test_item_03_progress_is_shown_by_edits_and_the_last_one_is_complete(discord_team: Any) -> None:
    discord_team.generator.pause()
    asked = await discord_team.ask(discord_team.alice, discord_team.general, PARKING)
    await discord_team.discord.until(lambda: "Writing" in getattr(discord_team.discord.answer(asked), "text", ""))
    discord_team.generator.go_on()
    answer = await discord_team.answer(asked)

    assert "40 euros" in answer.text
    assert "Writing" not in answer.text
    assert len(discord_team.ours(discord_team.general)) == 1


async def test_item_06_a_thread_is_made_from_the_answer_and_knows_what_was_said(discord_team: Any) -> None:
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    for _ in range(2):
        await discord_team.discord.click(discord_team.alice, answer, "cb:thread:*")
        await discord_team.discord.settled()
    (thread,) = discord_team.discord.threads(discord_team.general)
    asked = await discord_team.mention(discord_team.alice, thread, "And who pays for it?")
    follow_up = await discord_team.answer(asked)

    assert thread.name == PARKING
    assert follow_up.channel == thread.id
    with discord_team.bot.database.read() as tx:
        body = tx.execute(inbox.select().order_by(inbox.c.id.desc())).first().body
    assert any("40 euros" in text for role, text in body["history"] if role == "assistant")
    assert body["conversation"]["id"] == discord_team.general.id


async def test_item_08_a_message_is_asked_about_from_its_menu(discord_team: Any) -> None:
    message = await discord_team.discord.say(discord_team.bob, discord_team.general, PARKING)
    await discord_team.discord.context_menu(discord_team.alice, "Ask about this", message)
    modal = await discord_team.discord.until(lambda: discord_team.discord.modal(discord_team.alice))
    sent = await discord_team.discord.submit(discord_team.alice, modal, {"said": PARKING})
    answer = await discord_team.answer(sent)

    assert "40 euros" in answer.text
    assert answer.only_for == discord_team.alice.id


async def test_item_08_admins_save_a_message_as_knowledge_from_its_menu(discord_team: Any) -> None:
    team = discord_team
    registered = {one["name"]: one for one in team.discord.commands(team.app)}
    assert int(registered["Save as knowledge"]["default_member_permissions"]) == Permission.MANAGE_GUILD
    message = await team.discord.say(team.bob, team.general, "Dana refills the coffee machine on Mondays.")

    def saved() -> list[Any]:
        with team.bot.database.read() as tx:
            return curated.every(tx)

    async def save(user: Any) -> str:
        await team.discord.context_menu(user, "Save as knowledge", message)
        modal = await team.discord.until(lambda: team.discord.modal(user))
        said = {"question": "Who refills the coffee machine?", "said": message.content}
        return str((await team.discord.submit(user, modal, said)).body["content"])

    assert "Who can read this channel" in await save(team.owner)
    assert "already" in await save(team.owner)
    (row,) = saved()
    assert (row.author, row.url.rpartition("/")[2]) == ("olga@example.com", message.id)
    await team.bot.sync_urgent(curated.SOURCE)
    await team.bot.feeder.catch_up()
    answer = await team.answer(await team.ask(team.alice, team.general, "Who refills the coffee machine?"))
    assert "Dana" in answer.text
    await team.discord.delete(team.bob, message)
    await team.discord.until(lambda: not saved())


async def test_item_08_whoever_is_no_admin_saves_nothing(discord_team: Any) -> None:
    team = discord_team
    where = Conversation("discord", team.general.id, team.discord.guild.id, visibility="public")
    for user in (team.bob, team.guest):
        actor = Actor(Person(user.name), user.id, where)
        with pytest.raises(NotAllowed):
            await team.desk.manage.teach(actor, "Why?", "Because.", message_id="1", url="")


async def test_item_11_nothing_pings_and_nothing_unfurls(discord_team: Any) -> None:
    text = f"What does the parking permit cost, @everyone and {discord_team.bob.mention}?"
    answer = await discord_team.answer(await discord_team.mention(discord_team.alice, discord_team.general, text))

    assert answer.calls == frozenset()
    assert not answer.unfurls
    for sent in discord_team.discord.calls("create_message", *EDITS):
        assert sent.args["allowed_mentions"] == {"parse": []}


async def test_item_13_commands_are_told_once_and_again_when_they_change(discord_team: Any) -> None:
    told = lambda: len(discord_team.discord.calls("bulk_overwrite_global_commands"))  # noqa: E731
    assert told() == 1
    await discord_team.crash()
    await discord_team.begin()
    assert told() == 1
    for name in await discord_team.platform._context.vault.names("commands-"):
        await discord_team.platform._context.vault.put(name, "other")
    await discord_team.crash()
    await discord_team.begin()
    assert told() == 2


async def test_item_14_admin_commands_are_hidden_and_checked_again(discord_team: Any) -> None:
    registered = {one["name"]: one for one in discord_team.discord.commands(discord_team.app)}
    assert int(registered["citebot"]["default_member_permissions"]) == Permission.MANAGE_GUILD

    status = await discord_team.discord.command(discord_team.owner, discord_team.general, "citebot status")
    assert "handbook" in status.body["content"]
    await discord_team.discord.set_permissions(
        discord_team.discord.guild.roles[discord_team.discord.guild.id], Permission.MANAGE_GUILD | _seeing()
    )
    status = await discord_team.discord.command(discord_team.bob, discord_team.general, "citebot status")
    assert "handbook" in status.body["content"]


async def test_item_14_who_may_not_is_told_so(discord_team: Any) -> None:
    where = Conversation("discord", discord_team.general.id, discord_team.discord.guild.id, visibility="public")
    bob = Actor(Person("bob@example.com"), discord_team.bob.id, where)
    assert await discord_team.platform.role_of(bob) == ""
    admin = Actor(Person("olga@example.com"), discord_team.owner.id, where)
    assert await discord_team.platform.role_of(admin) == "admin"


async def test_item_17_names_and_answers_speak_german(discord_team: Any) -> None:
    discord_team.alice.locale = "de"
    registered = {one["name"]: one for one in discord_team.discord.commands(discord_team.app)}
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))

    assert registered["ask"]["description_localizations"] == {"de": "Frag, was dein Team geschrieben hat"}
    assert registered["Ask about this"]["name_localizations"] == {"de": "Dazu fragen"}
    assert "Hilfreich" in answer.text
    assert "Quellen" in answer.text


async def test_item_18_both_installs_are_declared_and_a_personal_one_is_a_guest(discord_team: Any) -> None:
    ask = next(one for one in discord_team.discord.commands(discord_team.app) if one["name"] == "ask")
    assert sorted(ask["integration_types"]) == [0, 1]
    assert sorted(ask["contexts"]) == [0, 1, 2]

    elsewhere = discord_team.discord.add_guild("Elsewhere")
    await discord_team.discord.join(discord_team.alice, elsewhere)
    channel = discord_team.discord.add_channel("talk", guild=elsewhere)
    await discord_team.discord.install_for(discord_team.app, discord_team.alice)
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, channel, PARKING))

    assert answer.only_for == discord_team.alice.id
    assert "40 euros" not in answer.text


async def test_item_19_a_server_has_its_own_settings_and_leaves_nothing_behind(discord_team: Any) -> None:
    await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    await discord_team.discord.command(discord_team.owner, discord_team.general, "citebot mute")
    asked = await discord_team.mention(discord_team.alice, discord_team.general, PARKING)
    await discord_team.discord.settled()
    assert discord_team.replies(asked) == []

    await discord_team.discord.uninstall(discord_team.app)
    await discord_team.discord.until(lambda: discord_team.stored() == [])
    with discord_team.bot.database.read() as tx:
        for table in (conversation_settings, inbox):
            assert tx.execute(table.select()).all() == []


async def test_item_19_a_server_left_while_we_were_away_is_forgotten_at_the_start(discord_team: Any) -> None:
    await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    await discord_team.crash()
    await discord_team.discord.uninstall(discord_team.app)
    await discord_team.begin()
    await discord_team.discord.until(lambda: discord_team.stored() == [])


async def test_item_19_an_outage_of_discord_deletes_nothing(discord_team: Any) -> None:
    await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    await discord_team.discord.outage(discord_team.discord.guild)
    await discord_team.discord.settled()
    assert len(discord_team.stored()) == 1
    await discord_team.discord.outage(discord_team.discord.guild, over=True)
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    assert "40 euros" in answer.text


async def test_item_24_an_error_is_one_line_with_an_id(discord_team: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(inbound: object) -> int:
        raise RuntimeError("a secret inside")

    monkeypatch.setattr(discord_team.desk, "accept", broken)
    asked = await discord_team.ask(discord_team.alice, discord_team.general, PARKING)

    assert "Something went wrong" in asked.body["content"]
    assert "secret" not in asked.body["content"]
    assert asked.body["flags"] & 64


async def test_item_25_a_post_in_an_open_forum_is_answered_tagged_and_solved(discord_team: Any) -> None:
    discord, forum = discord_team.discord, discord_team.forum
    closed = await discord.post(discord_team.alice, forum, PARKING, "I wonder.")
    await discord.settled()
    with discord_team.bot.database.write() as tx:
        conversations.change(tx, Place("discord", discord.guild.id, forum.id), {"answers": "all"})
    post = await discord.post(discord_team.alice, forum, PARKING, "I really wonder.")
    answer = await discord.until(
        lambda: next((one for one in discord_team.ours(post) if one.element("cb:rate:*")), None)
    )
    tags = {tag["id"]: tag["name"] for tag in forum.tags}
    assert "40 euros" in answer.text
    await discord.until(lambda: [tags[one] for one in post.applied_tags] == ["Answered"])

    await discord.click(discord_team.alice, answer, "cb:rate:helpful*")
    await discord.until(lambda: [tags[one] for one in post.applied_tags] == ["Answered", "Solved"])
    assert discord_team.ours(closed) == []


def _seeing() -> Permission:
    return Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES | Permission.USE_APPLICATION_COMMANDS


async def test_item_21_a_limit_is_waited_for_and_counted(discord_team: Any) -> None:
    flood = discord_team.discord.faults.storm("create_message", times=1, retry_after=1)
    asked = await discord_team.mention(discord_team.alice, discord_team.general, PARKING)
    answer = await discord_team.answer(asked)
    wire = discord_team.platform._hall.wire

    assert flood.met == 1
    assert "40 euros" in answer.text
    assert len(discord_team.replies(asked)) == 1
    assert wire.client.http.max_ratelimit_timeout == 30
    scraped = (await Metrics(discord_team.bot, discord_team.platform).scrape())[0].decode()
    figures = dict(line.split(" ") for line in scraped.splitlines() if line.startswith("citebot_platform_"))
    calls, seconds = (
        float(figures[f'citebot_platform_{name}_total{{platform="discord"}}']) for name in ("calls", "call_seconds")
    )
    assert calls > 1
    assert seconds >= 1 / 60, "the limit was waited for, in compressed time"
