"""robots.txt (RFC 9309): what a site does not want read, how fast, and where its sitemaps are."""

from __future__ import annotations

import time
from collections.abc import Callable

import httpx
from protego import Protego

from citebot.errors import StopSync

AGENT = "Citebot"
SLOWEST = 30.0
"""Seconds between two requests that a site may ask for; more is taken as this."""


class Robots:
    """The rules of one site."""

    def __init__(self, text: str) -> None:
        self._rules = Protego.parse(text)
        self.delay = min(float(self._rules.crawl_delay(AGENT) or 0.0), SLOWEST)
        """Seconds between two requests."""

    @classmethod
    def of(cls, response: httpx.Response) -> Robots:
        """The rules of an answer: 4xx means there are none, 5xx that nothing may be read for now (RFC 9309, 2.3.1)."""
        if response.status_code >= 500:
            raise StopSync(f"{response.url} answers {response.status_code}: until it answers, nothing is read.")
        plain = response.headers.get("content-type", "text/plain").startswith("text/plain")
        return cls(response.text[:500_000] if response.status_code == 200 and plain else "")

    def allows(self, url: str) -> bool:
        """Whether a page may be read."""
        return bool(self._rules.can_fetch(url, AGENT))

    @property
    def sitemaps(self) -> list[str]:
        """What the site names."""
        return list(self._rules.sitemaps)

    def wait(self, stop: Callable[[], bool]) -> None:
        """Keep the distance the site asks for."""
        until = time.monotonic() + self.delay
        while (left := until - time.monotonic()) > 0 and not stop():
            time.sleep(min(left, 0.5))
