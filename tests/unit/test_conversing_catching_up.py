"""What was said while nobody listened is found, once, with the rules of when it was said."""

from __future__ import annotations

import asyncio

import pytest

from citebot.conversing.catching_up import CatchUp, Reach
from citebot.conversing.hearing import Hearing
from citebot.errors import StorageError
from citebot.ports import MemoryVault
from citebot.testing.scripted_chat import US, ScriptedChat
from citebot.testing.scripted_desk import ScriptedDesk

REACH = Reach(window=1_000.0, overlap=0.0, keep=0.01)
MARK = "heard-team"
HEARD = 99.0


class Marks(MemoryVault):
    """Tells when everything up to `HEARD` was caught up with."""

    def __init__(self) -> None:
        super().__init__()
        self.put_down: list[str] = []
        self.done = asyncio.Event()

    async def put(self, name: str, value: str) -> None:
        await super().put(name, value)
        self.put_down.append(value)
        if float(value) == HEARD:
            self.done.set()


class Absence:
    """Ann and Ben talk on while we are away."""

    def __init__(self) -> None:
        self.chat = ScriptedChat({"general": ["ann", "ben"], "secret": ["ann"], "later": ["ann"]})
        self.desk = ScriptedDesk(plays=False)
        self.vault = Marks()

    async def come_back(self) -> list[str]:
        at = self.chat.reception(self.desk)
        now = lambda: self.chat.time + 1  # noqa: E731
        catch_up = CatchUp(at, Hearing(at), self.chat, self.vault, REACH, heard=lambda: HEARD, now=now, sleep=_at_once)
        running = asyncio.create_task(catch_up.run())
        try:
            await asyncio.wait_for(self.vault.done.wait(), 20)
        finally:
            running.cancel()
        return [inbound.text for inbound in self.desk.accepted]


async def _at_once(seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def absence() -> Absence:
    found = Absence()
    await found.vault.put(MARK, "0.5")
    return found


async def test_questions_of_all_conversations_are_taken_in_their_order(absence: Absence) -> None:
    absence.chat.say("ann", "One?", calls_us=True)
    absence.chat.say("ann", "Chatter.")
    absence.chat.say("ann", "Other place?", channel="later", calls_us=True)
    absence.chat.say("ben", "Two?", calls_us=True)
    assert await absence.come_back() == ["One?", "Two?", "Other place?"]
    await absence.chat.settle()
    assert not absence.chat.told


async def test_what_has_its_answer_is_not_asked_again(absence: Absence) -> None:
    root = absence.chat.say("ann", "One?", calls_us=True)
    await absence.vault.put(MARK, "1.0")
    absence.chat.say(US, "Yes.", thread=root.id, question=root.id)
    absence.chat.time += 100
    absence.chat.say("ann", "And two?", thread=root.id)
    assert await absence.come_back() == ["And two?"]


async def test_a_follow_up_is_ours_only_if_it_was_when_it_was_said(absence: Absence) -> None:
    root = absence.chat.say("ann", "One?", calls_us=True)
    await absence.vault.put(MARK, "1.0")
    absence.chat.say(US, "Yes.", thread=root.id, question=root.id)
    absence.chat.say("ben", "Hm.", thread=root.id)
    absence.chat.say("ann", "And two?", thread=root.id)
    assert await absence.come_back() == []


async def test_a_follow_up_stays_ours_whoever_spoke_after_it(absence: Absence) -> None:
    root = absence.chat.say("ann", "One?", calls_us=True)
    absence.chat.say(US, "Yes.", thread=root.id, question=root.id)
    absence.chat.time += 100
    await absence.vault.put(MARK, str(absence.chat.time))
    absence.chat.say("ann", "And two?", thread=root.id)
    absence.chat.say("ben", "Hm.", thread=root.id)
    assert await absence.come_back() == ["And two?"]


async def test_a_conversation_that_may_not_be_read_does_not_hold_up_the_rest(absence: Absence) -> None:
    absence.chat.hidden.add("general")
    absence.chat.say("ann", "One?", calls_us=True)
    absence.chat.say("ann", "Two?", channel="later", calls_us=True)
    assert await absence.come_back() == ["Two?"]


async def test_what_was_before_the_first_start_was_not_missed() -> None:
    absence = Absence()
    absence.chat.say("ann", "One?", calls_us=True)
    assert await absence.come_back() == []
    assert absence.vault.put_down == ["2.000000", "99.000000"]


async def test_without_a_window_nothing_is_read_back_or_written_down() -> None:
    absence = Absence()
    at = absence.chat.reception(absence.desk)
    reach = Reach(window=0.0)
    await CatchUp(at, Hearing(at), absence.chat, absence.vault, reach, heard=lambda: HEARD, now=lambda: 1.0).run()
    assert not absence.vault.put_down


async def test_what_cannot_be_stored_is_tried_until_it_can(absence: Absence) -> None:
    absence.chat.say("ann", "One?", calls_us=True)
    absence.desk.problem = StorageError("Not now.")
    asyncio.get_running_loop().call_later(0.01, setattr, absence.desk, "problem", None)
    assert await absence.come_back() == ["One?"]
