"""The models that the fake Cohere has, and the words in which Cohere refuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_TOKEN = re.compile(r"\w+|[^\w\s]")


class Refused(Exception):
    """An error of Cohere."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


@dataclass(frozen=True, slots=True)
class FakeModel:
    """What Cohere knows of a model."""

    endpoints: tuple[str, ...]
    context: int
    most_output: int = 0
    dimensions: tuple[int, ...] = ()
    """Of its vectors, the usual one first; several where one may be asked for."""
    deprecated: bool = False
    features: tuple[str, ...] = field(default=())

    def shown(self, name: str) -> dict[str, Any]:
        """As `/v1/models` shows it."""
        return {
            "name": name,
            "is_deprecated": self.deprecated,
            "endpoints": list(self.endpoints),
            "finetuned": False,
            "context_length": self.context,
            "tokenizer_url": f"https://storage.googleapis.com/cohere-public/tokenizers/{name}.json",
            "default_endpoints": [],
            "features": list(self.features),
        }


def models() -> dict[str, FakeModel]:
    """Some of https://docs.cohere.com/docs/models, with their limits."""
    return {
        "command-a-03-2025": FakeModel(("chat",), 256_000, 8000, features=("citations", "safety_modes", "tools")),
        "command-r7b-12-2024": FakeModel(("chat",), 128_000, 4000),
        "command-r-08-2024": FakeModel(("chat",), 128_000, 4000, deprecated=True),
        "embed-v4.0": FakeModel(("embed",), 128_000, dimensions=(1536, 256, 512, 1024)),
        "embed-english-v3.0": FakeModel(("embed",), 512, dimensions=(1024,)),
        "embed-english-light-v3.0": FakeModel(("embed",), 512, dimensions=(384,)),
        "rerank-v3.5": FakeModel(("rerank",), 4096),
        "rerank-v4.0-fast": FakeModel(("rerank",), 32_768),
    }


def need(known: Mapping[str, FakeModel], body: Mapping[str, Any], endpoint: str = "") -> FakeModel:
    """The model that a request names."""
    name = body.get("model")
    if not name:
        raise Refused(400, "a model parameter is required for this endpoint.")
    if name not in known:
        raise Refused(
            404,
            f"model '{name}' not found, make sure the correct model ID was used and that you have access to the model.",
        )
    model = known[name]
    if endpoint and endpoint not in model.endpoints:
        raise Refused(400, f"invalid request: model '{name}' is not supported by the {endpoint} API")
    return model


def listed(body: Mapping[str, Any], name: str) -> list[str]:
    """A list of texts."""
    given = body.get(name)
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise Refused(400, f"invalid request: {name} must be a list of strings")
    return given


def count(text: str) -> int:
    """Tokens, roughly."""
    return len(_TOKEN.findall(text))


def too_long(by: int, limit: int) -> Refused:
    """The usual refusal."""
    return Refused(
        400,
        f"too many tokens: size limit exceeded by {by} tokens. Try using shorter or fewer inputs. "
        f"The limit for this model is {limit} tokens.",
    )
