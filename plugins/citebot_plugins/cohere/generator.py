"""The generator `cohere`: a Command model that gets the passages as documents and says which of them it used."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import BaseModel

from citebot.errors import ModelRefused, ModelUnavailable
from citebot.model import Finding, Status, Turn
from citebot.ports import Draft, GenerationRequest, PartContext, Usage, Used, unmetered
from citebot.prompting import Prompt, document, rewriting, tokens, write
from citebot_plugins.cohere.client import ONCE, Client, Silent
from citebot_plugins.cohere.examining import examine
from citebot_plugins.cohere.marking import Marking
from citebot_plugins.cohere.settings import GeneratorSettings
from citebot_plugins.cohere.streaming import Cited, Finish, Reading, events

REWRITTEN_TOKENS = 200
"""Longest question that stands alone."""
_WHOLE = frozenset({"COMPLETE", "STOP_SEQUENCE"})
_CUT = frozenset({"MAX_TOKENS", "ERROR_LIMIT"})


@dataclass(slots=True)
class Bill:
    """What one call has used, told once, whether it ended well or was left."""

    settings: GeneratorSettings
    sent: tuple[str, ...]
    text: list[str] = field(default_factory=list)
    input_tokens: int | None = None
    output_tokens: int | None = None
    """None until Cohere says it: then they are estimated."""
    answered: bool = False
    free: bool = False
    """Nothing was done for it."""

    def tell(self, used: Used) -> None:
        """Report it."""
        if self.answered or not self.free:
            read = sum(map(tokens, self.sent)) if self.input_tokens is None else self.input_tokens
            written = tokens("".join(self.text)) if self.output_tokens is None else self.output_tokens
            used(Usage(self.settings.model, read, written, self.settings.cost(read, written)))


class CohereGenerator:
    """Streams from Cohere's chat; its native citations become the numbers that every generator writes."""

    name: ClassVar[str] = "cohere"
    summary: ClassVar[str] = "Command models of Cohere, with native citations"
    Settings: ClassVar[type[BaseModel]] = GeneratorSettings

    def __init__(self, settings: GeneratorSettings, context: PartContext) -> None:
        self._settings = settings
        self._client = Client(settings, at="generator.cohere")

    async def open(self) -> None:
        """Load the SDK; nothing is sent."""
        await self._client.open()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def most(self) -> Usage:
        """A full prompt, and a full answer to it."""
        settings = self._settings
        most_in, most_out = settings.max_prompt_tokens, settings.max_output_tokens
        return Usage(settings.model, most_in, most_out, settings.cost(most_in, most_out))

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Draft | Status]:
        """One call of the chat."""
        settings = self._settings
        prompt = write(request, max_tokens=settings.max_prompt_tokens, documents_apart=True)
        marking = Marking({str(n): n for n in prompt.numbers}, all_at_end=settings.citations == "ACCURATE")
        temperature = 0.0 if request.attempt > 1 else settings.temperature
        said = self._chat(prompt, limit=settings.max_output_tokens, temperature=temperature, used=request.used)
        cut_off = False
        async with aclosing(said):
            try:
                async for piece in said:
                    if isinstance(piece, Cited):
                        marking.cite(piece)
                    elif isinstance(piece, Finish):
                        cut_off = piece.reason in _CUT
                    elif text := marking.add(piece):
                        yield Draft(text)
            except ModelUnavailable:
                if text := marking.end():
                    yield Draft(text)
                raise
        text = marking.end()
        if text or cut_off:
            yield Draft(text, cut_off=cut_off)

    async def rewrite(self, question: str, history: Sequence[Turn], *, used: Used = unmetered) -> str:
        """One call without documents."""
        prompt = rewriting(question, history, max_tokens=self._settings.max_prompt_tokens)
        limit = min(REWRITTEN_TOKENS, self._settings.max_output_tokens)
        said = self._chat(prompt, limit=limit, temperature=0.0, used=used)
        text = ""
        async with aclosing(said):
            async for piece in said:
                if isinstance(piece, str):
                    text += piece
                elif isinstance(piece, Finish) and piece.reason in _CUT:
                    raise ModelUnavailable(f"“{self._settings.model}” wrote too long a question.")
        if not text.strip():
            raise ModelUnavailable(f"“{self._settings.model}” wrote no question.")
        return text.strip()

    async def examine(self) -> AsyncIterator[Finding]:
        """Whether the key and the model are good."""
        room = self._settings.max_prompt_tokens + self._settings.max_output_tokens
        async for finding in examine(Client(self._settings, at="generator.cohere"), endpoint="chat", room=room):
            yield finding

    async def _chat(
        self, prompt: Prompt, *, limit: int, temperature: float, used: Used
    ) -> AsyncGenerator[str | Cited | Finish, None]:
        texts = {str(n): document(passage, n) for passage, n in zip(prompt.passages, prompt.numbers, strict=True)}
        bill = Bill(self._settings, (prompt.system, prompt.user, *texts.values()))
        try:
            with self._client.told():
                async with self._client.api.with_raw_response.chat_stream(
                    **self._arguments(prompt, texts), max_tokens=limit, temperature=temperature
                ) as answer:
                    bill.answered = True
                    reading = Reading()
                    async for event in events(answer.response):
                        said = reading.read(event)
                        if isinstance(said, Finish):
                            bill.input_tokens, bill.output_tokens = said.input_tokens, said.output_tokens
                            self._check(said)
                            yield said
                            return
                        if isinstance(said, str):
                            bill.text.append(said)
                        if said:
                            yield said
                    raise ModelUnavailable(f"{self._settings.host} ended in the middle of an answer.")
        except ModelUnavailable as error:
            bill.free = not isinstance(error, Silent)
            raise
        finally:
            bill.tell(used)

    def _arguments(self, prompt: Prompt, texts: dict[str, str]) -> dict[str, Any]:
        given: dict[str, Any] = {
            "model": self._settings.model,
            "messages": [{"role": "system", "content": prompt.system}, {"role": "user", "content": prompt.user}],
            "request_options": ONCE,
        }
        if texts:
            given["documents"] = [{"id": number, "data": {"text": text}} for number, text in texts.items()]
        if texts and self._settings.citations != "default":
            given["citation_options"] = {"mode": self._settings.citations}
        if self._settings.safety_mode != "default":
            given["safety_mode"] = self._settings.safety_mode
        return given

    def _check(self, finish: Finish) -> None:
        """Whether it ended as it should."""
        model = self._settings.model
        said = self._client.failures.quoted(f"{finish.reason or 'no reason'} {finish.error}")
        if "TOXIC" in finish.reason:
            raise ModelRefused(f"“{model}” found its own answer toxic and stopped. {said}", why="filtered")
        if finish.reason not in _WHOLE | _CUT:
            raise ModelUnavailable(f"“{model}” did not end as it should. {said}")
