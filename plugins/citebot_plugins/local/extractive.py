"""The generator `extractive`: answers in the documents' own sentences, with no model of its own and no key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from citebot.errors import ModelUnavailable
from citebot.model import Embedding, Status, Tone
from citebot.ports import Draft, GenerationRequest, PartContext
from citebot_plugins.local.extractive_scoring import Candidate, Scoring, best_first, read
from citebot_plugins.local.extractive_selection import arranged, selected

_MORE: Mapping[Tone, float] = {"brief": 0.5, "normal": 1.0, "detailed": 2.0}
"""How many more sentences than usual; the more there are, the less each must come near the best one."""


class ExtractiveSettings(BaseModel):
    """`[generator.extractive]`."""

    model_config = ConfigDict(extra="forbid")

    sentences: int = Field(4, ge=1, le=20, description="Most sentences of an answer, without lead-ins.")
    keep_within: float = Field(0.65, ge=0, le=1, description="Share of the best score that others must reach.")
    keep_elsewhere: float = Field(0.92, ge=0, le=1, description="The same for sentences of other passages.")
    vectors: int = Field(24, ge=0, description="Sentences compared with the question by vector; 0 uses words alone.")


class ExtractiveGenerator:
    """Scores every sentence of the passages, picks the best that say different things, and cites each."""

    name: ClassVar[str] = "extractive"
    summary: ClassVar[str] = "Answers in the documents' own sentences, without a model or a key"
    Settings: ClassVar[type[BaseModel]] = ExtractiveSettings

    def __init__(self, settings: ExtractiveSettings, context: PartContext) -> None:
        del context
        self._settings = settings

    async def open(self) -> None:
        """Nothing to load."""

    async def close(self) -> None:
        """Nothing to free."""

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        """One draft per sentence, in reading order."""
        candidates = read(request)
        if not candidates:
            return
        scoring = Scoring(request, candidates)
        near = best_first(candidates, scoring.by_words)[: self._settings.vectors]
        scoring.add_vectors(near, await _vectors(request, near))
        more = _MORE[request.tone]
        chosen = selected(
            candidates,
            scoring,
            most=max(1, round(self._settings.sentences * more)),
            keep_within=min(1.0, self._settings.keep_within / more**0.5),
            keep_elsewhere=min(1.0, self._settings.keep_elsewhere / more**0.5),
        )
        for text in arranged(chosen, candidates, scoring):
            yield Draft(text)
            await asyncio.sleep(0)


async def _vectors(request: GenerationRequest, candidates: list[Candidate]) -> list[Embedding] | None:
    if request.embed is None or request.query_vector is None or not candidates:
        return None
    try:
        return await request.embed([candidate.plain for candidate in candidates])
    except ModelUnavailable:
        return None  # words alone are enough
