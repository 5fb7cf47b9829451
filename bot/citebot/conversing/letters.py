"""What is posted to us by a platform: nothing that it did not sign is looked into, and nothing is taken twice.

Every refusal is a 4xx. A request that was taken once is not taken again; one that failed may come again, unchanged too.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

Body = dict[str, Any]
LARGEST = 2 * 1024 * 1024
"""Bytes of a request."""
WINDOW = 300
"""Seconds that the clock of a request may be off."""
KEPT = 100_000
FIELDS = 50
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class Unfit(Exception):
    """A request that is not let in."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Letter:
    """A request that the platform signed."""

    signature: str
    body: Body


Seal = Callable[[Mapping[str, str], bytes], tuple[str, int]]
"""Gives the signature and the stamp of a request as the platform signs it; raises `Unfit`."""


class Letters:
    """Lets in what was signed, once."""

    def __init__(self, seal: Seal, *, now: Callable[[], float]) -> None:
        self._seal = seal
        self._now = now
        self._taken: dict[str, float] = {}

    def check(self, headers: Mapping[str, str], body: bytes) -> Letter | None:
        """What a request says, None for one that was taken already. Raises `Unfit`."""
        if len(body) > LARGEST:
            raise Unfit(413, "too large")
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in (JSON, FORM):
            raise Unfit(415, "neither JSON nor a form")
        signature, stamp = self._seal(headers, body)
        now = self._now()
        if abs(now - stamp) > WINDOW:
            raise Unfit(401, "old timestamp")
        self._forget(now)
        if signature in self._taken:
            return None
        letter = Letter(signature, read(kind, body))
        # It cannot be used any more when its stamp is too old.
        self._taken[signature] = stamp + WINDOW
        return letter

    def failed(self, letter: Letter) -> None:
        """It was not taken after all."""
        self._taken.pop(letter.signature, None)

    def _forget(self, now: float) -> None:
        while self._taken:
            first = next(iter(self._taken))
            if self._taken[first] > now and len(self._taken) < KEPT:
                return
            del self._taken[first]


def read(kind: str, body: bytes) -> Body:
    """The payload: JSON, a form that holds JSON, or the fields of a form. Raises `Unfit`."""
    try:
        text = body.decode()
        if kind == FORM:
            fields = dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=FIELDS))
            found: Any = json.loads(fields["payload"]) if "payload" in fields else fields
        else:
            found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unfit(400, f"not readable: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise Unfit(400, "not an object")
    return found
