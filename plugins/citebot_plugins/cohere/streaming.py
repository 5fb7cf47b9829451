"""The events of a streamed chat, read strictly.

The SDK's own reader logs an event that it cannot read, with what is in it, and goes on: text would be lost without
anybody noticing, and be found in the log.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from citebot_plugins.server_sent_events import data_of

if TYPE_CHECKING:
    import httpx

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cited:
    """A piece of the text, and the documents that it is from."""

    start: int
    """Place in the whole text so far."""
    end: int
    text: str
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of a message."""

    reason: str
    error: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None


class Reading:
    """Turns events into text, citations and the end. Raises `ValueError` or `TypeError` for what is no event."""

    def __init__(self) -> None:
        self._length = 0
        self._blocks: dict[int, int] = {}
        """Where each block of content begins in the whole text; citations count from there."""
        self._newest = 0

    def read(self, event: Event) -> str | Cited | Finish | None:
        """What an event says; None where that is nothing to us, such as what a model thinks."""
        match event.get("type"):
            case "content-start" | "content-delta":
                return self._text(event)
            case "citation-start":
                return self._cited(_dig(event, "delta", "message", "citations"))
            case "message-end":
                return _finish(event)
            case str(kind) if kind != "error":
                return None
        raise ValueError("no event")

    def _text(self, event: Event) -> str | None:
        text = _dig(event, "delta", "message", "content", "text")
        if text is None:
            return None
        if not isinstance(text, str):
            raise TypeError("no text")
        index = event.get("index")
        if isinstance(index, int) and index not in self._blocks:
            self._blocks[index] = self._newest = self._length
        self._length += len(text)
        return text

    def _cited(self, citation: Any) -> Cited | None:
        """None for what is cited from no document, or for no place in the text; that is no reason to lose the text."""
        if not isinstance(citation, Mapping) or citation.get("type") not in {None, "TEXT_CONTENT"}:
            return None
        start, end, text = citation.get("start"), citation.get("end"), citation.get("text")
        sources = citation.get("sources")
        if not isinstance(start, int) or not isinstance(end, int) or not isinstance(sources, list):
            return None
        named = [source.get("id") for source in sources if isinstance(source, Mapping)]
        block = citation.get("content_index")
        begin = self._blocks.get(block, self._newest) if isinstance(block, int) else self._newest
        return Cited(
            start=begin + start,
            end=begin + end,
            text=text if isinstance(text, str) else "",
            documents=tuple(name for name in named if isinstance(name, str)),
        )


async def events(response: httpx.Response) -> AsyncIterator[Event]:
    """The events of a response. Raises `ValueError` or `TypeError`."""
    async for data in data_of(response.aiter_bytes()):
        if data not in {"", "[DONE]"}:
            event = json.loads(data)
            if not isinstance(event, dict):
                raise TypeError("no event")
            yield event


def _dig(value: Any, *path: str) -> Any:
    for name in path:
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise TypeError(f"no {name}")
        value = value.get(name)
    return value


def _finish(event: Event) -> Finish:
    delta = _dig(event, "delta") or {}
    reason, error = delta.get("finish_reason"), delta.get("error")
    usage = _dig(delta, "usage") or {}
    counted = usage.get("billed_units") or usage.get("tokens") or {}
    return Finish(
        reason=reason if isinstance(reason, str) else "",
        error=error if isinstance(error, str) else "",
        input_tokens=whole(_dig(counted, "input_tokens")),
        output_tokens=whole(_dig(counted, "output_tokens")),
    )


def whole(value: object) -> int | None:
    """A count, which Cohere writes as 34 or 34.0; None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        return None
    return round(value)
