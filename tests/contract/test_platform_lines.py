"""A platform that can do next to nothing keeps the contract too, and its readers get the whole answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from citebot.errors import CitebotError, Retry
from citebot.model import Citation, CitationAdded, Status, TextDelta
from citebot.ports import Inbound
from citebot.testing.contract_platform import PlatformContract, sample_passage
from citebot.testing.plain_lines import LINE_MOST, PlainLines
from citebot.testing.scripted_desk import Finish, ScriptedDesk, outbound

WORDS = ["Züge", "bucht", "das", "Büro", "🚆", "trains", "are", "booked", "by", "the", "office"]


class Lines:
    def __init__(self) -> None:
        self.platform = PlainLines()
        self.desk = ScriptedDesk(platform=self.platform)
        self.running = asyncio.create_task(self.platform.run(self.desk))

    async def ask(self, text: str, *, message: str = "message-1") -> bool:
        try:
            await self.platform.ask(text, message=message)
        except CitebotError:
            return False
        return True

    async def visible(self, inbound: Inbound) -> list[str]:
        place = outbound(inbound).reply_to
        return [posted.text for posted in self.platform.posted.values() if posted.to.reply_to == place]

    async def stop(self) -> None:
        self.running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.running


@pytest.fixture
async def harness() -> AsyncIterator[Lines]:
    harness = Lines()
    yield harness
    await harness.stop()
    await harness.desk.close()


class TestPlainLines(PlatformContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[Lines]:
        harness = Lines()
        yield harness
        await harness.stop()


async def test_a_full_answer_is_readable_in_order_and_once(harness: Lines) -> None:
    long_title = replace(sample_passage(2), title="Ä" * 500)
    cited = (Citation(1, sample_passage()), Citation(2, long_title))
    said = [f"**{number}.** {' '.join(WORDS * 6)} [1]." for number in range(30)]
    harness.desk.script = lambda inbound: [
        Status("searching", "Searching"),
        *(TextDelta(f"{line}\n\n") for line in said),
        CitationAdded(cited[0]),
        Finish("\n\n".join(said), citations=cited, notes=("One source was not searched.",)),
    ]
    await harness.ask("Who books trains?")
    await harness.desk.settle()
    lines = harness.platform.lines()
    assert max(len(line.encode()) for line in lines) <= LINE_MOST
    shown = " ".join(lines)
    assert " ".join(" ".join(said).replace("**", "").split()) == " ".join(shown.split("[1] Page 1 ")[0].split())
    assert lines[-3] == "[1] Page 1 https://wiki.example.com/page-1"
    assert lines[-2].startswith("[2] ÄÄÄ")
    assert lines[-2].endswith("Ä https://wiki.example.com/page-2")
    assert lines[-1] == "One source was not searched."
    assert "Searching" not in shown


async def test_where_nothing_is_known_the_closest_documents_are_named(harness: Lines) -> None:
    near = Citation(1, sample_passage())
    harness.desk.script = lambda inbound: [Finish("I do not know.", answered=False, closest=(near,))]
    await harness.ask("Who books trains?")
    await harness.desk.settle()
    assert harness.platform.lines() == ["I do not know.", "See also: Page 1 https://wiki.example.com/page-1"]


async def test_a_service_that_says_wait_gets_every_line_once(harness: Lines) -> None:
    harness.desk.plays = False
    await harness.ask("Who books trains?")
    (inbound,) = harness.desk.accepted
    answer = harness.desk.keep(inbound, Finish("\n\n".join(["word " * 70] * 3)))
    harness.platform.refuse("post", Retry("slow", after=0.0))
    for _attempt in range(2):
        shown = await harness.desk.open_answer(outbound(inbound))
        with contextlib.suppress(Retry):
            await shown.finish(answer)
    assert len(harness.platform.lines()) == 3
