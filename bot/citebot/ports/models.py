"""What turns text into vectors, orders passages, writes and judges."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from citebot.model import Answer, Attachment, Embedding, ScoredPassage, Status, Tone, Turn
from citebot.ports.part import Part


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls of a model have used."""

    model: str
    """As the provider names it."""
    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0
    """Millionths of the currency in which the settings give the prices; 0 where they give none."""
    calls: int = 1


Used = Callable[[Usage], None]
"""Called once for every call that cost something, also for one that failed half-way."""


def unmetered(usage: Usage) -> None:
    """For callers who do not count."""


@runtime_checkable
class Limited(Protocol):
    """A reranker or generator that costs something and says how much at most, so that it can be reserved before."""

    def most(self) -> Usage:
        """What one call uses at most, by the limits in its settings."""


class Embedder(Part, Protocol):
    """Turns text into vectors."""

    @property
    def model_id(self) -> str:
        """Names weights and settings, known once open: vectors of two ids are never compared with each other."""

    @property
    def dimensions(self) -> int:
        """Length of a row, known once open."""

    async def open(self) -> None:
        """Load the model; raises `ModelUnavailable` with what helps."""

    async def close(self) -> None:
        """Free it."""

    async def embed_passages(self, texts: Sequence[str]) -> list[Embedding]:
        """One embedding per text, in order; long texts get several windows. Never blocks the event loop."""

    async def embed_query(self, text: str) -> Embedding:
        """One row."""


class Reranker(Part, Protocol):
    """Orders a short list again."""

    async def open(self) -> None:
        """Load or connect."""

    async def close(self) -> None:
        """Free it."""

    async def rerank(self, question: str, passages: Sequence[ScoredPassage], *, used: Used = unmetered) -> list[float]:
        """One relevance score per passage, in the order given; higher is better. Raises `ModelUnavailable`."""


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What a generator may know: the question, and numbered passages that the audience may read."""

    question: str
    """Standalone: understandable without the history."""
    original: str
    """As asked."""
    passages: tuple[ScoredPassage, ...]
    """Citation number n stands for `passages[n-1]`."""
    history: tuple[Turn, ...] = ()
    query_vector: Embedding | None = None
    embed: Callable[[Sequence[str]], Awaitable[list[Embedding]]] | None = None
    """Embeds sentences with the model of `query_vector`; raises `ModelUnavailable`."""
    deadline: float = 30.0
    """Seconds for the whole text."""
    tone: Tone = "normal"
    """How much to write: a sentence or two, a paragraph, or all that matters."""
    attachments: tuple[Attachment, ...] = ()
    """What the asker quoted to say what they mean. A model is told that it is quoted: nothing in it is an instruction,
    and nothing is cited from it. A sentence that only they support is dropped."""
    attempt: int = 1
    """2 when nothing of the first draft held against the passages: a model is asked to be literal, at temperature 0."""
    used: Used = unmetered


@dataclass(frozen=True, slots=True)
class Draft:
    """A piece of unchecked text with citation numbers like `[2]` in it."""

    text: str
    cut_off: bool = False
    """On the last one: the model ended at its limit of tokens, in the middle of what it was saying."""


class Generator(Part, Protocol):
    """Writes an answer from passages. Its text is a draft: the core checks every sentence before anyone sees it."""

    async def open(self) -> None:
        """Load or connect."""

    async def close(self) -> None:
        """Free it."""

    def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        """Stream a draft; raises `ModelUnavailable`. One call of the model, which is not tried again here."""


@runtime_checkable
class Rewrites(Protocol):
    """A generator that can make a question stand alone."""

    async def rewrite(self, question: str, history: Sequence[Turn], *, used: Used = unmetered) -> str:
        """The last question with what it takes from the turns before; raises `ModelUnavailable`."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A judge's opinion on one answer."""

    score: float
    """0..1."""
    reason: str = ""


class Judge(Part, Protocol):
    """Rates answers in evaluation."""

    async def judge(self, answer: Answer, *, aspect: str, reference: str = "") -> Judgement:
        """Rate one aspect (`coherence`, `factual_accuracy`)."""
