"""What Cohere's refusals mean for us, and what an admin can do about them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from citebot.errors import ModelBusy, ModelRefused, ModelUnavailable
from citebot.logging_setup import redacted

KEYS = "https://dashboard.cohere.com/api-keys"
LONGEST = 200
"""Characters of Cohere's own words in a message of ours."""

_TOO_LONG = re.compile(r"too many tokens|too long|context length|maximum length|size limit", re.IGNORECASE)
_FILTERED = re.compile(r"toxic|blocked|unsafe|harmful|content filter|content polic", re.IGNORECASE)
_MODEL = re.compile(
    r"\bmodel\b.*\b(not supported|not found|removed|deprecated|not ready)|supported (for|by) this model"
)
_TRIAL = re.compile(r"\btrial\b", re.IGNORECASE)


class Failures:
    """Tells errors of one part; `at` is where its settings are, such as `generator.cohere`."""

    def __init__(self, at: str, *, model: str, host: str, secret: str) -> None:
        self._at = at
        self._model = model
        self._host = host
        self._secret = secret

    def of(self, status: int | None, body: object, headers: Mapping[str, str], now: datetime) -> ModelUnavailable:
        """The error for an answer that is none."""
        said = self.quoted(_message(body))
        if status in {401, 402, 403, 498}:
            return self._refused_key(status, said)
        if status == 404:
            return ModelRefused(
                f"{self._host} does not know the model “{self._model}”: check {self._at}.model and "
                f"{self._at}.base_url. {said}",
                why="model",
            )
        if status == 429:
            return self._busy(said, headers, now)
        if status is not None and 300 <= status < 500 and status not in {408, 409, 425, 499}:
            return self._refused(status, said)
        if status is None or status < 300:
            return ModelUnavailable(f"{self._host} sent what cannot be read.")
        return ModelUnavailable(f"{self._host} answers {status}. {said}".strip())

    def quoted(self, said: str) -> str:
        """Cohere's own words in one short line, without secrets."""
        if self._secret:
            said = said.replace(self._secret, "***")
        line = " ".join("".join(c if c.isprintable() else " " for c in redacted(said)).split())
        shown = line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
        return f"It says: {shown}" if shown else ""

    def _refused_key(self, status: int, said: str) -> ModelRefused:
        key = f"{self._at}.api_key"
        if status == 402:
            return ModelRefused(f"{self._host} wants to be paid first for the key in {key}. {said}", why="key")
        what = f"{self._host} does not accept the key in {key}" if self._secret else f"{key} is not set"
        return ModelRefused(f"{what}: make one at {KEYS}. {said}".strip(), why="key")

    def _busy(self, said: str, headers: Mapping[str, str], now: datetime) -> ModelBusy:
        import httpx

        from citebot.egress.retrying import asked_delay

        hint = ""
        if _TRIAL.search(said):
            hint = f" The key in {self._at}.api_key is a trial key; a production key may do more: {KEYS}."
        after = asked_delay(httpx.Response(429, headers=dict(headers)), now)
        return ModelBusy(f"{self._host} wants fewer requests. {said}{hint}".strip(), after=after)

    def _refused(self, status: int, said: str) -> ModelRefused:
        if status == 413 or _TOO_LONG.search(said):
            limits = {"generator": "max_prompt_tokens or max_output_tokens", "reranker": "max_tokens_per_doc"}
            limit = limits.get(self._at.partition(".")[0], "batch_size")
            return ModelRefused(f"What was sent is too long: lower {self._at}.{limit}. {said}", why="too_long")
        if _MODEL.search(said):
            return ModelRefused(f"Choose another {self._at}.model than “{self._model}”. {said}", why="model")
        if _FILTERED.search(said):
            return ModelRefused(f"{self._host} does not let this through. {said}", why="filtered")
        if status < 400:
            return ModelRefused(
                f"{self._host} redirects, which is not followed: correct {self._at}.base_url.", why="request"
            )
        return ModelRefused(f"{self._host} refuses the request ({status}). {said}".strip(), why="request")


def _message(body: object) -> str:
    if isinstance(body, Mapping):
        body = body.get("message") or body.get("error") or body.get("detail") or ""
    return body if isinstance(body, str) and not body.lstrip().startswith("<") else ""
