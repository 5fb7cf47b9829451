"""OpenAI's error bodies, and Azure's where they differ."""

from __future__ import annotations

import json
from typing import Any

from citebot.testing.local_server import Sent
from citebot.testing.models.faults import Fault

JSON = {"content-type": "application/json"}


class Refused(Exception):
    """The answer is an error."""

    def __init__(self, sent: Sent) -> None:
        super().__init__(sent.body)
        self.sent = sent


def error(
    status: int, message: str, *, code: str | None = None, kind: str | None = "invalid_request_error", **more: Any
) -> Sent:
    """An error body."""
    body = {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}
    return Sent(json.dumps(body), status, JSON)


def wrong_key(key: str) -> Sent:
    """Which repeats a part of the key, as OpenAI does."""
    if not key:
        return error(401, "You didn't provide an API key. You need to provide your API key in an Authorization header.")
    shown = f"{key[:5]}***{key[-4:]}"
    message = f"Incorrect API key provided: {shown}. You can find your API key at https://platform.openai.com/."
    return error(401, message, code="invalid_api_key")


def no_model(name: str) -> Sent:
    """Also for a model that this key may not use."""
    message = f"The model `{name}` does not exist or you do not have access to it."
    return error(404, message, code="model_not_found")


def too_long(context: int, asked: int, *, param: str = "messages") -> Sent:
    """Prompt and answer do not fit together."""
    message = (
        f"This model's maximum context length is {context} tokens. However, your messages resulted in {asked} tokens. "
        "Please reduce the length of the messages."
    )
    return error(400, message, code="context_length_exceeded", param=param)


def limited(model: str, wait: float) -> Sent:
    """Too many requests; the header says for how long."""
    message = f"Rate limit reached for {model} on requests per min (RPM). Please try again in {wait:.3f}s."
    sent = error(429, message, code="rate_limit_exceeded", kind="requests")
    return Sent(sent.body, 429, {**JSON, "retry-after": str(max(1, round(wait + 0.5)))})


def filtered() -> Sent:
    """Azure's filter of prompts."""
    message = (
        "The response was filtered due to the prompt triggering Azure OpenAI's content management policy. Please "
        "modify your prompt and retry."
    )
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"violence": {"filtered": True}}}
    return error(400, message, code="content_filter", kind=None, param="prompt", innererror=inner)


def of(fault: Fault) -> Sent:
    """The body for a status that a test wants, or for a code."""
    known = {
        "invalid_api_key": wrong_key("sk-expired-0000"),
        "model_not_found": no_model("gone"),
        "context_length_exceeded": too_long(4096, 5000),
        "content_filter": filtered(),
        "insufficient_quota": error(
            429, "You exceeded your current quota, please check your plan and billing details.",
            code="insufficient_quota", kind="insufficient_quota",
        ),
    }  # fmt: skip
    if fault.code in known:
        return known[fault.code]
    if fault.code:
        return error(fault.status, "The request failed.", code=fault.code)
    usual = {
        401: wrong_key("sk-expired-0000"),
        404: no_model("gone"),
        429: error(429, "Rate limit reached.", code="rate_limit_exceeded", kind="requests"),
        503: error(503, "The engine is currently overloaded, please try again later.", kind="server_error"),
    }
    server = error(fault.status, "The server had an error while processing your request.", kind="server_error")
    return usual.get(fault.status, server if fault.status >= 500 else error(fault.status, "Bad request."))
