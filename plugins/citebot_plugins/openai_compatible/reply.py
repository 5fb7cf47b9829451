"""What a model says in one answer, event by event, and what it cost."""

from __future__ import annotations

import json
from dataclasses import dataclass
from math import ceil
from typing import Any

from citebot.errors import ModelRefused, ModelUnavailable
from citebot.ports import Usage
from citebot.prompting import tokens
from citebot_plugins.openai_compatible.refusals import filtered
from citebot_plugins.openai_compatible.server import DONE, Server

_CUT_OFF = {"length", "model_length", "max_tokens"}
_BEGIN, _END = "<think>", "</think>"


@dataclass(frozen=True, slots=True)
class Prices:
    """Of a million tokens."""

    input: float = 0.0
    output: float = 0.0

    def of(self, input_tokens: int, output_tokens: int) -> int:
        """Millionths of the currency, rounded up."""
        return ceil(input_tokens * self.input + output_tokens * self.output)


class Thoughts:
    """Leaves out what a model thinks aloud at the beginning, where its server does not set it apart."""

    def __init__(self) -> None:
        self._held = ""
        self._thinking = self._thought = self._said = False

    def spoken(self, piece: str) -> str:
        """What of the next piece is said."""
        if self._said:
            return piece
        self._held += piece
        while True:
            if self._thinking:
                before, end, after = self._held.partition(_END)
                self._held = after if end else before[-len(_END) :]
                if not end:
                    return ""
                self._thinking, self._thought = False, True
            begun = self._held.lstrip()
            if not _BEGIN.startswith(begun[: len(_BEGIN)]):
                self._said = True
                return begun if self._thought else self._held
            if len(begun) < len(_BEGIN):
                return ""
            self._thinking, self._held = True, begun[len(_BEGIN) :]

    def rest(self) -> str:
        """What was held back at the end of the answer because a thought could have begun so."""
        return "" if self._said or self._thinking else self._held


class Reply:
    """One answer of `/chat/completions`."""

    def __init__(self, server: Server, *, prompt_tokens: int) -> None:
        self.done = False
        self.declined = False
        self.reason = ""
        """Why the model ended, once it has."""
        self._server = server
        self._prompt_tokens = prompt_tokens
        self._thoughts = Thoughts()
        self._heard: list[str] = []
        """All that it wrote, with what it thought."""
        self._wrote = False
        self._usage: dict[str, Any] = {}

    def decline(self) -> None:
        """Nothing was done for the request."""
        self.declined = True

    def read(self, data: str) -> str:
        """The text in one event."""
        if self.done or data == DONE:
            self.done = True
            return ""
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            raise self._server.malformed() from None
        if not isinstance(event, dict):
            raise self._server.malformed()
        if event.get("error") or event.get("object") == "error":
            self.declined = not any(self._heard)
            raise self._server.refusal_in_band(event)
        if isinstance(usage := event.get("usage"), dict):
            self._usage = usage
        choices = event.get("choices") or []
        if not isinstance(choices, list) or not all(isinstance(choice, dict) for choice in choices):
            raise self._server.malformed()
        return self._shown("".join(self._piece(choice) for choice in choices[:1]))

    def end(self) -> str:
        """What is left to say; raises when this is no answer."""
        if self.reason == "content_filter":
            raise filtered(self._server.place)
        if self.reason == "error" or not (self.reason or self.done):
            raise ModelUnavailable(f"{self._server.place.url} broke off in the middle of an answer.")
        rest = self._shown(self._thoughts.rest(), last=True)
        if not self._wrote and self.cut_off:
            raise ModelRefused(
                f"Model “{self._server.place.model}” used up its limit before it said a word: raise "
                f"{self._server.place.setting('max_output_tokens')}, or let it think less.",
                why="request",
            )
        if not self._wrote:
            raise ModelUnavailable(f"Model “{self._server.place.model}” at {self._server.place.url} said nothing.")
        return rest

    @property
    def cut_off(self) -> bool:
        """Whether its limit of tokens ended it."""
        return self.reason in _CUT_OFF

    def usage(self, prices: Prices) -> Usage:
        """As the server counted; estimated where it did not say."""
        read = _count(self._usage.get("prompt_tokens"))
        written = _count(self._usage.get("completion_tokens"))
        read = self._prompt_tokens if read is None else read
        written = tokens("".join(self._heard)) if written is None else written
        return Usage(self._server.place.model, read, written, prices.of(read, written))

    def _piece(self, choice: dict[str, Any]) -> str:
        self.reason = str(choice.get("finish_reason") or "") or self.reason
        delta = choice.get("delta") or choice.get("message") or {}
        if not isinstance(delta, dict):
            raise self._server.malformed()
        self._heard += [_text(delta.get(name)) for name in ("reasoning_content", "reasoning")]
        text = _text(delta.get("content"))
        self._heard.append(text)
        return text

    def _shown(self, text: str, *, last: bool = False) -> str:
        shown = text if last else self._thoughts.spoken(text)
        self._wrote = self._wrote or bool(shown.strip())
        # JSON may hold half of a pair of surrogates, which nobody can store.
        return shown.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _text(content: Any) -> str:
    """Of a text, or of a list of parts of which some are text."""
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(_text(part.get("text")) for part in parts)
    return content if isinstance(content, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
