"""Stage 1 once more: a model makes a question stand alone that the rules say leans on the turns before.

One call at most, and none for a question that stands alone. What the model says is nobody's text: it is cleaned
and cut, and thrown away where it is about something else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import structlog

from citebot.answering.contextualise import Standalone, rewritten, strip_speaker
from citebot.answering.sink import clean
from citebot.answering.words import WORD, content_stems
from citebot.errors import ModelUnavailable
from citebot.model import Question
from citebot.ports import Generator, Rewrites, Used

log = structlog.get_logger("citebot.answering")

REWRITE_SECONDS = 3.0
LONGEST = 500
"""Characters; who asks for more than that has said what they mean."""
_CITED = re.compile(r"\s*\[\d{1,3}\]")
_WRAPPING = " \"'“”„«»`*_"


class Rewriting:
    """Asks a generator that can."""

    def __init__(self, generator: Generator) -> None:
        self._model = generator if isinstance(generator, Rewrites) else None

    async def run(
        self, question: Question, standalone: Standalone, *, begin: Callable[[], Awaitable[Used]]
    ) -> Standalone:
        """The question as a model writes it, or as the rules have it where none is needed or nothing comes of it."""
        if self._model is None or not standalone.leans:
            return standalone
        try:
            async with asyncio.timeout(REWRITE_SECONDS):
                used = await begin()
                text = await self._model.rewrite(standalone.last, question.history, used=used)
        except (ModelUnavailable, TimeoutError) as error:
            log.info("the question is not rewritten", error=type(error).__name__)
            return standalone
        safe = _safe(text)
        return rewritten(standalone, safe) if _is_the_question(safe, standalone) else standalone


def _safe(text: str) -> str:
    """One line of words; what is no question of anybody is not shown either, but searched with and sent to models."""
    line = next(filter(WORD.search, text[: 4 * LONGEST].splitlines()), "")
    return _CITED.sub("", clean(strip_speaker(line))).strip(_WRAPPING)[:LONGEST]


def _is_the_question(text: str, standalone: Standalone) -> bool:
    """Whether it still asks what was asked: something of the last turn is left in it, where that said anything."""
    asked = content_stems(standalone.last)
    found = content_stems(text)
    return bool(found) and (not asked or not set(asked).isdisjoint(found))
