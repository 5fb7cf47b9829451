"""What can be set for each of the three parts."""

from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

HOSTED = "https://api.cohere.com"
CHUNK = 500
"""Tokens of a question and a passage together after which the passage is billed as two."""
PER_UNIT = 100
"""Passages that are billed as one search."""


class CohereSettings(BaseModel):
    """What all three have in common."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    api_key: SecretStr = Field(
        SecretStr(""), description="Key from https://dashboard.cohere.com/api-keys; empty for a server that wants none."
    )
    base_url: str = Field(HOSTED, description="Address of Cohere, or of a private deployment, without `/v2`.")
    model: str = Field(min_length=1)
    connect_seconds: float = Field(5.0, gt=0, description="Seconds to connect.")
    read_seconds: float = Field(
        30.0, gt=0, description="Seconds the server may take to begin, and between two pieces of its answer."
    )
    ca_file: Path | None = Field(
        None, description="Certificates (PEM) of your own authority, in the place of the public ones."
    )
    proxy: SecretStr = Field(SecretStr(""), description="Address of a proxy to go through, `http://…`.")

    @field_validator("api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr) -> SecretStr:
        key = value.get_secret_value().strip()
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise ValueError("is no key of Cohere: it has characters that no key has")
        return SecretStr(key)

    @field_validator("base_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        address = value.strip().rstrip("/").removesuffix("/v1").removesuffix("/v2").rstrip("/")
        parts = urlsplit(address)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.username:
            raise ValueError(f"must be an address such as {HOSTED}")
        return address

    @property
    def host(self) -> str:
        """For messages."""
        return urlsplit(self.base_url).netloc

    @property
    def needs_key(self) -> bool:
        """Whether no call can succeed as it is."""
        return self.base_url == HOSTED and not self.api_key.get_secret_value()


class GeneratorSettings(CohereSettings):
    """`[generator.cohere]`."""

    model: str = Field("command-a-03-2025", min_length=1, description="Command model that writes.")
    max_prompt_tokens: int = Field(
        12_000,
        ge=1000,
        le=1_000_000,
        description="Longest prompt, passages and all; passages that do not fit stay out.",
    )
    max_output_tokens: int = Field(1000, ge=16, le=64_000, description="Longest answer.")
    temperature: float = Field(0.2, ge=0, le=1, description="0 repeats itself, 1 varies.")
    citations: Literal["FAST", "ACCURATE", "default"] = Field(
        "FAST",
        description="FAST cites sentence by sentence; ACCURATE cites better, but shows nothing before all is written; "
        "`default` leaves it to the model, as not every model knows both.",
    )
    safety_mode: Literal["default", "CONTEXTUAL", "STRICT", "OFF"] = Field(
        "default", description="Cohere's safety mode; where there are passages, Cohere takes it for CONTEXTUAL."
    )
    price_input: float = Field(0.0, ge=0, description="Price of a million tokens of prompts, in your currency.")
    price_output: float = Field(0.0, ge=0, description="Price of a million tokens of answers.")

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Millionths of the currency."""
        return ceil(input_tokens * self.price_input + output_tokens * self.price_output)


class EmbedderSettings(CohereSettings):
    """`[embedder.cohere]`."""

    model: str = Field("embed-v4.0", min_length=1, description="Embed model. Another one means embedding all anew.")
    dimensions: int = Field(
        1024, ge=1, le=4096, description="Length of a vector: 256, 512, 1024 or 1536 with embed-v4.0, fixed before it."
    )
    batch_size: int = Field(96, ge=1, le=96, description="Texts in one request.")


class RerankerSettings(CohereSettings):
    """`[reranker.cohere]`."""

    model: str = Field("rerank-v3.5", min_length=1, description="Rerank model.")
    max_tokens_per_doc: int = Field(1000, ge=16, le=32_000, description="What is longer is cut off there.")
    max_documents: int = Field(100, ge=1, le=1000, description="Most passages in one request; more are refused.")
    price_search: float = Field(0.0, ge=0, description="Price of a thousand searches, in your currency.")

    def cost(self, searches: int) -> int:
        """Millionths of the currency."""
        return ceil(searches * self.price_search * 1000)

    @property
    def most_searches(self) -> int:
        """What one call is billed as, at most."""
        chunks = self.max_documents * ceil((self.max_tokens_per_doc + CHUNK) / CHUNK)
        return ceil(chunks / PER_UNIT)
