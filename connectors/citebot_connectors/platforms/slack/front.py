"""What comes before Slack's framework in mode `http`: how Slack signs."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping

from citebot.conversing.letters import LARGEST, WINDOW, Body, Letters, Unfit

__all__ = ["LARGEST", "WINDOW", "Body", "Front", "Unfit"]


class Front(Letters):
    """Lets in what Slack signed, once."""

    def __init__(self, secret: str, *, now: Callable[[], float]) -> None:
        super().__init__(self._signed, now=now)
        self._secret = secret.encode()

    def _signed(self, headers: Mapping[str, str], body: bytes) -> tuple[str, int]:
        stamp, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) < 12) or not signature.isascii():
            raise Unfit(401, "not signed")
        expected = "v0=" + hmac.new(self._secret, b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature):
            raise Unfit(401, "wrong signature")
        return signature, int(stamp)
