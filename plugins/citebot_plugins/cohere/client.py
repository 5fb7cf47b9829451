"""Cohere's SDK, loaded when it is needed, and its errors told as ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING

from citebot.errors import ModelRefused, ModelUnavailable
from citebot.logging_setup import hide
from citebot_plugins.cohere.failures import KEYS, Failures
from citebot_plugins.cohere.settings import CohereSettings

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    import httpx
    from cohere import AsyncClientV2
    from cohere.core.request_options import RequestOptions

ONCE: RequestOptions = {
    "max_retries": 0,
    # The version of this machine's kernel is nobody's business.
    "additional_headers": {"X-Fern-Platform": None, "X-Fern-Runtime": None},
}
"""Goes with every call."""
_MALFORMED = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
"""What the SDK raises where an answer has not the shape that it expects."""


class Silent(ModelUnavailable):
    """It was asked and has said nothing: nobody knows whether it did the work, and bills it."""


def _now() -> datetime:
    return datetime.now(UTC)


class Client:
    """One part's connection: every call is made once, and nothing else is sent."""

    def __init__(self, settings: CohereSettings, *, at: str, now: Callable[[], datetime] = _now) -> None:
        self.settings = settings
        self.at = at
        self.secret = settings.api_key.get_secret_value()
        self.failures = Failures(at, model=settings.model, host=settings.host, secret=self.secret)
        self._now = now
        self._api: AsyncClientV2 | None = None
        self._http: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Load the SDK, which takes a second, in a thread; nothing is sent yet."""
        if self._api is not None:
            return
        if self.settings.needs_key:
            raise ModelRefused(f"{self.at}.api_key is not set: make a key at {KEYS}.", why="key")
        try:
            self._http, self._api = await asyncio.to_thread(self._load)
        except ImportError as error:
            raise ModelUnavailable(f"Cohere needs `pip install 'citebot[cohere]'` ({error.name} is missing).") from None

    async def close(self) -> None:
        """Close the connections."""
        http, self._http, self._api = self._http, None, None
        if http is not None:
            await http.aclose()

    @property
    def api(self) -> AsyncClientV2:
        """The SDK."""
        if self._api is None:
            raise ModelUnavailable(f"{self.at} is not open.")
        return self._api

    @contextmanager
    def told(self) -> Iterator[None]:
        """Around a call. Errors of the SDK are not kept as causes: they repeat what the server has sent."""
        _ = self.api  # else there may be no SDK

        import httpx
        from cohere.core.api_error import ApiError

        try:
            yield
        except ApiError as error:
            raise self.failures.of(error.status_code, error.body, error.headers or {}, self._now()) from None
        except (httpx.ReadTimeout, httpx.WriteTimeout):
            seconds = f"{self.settings.read_seconds:g} s"
            raise Silent(f"{self.settings.host} has said nothing for {seconds}.") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, RuntimeError) as error:
            reached = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            what = "broke the connection off" if reached else "cannot be reached"
            raise ModelUnavailable(f"{self.settings.host} {what} ({type(error).__name__}).") from None
        except _MALFORMED:
            raise ModelUnavailable(f"{self.settings.host} sent what cannot be read.") from None

    def _load(self) -> tuple[httpx.AsyncClient, AsyncClientV2]:
        import httpx
        from cohere import AsyncClientV2

        settings, proxy = self.settings, self.settings.proxy.get_secret_value()
        secure = settings.base_url.startswith("https:") or bool(proxy)  # else there are no certificates to read
        hide(self.secret)
        hide(proxy)
        try:
            http = httpx.AsyncClient(
                timeout=httpx.Timeout(settings.read_seconds, connect=settings.connect_seconds),
                verify=_trust(settings.ca_file) if secure else False,
                proxy=proxy or None,
                follow_redirects=False,  # a key goes where it belongs, and nowhere else
                trust_env=False,
            )
        except (ValueError, OSError, httpx.InvalidURL):
            # Without its text, which repeats what was set.
            raise ModelRefused(f"{self.at}.ca_file or {self.at}.proxy cannot be used.", why="request") from None
        api = AsyncClientV2(
            self.secret,
            base_url=settings.base_url,
            client_name="citebot",
            httpx_client=http,
            max_retries=0,
            log_warning_experimental_features=False,
        )
        return http, api


@lru_cache(maxsize=4)
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """One for all parts: certificates take 40 ms to load."""
    import ssl

    import httpx

    return ssl.create_default_context(cafile=ca_file) if ca_file else httpx.create_ssl_context(trust_env=False)
