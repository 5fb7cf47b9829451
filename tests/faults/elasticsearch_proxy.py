"""In front of a real Elasticsearch: TLS, keys, refused items, lost answers and broken shards, as it is told."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from citebot.testing.local_server import LocalServer, Received, Sent

PRODUCT = {"x-elastic-product": "Elasticsearch", "content-type": "application/json"}
ItemFault = Callable[[int], tuple[int, str] | None]
"""Passage id → status and type of the error of its item in a bulk request, or None."""


def refusal(status: int, kind: str, reason: str = "") -> Sent:
    """An error as Elasticsearch says it."""
    body = {"error": {"type": kind, "reason": reason, "root_cause": []}, "status": status}
    return Sent(json.dumps(body), status, PRODUCT)


@dataclass
class Proxy:
    """Forwards what no fault takes."""

    url: str
    key: str = ""
    """The API key that must be sent, when there is one."""
    answer: Callable[[Received], Sent | None] = lambda request: None
    """Answers in the place of the server, when it gives something."""
    item: ItemFault = lambda key: None
    reason: str = "as told"
    """Of the faults of items."""
    lose: Callable[[Received], bool] = lambda request: False
    """Whether the answer to a request is lost, after the server has done it."""
    change: Callable[[Received, Any], Any] = lambda request, body: body
    requests: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._client = httpx.Client(base_url=self.url, timeout=60)
        self.server = LocalServer(self._handle, tls=self.tls)

    def close(self) -> None:
        """Stop."""
        self.server.close()
        self._client.close()

    def _handle(self, request: Received) -> Sent | None:
        self.requests.append(f"{request.method} {request.path}")
        if self.key and request.headers.get("authorization") != f"ApiKey {self.key}":
            return refusal(401, "security_exception", "unable to authenticate")
        if (instead := self.answer(request)) is not None:
            return instead
        sent = self._bulk(request) if request.path.endswith("/_bulk") else self._forward(request, request.body)
        return None if self.lose(request) else sent

    def _forward(self, request: Received, body: bytes) -> Sent:
        kept = {name: request.headers[name] for name in ("content-type", "accept") if name in request.headers}
        found = self._client.request(
            request.method, request.path, params=dict(request.query), content=body, headers=kept
        )
        headers = {name: value for name, value in found.headers.items() if name in ("content-type", *PRODUCT)}
        if found.headers.get("content-type", "").startswith("application/") and found.content:
            return Sent(json.dumps(self.change(request, found.json())), found.status_code, headers)
        return Sent(found.content, found.status_code, headers)

    def _bulk(self, request: Received) -> Sent:
        """Pass on the items that no fault takes, and put the others' errors into their places."""
        lines = request.body.split(b"\n")
        answers: list[dict[str, Any] | None] = []
        passed: list[bytes] = []
        at = 0
        while at < len(lines) and lines[at]:
            ((action, what),) = json.loads(lines[at]).items()
            size = 1 if action == "delete" else 2
            fault = self.item(int(what["_id"])) if what["_id"].isdigit() else None  # else it is no passage
            if fault is None:
                passed += lines[at : at + size]
            about = {"type": fault[1], "reason": self.reason} if fault else {}
            answers.append({action: {"_id": what["_id"], "status": fault[0], "error": about}} if fault else None)
            at += size
        done = self._forward(request, b"\n".join([*passed, b""])).body if passed else b'{"items": []}'
        real = iter(json.loads(done)["items"])
        body = {"took": 1, "errors": any(answers), "items": [each or next(real) for each in answers]}
        return Sent(json.dumps(body), 200, PRODUCT)
