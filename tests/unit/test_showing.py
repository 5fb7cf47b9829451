"""Showing answers as messages: what the platform refuses costs a step, never the answer, and nothing is shown twice."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from citebot.errors import CannotShow, Retry, StreamEnded
from citebot.model import Conversation, Person
from citebot.ports import Capabilities, Inbound, Message, Outbound
from citebot.showing import Shower, split
from citebot.showing.shower import _Showing
from citebot.storage import Database, schema
from citebot.testing.scripted_desk import Finish, answer_to
from citebot.testing.scripted_messages import ScriptedMessages

PLACE = Conversation(platform="messages", id="dm")
TO = Outbound(PLACE, "question", "inbox-1")
STREAMS = Capabilities(stream=True, edit=True, text_limit=400, edits_per_second=1_000.0)
EDITS = Capabilities(edit=True, text_limit=400, edits_per_second=1_000.0)
ENDS = Capabilities(text_limit=400, edits_per_second=1_000.0)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'shown.db'}")
    schema.upgrade(database)
    yield database
    database.close()


def answer(text: str):  # type: ignore[no-untyped-def]
    return answer_to(Inbound("d", "question", PLACE, Person("alice"), "Who?"), Finish(text))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


async def streamed(shower: Shower, platform: ScriptedMessages, text: str) -> None:
    shown = await shower.open(TO)
    await shown.append(text)
    await until(lambda: platform.texts() == [text])


async def test_a_stream_that_ends_early_is_edited(memory: Database) -> None:
    platform = ScriptedMessages(STREAMS)
    shower = Shower(platform, memory)
    await streamed(shower, platform, "The office")
    platform.refuse("extend_stream", StreamEnded("five minutes are over"))
    platform.refuse("end_stream", StreamEnded("five minutes are over"))
    await (await shower.open(TO)).finish(answer("The office does."))
    assert platform.texts() == ["The office does."]
    assert platform.calls[-1] == "edit"


async def test_a_stream_whose_time_is_over_is_left_before_it_dies(memory: Database) -> None:
    platform = ScriptedMessages(Capabilities(stream=True, edit=True, edits_per_second=1_000.0, stream_seconds=0.05))
    shown = await Shower(platform, memory).open(TO)
    await shown.append("The")
    await until(lambda: platform.texts() == ["The"])
    await asyncio.sleep(0.06)
    await shown.append(" office")
    await until(lambda: platform.texts() == ["The office"])
    assert not platform.posted["m1"].growing
    await shown.finish(answer("The office does."))
    assert platform.texts() == ["The office does."]


async def test_a_platform_that_shows_nothing_in_between_shows_the_end(memory: Database) -> None:
    platform = ScriptedMessages(EDITS)
    shown = await Shower(platform, memory).open(TO)
    platform.refuse("post", CannotShow("not now"))
    await shown.append("The office")
    await until(lambda: platform.calls == ["post"])
    await shown.append(" does.")
    await shown.finish(answer("The office does."))
    assert platform.texts() == ["The office does."]
    assert platform.calls == ["post", "post"]


async def test_a_busy_platform_is_asked_again_when_it_says_so(memory: Database) -> None:
    platform = ScriptedMessages(EDITS)
    shown = await Shower(platform, memory).open(TO)
    platform.refuse("post", Retry("busy", after=0.05))
    await shown.append("The office")
    await until(lambda: platform.texts() == ["The office"])
    assert platform.calls == ["post", "post"]


@pytest.mark.parametrize("able", [STREAMS, EDITS, ENDS], ids=["streams", "edits", "ends"])
async def test_a_message_whose_sending_was_cut_off_is_found_again(memory: Database, able: Capabilities) -> None:
    platform = ScriptedMessages(able)
    platform.lose(Retry("timed out"))
    first = await Shower(platform, memory).open(TO)
    with pytest.raises(Retry):
        await first.finish(answer("The office does."))
    after_a_restart = await Shower(platform, memory).open(TO)
    await after_a_restart.finish(answer("The office does."))
    assert platform.texts() == ["The office does."]


@pytest.mark.parametrize("able", [EDITS, ENDS], ids=["edits", "ends"])
async def test_a_message_of_which_we_do_not_know_is_not_sent_again(memory: Database, able: Capabilities) -> None:
    platform = ScriptedMessages(able)
    platform.lose(Retry("timed out"))
    shower = Shower(platform, memory)
    with pytest.raises(Retry):
        await (await shower.open(TO)).finish(answer("The office does."))
    await (await shower.open(TO)).finish(answer("The office does."))
    assert platform.texts() == ["The office does."]


async def test_a_stream_of_a_process_that_died_is_ended_and_edited(memory: Database) -> None:
    platform = ScriptedMessages(STREAMS)
    await streamed(Shower(platform, memory), platform, "The off")
    await (await Shower(platform, memory).open(TO)).finish(answer("The office does."))
    assert platform.texts() == ["The office does."]
    assert not platform.posted["m1"].growing


class SlowWay(ScriptedMessages):
    """Its first message comes only when `arrives` is set; those of others overtake it."""

    def __init__(self, capabilities: Capabilities) -> None:
        super().__init__(capabilities)
        self.arrives = asyncio.Event()
        self.on_its_way = False

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        await self._travel()
        return await super().post(to, message, key=key)

    async def begin_stream(self, to: Outbound, *, key: str) -> str:
        await self._travel()
        return await super().begin_stream(to, key=key)

    async def _travel(self) -> None:
        if not self.on_its_way:
            self.on_its_way = True
            await self.arrives.wait()


@pytest.mark.parametrize("able", [STREAMS, EDITS], ids=["streams", "edits"])
async def test_of_two_processes_that_show_the_same_one_takes_its_message_back(
    memory: Database, able: Capabilities
) -> None:
    platform = SlowWay(able)
    given_up = await Shower(platform, memory).open(TO)
    await given_up.append("The office")
    await until(lambda: platform.on_its_way)
    shower = Shower(platform, memory)
    await streamed(shower, platform, "The office")
    platform.arrives.set()
    await until(lambda: "remove" in platform.calls)
    await given_up.rest()
    await (await shower.open(TO)).finish(answer("The office does."))
    assert platform.texts() == ["The office does."]
    assert not any(posted.growing for posted in platform.posted.values())


class SlowMessages(ScriptedMessages):
    """Sends a new message only when it is let through; who waits may have gone by then."""

    def __init__(self, capabilities: Capabilities) -> None:
        super().__init__(capabilities)
        self.gate, self.reached = asyncio.Event(), asyncio.Event()

    async def post(self, to: Outbound, message: Message, *, key: str) -> str:
        self.reached.set()
        await self.gate.wait()
        return await super().post(to, message, key=key)

    async def begin_stream(self, to: Outbound, *, key: str) -> str:
        self.reached.set()
        await self.gate.wait()
        return await super().begin_stream(to, key=key)


@pytest.mark.parametrize("able", [EDITS, STREAMS, ENDS])
async def test_a_process_that_is_overtaken_while_it_sends_takes_its_message_back(
    memory: Database, able: Capabilities
) -> None:
    slow, quick = SlowMessages(able), ScriptedMessages(able)
    slow.posted = quick.posted  # one service
    slow._ids = 100
    slow.refuse("remove", Retry("The service is ill."))
    sending = asyncio.create_task((await Shower(slow, memory).open(TO)).finish(answer("The office does.")))
    await asyncio.wait_for(slow.reached.wait(), 60)
    sending.cancel()  # its lease is lost
    await asyncio.gather(sending, return_exceptions=True)
    await (await Shower(quick, memory).open(TO)).finish(answer("The office does."))
    slow.gate.set()
    await until(lambda: slow.calls.count("remove") == 2)
    assert quick.texts() == ["The office does."]


async def test_what_another_process_has_shown_meanwhile_is_taken_up(memory: Database) -> None:
    platform = ScriptedMessages(STREAMS)
    given_up = Shower(platform, memory)
    await given_up.open(TO)
    await streamed(Shower(platform, memory), platform, "The office")
    await (await given_up.open(TO)).finish(answer("The office does."))
    assert platform.texts() == ["The office does."]


@pytest.mark.parametrize("able", [STREAMS, EDITS], ids=["streams", "edits"])
async def test_a_message_that_a_process_began_before_it_died_is_found_by_one_that_opened_before(
    memory: Database, able: Capabilities
) -> None:
    platform = ScriptedMessages(able)
    opened_before = await Shower(platform, memory).open(TO)
    platform.lose(Retry("timed out"))  # it never learns that its message was sent
    dying = await Shower(platform, memory).open(TO)
    await dying.append("The")
    await until(lambda: len(platform.posted) == 1)
    await dying.rest()
    await opened_before.finish(answer("The office does."))
    assert platform.texts() == ["The office does."]


async def test_answers_that_other_processes_end_are_let_go_and_can_be_taken_up_again(
    memory: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("citebot.showing.shower.KEPT", 2)
    platform = ScriptedMessages(STREAMS)
    shower, places = Shower(platform, memory), [replace(TO, idempotency_key=f"inbox-{n}") for n in range(5)]
    for number, to in enumerate(places):
        begun = await shower.open(to)
        await begun.append(f"Answer {number}")
        await until(lambda: len(platform.posted) == number + 1)  # noqa: B023
        await begun.rest()
    del begun
    gc.collect()
    assert sum(isinstance(one, _Showing) for one in gc.get_objects()) == 2
    for number, to in enumerate(places):
        await (await shower.open(to)).finish(answer(f"Answer {number}, whole."))
    assert platform.texts() == [f"Answer {number}, whole." for number in range(5)]


async def test_what_is_finished_stays_after_a_restart(memory: Database) -> None:
    platform = ScriptedMessages(EDITS)
    await (await Shower(platform, memory).open(TO)).finish(answer("The office does."))
    again = await Shower(platform, memory).open(TO)
    await again.append("Twice?")
    await again.finish(answer("Another."))
    assert platform.texts() == ["The office does."]


async def test_a_long_answer_takes_messages_back_that_the_end_does_not_need(memory: Database) -> None:
    platform = ScriptedMessages(EDITS)
    shown = await Shower(platform, memory).open(TO)
    await shown.append("word " * 200)
    await until(lambda: len(platform.posted) == 3)
    await shown.finish(answer("Short."))
    assert platform.texts() == ["Short."]


@given(st.text(alphabet="ab `\n", max_size=400), st.integers(20, 80))
def test_pieces_fit_and_lose_nothing(text: str, limit: int) -> None:
    pieces = split(text, limit)
    assert all(len(piece) <= limit for piece in pieces)
    assert "".join("".join(pieces).split()).replace("`", "") == "".join(text.split()).replace("`", "")


def test_a_code_block_is_closed_and_opened_again() -> None:
    code = "\n".join(f"line {number}" for number in range(40))
    pieces = split(f"Do this:\n\n```python\n{code}\n```\n\nThen that.", 200)
    assert len(pieces) > 1
    assert all(piece.count("```") % 2 == 0 for piece in pieces)
    assert pieces[1].startswith("```python\n")
    assert "line 39" in "".join(pieces)
