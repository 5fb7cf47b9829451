"""Passages that a platform finds at the moment of the question. What they say is kept nowhere.

They come beside what the index finds, in the same time, and never hold it up for long. Who may read them decides as for
every other passage; a place whose readers are not known opens nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from citebot.answering import reading, texts
from citebot.answering.asking import is_question
from citebot.answering.lexical import Lexical
from citebot.answering.load import may_use
from citebot.errors import CitebotError
from citebot.model import Passage, Question, ScoredPassage
from citebot.ports import LivePassage

log = structlog.get_logger("citebot.answering")

SECONDS = 1.5
"""An answer waits no longer."""
MOST = 3
CHARACTERS = 2_000
Ask = Callable[[str], Coroutine[Any, Any, Sequence[LivePassage] | None]]
"""What a platform finds for a text; None where it is not searched."""


class Live:
    """One search, for one question. Without `ask` nothing is searched."""

    def __init__(self, question: Question, ask: Ask | None = None) -> None:
        self._question = question
        # A conversation that is bound to some sources is bound to them.
        self._ask = ask if question.audience.principals and not question.sources else None
        self._task: asyncio.Task[Sequence[LivePassage] | None] | None = None
        self._begun = 0.0
        self._read = False
        self.withheld = 0
        """Found, and not for everybody who will see the answer."""
        self.notes: tuple[str, ...] = ()

    @property
    def begun(self) -> bool:
        """Whether anything is searched."""
        return self._task is not None

    def begin(self, text: str) -> None:
        """Search while other things are done."""
        if self._ask is not None:
            self._begun = asyncio.get_running_loop().time()
            self._task = asyncio.create_task(self._ask(text))

    async def found(self) -> tuple[ScoredPassage, ...]:
        """What everybody who sees the answer may read, best first. Never raises; `notes` says what failed."""
        if self._task is None:
            return ()
        try:
            async with asyncio.timeout_at(self._begun + SECONDS):
                found = await self._task
        except Exception as error:  # noqa: BLE001 - whatever it is: the documents are enough for an answer
            log.warning("chat messages not searched", why=_why(error))
            self.notes = (texts.LIVE_UNSEARCHED,)
            return ()
        telling = [one for one in found or () if one.text.strip() and not _only_asks(one.text)]
        passages = [_passage(one, -number) for number, one in enumerate(telling, start=1)]
        allowed = [one for one in passages if may_use(self._question, one)]
        self.withheld = len(passages) - len(allowed)
        self._read = bool(allowed)
        return tuple(ScoredPassage(one, 0.0) for one in allowed[:MOST])

    def end(self) -> None:
        """Nothing more is wanted, and nothing of it stays in memory."""
        if self._task is not None and not self._task.cancel() and not self._task.cancelled():
            self._task.exception()  # nobody asked for it any more
        if self._read:
            reading.forget()


def merged(
    documents: Sequence[ScoredPassage], live: Sequence[ScoredPassage], lexical: Lexical, *, most: int
) -> tuple[ScoredPassage, ...]:
    """At most so many: a message stands before the first document that has less of the question's words."""
    together = list(documents[: max(0, most - len(live))])
    for hit in reversed(live):
        share = lexical.coverage(lexical.stems(hit.passage))
        less = (n for n, one in enumerate(together) if lexical.coverage(lexical.stems(one.passage)) < share)
        together.insert(next(less, len(together)), hit)
    return tuple(together[:most])


def _only_asks(text: str) -> bool:
    """Others had the same question, and nothing is like it more than theirs."""
    return is_question(text) and text.rstrip().endswith(("?", "？"))


def _passage(found: LivePassage, id: int) -> Passage:
    """A passage without a row: its id is below zero and means something in this answer alone."""
    return Passage(
        id=id,
        source=found.source,
        document_id=found.id,
        title=found.title,
        url=found.url,
        anchor="",
        headings=(),
        text=found.text.strip()[:CHARACTERS],
        kind="paragraph",
        position=0,
        readers=found.readers,
        document_kind="thread",
        updated=found.written,
        trust=found.trust,
    )


def _why(error: Exception) -> str:
    return str(error) if isinstance(error, CitebotError) else type(error).__name__
