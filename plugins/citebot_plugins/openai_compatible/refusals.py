"""What a server that does not answer means and what the admin must do: its statuses and bodies as errors of ours.

Bodies are those of OpenAI, Azure, vLLM (with and without `error` around them), TEI, llama.cpp, Ollama, LiteLLM and
FastAPI. What a server says is shown in short and without secrets, never where it could repeat a key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.logging_setup import redacted

_LONGEST = 160
_TOO_LONG = re.compile(
    r"context[ _-]?(length|size|window)|maximum (input|sequence|context|prompt) |must have less than \d+ tokens"
    r"|(prompt|input|request|query).{0,40}too (long|large)|too many (input |prompt )?tokens"
    r"|input token count|longer than the maximum|input length exceeds|max_model_len|string_above_max_length",
    re.IGNORECASE,
)
_TOO_LONG_CODES = {"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"}
_FILTERED = re.compile(r"content[ _]?(filter|policy|management)|responsibleaipolicyviolation", re.IGNORECASE)
_NO_CREDIT = re.compile(r"insufficient[_ ](quota|balance|credit|funds)|exceeded your current quota|billing", re.I)
_NO_MODEL = re.compile(
    r"model_?not_?found|deploymentnotfound|(invalid|unknown|no such|not a valid|access to) model"
    r"|model\b.{0,120}\b(not exist|not found|not available|unknown)",
    re.IGNORECASE,
)
_HINTS = (
    (re.compile("max_completion_tokens"), "output_limit", "max_completion_tokens"),
    (re.compile("max_tokens.*(large|most|exceed)", re.I), "max_output_tokens", "less"),
    (re.compile("temperature"), "temperature", "default"),
    (re.compile("stream_options"), "ask_usage", "false"),
    (re.compile("dimensions|matryoshka", re.I), "dimensions", "nothing"),
    (re.compile("batch", re.I), "batch_size", "less"),
    (re.compile("missing field `?texts"), "shape", "texts"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """What admins call the model and the server that were asked."""

    kind: str
    url: str
    model: str
    has_key: bool
    limit: str
    """The setting that makes what is sent shorter."""

    def setting(self, name: str) -> str:
        """A setting in full."""
        return f"`{self.kind}.openai_compatible.{name}`"


@dataclass(frozen=True, slots=True)
class Said:
    """An error body, whatever its form."""

    words: str
    codes: frozenset[str] = frozenset()

    @property
    def all(self) -> str:
        """Everything in it."""
        return " ".join((self.words, *sorted(self.codes)))


def said(body: Any) -> Said:
    """What an error body says."""
    if isinstance(body, str):
        return Said("" if body.lstrip().startswith("<") else body)
    if not isinstance(body, Mapping):
        return Said("")
    error = body.get("error")
    if isinstance(error, str):
        return Said(error, _codes(body))
    inner = error if isinstance(error, Mapping) else body
    words = inner.get("message")
    if not isinstance(words, str):
        words = _details(body.get("detail"))
    return Said(words, _codes(inner))


def _codes(error: Mapping[str, Any]) -> frozenset[str]:
    """Short words for what went wrong."""
    inner = error.get("innererror")
    found = [error.get(name) for name in ("code", "type", "param", "error_type")]
    found.append(inner.get("code") if isinstance(inner, Mapping) else None)
    return frozenset(code.lower() for code in found if isinstance(code, str))


def _details(detail: Any) -> str:
    """Of FastAPI: without `input`, which repeats what was sent."""
    if isinstance(detail, list):
        items = [item for item in detail if isinstance(item, Mapping)]
        return "; ".join(f"{item.get('msg')} {_field(item.get('loc'))}" for item in items)
    return detail if isinstance(detail, str) else ""


def _field(place: Any) -> str:
    return ".".join(str(part) for part in place) if isinstance(place, list) else ""


def refusal(place: Place, status: int, body: Any, *, path: str, after: float | None = None) -> ModelUnavailable:
    """The error for an answer that is none."""
    told = said(body)
    if status == 429 and not _NO_CREDIT.search(told.all):
        return ModelBusy(f"{place.url} wants fewer requests for now.", after=after)
    if _is_too_long(status, told):
        return ModelRefused(
            f"What was sent is longer than model “{place.model}” at {place.url} takes: lower "
            f"{place.setting(place.limit)}, or give the server a longer context.",
            why="too_long",
        )
    if status in (408, 409, 425) or status >= 500:
        return ModelUnavailable(f"{place.url} cannot answer now (HTTP {status}){_repeat(told)}.")
    if _FILTERED.search(told.all):
        return filtered(place)
    return _mendable(place, status, told, path)


def _is_too_long(status: int, told: Said) -> bool:
    if told.codes & _TOO_LONG_CODES:
        return True
    return "batch" not in told.words and (
        status == 413 or (status in (400, 422) and bool(_TOO_LONG.search(told.words)))
    )


def _mendable(place: Place, status: int, told: Said, path: str) -> ModelRefused:
    """What an admin mends in the settings."""
    url, hint = place.url, next((hint for hint in _HINTS if hint[0].search(told.words)), None)
    if _NO_MODEL.search(told.all) and not hint:
        return ModelRefused(
            f"{url} has no model “{place.model}”: put one that it has into {place.setting('model')}.", why="model"
        )
    if status in (402, 429):
        return ModelRefused(
            f"The account behind {place.setting('api_key')} has no credit left at {url}: raise it there.", why="key"
        )
    if status in (401, 403):
        does, put = ("does not accept the key", "a valid one") if place.has_key else ("wants a key", "one")
        why = _repeat(told) if status == 403 else ""
        return ModelRefused(f"{url} {does} (HTTP {status}{why}): put {put} into {place.setting('api_key')}.", why="key")
    if status in (404, 405) or status < 400:
        return ModelRefused(
            f"{url} has nothing at {path} (HTTP {status}): mend {place.setting('base_url')}, which ends in /v1 for "
            "most servers.",
            why="request",
        )
    mend = f": set {place.setting(hint[1])} to {hint[2]}" if hint else ""
    return ModelRefused(f"{url} refused the request (HTTP {status}){_repeat(told)}{mend}.", why="request")


def filtered(place: Place) -> ModelRefused:
    """Its content filter said no."""
    return ModelRefused(
        f"The content filter of {place.url} refused a text; if it does so for harmless ones, relax it there.",
        why="filtered",
    )


def _repeat(told: Said) -> str:
    """Its words for the admin: one short line, with nothing in it that a terminal obeys."""
    words = " ".join("".join(c if c.isprintable() else " " for c in redacted(told.words)).split())
    return f", it says: {words[:_LONGEST].rstrip(' .')}" if words else ""
