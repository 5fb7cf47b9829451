"""The contract of a generator, as tests.

Inherit and say how to make one:

class TestMyGenerator(GeneratorContract):
    def make(self, data_dir):
        return MyGenerator(MyGenerator.Settings(), PartContext(data_dir))
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path

import pytest
import pytest_asyncio

from citebot.errors import ModelUnavailable
from citebot.model import Embedding, Passage, Readers, ScoredPassage, Status
from citebot.ports import Draft, GenerationRequest, Generator

TEXTS = (
    "Employees get 26 days of paid annual leave in a calendar year. Leave is requested in Perch.",
    "Contractors have no paid leave. They agree on absences with their project lead.",
    "Run this to fail over:\n\n```bash\npg_ctl promote -D /srv/pg\n```",
)


def passages(texts: Sequence[str] = TEXTS) -> tuple[ScoredPassage, ...]:
    """Passages to write from."""
    return tuple(
        ScoredPassage(
            Passage(
                id=number, source="wiki", document_id=f"d{number}", title=f"Page {number}", url="", anchor="",
                headings=(), text=text, kind="paragraph", position=0, readers=Readers.everyone(),
            ),
            score=1.0 / number,
        )
        for number, text in enumerate(texts, start=1)
    )  # fmt: skip


class GeneratorContract:
    """What Citebot relies on in every generator."""

    question = "How many days of annual leave do employees get?"

    def make(self, data_dir: Path) -> Generator:
        """A new generator that keeps its files in `data_dir`."""
        raise NotImplementedError

    @pytest_asyncio.fixture
    async def generator(self, tmp_path: Path) -> AsyncIterator[Generator]:
        """An open one, closed after the test."""
        generator = self.make(tmp_path)
        await generator.open()
        yield generator
        await generator.close()

    async def draft(self, generator: Generator, request: GenerationRequest) -> str:
        """The whole text."""
        return "".join([piece.text async for piece in generator.generate(request) if isinstance(piece, Draft)])

    def request(self, texts: Sequence[str] = TEXTS, *, question: str = "") -> GenerationRequest:
        """A request for these passages."""
        asked = question or self.question
        return GenerationRequest(question=asked, original=asked, passages=passages(texts), deadline=30.0)

    @pytest.mark.asyncio
    async def test_says_what_it_is(self, generator: Generator) -> None:
        assert generator.name
        assert generator.summary
        assert generator.Settings.model_json_schema()

    @pytest.mark.asyncio
    async def test_streams_drafts_and_statuses(self, generator: Generator) -> None:
        pieces = [piece async for piece in generator.generate(self.request())]
        assert pieces
        assert all(isinstance(piece, Draft | Status) for piece in pieces)

    @pytest.mark.asyncio
    async def test_cites_what_it_was_given(self, generator: Generator) -> None:
        text = await self.draft(generator, self.request())
        assert "26" in text
        assert "[1]" in text
        assert "[4]" not in text

    @pytest.mark.asyncio
    async def test_no_passages_is_no_error(self, generator: Generator) -> None:
        assert isinstance(await self.draft(generator, self.request(())), str)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        "text", ["", " \n", "🙂" * 50, "x" * 20_000, "[1] [2](http://x) \x00 \ud83d", "| a |\n| b |"]
    )
    async def test_odd_passages_and_questions_are_safe(self, generator: Generator, text: str) -> None:
        assert isinstance(await self.draft(generator, self.request([text, *TEXTS])), str)
        assert isinstance(await self.draft(generator, self.request(question=text or " ")), str)

    @pytest.mark.asyncio
    async def test_a_failing_embedder_is_no_error(self, generator: Generator) -> None:
        async def fail(texts: Sequence[str]) -> list[Embedding]:
            raise ModelUnavailable("not now")

        plain = self.request()
        vector = Embedding(2, b"\x00\x3c\x00\x00")
        request = GenerationRequest(
            question=plain.question, original=plain.original, passages=plain.passages, query_vector=vector, embed=fail
        )
        assert await self.draft(generator, request)

    @pytest.mark.asyncio
    async def test_can_be_left_early(self, generator: Generator) -> None:
        pieces = generator.generate(self.request())
        async with aclosing(pieces) as left:  # type: ignore[type-var]  # every generator in practice is one of Python's
            async for _ in left:
                break
        assert await self.draft(generator, self.request())

    @pytest.mark.asyncio
    async def test_two_may_write_at_once(self, generator: Generator) -> None:
        alone = await self.draft(generator, self.request())
        together = await asyncio.gather(*(self.draft(generator, self.request()) for _ in range(4)))
        assert all(alone.count("[1]") == text.count("[1]") for text in together)

    @pytest.mark.asyncio
    async def test_the_event_loop_goes_on(self, generator: Generator) -> None:
        request = self.request([f"{text} Number {n}." for n in range(20) for text in TEXTS])
        work = asyncio.create_task(self.draft(generator, request))
        longest, last = 0.0, time.monotonic()
        while not work.done():
            await asyncio.sleep(0.001)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        assert longest < 0.5
