"""`/v2/chat` of the fake Cohere: what a model says, streamed or not, with citations of the documents."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from citebot.testing.models.cohere_rules import FakeModel, Refused, count, too_long

_PIECE = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_MODES = frozenset({"ENABLED", "DISABLED", "FAST", "ACCURATE", "OFF"})
_SAFETY = frozenset({"CONTEXTUAL", "STRICT", "OFF", "NONE"})
TEMPLATE_TOKENS = 600
"""What Cohere's own instructions take; counted, but not billed."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model says once."""

    text: str
    citations: Sequence[tuple[str, Sequence[str]]] = ()
    """A piece of the text, and the ids of the documents that it is from; in order."""
    thinking: str = ""
    finish: str = "COMPLETE"
    error: str = ""

    def cut(self, most: int) -> Reply:
        """As far as so many tokens go."""
        pieces = _PIECE.findall(self.text)
        if len(pieces) <= most:
            return self
        return replace(self, text="".join(pieces[:most]), finish="MAX_TOKENS")


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    shown: dict[str, Any]


def checked(body: Mapping[str, Any], model: FakeModel) -> int:
    """Tokens of the prompt, if Cohere would take it."""
    messages = body.get("messages") or []
    if not messages:
        raise Refused(400, "invalid request: message must be at least 1 token long or tool results must be specified.")
    if any(message.get("role") == "system" for message in messages[1:]):
        raise Refused(400, "system turn must be the first in the list")
    if not all(isinstance(message.get("content"), str) and message["content"].strip() for message in messages):
        raise Refused(400, "message must not be empty in a turn")
    temperature = body.get("temperature")
    if temperature is not None and not 0 <= temperature <= 1:
        raise Refused(400, "invalid request: temperature must be between 0 and 1.0 inclusive.")
    most = body.get("max_tokens")
    if most is not None and most > model.most_output:
        raise Refused(
            400,
            f"too many tokens: max tokens must be less than or equal to {model.most_output}, the maximum output for "
            f"this model - received {most}.",
        )
    if body.get("safety_mode") not in {None, *_SAFETY}:
        raise Refused(400, f"invalid request: safety_mode '{body['safety_mode']}' is not supported")
    if str((body.get("citation_options") or {}).get("mode", "ENABLED")).upper() not in _MODES:
        raise Refused(400, "invalid request: citation_options.mode is invalid")
    tokens = sum(count(message["content"]) for message in messages)
    tokens += sum(count(text) for text, _ in _documents(body).values())
    if tokens > model.context:
        raise too_long(tokens - model.context, model.context)
    return tokens


def from_documents(body: Mapping[str, Any]) -> Reply:
    """The sentence of each of the two best documents that has most of the question's words, cited."""
    asked = set(re.findall(r"\w{3,}", body["messages"][-1]["content"].casefold()))
    found = [
        (len(asked & set(re.findall(r"\w{3,}", sentence.casefold()))), sentence, name)
        for name, (text, _) in _documents(body).items()
        for sentence in _SENTENCE.split(_unframed(text))
        if sentence.strip()
    ]
    best: dict[str, str] = {}
    for common, sentence, name in sorted(found, key=lambda one: -one[0]):
        if not best or (common and len(best) < 2):
            best.setdefault(name, " ".join(sentence.split()))
    if not best:
        return Reply("I do not know.")
    return Reply(" ".join(best.values()), [(sentence, [name]) for name, sentence in best.items()])


def events(
    reply: Reply, body: Mapping[str, Any], *, identity: str, usage: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """A stream. `FAST` cites at once; otherwise all citations come after the text."""
    message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"type": "message-start", "id": identity, "delta": {"message": message}}
    if reply.thinking:
        yield from _block(0, "thinking", _PIECE.findall(reply.thinking))
    block = 1 if reply.thinking else 0
    waiting = _spans(reply, body, block)
    fast = _mode(body) == "FAST"
    yield {"type": "content-start", "index": block, "delta": _content({"type": "text", "text": ""})}
    told = written = 0
    for piece in _PIECE.findall(reply.text):
        written += len(piece)
        yield {"type": "content-delta", "index": block, "delta": _content({"text": piece})}
        while fast and told < len(waiting) and waiting[told].end <= written:
            yield from _citation(told, waiting[told])
            told += 1
    for place in range(told, len(waiting)):
        yield from _citation(place, waiting[place])
    yield {"type": "content-end", "index": block}
    end = {"finish_reason": reply.finish, "usage": usage}
    yield {"type": "message-end", "id": identity, "delta": end | ({"error": reply.error} if reply.error else {})}


def whole(reply: Reply, body: Mapping[str, Any], *, identity: str, usage: Mapping[str, Any]) -> dict[str, Any]:
    """The same in one piece."""
    content: list[dict[str, str]] = [{"type": "thinking", "thinking": reply.thinking}] if reply.thinking else []
    cited = [span.shown for span in _spans(reply, body, len(content))]
    message: dict[str, Any] = {"role": "assistant", "content": [*content, {"type": "text", "text": reply.text}]}
    return {
        "id": identity,
        "message": message | ({"citations": cited} if cited else {}),
        "finish_reason": reply.finish,
        "usage": usage,
    }


def usage(prompt: int, reply: Reply) -> dict[str, Any]:
    """What is billed, and what it took."""
    written = len(_PIECE.findall(reply.text)) + len(_PIECE.findall(reply.thinking))
    return {
        "billed_units": {"input_tokens": prompt, "output_tokens": written},
        "tokens": {"input_tokens": prompt + TEMPLATE_TOKENS, "output_tokens": written},
        "cached_tokens": 0,
    }


def _documents(body: Mapping[str, Any]) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """The text and the data of each document, by its id."""
    found: dict[str, tuple[str, Mapping[str, Any]]] = {}
    for place, given in enumerate(body.get("documents") or []):
        one = {"data": given} if isinstance(given, str) else given
        data = one.get("data")
        data = {"text": data} if isinstance(data, str) else data
        if not isinstance(data, dict) or not data:
            raise Refused(400, f"invalid request: document at index {place} cannot be empty")
        name = str(one.get("id") or f"doc:{place}")
        if name in found:
            raise Refused(400, f"invalid request: duplicate document id '{name}'")
        found[name] = "\n".join(map(str, data.values())), data
    return found


def _unframed(text: str) -> str:
    """The text of a document without what was put around it: the quoted lines, but for the heading."""
    quoted = [line.removeprefix("> ") for line in text.splitlines() if line.startswith("> ")]
    return "\n".join(quoted[1:]) if len(quoted) > 1 else text


def _mode(body: Mapping[str, Any]) -> str:
    return str((body.get("citation_options") or {}).get("mode", "ENABLED")).upper()


def _spans(reply: Reply, body: Mapping[str, Any], block: int) -> list[_Span]:
    if _mode(body) in {"OFF", "DISABLED"}:
        return []
    known, begin, found = _documents(body), 0, []
    for text, names in reply.citations:
        start = reply.text.find(text, begin)
        if start < 0:  # the text was cut before it
            continue
        begin, end = start, start + len(text)
        sources = [
            {"type": "document", "id": name, "document": {"id": name, **(known[name][1] if name in known else {})}}
            for name in names
        ]
        cited: dict[str, Any] = {"start": start, "end": end, "text": text, "sources": sources}
        found.append(_Span(start, end, {**cited, "content_index": block, "type": "TEXT_CONTENT"}))
    return found


def _citation(index: int, span: _Span) -> Iterator[dict[str, Any]]:
    yield {"type": "citation-start", "index": index, "delta": {"message": {"citations": span.shown}}}
    yield {"type": "citation-end", "index": index}


def _block(index: int, kind: str, pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield {"type": "content-start", "index": index, "delta": _content({"type": kind, kind: ""})}
    for piece in pieces:
        yield {"type": "content-delta", "index": index, "delta": _content({kind: piece})}
    yield {"type": "content-end", "index": index}


def _content(content: Mapping[str, str]) -> dict[str, Any]:
    return {"message": {"content": dict(content)}}
