"""Questions and answers in Discord, end to end: one visible answer, with its sources, for those who may read them."""

from __future__ import annotations

from typing import Any

from discord_team import PARKING, SALARY

from citebot.model import Feedback, Person
from citebot.storage import answers


async def test_item_01_ask_is_answered_in_the_channel(discord_team: Any) -> None:
    asked = await discord_team.ask(discord_team.alice, discord_team.general, PARKING)
    answer = await discord_team.answer(asked)

    assert asked.kind == "deferred"
    assert "40 euros" in answer.text
    assert answer.only_for == ""


async def test_item_07_a_mention_is_answered(discord_team: Any) -> None:
    asked = await discord_team.mention(discord_team.alice, discord_team.general, PARKING)
    answer = await discord_team.answer(asked)

    assert "40 euros" in answer.text
    assert [one.id for one in discord_team.replies(asked)] == [answer.id]


async def test_item_07_a_direct_message_is_answered_for_its_asker(discord_team: Any) -> None:
    asked = await discord_team.discord.say(discord_team.alice, discord_team.app, SALARY)
    assert "9000 euros" in (await discord_team.answer(asked)).text


async def test_item_01_private_is_chosen_before_anything_is_shown(discord_team: Any) -> None:
    asked = await discord_team.ask(discord_team.alice, discord_team.general, SALARY, private=True)
    answer = await discord_team.answer(asked)

    assert "9000 euros" in answer.text
    assert answer.only_for == discord_team.alice.id
    assert discord_team.ours(discord_team.general, seen_by=discord_team.bob) == []


async def test_item_01_titles_are_offered_to_those_who_may_read_them(discord_team: Any) -> None:
    async def offered(user: Any, typed: str) -> list[str]:
        where = discord_team.general
        outcome = await discord_team.discord.autocomplete(user, where, "ask", "question", typed)
        return [choice["name"] for choice in outcome.body["choices"]]

    assert await offered(discord_team.alice, "sal") == ["Salaries"]
    assert await offered(discord_team.bob, "sal") == []
    assert await offered(discord_team.bob, "PARK") == ["Parking"]


async def test_item_04_an_answer_is_a_layout_with_link_buttons_and_feedback(discord_team: Any) -> None:
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))

    assert answer.content == ""
    assert answer.flags & 1 << 15
    assert answer.links == {"https://wiki.example.com/parking"}
    assert "[1]" in answer.text
    assert "updated 2026-03-01" in answer.text
    assert {one.split(":")[1] for one in answer.custom_ids} == {"rate", "again", "delete", "thread", "people"}


async def test_item_09_feedback_and_its_reason_are_kept_and_the_last_one_counts(discord_team: Any) -> None:
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    for _ in range(2):
        await discord_team.discord.click(discord_team.alice, answer, "cb:rate:not_helpful*")
        modal = await discord_team.discord.until(lambda: discord_team.discord.modal(discord_team.alice))
        await discord_team.discord.submit(discord_team.alice, modal, {"kind": "outdated", "reason": "It is 50 now."})

    (stored,) = discord_team.stored()
    with discord_team.bot.database.read() as tx:
        kept = answers.feedback_of(tx, stored.id)
    alice = Person("alice@example.com")
    assert kept == [Feedback(stored.id, alice, "not_helpful", "Out of date: It is 50 now.")]


async def test_item_09_buttons_work_after_a_restart(discord_team: Any) -> None:
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    await discord_team.crash()
    await discord_team.begin()
    outcome = await discord_team.discord.click(discord_team.alice, answer, "cb:rate:helpful*")

    assert outcome.acked
    (stored,) = discord_team.stored()
    with discord_team.bot.database.read() as tx:
        assert [one.verdict for one in answers.feedback_of(tx, stored.id)] == ["helpful"]


async def test_item_09_only_the_asker_rates_an_answer(discord_team: Any) -> None:
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    outcome = await discord_team.discord.click(discord_team.bob, answer, "cb:rate:helpful*")

    assert "Only the person who asked" in outcome.body["content"]
    (stored,) = discord_team.stored()
    with discord_team.bot.database.read() as tx:
        assert answers.feedback_of(tx, stored.id) == []


async def test_item_10_the_asker_deletes_the_answer_and_nobody_else(discord_team: Any) -> None:
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    await discord_team.discord.click(discord_team.bob, answer, "cb:delete:*")
    assert len(discord_team.ours(discord_team.general)) == 1
    await discord_team.discord.click(discord_team.alice, answer, "cb:delete:*")
    await discord_team.discord.until(lambda: discord_team.ours(discord_team.general) == [])


async def test_item_10_an_answer_is_written_again_in_its_place(discord_team: Any) -> None:
    answer = await discord_team.answer(await discord_team.ask(discord_team.alice, discord_team.general, PARKING))
    again = await discord_team.discord.click(discord_team.alice, answer, "cb:again:*")
    new = await discord_team.answer(again)

    assert new.id != answer.id
    assert "40 euros" in new.text
    assert [one.id for one in discord_team.ours(discord_team.general)] == [new.id]


async def test_item_22_one_interaction_is_answered_once_however_often_it_comes(discord_team: Any) -> None:
    asked = await discord_team.ask(discord_team.alice, discord_team.general, PARKING)
    body = discord_team.discord.deliveries[-1].body
    for _ in range(3):
        await discord_team.discord.send_event(discord_team.app, "INTERACTION_CREATE", body)
    await discord_team.answer(asked)

    assert len(discord_team.ours(discord_team.general)) == 1
    assert len(discord_team.stored()) == 1
