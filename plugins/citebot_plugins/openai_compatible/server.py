"""One server: every request goes out and every failure comes in here. One request each time, never a second try."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from citebot.errors import ModelRefused, ModelUnavailable
from citebot.logging_setup import hide
from citebot_plugins.openai_compatible.refusals import Place, refusal
from citebot_plugins.openai_compatible.settings import ServerSettings
from citebot_plugins.server_sent_events import data_of

if TYPE_CHECKING:
    import httpx

DONE = "[DONE]"
"""The last event."""
_AFTER_DONE = 0.2
LARGEST = 64_000_000
"""Bytes of an answer that does not come in events."""
Declined = Callable[[], None]
"""Called when the server has certainly done nothing for a request."""


def _nothing() -> None:
    """For callers who do not count."""


class Server:
    """A server as one part sees it."""

    def __init__(self, kind: str, settings: ServerSettings, *, limit: str) -> None:
        self.place = Place(kind, settings.base_url, settings.model, bool(settings.api_key.get_secret_value()), limit)
        self._settings = settings
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Get ready; nothing is sent."""
        if self._client is None:
            self._client = await asyncio.to_thread(
                self._new_client
            )  # importing httpx and reading certificates take long

    async def close(self) -> None:
        """End all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def ask(self, path: str, body: Mapping[str, Any], *, declined: Declined = _nothing) -> Any:
        """One answer in JSON."""
        async with self._answer("POST", path, body, declined) as response:
            return await self._read(response)

    async def models(self) -> list[str]:
        """What the server says it has; nothing where it does not say."""
        async with self._answer("GET", "/models", None, _nothing) as response:
            answer = await self._read(response)
        found = answer.get("data") if isinstance(answer, dict) else None
        return [str(item.get("id")) for item in found or [] if isinstance(item, dict)]

    @asynccontextmanager
    async def stream(
        self, path: str, body: Mapping[str, Any], *, declined: Declined = _nothing
    ) -> AsyncIterator[AsyncIterator[str]]:
        """The data of each event of an answer; an answer in one piece is one event."""
        async with self._answer("POST", path, body, declined) as response:
            yield self._events(response)

    async def _events(self, response: httpx.Response) -> AsyncIterator[str]:
        if "event-stream" not in response.headers.get("content-type", ""):
            yield json.dumps(await self._read(response))
            return
        events = data_of(response.aiter_bytes())
        patience, last = self._settings.read_seconds, ""
        while True:
            # A limit of our own: the bytes of a comment, which some servers send to keep a line open, are no answer.
            try:
                with self._translated(_nothing):
                    async with asyncio.timeout(patience):
                        data = await anext(events, None)
            except TimeoutError:
                if last == DONE:
                    return
                raise self.silent() from None
            except ValueError:
                raise self.malformed() from None
            if data is None:
                return
            yield (last := data)
            if data == DONE:  # the end of the answer is near, and with it the connection can be used again
                patience = _AFTER_DONE

    def malformed(self) -> ModelUnavailable:
        """It sent what it may not."""
        return ModelUnavailable(f"{self.place.url} sent what is no answer of this interface.")

    def silent(self) -> ModelUnavailable:
        """It took too long."""
        return ModelUnavailable(f"{self.place.url} said nothing for {self._settings.read_seconds:g} seconds.")

    def refusal_in_band(self, body: Any) -> ModelUnavailable:
        """An error that came with a status of success."""
        error = body.get("error") if isinstance(body.get("error"), dict) else body
        code = str(error.get("code") or "")
        status = int(code) if code.isascii() and code.isdigit() and 400 <= int(code) < 600 else 500
        return refusal(self.place, status, body, path="")

    @asynccontextmanager
    async def _answer(
        self, method: str, path: str, body: Mapping[str, Any] | None, declined: Declined
    ) -> AsyncIterator[httpx.Response]:
        """A response with a status of success."""
        client = self._client
        if client is None:
            declined()
            raise ModelUnavailable(f"The connection to {self.place.url} is not open.")
        # What is no text, such as half of a pair of surrogates, must not keep the rest from being sent.
        content = None if body is None else json.dumps(dict(body), ensure_ascii=False).encode(errors="replace")
        with self._translated(declined):
            request = client.build_request(method, self.place.url + path, content=content)
            response = await client.send(request, stream=True)
            try:
                if not response.is_success:
                    declined()
                    raise await self._refused(response, path)
                yield response
            finally:
                await response.aclose()

    async def _refused(self, response: httpx.Response, path: str) -> ModelUnavailable:
        from citebot.egress.retrying import asked_delay

        try:
            body = await self._read(response)
        except ModelUnavailable:
            body = ""
        after = asked_delay(response, datetime.now(UTC))
        return refusal(self.place, response.status_code, body, path=path, after=after)

    async def _read(self, response: httpx.Response) -> Any:
        whole = bytearray()
        async for chunk in response.aiter_bytes():
            whole += chunk
            if len(whole) > LARGEST:
                raise self.malformed()
        try:
            return await asyncio.to_thread(json.loads, bytes(whole))
        except (ValueError, RecursionError):
            if response.is_success:
                raise self.malformed() from None
            return bytes(whole[:2000]).decode(errors="replace")

    @contextmanager
    def _translated(self, declined: Declined) -> Iterator[None]:
        import httpx

        url = self.place.url
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            declined()
            why = "its certificate is not trusted" if "CERTIFICATE" in str(error) else "is it running?"
            mend = self.place.setting("ca_file" if "CERTIFICATE" in str(error) else "base_url")
            raise ModelUnavailable(f"{url} cannot be reached ({why}): see {mend}.") from None
        except httpx.TimeoutException:
            raise self.silent() from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            declined()
            raise ModelRefused(f"{url} is no address: mend {self.place.setting('base_url')}.", why="request") from None
        except httpx.HTTPError:
            raise ModelUnavailable(f"{url} broke off in the middle of an answer.") from None

    def _new_client(self) -> httpx.AsyncClient:
        import ssl

        import httpx

        settings = self._settings
        key, proxy = settings.api_key.get_secret_value(), settings.proxy.get_secret_value()
        secure = settings.base_url.startswith("https:") or bool(proxy)  # else there are no certificates to read
        headers = {name: value.get_secret_value() for name, value in settings.secret_headers.items()}
        for secret in (key, *headers.values()):
            hide(secret)
        if key:
            headers |= {"api-key": key} if settings.key_header == "api-key" else {"authorization": f"Bearer {key}"}
        try:
            return httpx.AsyncClient(
                headers={**headers, "content-type": "application/json"},
                params={"api-version": settings.api_version} if settings.api_version else None,
                timeout=httpx.Timeout(settings.read_seconds, connect=settings.connect_seconds),
                verify=ssl.create_default_context(cafile=settings.ca_file) if settings.ca_file else secure,
                proxy=proxy or None,
                follow_redirects=False,  # a key goes where it belongs, and nowhere else
                trust_env=False,
            )
        except (ValueError, OSError, httpx.InvalidURL):
            # Without its text, which repeats what was set.
            names = ", ".join(map(self.place.setting, ("api_key", "secret_headers", "ca_file", "proxy")))
            raise ModelRefused(f"One of {names} cannot be used: look at them again.", why="request") from None
