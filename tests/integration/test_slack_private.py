"""`/ask`, “Ask about this” and sharing: what is asked in private is seen by its asker alone, until they share it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

pytest.importorskip("slack_bolt")

from aiohttp import web

from citebot.errors import Retry, StorageError
from citebot.model import Conversation
from citebot.testing.slack import NotPossible
from citebot_connectors.platforms.slack.calling import Web
from citebot_connectors.platforms.slack.manifest import SHORTCUT
from citebot_connectors.platforms.slack.private import SHARE, respond

PARKING = "What does the parking permit cost?"
SALARY = "What is the salary of a director?"


@pytest.fixture(autouse=True)
def offered(team: Any) -> None:
    team.app.commands, team.app.shortcuts = frozenset({"/ask"}), frozenset({SHORTCUT})


def whispered(team: Any, user: Any, where: Any) -> list[Any]:
    return [shown for shown in team.slack.messages(where, seen_by=user) if shown.only_for == user.id]


async def answered(team: Any, user: Any, where: Any, *, number: int = 1) -> Any:
    """The n-th private answer on somebody's screen."""

    def found() -> Any:
        done = [shown for shown in whispered(team, user, where) if shown.element("citebot_feedback")]
        return done[number - 1] if len(done) >= number else None

    await team.slack.until(found, timeout=15)
    await team.slack.settled()
    return found()


async def test_a_command_is_acknowledged_with_its_question_and_answered_to_the_asker_alone(team: Any) -> None:
    outcome = await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    assert (outcome.acked, outcome.body["response_type"]) == (True, "ephemeral")
    assert outcome.body["text"] == f"Looking for an answer to: {PARKING}"
    answer = await answered(team, team.alice, team.general)
    assert "40 euros" in answer.text
    assert "*[1]* <https://wiki.example.com/parking|Parking>" in answer.text
    assert team.slack.messages(team.general, seen_by=team.bob) == []


async def test_a_private_answer_uses_what_the_asker_may_read_wherever_they_are(team: Any) -> None:
    await team.slack.command(team.alice, team.general, f"/ask {SALARY}")
    assert "9000" in (await answered(team, team.alice, team.general)).text
    await team.slack.command(team.bob, team.general, f"/ask {SALARY}")
    assert "9000" not in (await answered(team, team.bob, team.general)).text


async def test_a_guest_gets_nothing_that_is_not_meant_for_guests(team: Any) -> None:
    await team.slack.command(team.guest, team.lobby, f"/ask {PARKING}")
    assert "40 euros" not in (await answered(team, team.guest, team.lobby)).text


async def test_a_command_works_where_the_app_is_not(team: Any) -> None:
    elsewhere = team.slack.add_channel("elsewhere", [team.alice])
    await team.slack.command(team.alice, elsewhere, f"/ask {PARKING}")
    assert "40 euros" in (await answered(team, team.alice, elsewhere)).text


@pytest.mark.parametrize(
    ("line", "words"), [("/ask", "/ask How do I book a meeting room?"), ("/ask help", "I answer questions")]
)
async def test_a_command_without_a_question_says_how_to_ask(line: str, words: str, team: Any) -> None:
    outcome = await team.slack.command(team.alice, team.general, line)
    assert words in outcome.body["text"]
    await team.slack.settled()
    assert team.stored() == []


async def test_a_question_that_cannot_be_stored_is_not_taken(team: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(inbound: object) -> int:
        raise StorageError("The database cannot be written: disk full.")

    monkeypatch.setattr(team.desk, "accept", full)
    team.alice.locale = "de-DE"
    outcome = await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    assert outcome.body["text"].startswith("Ich konnte deine Frage nicht speichern.")


async def test_a_slow_database_is_told_before_slack_gives_up(team: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stuck(inbound: object) -> int:
        await team.slack.clock.sleep(3600)
        return 1

    monkeypatch.setattr(team.desk, "accept", stuck)
    monkeypatch.setattr("citebot.conversing.asking.PATIENCE", 0.1)
    outcome = await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    assert outcome.body["text"] == "I could not save your question. Please ask again in a moment."


async def test_markup_in_a_command_calls_nobody(team: Any) -> None:
    outcome = await team.slack.command(team.alice, team.general, "/ask <!channel> & <@U1>?")
    answer = await answered(team, team.alice, team.general)
    assert answer.calls == frozenset()
    assert "<!" not in outcome.body["text"]
    assert team.stored()[0].question == "<!channel> & <@U1>?"


async def test_after_half_an_hour_the_answer_comes_as_a_direct_message(team: Any) -> None:
    team.generator.pause()
    await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    await team.slack.until(lambda: team.generator.waiting)
    team.slack.clock.skip(1900)
    team.generator.go_on()
    direct = team.slack.direct(team.alice, team.app)
    await team.slack.until(lambda: team.slack.messages(direct), timeout=15)
    await team.slack.settled()
    (answer,) = team.slack.messages(direct)
    assert "40 euros" in answer.text
    assert "asked at <!date^" in answer.text
    assert PARKING in answer.text


async def test_an_answer_that_slack_does_not_take_now_comes_later(team: Any) -> None:
    team.generator.pause()
    await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    await team.slack.until(lambda: team.generator.waiting)
    team.slack.clock.skip(1900)
    fault = team.slack.faults.fail("chat.postMessage")
    team.generator.go_on()
    direct = team.slack.direct(team.alice, team.app)
    await team.slack.until(lambda: team.slack.messages(direct), timeout=15)
    assert fault.met == 1


async def test_feedback_on_a_private_answer_is_kept(team: Any) -> None:
    await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    answer = await answered(team, team.alice, team.general)
    await team.slack.click(team.alice, answer, "citebot_feedback", "negative")
    modal = await team.slack.until(lambda: team.slack.modal(team.alice))
    outcome = await team.slack.submit(team.alice, modal, {"reason": "It is 50 now."})
    assert outcome.acked
    assert answer.element("citebot_delete") is None


@pytest.fixture
async def hook() -> AsyncIterator[tuple[list[web.Response], str]]:
    """An address that answers as told."""
    answers: list[web.Response] = []

    async def answer(request: web.Request) -> web.Response:
        return answers.pop(0)

    site = web.Application()
    site.router.add_post("/", answer)
    runner = web.AppRunner(site, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield answers, f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "headers", "after"), [(503, {}, 1.0), (500, {}, 1.0), (429, {"Retry-After": "9"}, 9.0)]
)
async def test_an_address_that_is_ill_is_tried_again(status: int, headers: Any, after: float, hook: Any) -> None:
    answers, address = hook
    answers.append(web.Response(status=status, headers=headers))
    client = Web("xoxb-1", "http://127.0.0.1:9/")
    with pytest.raises(Retry) as caught:
        await respond(client, address, {"text": "An answer."})
    assert caught.value.after == after
    await client.close()


@pytest.mark.parametrize(("status", "taken"), [(200, True), (404, False), (410, False), (400, False)])
async def test_an_address_that_is_used_up_is_given_up(status: int, taken: bool, hook: Any) -> None:
    answers, address = hook
    answers.append(web.Response(status=status))
    client = Web("xoxb-1", "http://127.0.0.1:9/")
    assert await respond(client, address, {"text": "An answer."}) is taken
    await client.close()
    with pytest.raises(Retry):
        await respond(client, "http://127.0.0.1:9/", {"text": "An answer."})
    await client.close()


# --- sharing -------------------------------------------------------------------------------------------------------


async def test_sharing_answers_again_for_everybody_in_the_channel(team: Any) -> None:
    await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    await team.slack.click(team.alice, await answered(team, team.alice, team.general), SHARE)
    (root,) = await team.slack.until(lambda: team.slack.messages(team.general, seen_by=team.bob))
    assert root.text == f"<@{team.alice.id}> asked: {PARKING}"
    shared = await team.answer(team.slack.world.channels[root.channel].messages[root.ts])
    assert ("40 euros" in shared.text, shared.only_for) == (True, "")
    place = Conversation("slack", team.general.id, team.slack.workspace.id, root.ts, "public")
    assert place in [stored.conversation for stored in team.stored()]
    await team.slack.until(lambda: "Shared." in whispered(team, team.alice, team.general)[-1].text)


async def test_sharing_never_shows_what_the_channel_may_not_read(team: Any) -> None:
    await team.slack.command(team.alice, team.general, f"/ask {SALARY}")
    private = await answered(team, team.alice, team.general)
    assert "9000" in private.text
    await team.slack.click(team.alice, private, SHARE)
    (root,) = await team.slack.until(lambda: team.slack.messages(team.general))
    await team.answer(team.slack.world.channels[root.channel].messages[root.ts])
    thread = [shown.text for shown in team.slack.messages(team.general, root.ts, seen_by=team.bob)]
    assert len(thread) == 2
    assert "9000" not in "\n".join(thread)


async def test_two_clicks_share_once(team: Any) -> None:
    await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    answer = await answered(team, team.alice, team.general)
    await team.slack.click(team.alice, answer, SHARE)
    await team.slack.click(team.alice, answer, SHARE)
    await team.slack.settled()
    assert len(team.slack.messages(team.general)) == 1


async def test_sharing_where_the_app_is_not_says_how_to_invite_it(team: Any) -> None:
    closed = team.slack.add_channel("closed", [team.alice], private=True)
    await team.slack.command(team.alice, closed, f"/ask {PARKING}")
    await team.slack.click(team.alice, await answered(team, team.alice, closed), SHARE)
    await team.slack.until(lambda: "Invite me with /invite" in whispered(team, team.alice, closed)[-1].text)


async def test_only_the_asker_shares_their_answer(team: Any) -> None:
    await team.slack.command(team.alice, team.general, f"/ask {PARKING}")
    answer = await answered(team, team.alice, team.general)
    with pytest.raises(NotPossible):
        await team.slack.click(team.bob, answer, SHARE)


# --- a message -----------------------------------------------------------------------------------------------------


async def test_a_message_is_asked_about_in_private(team: Any) -> None:
    said = await team.slack.say(team.bob, team.general, f"{PARKING} & who pays <it>?")
    await team.slack.shortcut(team.alice, SHORTCUT, said)
    modal = await team.slack.until(lambda: team.slack.modal(team.alice))
    assert "&amp; who pays &lt;it&gt;?" in modal.body["blocks"][1]["text"]["text"]
    outcome = await team.slack.submit(team.alice, modal)
    assert outcome.acked
    assert team.slack.modal(team.alice) is None
    answer = await answered(team, team.alice, team.general)
    assert "40 euros" in answer.text
    assert [shown.user for shown in team.slack.messages(team.general, seen_by=team.bob)] == [team.bob.id]


async def test_a_question_about_a_message_knows_the_message(team: Any) -> None:
    said = await team.slack.say(team.bob, team.general, "The parking permit is new.")
    await team.slack.shortcut(team.alice, SHORTCUT, said)
    modal = await team.slack.until(lambda: team.slack.modal(team.alice))
    await team.slack.submit(team.alice, modal, {"question": "How much does it cost?"})
    await answered(team, team.alice, team.general)
    assert team.stored()[0].question == "How much does it cost?"
    (asked,) = team.generator.asked
    assert [turn.text for turn in asked.history] == ["The parking permit is new."]


async def test_a_very_long_message_fits_into_the_modal(team: Any) -> None:
    said = await team.slack.say(team.bob, team.general, ('"<&>' * 3 + "\n") * 700)
    outcome = await team.slack.shortcut(team.alice, SHORTCUT, said)
    assert outcome.acked
    assert await team.slack.until(lambda: team.slack.modal(team.alice))


async def test_a_question_about_a_message_that_cannot_be_stored_stays_in_the_modal(
    team: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(inbound: object) -> int:
        raise StorageError("The database cannot be written: disk full.")

    said = await team.slack.say(team.bob, team.general, PARKING)
    await team.slack.shortcut(team.alice, SHORTCUT, said)
    modal = await team.slack.until(lambda: team.slack.modal(team.alice))
    monkeypatch.setattr(team.desk, "accept", full)
    await team.slack.submit(team.alice, modal)
    open_still = team.slack.modal(team.alice)
    assert open_still.errors == {"question": "I could not save your question. Please ask again in a moment."}
    monkeypatch.undo()
    await team.slack.submit(team.alice, open_still)
    assert "40 euros" in (await answered(team, team.alice, team.general)).text
