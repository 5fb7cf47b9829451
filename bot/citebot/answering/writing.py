"""Stages 9 to 11 in a row: draft, ground, sink. Gives out whole checked sentences and remembers what it gave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from citebot.answering import texts
from citebot.answering.drafts import Drafting, Ending
from citebot.answering.gather import Begin
from citebot.answering.ground import Grounded, Grounding, declines, without_numbers
from citebot.answering.sentences import Unit
from citebot.answering.sink import clean
from citebot.errors import ModelUnavailable
from citebot.model import AnswerEvent, Citation, ScoredPassage, Status, TextDelta
from citebot.model import CitationAdded as CitationEvent
from citebot.ports import GenerationRequest, Generator, Limited, Used, unmetered

MAX_TEXT = 8_000
"""Characters of an answer."""
BRIEF_TEXT = 500
"""Characters after which a brief answer ends, whatever else a generator would say."""
AGAIN_SECONDS = 1.0
"""A second attempt is not begun with less time than this."""


async def free() -> Used:
    """Nothing is counted."""
    return unmetered


@dataclass(frozen=True, slots=True)
class Written:
    """A unit that was given out."""

    unit: Unit
    text: str
    numbers: tuple[int, ...]


@dataclass(slots=True)
class Page:
    """What has been written so far. Numbers are given in the order of first use."""

    passages: Sequence[ScoredPassage]
    written: list[Written] = field(default_factory=list)
    sentences: dict[int, list[str]] = field(default_factory=dict)
    dropped: int = 0
    attempts: int = 1
    declined: bool = False
    """The model said that the passages do not answer the question."""
    ending: Ending = field(default_factory=Ending)
    _numbers: dict[int, int] = field(default_factory=dict)

    def add(self, grounded: Grounded, safe: str) -> tuple[str, list[Citation]]:
        """The text to append, and the citations used for the first time."""
        new: list[Citation] = []
        for place, support in grounded.support.items():
            if place not in self._numbers:
                self._numbers[place] = len(self._numbers) + 1
                new.append(Citation(self._numbers[place], self.passages[place - 1].passage, support))
            known = self.sentences.setdefault(place, [])
            known += [sentence for sentence in support if sentence not in known]
        numbers = tuple(sorted(self._numbers[place] for place in grounded.support))
        marks = "".join(f"[{number}]" for number in numbers)
        gap = "\n" if grounded.unit.kind in {"code", "table"} else " "
        piece = f"{safe}{gap}{marks}"
        before = separator(self.written[-1].unit, grounded.unit) if self.written else ""
        self.written.append(Written(grounded.unit, piece, numbers))
        return before + piece, new

    @property
    def failed(self) -> bool:
        """There was a whole draft, and nothing of it held."""
        ending = self.ending
        broken = ending.stopped or ending.too_slow or ending.model_failed
        return not (self.written or self.declined or broken)

    def text(self, allowed: Collection[int] | None = None) -> str:
        """Everything written, or only what cites nothing but the `allowed` numbers."""
        text, last = "", None
        for piece in self.written:
            if allowed is None or all(number in allowed for number in piece.numbers):
                text += (separator(last, piece.unit) if last else "") + piece.text
                last = piece.unit
        return text

    def citations(self) -> tuple[Citation, ...]:
        """All citations by number, with every sentence they were used for."""
        return tuple(
            Citation(number, self.passages[place - 1].passage, tuple(self.sentences[place]))
            for place, number in self._numbers.items()
        )


class Writing:
    """Lets a generator write, and passes on only what holds."""

    def __init__(self, generator: Generator) -> None:
        self._drafting = Drafting(generator)
        # What costs nothing follows rules, and would say the same again.
        self._may_differ = isinstance(generator, Limited)

    async def run(
        self, request: GenerationRequest, page: Page, *, stop: asyncio.Event | None = None, begin: Begin = free
    ) -> AsyncGenerator[AnswerEvent, None]:
        """Text and citations as they pass; `page` holds the result at any moment.

        A model of whose draft nothing holds is asked once more, if there is time.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + request.deadline
        async with aclosing(self._attempt(request, page, stop=stop, begin=begin)) as events:
            async for event in events:
                yield event
        left = until - clock()
        if page.failed and self._may_differ and left >= AGAIN_SECONDS:
            page.attempts, page.ending = 2, Ending(waited=page.ending.waited)
            again = replace(request, attempt=2, deadline=left)
            async with aclosing(self._attempt(again, page, stop=stop, begin=begin)) as events:
                async for event in events:
                    yield event

    async def _attempt(
        self, request: GenerationRequest, page: Page, *, stop: asyncio.Event | None, begin: Begin
    ) -> AsyncGenerator[AnswerEvent, None]:
        try:
            request = replace(request, used=await begin())
        except ModelUnavailable:
            page.ending.model_failed = True
            return
        grounding = Grounding(request.passages)
        seen: set[str] = set()
        length = 0
        async with aclosing(self._drafting.run(request, stop=stop, ending=page.ending)) as drafted:
            async for piece in drafted:
                if isinstance(piece, Status):
                    yield piece if texts.is_busy(piece.note) else Status("writing", texts.WRITING)
                    continue
                if declines(piece):
                    page.declined = True
                    continue
                grounded = await grounding.run(piece)
                safe = _safe(grounded) if grounded else ""
                if grounded is None or not safe or safe in seen:
                    page.dropped += 1
                    continue
                if request.tone == "brief" and length and length + len(safe) > BRIEF_TEXT:
                    break
                if length + len(safe) > MAX_TEXT:
                    page.ending.cut_off = True
                    break
                seen.add(safe)
                length += len(safe)
                text, new = page.add(grounded, safe)
                for citation in new:
                    yield CitationEvent(citation)
                yield TextDelta(text)


def _safe(grounded: Grounded) -> str:
    """As it may be shown. What was hidden in entities or invisible characters may be a number only now."""
    text = clean(grounded.body).strip()
    return text if grounded.unit.kind == "code" else without_numbers(text)


def separator(before: Unit, unit: Unit) -> str:
    """What stands between two units."""
    if unit.kind == before.kind == "sentence" and unit.paragraph == before.paragraph:
        return " "
    if unit.kind == before.kind == "item":
        return "\n"
    return "\n\n"
