"""From what is said in a chat to questions: whom it is meant for, what an edit does, what the asker alone is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from citebot.conversing import ENGLISH, threads
from citebot.conversing.hearing import Hearing
from citebot.errors import DiskFull
from citebot.settings.conversations import ConversationSettings
from citebot.testing.scripted_chat import US, ScriptedChat
from citebot.testing.scripted_desk import ScriptedDesk


class Talk:
    """Ann and Ben in a channel, and a desk that stores what they ask."""

    def __init__(self) -> None:
        self.chat = ScriptedChat({"general": ["ann", "ben"], "alone": ["ann"]})
        self.desk = ScriptedDesk(plays=False)
        self.replied: list[str] = []
        self.at = self.chat.reception(self.desk)
        self.hearing = Hearing(self.at, replied=lambda said: self.replied.append(said.text))

    async def say(self, author: str, text: str, **more: Any) -> Any:
        said = self.chat.say(author, text, **more)
        await self.hearing.heard(said)
        return said

    @property
    def asked(self) -> list[str]:
        return [inbound.text for inbound in self.desk.accepted]


@pytest.fixture
def talk() -> Talk:
    return Talk()


async def test_who_calls_us_asks_and_who_does_not_is_left_alone(talk: Talk) -> None:
    await talk.say("ann", "How much is it?", calls_us=True)
    await talk.say("ann", "How much is it?")
    await talk.say("ann", "Alone with you.", channel="alone", direct=True)
    await talk.say("robot", "I am a machine.", calls_us=True, machine=True)
    await talk.say("ben", "Ben has joined.", calls_us=True, spoken=False)
    assert talk.asked == ["How much is it?", "Alone with you."]
    assert [one.conversation.visibility for one in talk.desk.accepted] == ["public", "dm"]


async def test_the_active_pair_goes_on_until_somebody_else_speaks(talk: Talk) -> None:
    root = await talk.say("ann", "How much is it?", calls_us=True)
    talk.chat.say(US, "Forty.", thread=root.id, question=root.id)
    await talk.say("ann", "And a year?", thread=root.id)
    await talk.say("ben", "Good question.", thread=root.id)
    await talk.say("ann", "Yes.", thread=root.id)
    assert talk.asked == ["How much is it?", "And a year?"]
    assert talk.replied == ["Good question.", "Yes."]
    assert [turn.text for turn in talk.desk.accepted[1].history] == ["How much is it?", "Forty."]


async def test_who_calls_somebody_else_does_not_mean_us(talk: Talk) -> None:
    root = await talk.say("ann", "How much is it?", calls_us=True)
    await talk.say("ann", "@ben do you know?", thread=root.id, calls=frozenset({"ben"}))
    assert talk.asked == ["How much is it?"]
    await talk.say("ann", "What does @ben pay?", calls_us=True, calls=frozenset({"ben"}))
    assert talk.asked[-1] == "What does @Ben pay?"


async def test_a_thread_is_read_where_it_began_before_us(talk: Talk) -> None:
    root = talk.chat.say("ann", "How much is it?", calls_us=True)
    talk.chat.say(US, "Forty.", thread=root.id, question=root.id)
    talk.chat.time += 100
    await talk.say("ann", "And a year?", thread=root.id)
    assert talk.asked == ["And a year?"]


async def test_in_a_thread_that_cannot_be_read_only_a_call_is_for_us(talk: Talk) -> None:
    talk.chat.hidden.add("general")
    root = talk.chat.say("ann", "How much is it?", calls_us=True)
    await talk.say("ann", "And a year?", thread=root.id)
    await talk.say("ann", "And two?", thread=root.id, calls_us=True)
    assert [(one.text, one.history) for one in talk.desk.accepted] == [("And two?", ())]


async def test_what_was_asked_a_moment_ago_by_another_way_is_taken_first(talk: Talk) -> None:
    root = talk.chat.say("ann", "How much is it?", calls_us=True)
    await talk.say("ann", "And a year?", thread=root.id, calls_us=True)
    assert talk.asked == ["How much is it?", "And a year?"]


async def test_every_question_is_answered_where_that_is_set(talk: Talk) -> None:
    talk.desk.settings = ConversationSettings(answers="all")
    await talk.say("ann", "How much is the parking permit?")
    await talk.say("ann", "Lunch is ready.")
    await talk.say("ann", "How much does @ben pay for it?", calls=frozenset({"ben"}))
    await talk.say("ann", "Who wants to have lunch now?", calls_many=True)
    assert [(one.text, one.unprompted) for one in talk.desk.accepted] == [("How much is the parking permit?", True)]


@pytest.mark.parametrize(
    ("text", "notice"), [("help", ENGLISH.help.format(bot="@citebot", command="/ask")), ("", ENGLISH.files_ask)]
)
async def test_hints_are_for_the_asker_alone_and_said_once(talk: Talk, text: str, notice: str) -> None:
    said = await talk.say("ann", text, calls_us=True, files=["photo.png"])
    await talk.hearing.heard(said)
    await talk.hearing.heard(replace(said, id="9", late=True))
    await talk.chat.settle()
    assert talk.chat.told == [("ann", notice)]
    assert not talk.asked


async def test_a_muted_channel_and_a_full_thread_say_so(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ANSWERS_MOST", 1)
    root = await talk.say("ann", "How much is it?", calls_us=True)
    await talk.say("ann", "And now?", calls_us=True, thread=root.id)
    talk.desk.settings = ConversationSettings(muted=True)
    await talk.say("ben", "How much is it?", calls_us=True)
    await talk.chat.settle()
    assert talk.chat.told == [("ann", ENGLISH.thread_full), ("ben", ENGLISH.muted.format(command="/ask"))]
    assert len(talk.asked) == 1


async def test_a_full_disk_is_told_and_the_question_is_not_taken(talk: Talk) -> None:
    talk.desk.problem = DiskFull("No room.")
    with pytest.raises(DiskFull):
        await talk.say("ann", "How much is it?", calls_us=True)
    await talk.chat.settle()
    assert talk.chat.told == [("ann", ENGLISH.cannot_save)]


async def test_an_edit_takes_back_the_answer_and_asks_anew_once(talk: Talk) -> None:
    said = await talk.say("ann", "How much is it?", calls_us=True)
    now = talk.chat.edit(said, "How much is the permit?")
    await talk.hearing.changed(now, said)
    await talk.hearing.changed(now, said)
    await talk.hearing.changed(replace(now, edited="later"), now)
    assert talk.asked == ["How much is it?", "How much is the permit?"]
    assert (talk.desk.stopped, talk.chat.withdrawn) == ([1], [])
    assert [one.message_id for one in talk.desk.accepted] == ["1", "1+e"]


async def test_an_edit_of_what_was_never_asked_asks_nothing_unless_it_was_answered(talk: Talk) -> None:
    said = talk.chat.say("ann", "How much is it?", calls_us=True)
    await talk.hearing.changed(replace(said, text="How much?", edited="e"), said)
    assert not talk.asked
    talk.chat.say(US, "Forty.", thread=said.id, question=said.id)
    await talk.hearing.changed(replace(said, text="How much?", edited="e"), said)
    assert talk.asked == ["How much?"]
    assert talk.chat.withdrawn == [said.id]


async def test_a_deleted_question_takes_its_answer_along(talk: Talk) -> None:
    said = await talk.say("ann", "How much is it?", calls_us=True)
    chatter = await talk.say("ben", "Nice weather.")
    await talk.hearing.deleted(said)
    await talk.hearing.deleted(chatter)
    assert (talk.desk.stopped, talk.chat.withdrawn) == ([1], [])


async def test_what_is_deleted_after_its_question_was_forgotten_takes_its_answer_along(talk: Talk) -> None:
    said = talk.chat.say("ann", "How much is it?", calls_us=True)
    await talk.hearing.deleted(said)
    assert (talk.desk.stopped, talk.chat.withdrawn) == ([], [said.id])


async def test_stop_ends_what_is_written_in_the_thread(talk: Talk) -> None:
    root = await talk.say("ann", "How much is it?", calls_us=True)
    await talk.say("ben", "How much is it?", calls_us=True)
    await talk.hearing.stopped(root.channel, root.id)
    assert talk.desk.stopped == [1]
