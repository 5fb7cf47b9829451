"""The Home tab and the Messages tab of the Slack app: what is searched for whom, and how to ask."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from citebot.conversing.sources import source_lines
from citebot.ports import SourceStatus
from citebot.testing.slack.limits import check_view
from citebot.testing.slack.reading import plain
from citebot_connectors.platforms.slack.home import home_view
from citebot_connectors.platforms.slack.manifest import prompts
from citebot_connectors.platforms.slack.markup import MARKUP
from citebot_connectors.platforms.slack.texts import ENGLISH, GERMAN

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def source(name: str = "wiki", documents: int = 3, **more: Any) -> SourceStatus:
    synced = more.pop("synced", NOW - timedelta(hours=3))
    return SourceStatus(name, "mediawiki", documents, 9, synced, **more)


SHOWN_BY = {"home": "views.publish", "messages": "assistant.threads.setSuggestedPrompts"}


async def opened(team: Any, user: Any, tab: str = "home", *, shown: bool = True) -> str:
    method = SHOWN_BY[tab]
    seen = len(team.slack.calls(method))
    await team.slack.open_home(user, team.app, tab)
    if shown:
        await team.slack.until(lambda: len(team.slack.calls(method)) > seen)
    await team.slack.settled()
    view = team.slack.home(user, team.app)
    return plain(view.body["blocks"]) if view else ""


async def test_the_home_tab_shows_sources_with_their_age_how_to_ask_and_what_is_kept(team: Any) -> None:
    text = await opened(team, team.alice)
    assert "*handbook*: 3 documents, read a moment ago" in text
    assert f"mention <@{team.app.bot.id}>" in text
    assert "`/ask`" in text
    assert "Your questions and the answers are kept" in text


async def test_everybody_reads_their_own_language(team: Any) -> None:
    team.bob.locale = "de-DE"
    assert "vor einem Augenblick gelesen" in await opened(team, team.bob)
    assert "read a moment ago" in await opened(team, team.alice)


async def test_opening_it_again_shows_what_is_known_now(team: Any) -> None:
    assert "3 documents" in await opened(team, team.alice)
    await team.bot.remove_source("handbook")
    assert "Nothing yet" in await opened(team, team.alice)


async def test_the_messages_tab_suggests_something_to_ask(team: Any) -> None:
    await opened(team, team.alice, "messages")
    direct = team.slack.direct(team.alice, team.app)
    suggested = team.slack.world.prompts[direct.id, ""]
    assert suggested["title"] == ENGLISH.prompts_title
    assert suggested["prompts"] == [{"title": "What can I ask you?", "message": "help"}]


async def test_what_is_suggested_is_answered(team: Any) -> None:
    await team.slack.say(team.alice, team.app, ENGLISH.prompts[0].message)
    await team.slack.settled()
    said = team.slack.messages(team.slack.direct(team.alice, team.app))[-1]
    assert "I answer questions from what your team has written" in said.text
    assert team.stored() == []


@pytest.mark.parametrize("method", ["views.publish", "users.info", "assistant.threads.setSuggestedPrompts"])
async def test_a_home_that_cannot_be_shown_does_no_harm(method: str, team: Any) -> None:
    team.slack.faults.error(method, "internal_error", times=9)
    await opened(team, team.alice, shown=False)
    await opened(team, team.alice, "messages", shown=False)
    deliveries = [d for d in team.slack.deliveries if d.body["event"]["type"] == "app_home_opened"]
    assert [d.acked for d in deliveries] == [True, True]
    team.slack.faults.clear()
    assert "handbook" in await opened(team, team.alice)


# --- the view by itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("texts", [ENGLISH, GERMAN], ids=lambda texts: texts.language)
def test_a_home_with_hundreds_of_sources_stays_within_the_limits(texts: Any) -> None:
    many = [source(f"{'<&long-name' * 20}{number}", documents=number) for number in range(300)]
    view = home_view(texts, many, bot="U1", command="/ask", now=NOW)
    check_view(view)
    text = plain(view["blocks"])
    assert "299 " in text
    assert texts.more_sources.of(275) in text


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (source(), "*wiki*: 3 documents, read 3 hours ago"),
        (source(documents=1), "*wiki*: 1 document, read 3 hours ago"),
        (source(synced=None, documents=0), "*wiki*: 0 documents, not read yet"),
        (source(paused=True), "*wiki*: 3 documents, paused, read 3 hours ago"),
        (source(failure="the server says 401 to alice:secret"), "cannot be read now, last read 3 hours ago"),
        (source("<!channel> & co"), "*&lt;!channel&gt; &amp; co*"),
    ],
)
def test_the_state_of_a_source(shown: SourceStatus, words: str) -> None:
    (line,) = source_lines(ENGLISH, [shown], now=NOW, markup=MARKUP)
    assert words in line
    assert "secret" not in line


def test_the_questions_of_the_team_come_before_ours_and_are_four_at_most() -> None:
    own = ["How do I " + "very " * 40 + "long?", "b?", "c?"]
    shown = prompts(ENGLISH, own)
    assert [one["message"] for one in shown] == [*own, "help"]
    assert len(shown[0]["title"]) == 75
    assert len(prompts(ENGLISH, ["a?"] * 9)) == 4
