"""With the rights of the manifest and no other, everything it promises works; with fewer features, the rest does."""

from __future__ import annotations

from typing import Any

import pytest

from citebot_connectors.platforms.slack.manifest import BASE, SHORTCUT, chosen, events_of, manifest, scopes_of

PARKING = "What does the parking permit cost?"


def set_up(team: Any, *names: str) -> tuple[str, ...]:
    """Make the app what the manifest of some features says."""
    features = chosen(names)
    made = manifest(features)
    app, offered = team.app, made["features"]
    app.grants[-1].scopes = frozenset(made["oauth_config"]["scopes"]["bot"])
    app.events = frozenset(made["settings"]["event_subscriptions"]["bot_events"])
    app.commands = frozenset(one["command"] for one in offered.get("slash_commands", []))
    app.shortcuts = frozenset(one["callback_id"] for one in offered.get("shortcuts", []))
    app.agent = "agent_view" in offered
    assert app.grants[-1].scopes == {*scopes_of(features)}
    assert app.events == {*events_of(features)}
    return features


def refused(team: Any) -> set[tuple[str, str]]:
    """Calls that Slack refused, and why."""
    sent = [sent for sent in team.slack.sent if not sent.result.get("ok", True)]
    return {(one.method, f"{one.result.get('error')} {one.result.get('needed', '')}".strip()) for one in sent}


async def test_all_features_work_with_the_rights_of_the_manifest(team: Any) -> None:
    set_up(team)
    slack = team.slack
    question = await team.ask(team.alice, team.general, PARKING)
    assert "40 euros" in (await team.answer(question)).text
    await slack.say(team.alice, team.general, f"Again: {PARKING}", thread_ts=question.ts)
    follow_up = await team.answer(question, number=2)
    assert "40 euros" in follow_up.text
    await slack.click(team.alice, follow_up, "citebot_feedback", "positive")
    await slack.click(team.alice, follow_up, "citebot_delete")
    assert "9000" in (await team.answer(await team.ask(team.alice, team.board, "The salary of a director?"))).text
    assert "40 euros" in (await team.answer(await slack.say(team.alice, team.app, PARKING))).text
    for tab in ("home", "messages"):
        await slack.open_home(team.alice, team.app, tab)
    await slack.command(team.alice, team.general, f"/ask {PARKING}")
    await slack.shortcut(team.alice, SHORTCUT, question)
    await slack.submit(team.alice, await slack.until(lambda: slack.modal(team.alice)), {"question": PARKING})
    await slack.edit(team.alice, question, f"{team.app.mention} Where do visitors sign?")
    await slack.settled()
    await slack.until(lambda: len(team.stored()) == 7, timeout=15)
    await slack.settled()
    assert slack.home(team.alice, team.app)
    assert refused(team) == set()


async def test_mentions_are_answered_with_the_least_rights_there_are(team: Any) -> None:
    set_up(team, BASE)
    question = await team.ask(team.alice, team.general, PARKING)
    assert "40 euros" in (await team.answer(question)).text
    again = await team.ask(team.alice, team.general, PARKING, thread_ts=question.ts)
    answer = await team.answer(again, number=2)
    assert "40 euros" in answer.text
    await team.slack.click(team.alice, answer, "citebot_feedback", "positive")
    await team.slack.settled()
    assert {why for _, why in refused(team)} <= {"missing_scope channels:history", "app_not_agent"}


@pytest.mark.parametrize("without", ["agent", "home", "mail", "threads", "group_dm"])
async def test_a_feature_that_is_left_out_takes_nothing_else_with_it(without: str, team: Any) -> None:
    set_up(team, *(name for name in chosen([]) if name != without))
    assert "40 euros" in (await team.answer(await team.ask(team.alice, team.general, PARKING))).text
    assert "40 euros" in (await team.answer(await team.slack.say(team.alice, team.app, PARKING))).text
    outcome = await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    assert "Looking for an answer" in outcome.body["text"]
