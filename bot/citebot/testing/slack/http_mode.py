"""HTTP mode: signed posts to the address of an app."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout

from citebot.testing.slack.clock import ACK
from citebot.testing.slack.core import Core
from citebot.testing.slack.socket_mode import Reply
from citebot.testing.slack.state import App, Json

FORM = "application/x-www-form-urlencoded"


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Slack's `v0` signature."""
    return "v0=" + hmac.new(secret.encode(), b"v0:" + timestamp.encode() + b":" + body, hashlib.sha256).hexdigest()


def encode(kind: str, body: Json) -> tuple[str, bytes]:
    """Content type and bytes of a payload: JSON for events, forms for commands and interactions."""
    if kind == "events_api":
        return "application/json", json.dumps(body).encode()
    fields = body if kind == "slash_commands" else {"payload": json.dumps(body)}
    return FORM, urlencode(fields).encode()


class Poster:
    """Posts to apps."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._session: ClientSession | None = None

    def sign(self, app: App, body: bytes, *, timestamp: str = "") -> dict[str, str]:
        """The headers that prove a body is Slack's."""
        stamp = timestamp or str(int(self._core.clock.wall()))
        signed = signature(app.signing_secret, stamp, body)
        return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": signed}

    async def send(self, app: App, kind: str, body: Json, *, attempt: int = 0, reason: str = "") -> Reply:
        """Post one attempt and read the answer."""
        content_type, data = encode(kind, body)
        headers = {"Content-Type": content_type, "User-Agent": "Slackbot 1.0", **self.sign(app, data)}
        if attempt:
            headers |= {"X-Slack-Retry-Num": str(attempt), "X-Slack-Retry-Reason": reason}
        session = self._session = self._session or ClientSession()
        timeout = ClientTimeout(total=self._core.clock.patience(ACK))
        try:
            async with session.post(
                app.request_url, data=data, headers=headers, timeout=timeout, allow_redirects=False
            ) as answer:
                text = await answer.text()
                retry = answer.headers.get("X-Slack-No-Retry") != "1"
                if answer.status != 200:
                    return Reply(False, {"status": answer.status}, "http_error", retry)
                return Reply(True, self._body(app, answer.content_type, text))
        except TimeoutError:
            return Reply(False, reason="http_timeout")
        except (ClientError, asyncio.IncompleteReadError):
            return Reply(False, reason="connection_failed")

    def _body(self, app: App, content_type: str, text: str) -> Json:
        if not text:
            return {}
        body: Json = json.loads(text) if content_type == "application/json" else {"text": text}
        self._core.record("ack", body, {}, app.id)
        return body

    async def close(self) -> None:
        """Close its connections."""
        if self._session is not None:
            await self._session.close()
