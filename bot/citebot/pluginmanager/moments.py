"""The moment hooks: one typed method per hook. No plugin can break, hold up or widen what the core does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from citebot.model import Answer, Document, Feedback, Question, ScoredPassage
from citebot.pluginmanager import results
from citebot.pluginmanager.parking import Parking
from citebot.pluginmanager.running import HookFailed, Implementation, run, run_blocking

T = TypeVar("T")


@dataclass(slots=True)
class Moments:
    """Calls the implementations of a hook one after the other, in the order of `plugins.enabled`."""

    implementations: Mapping[str, Sequence[Implementation]]
    parking: Parking
    timeout: float
    loop: asyncio.AbstractEventLoop | None = None
    """Where the plugins' own clients live; set by `startup`."""

    def has(self, hook: str) -> bool:
        """Whether anybody listens."""
        return bool(self.implementations.get(hook))

    async def startup(self) -> None:
        """Run once, when everything is open and before the first question."""
        self.loop = asyncio.get_running_loop()
        await self._tell("startup", {})

    async def shutdown(self) -> None:
        """Run once, before parts are closed."""
        await self._tell("shutdown", {})
        self.loop = None

    async def question_received(self, question: Question) -> str | None:
        """The first refusal, or None when the question may be answered."""
        for implementation in self._live("question_received"):
            refusal: str | None = await self._one(implementation, {"question": question}, results.refusal, None)
            if refusal is not None:
                return refusal
        return None

    async def passages_found(self, question: Question, passages: Sequence[ScoredPassage]) -> tuple[ScoredPassage, ...]:
        """The passages that every plugin keeps, in their order."""
        left = tuple(passages)
        for implementation in self._live("passages_found"):
            values = {"question": question, "passages": left}
            left = await self._one(implementation, values, results.kept, left)
        return left

    async def answer_ready(self, question: Question, answer: Answer) -> Answer:
        """The answer as amended by one plugin after the other; its text is still to be checked."""
        for implementation in self._live("answer_ready"):
            values = {"question": question, "answer": answer}
            answer = await self._one(implementation, values, results.amended, answer)
        return answer

    async def feedback_received(self, feedback: Feedback) -> None:
        """Tell what a reader thought of an answer."""
        await self._tell("feedback_received", {"feedback": feedback})

    async def document_fetched(self, source: str, document: Document) -> Document:
        """The document as redacted by one plugin after the other."""
        for implementation in self._live("document_fetched"):
            values = {"source": source, "document": document}
            document = await self._one(implementation, values, results.redacted, document)
        return document

    def document_fetched_sync(self, source: str, document: Document) -> Document:
        """`document_fetched` for worker threads."""
        for implementation in self._live("document_fetched"):
            values = {"source": source, "document": document}
            document = self._one_blocking(implementation, values, results.redacted, document)
        return document

    async def sync_finished(self, source: str, counts: Mapping[str, int]) -> None:
        """Tell that a sync has ended."""
        await self._tell("sync_finished", {"source": source, "counts": dict(counts)})

    def sync_finished_sync(self, source: str, counts: Mapping[str, int]) -> None:
        """`sync_finished` for worker threads."""
        values = {"source": source, "counts": dict(counts)}
        for implementation in self._live("sync_finished"):
            self._one_blocking(implementation, values, results.nothing, None)

    async def _tell(self, hook: str, values: Mapping[str, Any]) -> None:
        for implementation in self._live(hook):
            await self._one(implementation, values, results.nothing, None)

    def _live(self, hook: str) -> list[Implementation]:
        return [
            implementation
            for implementation in self.implementations.get(hook, ())
            if not self.parking.is_parked(implementation.origin.name, hook)
        ]

    async def _one(
        self, implementation: Implementation, values: Mapping[str, Any], check: Callable[[object, T], T], before: T
    ) -> T:
        try:
            return check(await run(implementation, values, timeout=self.timeout), before)
        except HookFailed as error:
            self._failed(implementation, error)
            return before

    def _one_blocking(
        self, implementation: Implementation, values: Mapping[str, Any], check: Callable[[object, T], T], before: T
    ) -> T:
        try:
            return check(run_blocking(implementation, values, timeout=self.timeout, loop=self.loop), before)
        except HookFailed as error:
            self._failed(implementation, error)
            return before

    def _failed(self, implementation: Implementation, error: HookFailed) -> None:
        origin = implementation.origin
        self.parking.failed(origin.name, origin.distribution, implementation.hook, str(error))
