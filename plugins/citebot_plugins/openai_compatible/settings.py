"""What an admin says about a server, and about the model on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

_PATHS = ("/chat/completions", "/completions", "/embeddings", "/rerank")


class ServerSettings(BaseModel):
    """What all three parts need."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    base_url: str = Field(
        description="Address of the server, without `/chat/completions` and the like: `http://gpu1:8000/v1`."
    )
    model: str = Field(min_length=1, description="The model, as the server calls it.")
    api_key: SecretStr = Field(SecretStr(""), description="Key for the server; empty where it wants none.")
    key_header: Literal["authorization", "api-key"] = Field(
        "authorization", description="Header with the key: `authorization` (as `Bearer …`), or `api-key` for Azure."
    )
    api_version: str = Field("", description="`api-version` for Azure's addresses with a deployment in them.")
    connect_seconds: float = Field(5.0, gt=0, description="Seconds to connect.")
    read_seconds: float = Field(
        30.0, gt=0, description="Seconds the server may take to begin, and between two pieces of its answer."
    )
    secret_headers: dict[str, SecretStr] = Field(
        {}, description="Headers to send with every request, as a gateway may want them."
    )
    extra_body: dict[str, Any] = Field(
        {}, description="Fields to send with every request, such as `reasoning_effort` or `truncate_prompt_tokens`."
    )
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) of your own authority, in the place of the public ones."
    )
    proxy: SecretStr = Field(SecretStr(""), description="Address of a proxy to go through, `http://…`.")

    @field_validator("base_url")
    @classmethod
    def _usable(cls, url: str) -> str:
        url = url.strip().rstrip("/")
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ValueError("is no address: give one such as http://gpu1:8000/v1") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise ValueError("must be an address that begins with http:// or https://")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("must hold no key, name or query: a key belongs into api_key, Azure's into api_version")
        for path in _PATHS:
            if parts.path.endswith(path):
                raise ValueError(f"must be given without {path}, which is added where it is needed")
        return url


class GeneratorSettings(ServerSettings):
    """`[generator.openai_compatible]`."""

    max_prompt_tokens: int = Field(
        8000, ge=500, description="Most tokens of a prompt, counted high; the least useful passages go first."
    )
    max_output_tokens: int = Field(1000, ge=16, description="Most tokens of an answer, with what a model thinks.")
    output_limit: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens", description="How the server calls that limit; newer models of OpenAI want the second."
    )
    temperature: float | Literal["default"] = Field(
        0.1, description="0 is the most literal; `default` leaves it to the model, for those that take no other."
    )
    ask_usage: bool = Field(
        True, description="Ask for the tokens used; off for servers that do not know `stream_options`: it is estimated."
    )
    price_input: float = Field(0.0, ge=0, description="Price of a million tokens of prompts, in your currency.")
    price_output: float = Field(0.0, ge=0, description="Price of a million tokens of answers.")

    @field_validator("temperature")
    @classmethod
    def _in_range(cls, value: float | str) -> float | str:
        if isinstance(value, float) and not 0 <= value <= 2:
            raise ValueError("must be a number from 0 to 2, or `default`")
        return value


class EmbedderSettings(ServerSettings):
    """`[embedder.openai_compatible]`."""

    dimensions: int | None = Field(
        None, ge=1, le=16_384, description="Shorter vectors, from models that can; empty: as long as the model's are."
    )
    query_prefix: str = Field("", description="Instruction the model wants before a question.")
    passage_prefix: str = Field("", description="Instruction the model wants before a passage.")
    batch_size: int = Field(32, ge=1, le=2048, description="Texts in one request.")
    max_tokens: int = Field(
        2000, ge=64, description="Most tokens of one text, counted high; longer ones get several vectors."
    )
    max_windows: int = Field(16, ge=1, description="Vectors of one passage; text after them has none.")


class RerankerSettings(ServerSettings):
    """`[reranker.openai_compatible]`."""

    path: str = Field("/rerank", pattern=r"^/[\w/.-]+$", description="Where it ranks, after `base_url`.")
    shape: Literal["documents", "texts"] = Field(
        "documents", description="What passages are called in a request; `texts` for Hugging Face's TEI."
    )
    batch_size: int = Field(100, ge=1, le=1000, description="Passages in one request.")
    max_prompt_tokens: int = Field(
        64_000,
        ge=1000,
        description="Most tokens of all passages and questions together, counted high; the rest is cut.",
    )
    price_input: float = Field(0.0, ge=0, description="Price of a million tokens, where tokens are billed.")
    price_search: float = Field(0.0, ge=0, description="Price of a thousand searches, where those are billed.")
