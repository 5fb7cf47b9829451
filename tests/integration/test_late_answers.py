"""Passages now, the answer later: in the same message, once, for whoever may read it then."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

pytest.importorskip("slack_bolt")
sys.path.insert(0, str(Path(__file__).parent.parent / "faults"))  # the tests are no package

from degraded import ANSWER, QUICK, InSlack, OnConsole, Place, Seen, Ward, ward

from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.model import Feedback, Person
from citebot.storage import answers, tables

DOWN = ModelUnavailable("It is down.")
PASSAGES = "I can't write an answer now. These passages fit best: [1]"
WAITING = f"{PASSAGES}. I will update this message if the model is back within 10 minutes."
OVER = f"{PASSAGES}. The model did not come back within 10 minutes. Please ask again."
PATIENT = replace(QUICK, late_window=60.0)
Opening = Callable[..., AbstractAsyncContextManager[Any]]


@pytest.fixture(params=[OnConsole, InSlack], ids=["console", "slack"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Opens one of the platforms, with a model that is down."""

    @asynccontextmanager
    async def open(patience: Any = PATIENT) -> AsyncIterator[Place]:
        async with ward(tmp_path / "data") as made:
            made.writer.ill = DOWN
            async with request.param(made, patience).open() as place:
                yield place

    return open


def state(ward: Ward) -> list[str]:
    """Of all questions, in order."""
    with ward.bot.database.read() as tx:
        return [row[0] for row in tx.execute(tables.inbox.select().with_only_columns(tables.inbox.c.state))]


async def asked_in_vain(place: Place) -> Seen:
    return await place.until(await place.ask(), lambda now: now.text == WAITING)


async def test_the_same_message_becomes_the_answer_when_the_model_is_back(opening: Opening) -> None:
    async with opening() as place:
        seen = await asked_in_vain(place)
        tried = len(place.ward.writer.requests)
        await place.until(seen, lambda _: len(place.ward.writer.requests) > tried)
        place.ward.writer.ill = None
        await place.answer(seen)
        assert (seen.text, seen.messages, seen.notes) == (ANSWER, 1, [])
        with place.ward.bot.database.read() as tx:
            assert len(answers.recent(tx, 10)) == 1
        tried = len(place.ward.writer.requests)
        await asyncio.sleep(0.5)
        await place.look(seen)
        assert (len(place.ward.writer.requests), seen.messages) == (tried, 1)


async def test_after_ten_minutes_it_says_so_and_can_be_asked_again(opening: Opening) -> None:
    async with opening(QUICK) as place:
        seen = await place.answer(await asked_in_vain(place))
        assert (seen.text, seen.messages, seen.buttons) == (OVER, 1, {"feedback", "retry"})
        # At 0.15, 0.3, 0.6, 0.9 and 1.2 s; a slow machine leaves some out.
        assert 2 <= len(place.ward.writer.requests) <= 6
        assert state(place.ward) == ["dead"]


async def test_asked_again_the_same_message_becomes_the_answer(tmp_path: Path) -> None:
    async with ward(tmp_path / "data") as made, InSlack(made).open() as place:
        made.writer.ill = DOWN
        seen = await place.answer(await asked_in_vain(place))
        made.writer.ill = None
        await place.press(seen, "citebot_retry")
        await place.until(seen, lambda now: now.text == ANSWER)
        assert seen.messages == 1


async def test_the_conversation_goes_on_while_it_is_tried(opening: Opening) -> None:
    async with opening() as place:
        seen = await asked_in_vain(place)
        writer, tried = place.ward.writer, len(place.ward.writer.requests)
        writer.gate.clear()
        await place.until(seen, lambda _: len(writer.requests) > tried)
        writer.gate, held = asyncio.Event(), writer.gate
        writer.gate.set()
        writer.ill = None
        second = await place.answer(await place.follow_up(seen))
        await place.look(seen)
        assert (seen.text, second.text) == (WAITING, ANSWER)
        held.set()
        await place.answer(seen)
        assert (seen.text, seen.messages, second.messages) == (ANSWER, 1, 1)


async def test_who_may_read_it_is_asked_again_for_the_late_answer(opening: Opening) -> None:
    async with opening() as place:
        seen = await asked_in_vain(place)
        with place.ward.bot.database.write() as tx:
            for table in (tables.document, tables.passage):
                tx.execute(update(table).values(readers=["person:nobody"]))
        place.ward.writer.ill = None
        await place.answer(seen)
        assert "40 euros" not in seen.text
        assert "Parking" not in seen.text
        assert seen.messages == 1


async def test_stop_ends_the_wait(opening: Opening) -> None:
    async with opening() as place:
        seen = await asked_in_vain(place)
        await place.stop(seen)
        await place.answer(seen)
        assert (seen.text, seen.messages) == (PASSAGES, 1)
        assert state(place.ward) == ["done"]
        tried = len(place.ward.writer.requests)
        place.ward.writer.ill = None
        await asyncio.sleep(0.6)
        assert len(place.ward.writer.requests) == tried


async def test_feedback_on_the_passages_is_kept(opening: Opening) -> None:
    async with opening() as place:
        seen = await asked_in_vain(place)
        with place.ward.bot.database.read() as tx:
            [stored] = answers.recent(tx, 10)
        await place.desk.give_feedback(Feedback(stored.id, Person(stored.asker), "not_helpful", "no answer"))
        place.ward.writer.ill = None
        await place.answer(seen)
        with place.ward.bot.database.read() as tx:
            assert [one.reason for one in answers.feedback_of(tx, stored.id)] == ["no answer"]


@pytest.mark.parametrize("what", ["question", "answer"])
async def test_a_deleted_question_or_answer_does_not_come_back(what: str, tmp_path: Path) -> None:
    async with ward(tmp_path / "data") as made, InSlack(made, PATIENT).open() as place:
        made.writer.ill = DOWN
        seen = await asked_in_vain(place)
        if what == "question":
            await place.slack.delete(place.alice, place.message(seen))
        else:
            await place.press(seen, "citebot_delete")
        await place.slack.until(lambda: not place.shown(seen))
        made.writer.ill = None
        await asyncio.sleep(0.8)
        await place.slack.settled()
        assert place.shown(seen) == []
        assert not {"ready", "leased"} & set(state(made))


async def test_after_a_restart_the_same_message_becomes_the_answer(tmp_path: Path) -> None:
    async with ward(tmp_path / "data") as made:
        made.writer.ill = DOWN
        place = InSlack(made, PATIENT)
        async with place.open():
            seen = await asked_in_vain(place)
            slack = place.slack
            async with again(made, slack) as later:
                made.writer.ill = None
                await later.answer(seen)
                assert (seen.text, seen.messages) == (ANSWER, 1)


@asynccontextmanager
async def again(made: Ward, slack: Any) -> AsyncIterator[InSlack]:
    """A second process of the same bot: what the first held comes to it."""
    async with InSlack(made, PATIENT).open(slack) as place:
        yield place


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ModelRefused("The key is wrong.", why="key"), PASSAGES),
        (ModelBusy("Later.", after=90), WAITING),
        (DOWN, WAITING),
    ],
    ids=["refused", "busy for long", "down"],
)
async def test_an_update_is_promised_only_where_it_may_come(error: Exception, text: str, opening: Opening) -> None:
    async with opening() as place:
        place.ward.writer.ill = error
        seen = await place.until(await place.ask(), lambda now: now.text)
        assert seen.text == text


async def test_a_message_that_cannot_be_changed_promises_nothing(tmp_path: Path) -> None:
    async with ward(tmp_path / "data") as made, InSlack(made, PATIENT).open() as place:
        made.writer.ill = DOWN
        outcome = await place.slack.command(place.alice, place.general, "/ask What does the parking permit cost?")
        assert outcome.body is not None
        await place.slack.until(lambda: PASSAGES in alone(place))
        assert "I will update" not in alone(place)
        assert state(made) == ["done"]


def alone(place: InSlack) -> str:
    """What only Alice sees."""
    messages = place.slack.messages(place.general, seen_by=place.alice)
    return "\n".join(one.text for one in messages if one.only_for == place.alice.id)


async def test_a_busy_model_is_asked_once_more_after_the_time_it_named(opening: Opening) -> None:
    async with opening() as place:
        place.ward.writer.ill = ModelBusy("Later.", after=0.4)
        seen = await place.ask()
        await place.until(seen, lambda now: "Busy: about 1 s." in now.statuses)
        place.ward.writer.ill = None
        await place.answer(seen)
        assert (seen.text, len(place.ward.writer.requests)) == (ANSWER, 2)
