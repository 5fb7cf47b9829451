"""A server that speaks like Cohere: v2 chat, embed and rerank, v1 models, with its rules and its errors.

https://docs.cohere.com/reference/about and https://docs.cohere.com/reference/errors
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from citebot.testing.local_server import Received, Sent
from citebot.testing.models import cohere_chat, cohere_ranking, cohere_vectors
from citebot.testing.models.cohere_chat import Reply
from citebot.testing.models.cohere_rules import FakeModel, Refused, models, need
from citebot.testing.models.faults import Fault
from citebot.testing.models.server import ModelServer, Rate, Streamed

KEY = "cohere-test-key-0123456789abcdef"
TRIAL_MINUTE = (
    "You are using a Trial key, which is limited to 20 API calls / minute. You can continue to use the Trial key for "
    "free or upgrade to a Production key with higher rate limits at 'https://dashboard.cohere.com/api-keys'."
)
TRIAL_MONTH = "You are using a Trial key, which is limited to 1000 API calls / month."
_MESSAGES = {
    400: "invalid request: all elements in history must have a message.",
    401: "invalid api token",
    402: "Please add or update your payment method at https://dashboard.cohere.com/billing?tab=payment to continue",
    403: "forbidden",
    404: "model 'xyz' not found, make sure the correct model ID was used and that you have access to the model.",
    422: "invalid request: unprocessable entity",
    429: "You are past the per minute request limit, please wait and try again later.",
    498: "invalid token: content that was generated is not allowed",
    499: "request cancelled",
    500: "internal server error, this has been reported to our developers. id 6b4c",
    501: "not implemented",
    503: "service unavailable",
    504: "gateway timeout",
}
_CODES = {
    "trial": TRIAL_MINUTE,
    "trial_month": TRIAL_MONTH,
    "too_long": "too many tokens: size limit exceeded by 11326 tokens. Try using shorter or fewer inputs. The limit "
    "for this model is 132000 tokens.",
    "expired": "Your API key has expired. Please create a production key at dashboard.cohere.com or reach out to your "
    "contact at Cohere to continue usage.",
    "removed": "model 'command-r' was removed on September 15, 2025.",
    "no_rag": "invalid request: RAG is not supported for this model.",
    "filtered": "blocked input: potentially harmful content",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One request that was let in."""

    path: str
    body: Mapping[str, Any] = field(default_factory=dict)


class FakeCohere(ModelServer):
    """Cohere on 127.0.0.1. What a model says comes from `script`, else from the documents that it was given."""

    def __init__(self, *, key: str = KEY, rate: Rate | None = None) -> None:
        self.key = key
        self.models: dict[str, FakeModel] = models()
        self.script: Callable[[Mapping[str, Any]], Reply | str] = cohere_chat.from_documents
        """From the body of a chat request to what the model says."""
        self.asked: list[Asked] = []
        self.vectors: Callable[[str, int], list[float]] = cohere_vectors.vector
        self._rate = rate
        self._ids = itertools.count(1)
        super().__init__()

    def bodies(self, path: str) -> list[Mapping[str, Any]]:
        """What was sent to a path, such as `/v2/chat`."""
        return [asked.body for asked in self.asked if asked.path == path]

    def answer(self, received: Received) -> Sent | Streamed:
        """One of Cohere's answers, or of its errors."""
        try:
            self._let_in(received)
            body = _body(received)
            self.asked.append(Asked(received.path, body))
            return self._routed(received, body)
        except Refused as refused:
            return self._error(refused.status, refused.message, refused.headers)

    def refuse(self, fault: Fault) -> Sent:
        """An error that a test wants; `code` is a name from the list above, or Cohere's own words."""
        message = _CODES.get(fault.code, fault.code) or _MESSAGES.get(fault.status, "error")
        return self._error(fault.status, message)

    def _let_in(self, received: Received) -> None:
        given = received.headers.get("authorization", "")
        scheme, _, token = given.partition(" ")
        if self.key and not token:
            raise Refused(401, "no api key supplied")
        if self.key and (scheme.lower(), token) != ("bearer", self.key):
            raise Refused(401, "invalid api token")
        if self._rate is not None and (seconds := self._rate.wait()):
            headers = {"x-endpoint-monthly-call-limit": "1000", "x-trial-endpoint-call-limit": "20"}
            raise Refused(429, TRIAL_MINUTE, {**headers, "retry-after": str(int(seconds) + 1)})

    def _routed(self, received: Received, body: Mapping[str, Any]) -> Sent | Streamed:
        match received.method, received.path:
            case "POST", "/v2/chat":
                return self._chat(body)
            case "POST", "/v2/embed":
                model = need(self.models, body, "embed")
                return self._json(cohere_vectors.embed(body, model, identity=self._id(), vector=self.vectors))
            case "POST", "/v2/rerank":
                model = need(self.models, body, "rerank")
                return self._json(cohere_ranking.rerank(body, model, identity=self._id()))
            case "GET", "/v1/models":
                return self._json({"models": [one.shown(name) for name, one in self.models.items()]})
            case "GET", path if found := re.fullmatch(r"/v1/models/([^/]+)", path):
                return self._json(need(self.models, {"model": found[1]}).shown(found[1]))
        raise Refused(404, "404 page not found")

    def _chat(self, body: Mapping[str, Any]) -> Sent | Streamed:
        model = need(self.models, body, "chat")
        prompt = cohere_chat.checked(body, model)
        said = self.script(body)
        reply = (Reply(said) if isinstance(said, str) else said).cut(body.get("max_tokens") or model.most_output)
        usage = cohere_chat.usage(prompt, reply)
        if body.get("stream"):
            sent = [
                f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
                for event in cohere_chat.events(reply, body, identity=self._id(), usage=usage)
            ]
            first = next((n for n, event in enumerate(sent) if event.startswith(b"event: content-delta")), 1)
            return Streamed(sent, text_at=first)
        return self._json(cohere_chat.whole(reply, body, identity=self._id(), usage=usage))

    def _id(self) -> str:
        return f"00000000-0000-4000-8000-{next(self._ids):012x}"

    def _error(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> Sent:
        body = json.dumps({"id": self._id(), "message": message})
        return Sent(body, status, {"content-type": "application/json", **(headers or {})})

    @staticmethod
    def _json(value: object) -> Sent:
        return Sent(json.dumps(value, ensure_ascii=False), headers={"content-type": "application/json"})


def _body(received: Received) -> Mapping[str, Any]:
    if received.method != "POST":
        return {}
    try:
        body = json.loads(received.body)
    except ValueError as error:
        raise Refused(400, f"invalid json syntax: {error}") from None
    if not isinstance(body, dict):
        raise Refused(400, "invalid json syntax: the body must be an object")
    return body
