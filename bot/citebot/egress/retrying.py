"""When to try again, and after how long: what servers answer when they are busy, and how they say for how long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

BUSY = frozenset({429, 502, 503, 504, 529})
_WIKI_BUSY = frozenset({"maxlag", "ratelimited", "readonly"})
"""MediaWiki says it with status 200: https://www.mediawiki.org/wiki/API:Errors_and_warnings"""
ATTEMPTS = 6
FIRST_DELAY = 0.5
LONGEST_DELAY = 30.0
LONGEST_WAIT = 120.0
"""Seconds a run waits because a server asked for it; longer pauses end the run, and the next one goes on."""


def asks_to_wait(response: httpx.Response) -> bool:
    """Whether the same request may succeed later.

    A 403 is a refusal, unless it is a rate limit by another name, as GitHub's:
    https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if response.status_code in BUSY or response.headers.get("mediawiki-api-error") in _WIKI_BUSY:
        return True
    headers = response.headers
    return response.status_code == 403 and ("retry-after" in headers or headers.get("x-ratelimit-remaining") == "0")


def asked_delay(response: httpx.Response, now: datetime) -> float | None:
    """Seconds the server asks for: Retry-After (RFC 9110, 10.2.3, both forms), else the reset of its rate limit."""
    after = response.headers.get("retry-after", "").strip()
    if after.isascii() and after.isdigit() and len(after) < 10:
        return float(after)
    if after:
        try:
            moment = parsedate_to_datetime(after)
        except ValueError:
            return None
        return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())
    if response.headers.get("x-ratelimit-remaining") == "0":
        return _until_reset(response.headers.get("x-ratelimit-reset", ""), now)
    return None


def _until_reset(reset: str, now: datetime) -> float | None:
    """The reset as seconds from now: some servers give a moment since 1970, others a distance."""
    if not (reset.isascii() and reset.isdigit() and len(reset) < 12):
        return None
    number = float(reset)
    return max(0.0, number - now.timestamp()) if number > 1_000_000_000 else number


def own_delay(attempt: int, chance: Callable[[], float]) -> float:
    """Exponential backoff with full jitter, in seconds.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    return chance() * min(LONGEST_DELAY, FIRST_DELAY * 2.0**attempt)
