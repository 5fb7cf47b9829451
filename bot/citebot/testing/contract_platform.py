"""What every platform must do, as tests to inherit.

    class TestMyChat(PlatformContract):
        @pytest.fixture
        async def harness(self, tmp_path):
            async with my_harness(tmp_path) as harness:  # a `PlatformHarness`
                yield harness

The harness plays the outside world: it delivers questions the way the chat service would and reads what people see.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import pytest

from citebot.errors import CitebotError
from citebot.model import Citation, Conversation, Passage, Person, Readers, Status
from citebot.ports import Inbound, Platform
from citebot.testing.scripted_desk import Finish, ScriptedDesk, outbound

PATIENCE = 10.0
"""Seconds until a test calls something stuck."""


class PlatformHarness(Protocol):
    """The outside of a platform. `desk.platform` is set before a test runs; `platform.run(desk)` is under way."""

    platform: Platform
    desk: ScriptedDesk

    async def ask(self, text: str, *, message: str = "message-1") -> bool:
        """Deliver a question once as the chat service does; True when it was acknowledged as taken.

        The same `message` is the same message delivered again.
        """

    async def visible(self, inbound: Inbound) -> list[str]:
        """The texts of the messages that answer a question, as its asker sees them now."""

    async def stop(self) -> None:
        """Cancel `run` and wait for its end."""


def sample_passage(number: int = 1) -> Passage:
    """A passage to cite."""
    return Passage(
        id=number,
        source="handbook",
        document_id=f"page-{number}",
        title=f"Page {number}",
        url=f"https://wiki.example.com/page-{number}",
        anchor="",
        headings=("Travel",),
        text="Trains are booked by the office.",
        kind="paragraph",
        position=0,
        readers=Readers.everyone(),
    )


class PlatformContract:
    """Inherit it and provide the fixture `harness`."""

    @pytest.fixture
    def harness(self) -> PlatformHarness:
        raise NotImplementedError("the inheriting class provides this fixture")

    @pytest.fixture(autouse=True)
    async def _quiet_desk(self, harness: PlatformHarness) -> AsyncIterator[None]:
        harness.desk.plays = False
        yield
        await harness.desk.close()

    async def _accepted(self, harness: PlatformHarness, text: str = "Who books trains?") -> Inbound:
        assert await harness.ask(text)
        return harness.desk.accepted[-1]

    def test_names_itself(self, harness: PlatformHarness) -> None:
        kind = type(harness.platform)
        assert kind.name.islower()
        assert kind.summary
        assert kind.Settings.model_config.get("extra") == "forbid"
        assert kind.capabilities.text_limit > 0

    async def test_a_question_arrives_whole(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness, "Wer bucht Züge? 🚆\nUnd wann?")
        assert inbound.text == "Wer bucht Züge? 🚆\nUnd wann?"
        assert inbound.conversation.platform == harness.platform.name
        assert inbound.asker.id
        assert inbound.delivery_id
        assert inbound.message_id

    async def test_acknowledges_only_what_is_stored(self, harness: PlatformHarness) -> None:
        harness.desk.gate = asyncio.Event()
        asking = asyncio.create_task(harness.ask("Who books trains?"))
        await asyncio.sleep(0.05)
        assert not asking.done(), "acknowledged before it was stored"
        harness.desk.gate.set()
        assert await asyncio.wait_for(asking, PATIENCE)
        assert len(harness.desk.accepted) == 1

    async def test_does_not_acknowledge_what_could_not_be_stored(self, harness: PlatformHarness) -> None:
        harness.desk.problem = CitebotError("The disk is full.")
        assert not await harness.ask("Who books trains?")

    async def test_a_second_delivery_is_recognisable(self, harness: PlatformHarness) -> None:
        await self._accepted(harness)
        await harness.ask("Who books trains?")
        assert len(set(harness.desk.deliveries)) == 1
        assert len(harness.desk.accepted) == 1

    async def test_another_message_is_another_question(self, harness: PlatformHarness) -> None:
        await self._accepted(harness)
        await harness.ask("And planes?", message="message-2")
        assert len(harness.desk.accepted) == 2

    async def test_shows_the_complete_answer(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness)
        shown = await harness.desk.open_answer(outbound(inbound))
        await shown.status(Status("searching", "Searching"))
        await shown.append("The office ")
        await shown.append("does [1].", [Citation(1, sample_passage())])
        answer = harness.desk.keep(inbound, Finish("The office does [1].", citations=(Citation(1, sample_passage()),)))
        await shown.finish(answer)
        (text,) = await harness.visible(inbound)
        assert "The office does" in text
        assert "Page 1" in text, "a citation must name its document"
        assert "Searching" not in text

    async def test_finish_decides_what_stands_there(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness)
        shown = await harness.desk.open_answer(outbound(inbound))
        await shown.append("A draft that was taken back.")
        await shown.finish(harness.desk.keep(inbound, Finish("Nobody knows.", answered=False)))
        (text,) = await harness.visible(inbound)
        assert "Nobody knows." in text
        assert "draft" not in text

    async def test_the_same_key_is_the_same_message(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness)
        for _attempt in range(3):
            shown = await harness.desk.open_answer(outbound(inbound))
            await shown.append("The office does.")
        await shown.finish(harness.desk.keep(inbound, Finish("The office does.")))
        (text,) = await harness.visible(inbound)
        assert text.count("The office does.") == 1

    async def test_a_finished_message_stays(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness)
        shown = await harness.desk.open_answer(outbound(inbound))
        await shown.finish(harness.desk.keep(inbound, Finish("The office does.")))
        again = await harness.desk.open_answer(outbound(inbound))
        await again.append("Twice?")
        await again.finish(harness.desk.keep(inbound, Finish("The office does.")))
        (text,) = await harness.visible(inbound)
        assert text.count("The office does.") == 1
        assert "Twice?" not in text

    async def test_an_overtaken_writer_is_mute(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness)
        slow = await harness.desk.open_answer(outbound(inbound))
        fast = await harness.desk.open_answer(outbound(inbound))
        await slow.append("From the slow one.")
        await fast.append("From the fast one.")
        await slow.abort("The slow one gave up.")
        await fast.finish(harness.desk.keep(inbound, Finish("From the fast one.")))
        (text,) = await harness.visible(inbound)
        assert "slow" not in text

    async def test_abort_is_honest(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness)
        shown = await harness.desk.open_answer(outbound(inbound))
        await shown.append("The off")
        await shown.abort("The search is down. Please ask again later.")
        assert "The search is down." in "\n".join(await harness.visible(inbound))

    async def test_a_long_answer_is_not_lost(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness)
        words = " ".join(f"word{number}" for number in range(harness.platform.capabilities.text_limit // 8))
        long = f"{words}\n\n{words} The very end."
        shown = await harness.desk.open_answer(outbound(inbound))
        await shown.finish(harness.desk.keep(inbound, Finish(long)))
        assert "The very end." in "\n".join(await harness.visible(inbound))

    async def test_an_answer_may_come_after_a_restart(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness)
        shown = await harness.desk.open_answer(outbound(inbound))
        await shown.append("The off")
        again = await harness.desk.open_answer(outbound(inbound))
        await again.finish(harness.desk.keep(inbound, Finish("The office does.")))
        (text,) = await harness.visible(inbound)
        assert text.count("The off") == 1

    async def test_knows_who_sees_a_conversation(self, harness: PlatformHarness) -> None:
        inbound = await self._accepted(harness)
        seen_by = await harness.platform.seen_by(inbound.conversation, inbound.asker)
        assert seen_by is not None
        assert inbound.asker.id in {person.id for person in seen_by}

    async def test_an_unknown_audience_allows_nothing(self, harness: PlatformHarness) -> None:
        elsewhere = Conversation(platform="elsewhere", id="somewhere", visibility="public")
        assert await harness.platform.seen_by(elsewhere, Person("mallory")) is None

    async def test_stops_when_told(self, harness: PlatformHarness) -> None:
        await asyncio.wait_for(harness.stop(), PATIENCE)
