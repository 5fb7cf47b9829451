"""A server with OpenAI's interface: chat, embeddings, models, and the `/rerank` that others added to it.

Keys, models, lengths and rates are enforced as OpenAI does, with its error bodies; addresses of Azure with a deployment
in them are answered as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from citebot.testing.local_server import Received, Sent
from citebot.testing.models import openai_errors
from citebot.testing.models.faults import Fault
from citebot.testing.models.openai_chat import Chat, Completion, Script, check, from_passages
from citebot.testing.models.openai_errors import JSON, Refused
from citebot.testing.models.openai_texts import embedded, ranked
from citebot.testing.models.server import ModelServer, Rate, Streamed

_AZURE = re.compile(r"/openai/deployments/([^/]+)(/.*)")
MODELS = ("chat-1", "embed-1", "rerank-1")


class FakeOpenAI(ModelServer):
    """`with FakeOpenAI() as server`, then `base_url=server.base_url, api_key=server.key, model="chat-1"`.

    Answers are built from the passages in the prompt, or are what `script` says; `chats` has all that was asked.
    """

    def __init__(
        self, *, script: Script = from_passages, key: str = "sk-fake-1234567890", context: int = 16_000
    ) -> None:
        self.key = key
        self.script = script
        self.chats: list[Chat] = []
        self.models = list(MODELS)
        self.context = context
        """Tokens of a prompt and its answer, and of a text to embed."""
        self.dimensions = 256
        self.rate: Rate | None = None
        self.thinks = False
        """The models are newer ones, which refuse `max_tokens` and a temperature."""
        self.tamper: Callable[[Any], Any] = lambda body: body
        """What becomes of an answer about texts before it is sent."""
        super().__init__()

    @property
    def base_url(self) -> str:
        """What a client is given."""
        return f"{self.url}/v1"

    @property
    def azure_url(self) -> str:
        """The same on Azure, for the deployment `chat-1`."""
        return f"{self.url}/openai/deployments/chat-1"

    def answer(self, received: Received) -> Sent | Streamed:
        try:
            return self._route(received)
        except Refused as refused:
            return refused.sent

    def refuse(self, fault: Fault) -> Sent:
        return replace(openai_errors.of(fault), status=fault.status)

    def _route(self, received: Received) -> Sent | Streamed:
        deployment = _AZURE.fullmatch(received.path)
        if deployment:
            return self._azure(received, deployment[1], deployment[2])
        self._authenticate(received)
        if received.method == "GET" and received.path == "/v1/models":
            items = [{"id": m, "object": "model", "created": 1_700_000_000, "owned_by": "fake"} for m in self.models]
            return Sent(json.dumps({"object": "list", "data": items}), 200, JSON)
        _, below, path = received.path.partition("/v1")
        if not below and received.path == "/rerank":  # TEI and others rank at the root; all else is below /v1
            path = received.path
        return self._serve(received, path, self._body(received))

    def _azure(self, received: Received, deployment: str, path: str) -> Sent | Streamed:
        if received.headers.get("api-key") != self.key:
            message = "Access denied due to invalid subscription key or wrong API endpoint."
            raise Refused(openai_errors.error(401, message, code="401", kind=None))
        if "api-version" not in received.query:
            raise Refused(openai_errors.error(404, "Resource not found", code="404", kind=None))
        if deployment not in self.models:
            message = "The API deployment for this resource does not exist."
            raise Refused(openai_errors.error(404, message, code="DeploymentNotFound", kind=None))
        return self._serve(received, path, {**self._body(received), "model": deployment})

    def _authenticate(self, received: Received) -> None:
        kind, _, given = received.headers.get("authorization", "").partition(" ")
        if kind != "Bearer" or given != self.key:
            raise Refused(openai_errors.wrong_key(given))

    def _body(self, received: Received) -> dict[str, Any]:
        try:
            body = json.loads(received.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused(openai_errors.error(400, "We could not parse the JSON body of your request."))
        return body

    def _serve(self, received: Received, path: str, body: dict[str, Any]) -> Sent | Streamed:
        if received.method != "POST" or path not in ("/chat/completions", "/embeddings", "/rerank"):
            raise Refused(openai_errors.error(404, f"Invalid URL ({received.method} {received.path})"))
        if "texts" not in body and body.get("model") not in self.models:
            raise Refused(openai_errors.no_model(str(body.get("model"))))
        if self.rate and (wait := self.rate.wait()):
            raise Refused(openai_errors.limited(str(body.get("model")), wait))
        if path == "/chat/completions":
            return self._chat(body)
        if path == "/embeddings":
            found = embedded(body, dimensions=self.dimensions, context=self.context)
        else:
            found = ranked(body)
        return Sent(json.dumps(self.tamper(found)), 200, JSON)

    def _chat(self, body: dict[str, Any]) -> Sent | Streamed:
        check(body, thinks=self.thinks)
        chat = Chat(body)
        asked = chat.prompt_tokens + (chat.limit or 0)
        if asked > self.context:
            raise Refused(openai_errors.too_long(self.context, asked))
        self.chats.append(chat)
        completion = Completion.of(chat, self.script(chat))
        return completion.streamed() if body.get("stream") else completion.whole()
