"""The moments of the question's path, as the path sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from citebot.model import Answer, Question, ScoredPassage


class Hooks(Protocol):
    """What the plugin manager offers to the path: isolated, time-limited calls."""

    async def question_received(self, question: Question) -> str | None: ...

    async def passages_found(
        self, question: Question, passages: Sequence[ScoredPassage]
    ) -> Sequence[ScoredPassage]: ...

    async def answer_ready(self, question: Question, answer: Answer) -> Answer: ...


class NoHooks:
    """Nobody listens."""

    async def question_received(self, question: Question) -> str | None:
        """No refusal."""
        return None

    async def passages_found(self, question: Question, passages: Sequence[ScoredPassage]) -> Sequence[ScoredPassage]:
        """All of them."""
        return passages

    async def answer_ready(self, question: Question, answer: Answer) -> Answer:
        """As it is."""
        return answer
