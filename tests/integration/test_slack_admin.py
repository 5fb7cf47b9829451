"""`/ask settings`, `/ask admin …` and answering whoever asks: what admins may do in Slack, and nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("slack_bolt")

from citebot.model import Conversation
from citebot.ports import Actor
from citebot.storage import audit, conversations, sources
from citebot.storage.conversations import Place
from citebot.testing.slack.limits import check_view
from citebot_connectors.platforms.slack.texts import ENGLISH, GERMAN

PARKING = "What does the parking permit cost?"
ADMINS_ONLY, KEEPERS_ONLY = ENGLISH.admins_only, ENGLISH.keepers_only


@pytest.fixture(autouse=True)
def offered(team: Any) -> None:
    """Carol is an admin of the workspace; Alice made #general and #board."""
    team.app.commands = frozenset({"/ask"})
    team.carol.is_admin = True
    team.general.members.append(team.carol.id)


async def order(team: Any, user: Any, words: str, where: Any = None) -> str:
    outcome = await team.slack.command(user, where or team.general, f"/ask {words}")
    assert outcome.acked
    return str(outcome.body.get("text") or "")


def settings_of(team: Any, channel: Any) -> Any:
    with team.bot.database.read() as tx:
        return conversations.resolve(tx, Place("slack", team.slack.workspace.id, channel.id)).settings


def set_up(team: Any, channel: Any, **changes: Any) -> None:
    with team.bot.database.write() as tx:
        conversations.change(tx, Place("slack", team.slack.workspace.id, channel.id), changes)


def lines(team: Any) -> list[audit.Line]:
    with team.bot.database.read() as tx:
        return audit.recent(tx, 20)


def paused(team: Any) -> bool:
    with team.bot.database.read() as tx:
        return bool(sources.get(tx, "handbook").paused)  # type: ignore[union-attr]


# --- settings ------------------------------------------------------------------------------------------------------


async def test_a_channel_is_set_up_in_a_modal_and_only_what_was_changed_is_set(team: Any) -> None:
    assert await order(team, team.alice, "settings") == ""
    modal = team.slack.modal(team.alice)
    check_view(modal.body)
    outcome = await team.slack.submit(team.alice, modal, {"tone": "brief", "per_day": "7"})
    assert outcome.acked
    await team.slack.settled()
    assert team.slack.messages(team.general, seen_by=team.alice)[-1].text == "Saved."
    assert (settings_of(team, team.general).tone, settings_of(team, team.general).per_day) == ("brief", 7)
    (line,) = lines(team)
    assert (line.who, line.account, line.before) == ("alice@example.com", team.alice.id, {})
    assert line.after == {"tone": "brief", "per_day": 7}
    assert settings_of(team, team.board).tone == "normal"


async def test_the_modal_shows_what_counts_and_takes_it_back(team: Any) -> None:
    set_up(team, team.general, sources=["handbook"], answers="all")
    await order(team, team.carol, "settings")
    modal = team.slack.modal(team.carol)
    assert json.loads(modal.body["private_metadata"])["shown"]["sources"] == ["handbook"]
    await team.slack.submit(team.carol, modal, {"sources": [], "answers": "mentions"})
    assert settings_of(team, team.general).model_dump(exclude_defaults=True) == {}


async def test_a_wrong_number_is_said_in_the_modal(team: Any) -> None:
    await order(team, team.alice, "settings")
    modal = team.slack.modal(team.alice)
    await team.slack.submit(team.alice, modal, {"per_day": "99999999"})
    assert "per_day" in team.slack.modal(team.alice).errors["tone"]
    assert lines(team) == []


async def test_who_is_no_admin_any_more_when_the_modal_comes_back_changes_nothing(team: Any) -> None:
    await order(team, team.carol, "settings")
    modal = team.slack.modal(team.carol)
    team.carol.is_admin = False
    await team.slack.submit(team.carol, modal, {"tone": "brief"})
    assert team.slack.modal(team.carol).errors == {"tone": KEEPERS_ONLY}
    assert settings_of(team, team.general).tone == "normal"


async def test_the_modal_of_many_sources_in_german_stays_within_the_limits(team: Any) -> None:
    with team.bot.database.write() as tx:
        for number in range(130):
            sources.add(tx, name=f"{'long-name-' * 5}{number}", type="jsonl", settings={})
    team.alice.locale = "de-DE"
    await order(team, team.alice, "settings")
    body = team.slack.modal(team.alice).body
    check_view(body)
    assert body["title"]["text"] == GERMAN.settings_title


# --- admins --------------------------------------------------------------------------------------------------------

ORDERS = {
    "settings": ("alice", "carol"),
    "admin mute": ("alice", "carol"),
    "admin status": ("carol",),
    "admin sync handbook": ("carol",),
    "admin pause handbook": ("carol",),
    "admin resume handbook": ("carol",),
}


CHANGES = ("admin mute", "admin sync handbook", "admin pause handbook", "admin resume handbook")


@pytest.mark.parametrize("name", ["alice", "bob", "carol", "guest"])
async def test_everybody_else_gets_one_clear_line(name: str, team: Any) -> None:
    user = getattr(team, name)
    where = team.lobby if name == "guest" else team.general
    said = {words: await order(team, user, words, where) for words in ORDERS}
    await team.slack.settled()
    refused = {words for words, text in said.items() if text in (ADMINS_ONLY, KEEPERS_ONLY)}
    assert refused == {words for words, names in ORDERS.items() if name not in names}
    assert len(lines(team)) == sum(name in ORDERS[words] for words in CHANGES)
    assert (team.slack.modal(user) is None, team.stored()) == ("settings" in refused, [])


async def test_who_is_listed_is_an_admin_and_a_guest_is_none_whoever_lists_them(team: Any) -> None:
    team.platform.settings.admins = [team.bob.id, team.guest.id]
    assert await order(team, team.bob, "admin pause handbook") == "handbook is paused. What is known of it stays."
    assert paused(team)
    assert await order(team, team.guest, "admin resume handbook", team.lobby) == ADMINS_ONLY
    assert paused(team)
    assert [line.action for line in lines(team)] == ["source.pause"]


@pytest.mark.parametrize("method", ["users.info", "conversations.info"])
async def test_when_slack_does_not_say_who_it_is_nobody_is_an_admin(method: str, team: Any) -> None:
    await order(team, team.bob, "help")
    team.slack.faults.error(method, "internal_error", times=5)
    said = await order(team, team.alice, "admin mute")
    assert said != ENGLISH.admin_muted.format(command="/ask")
    assert not settings_of(team, team.general).muted


async def test_a_forged_user_of_another_workspace_is_nobody(team: Any) -> None:
    other = team.slack.add_user("mallory", workspace=team.slack.add_workspace("Other"), admin=True)
    person = (await team.platform._parts.people.member(team.carol.id)).person
    for account, tenant in ((other.id, team.slack.workspace.id), (team.carol.id, other.team), ("U0", "T0")):
        actor = Actor(person, account, Conversation("slack", team.general.id, tenant))
        assert await team.platform.role_of(actor) == ""


async def test_the_status_names_sources_their_age_and_what_is_wrong(team: Any) -> None:
    with team.bot.database.write() as tx:
        row = sources.add(tx, name="wiki", type="jsonl", settings={})
        sources.finish(tx, row.id, failure="the server says <401>")
    said = await order(team, team.carol, "admin status")
    assert "*handbook*: 3 documents, read a moment ago" in said
    assert "*What is wrong*\n• wiki: the server says &lt;401&gt;" in said


async def test_a_source_is_read_at_once_and_the_result_is_told(team: Any) -> None:
    assert await order(team, team.carol, "admin sync handbook") == "Reading handbook…"

    def told() -> Any:
        return [s for s in team.slack.messages(team.general, seen_by=team.carol) if "is read" in s.text]

    (said,) = await team.slack.until(told)
    assert said.text.startswith("handbook is read: ")
    assert said.only_for == team.carol.id
    await order(team, team.carol, "admin sync nowhere")
    await team.slack.until(
        lambda: "no source “nowhere”" in team.slack.messages(team.general, seen_by=team.carol)[-1].text
    )
    assert [line.target for line in lines(team)] == ["handbook"]


async def test_help_for_admins_is_shown_and_a_question_about_admins_is_a_question(team: Any) -> None:
    team.bob.locale = "de-DE"
    assert "/ask admin sync NAME" in await order(team, team.alice, "admin")
    assert "eine Quelle jetzt lesen" in await order(team, team.bob, "admin help")
    assert "Ich suche eine Antwort auf: admin rights for the printer?" in await order(
        team, team.bob, "admin rights for the printer?"
    )


async def test_a_muted_channel_is_told_to_its_asker_alone_and_the_command_still_works(team: Any) -> None:
    await order(team, team.alice, "admin mute")
    await team.ask(team.bob, team.general, PARKING)
    await team.slack.settled()
    (said,) = [s for s in team.slack.messages(team.general, seen_by=team.bob) if s.only_for]
    assert said.text == "I am muted in this channel. Ask me with /ask, or in a direct message."
    assert team.stored() == []
    assert "Looking for" in await order(team, team.bob, PARKING)
    await order(team, team.alice, "admin unmute")
    assert "40 euros" in (await team.answer(await team.ask(team.bob, team.general, PARKING))).text


# --- answering whoever asks ----------------------------------------------------------------------------------------


async def test_where_all_are_answered_a_question_needs_no_mention(team: Any) -> None:
    set_up(team, team.general, answers="all")
    question = await team.slack.say(team.bob, team.general, PARKING)
    assert "40 euros" in (await team.answer(question)).text
    follow_up = await team.slack.say(team.bob, team.general, "And for a month?", thread_ts=question.ts)
    await team.answer(follow_up, number=2)
    elsewhere = await team.slack.say(team.alice, team.board, PARKING)
    await team.slack.settled()
    assert team.replies(elsewhere) == []


async def test_what_is_not_known_is_not_said_there_but_said_to_whoever_calls(team: Any) -> None:
    set_up(team, team.general, answers="all")
    team.bot.settings.answering.threshold = 1.0
    question = await team.slack.say(team.bob, team.general, PARKING)
    called = await team.ask(team.bob, team.general, PARKING)
    assert "I don't know" in (await team.answer(called)).text
    await team.slack.settled(quiet=0.5)
    assert team.replies(question) == []
    statuses = [sent.args for sent in team.slack.sent if "etStatus" in sent.method]
    assert question.ts not in {one.get("thread_ts") for one in statuses}


async def test_what_is_no_question_to_anybody_is_left_alone(team: Any) -> None:
    set_up(team, team.general, answers="all")
    for text in ("The permit is paid.", "@alice what does the permit cost?", "@channel what does it cost?", "ok?"):
        await team.slack.say(team.bob, team.general, text)
    await team.slack.settled(quiet=0.5)
    assert team.stored() == []


async def test_threads_of_others_and_bots_are_left_alone(team: Any) -> None:
    set_up(team, team.general, answers="all")
    begun = await team.slack.say(team.alice, team.general, "I was at the garage.")
    await team.slack.say(team.bob, team.general, PARKING, thread_ts=begun.ts)
    other = team.slack.add_app("weather")
    team.general.members.append(other.bot.id)
    await team.slack.say(other.bot, team.general, PARKING)
    await team.slack.settled(quiet=0.5)
    assert team.stored() == []


def test_the_help_for_admins_names_every_order() -> None:
    for texts in (ENGLISH, GERMAN):
        said = texts.admin_help.format(command="/ask")
        assert all(f"/ask {words.replace(' handbook', '')}" in said for words in ORDERS)
