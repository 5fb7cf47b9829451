"""`/chat/completions`: what is asked, what is said, and how it goes over the wire."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from citebot.testing.local_server import Sent
from citebot.testing.models import openai_errors
from citebot.testing.models.openai_errors import JSON, Refused
from citebot.testing.models.server import Streamed

_TOKEN = re.compile(r"\s?\w{1,6}|\s?[^\w\s]|\s+")
_KNOWN = frozenset(
    (
        *(
            "model",
            "messages",
            "stream",
            "stream_options",
            "max_tokens",
            "max_completion_tokens",
            "temperature",
            "top_p",
        ),
        *("n", "stop", "seed", "user", "logprobs", "response_format", "presence_penalty", "frequency_penalty"),
        *("reasoning_effort", "service_tier", "store", "metadata"),
    )
)
_PASSAGE = re.compile(r"passage \[(\d+)\] from [^\n]*\n((?:>[^\n]*\n?)+)")


def split(text: str) -> list[str]:
    """A text in tokens: this model's, of up to six letters."""
    return _TOKEN.findall(text)


@dataclass(frozen=True, slots=True)
class Chat:
    """One request."""

    body: Mapping[str, Any]

    @property
    def system(self) -> str:
        """The rules."""
        return "\n".join(m["content"] for m in self.body["messages"] if m["role"] in ("system", "developer"))

    @property
    def user(self) -> str:
        """What was asked."""
        return "\n".join(m["content"] for m in self.body["messages"] if m["role"] == "user")

    @property
    def limit(self) -> int | None:
        """Tokens the answer may have."""
        limit = self.body.get("max_completion_tokens", self.body.get("max_tokens"))
        return int(limit) if limit is not None else None

    @property
    def prompt_tokens(self) -> int:
        """As this model counts."""
        return sum(len(split(m["content"])) + 4 for m in self.body["messages"]) + 3


@dataclass(frozen=True, slots=True)
class Says:
    """An answer in full detail, where its text alone does not do."""

    text: str
    thinking: str = ""
    """Told before it, in a field of its own."""
    finish: str = "stop"


Script = Callable[[Chat], str | Says]


def from_passages(chat: Chat) -> str:
    """The first line of each passage in the prompt, with its number."""
    lines = []
    for number, quoted in _PASSAGE.findall(chat.user):
        text = [line.removeprefix(">").strip() for line in quoted.splitlines()][1:]
        if said := next(filter(None, text), ""):
            lines.append(f"{said} [{number}]")
    return "\n\n".join(lines) or "The passages do not say that. [0]"


def check(body: Mapping[str, Any], *, thinks: bool) -> None:
    """Refuse what OpenAI refuses; `thinks`: one of the newer models that do."""
    for name in body:
        if name not in _KNOWN:
            raise Refused(openai_errors.error(400, f"Unrecognized request argument supplied: {name}"))
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Refused(openai_errors.error(400, "Missing required parameter: 'messages'.", param="messages"))
    if not all(isinstance(m, dict) and isinstance(m.get("content"), str) and m.get("role") for m in messages):
        raise Refused(openai_errors.error(400, "Invalid type for 'messages[0].content'.", param="messages"))
    if thinks and "max_tokens" in body:
        message = (
            "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
        )
        raise Refused(openai_errors.error(400, message, code="unsupported_parameter", param="max_tokens"))
    if thinks and body.get("temperature", 1) != 1:
        message = (
            f"Unsupported value: 'temperature' does not support {body['temperature']} with this model. Only the "
            "default (1) value is supported."
        )
        raise Refused(openai_errors.error(400, message, code="unsupported_value", param="temperature"))


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer, cut to what was asked for."""

    chat: Chat
    thinking: list[str]
    text: list[str]
    finish: str

    @classmethod
    def of(cls, chat: Chat, says: str | Says) -> Completion:
        """Within the limit."""
        said = Says(says) if isinstance(says, str) else says
        thinking, text = split(said.thinking), split(said.text)
        limit = chat.limit
        if limit is not None and len(thinking) + len(text) > limit:
            return cls(chat, thinking[:limit], text[: max(0, limit - len(thinking))], "length")
        return cls(chat, thinking, text, said.finish)

    @property
    def usage(self) -> dict[str, Any]:
        """What it cost."""
        read, thought, written = self.chat.prompt_tokens, len(self.thinking), len(self.thinking) + len(self.text)
        return {
            "prompt_tokens": read,
            "completion_tokens": written,
            "total_tokens": read + written,
            "completion_tokens_details": {"reasoning_tokens": thought},
        }

    def whole(self) -> Sent:
        """In one piece."""
        message = {"role": "assistant", "content": "".join(self.text), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return Sent(json.dumps({**self._head("chat.completion"), "choices": [choice], "usage": self.usage}), 200, JSON)

    def streamed(self) -> Streamed:
        """In events."""
        return Streamed(self._events(), text_at=1 + len(self.thinking))

    def _events(self) -> Iterator[bytes]:
        yield self._event({"role": "assistant", "content": "", "refusal": None})
        for piece in self.thinking:
            yield self._event({"reasoning_content": piece})
        for piece in self.text:
            yield self._event({"content": piece})
        yield self._event({}, finish=self.finish)
        if (self.chat.body.get("stream_options") or {}).get("include_usage"):
            yield _framed({**self._head("chat.completion.chunk"), "choices": [], "usage": self.usage})
        yield b"data: [DONE]\n\n"

    def _event(self, delta: Mapping[str, Any], *, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        with_usage = (self.chat.body.get("stream_options") or {}).get("include_usage")
        usage = {"usage": None} if with_usage else {}
        return _framed({**self._head("chat.completion.chunk"), "choices": [choice], **usage})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": "chatcmpl-fake", "object": kind, "created": 1_700_000_000, "model": self.chat.body["model"]}


def _framed(event: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(event, ensure_ascii=False)}\n\n".encode(errors="replace")
