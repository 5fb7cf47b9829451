"""Settings of the index `elasticsearch`."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

Quantisation = Literal["int8_hnsw", "bbq_hnsw", "hnsw", "int8_flat"]
_SHA256 = re.compile(r"([0-9a-fA-F]{2}:?){31}[0-9a-fA-F]{2}")


class ElasticsearchSettings(BaseModel):
    """`[index.elasticsearch]`."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field("http://127.0.0.1:9200", description="Address of the server; several with commas between them.")
    api_key: SecretStr = Field(SecretStr(""), description="API key, as Elasticsearch encodes it.")
    username: str = Field("", description="In place of an API key.")
    password: SecretStr = Field(SecretStr(""), description="Of `username`.")
    ca_file: str = Field("", description="Certificates to trust besides those of the system.")
    fingerprint: str = Field(
        "", description="SHA-256 of the server's own certificate, the only one that is accepted then."
    )
    name: str = Field(
        "citebot", pattern=r"^[a-z0-9][a-z0-9_-]{0,60}$", description="Alias of the index; the indices begin with it."
    )
    language: str = Field("en", description="Language of texts that do not say theirs: stemming and stop words.")
    shards: int = Field(
        1, ge=1, le=1024, description="Primary shards of a new index; `citebot index plan` says how many."
    )
    replicas: int = Field(1, ge=0, le=10, description="Copies of each shard; 0 on a cluster of one node.")
    vectors: Quantisation = Field(
        "int8_hnsw", description="How vectors are kept: `bbq_hnsw` takes a quarter of the memory."
    )
    oversample: float = Field(2.0, ge=1, le=10, description="Times as many vectors are scored again exactly.")
    search_seconds: float = Field(2.0, gt=0, description="Time limit of one search.")
    write_seconds: float = Field(
        60.0, gt=0, description="Time limit of one write, and of trying it again when refused."
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> ElasticsearchSettings:
        if self.api_key.get_secret_value() and self.username:
            raise ValueError("set api_key or username, not both")
        return self

    @model_validator(mode="after")
    def _trust(self) -> ElasticsearchSettings:
        if self.fingerprint and not _SHA256.fullmatch(self.fingerprint):
            raise ValueError("fingerprint is 64 hexadecimal digits: openssl x509 -fingerprint -sha256 prints them")
        if (self.fingerprint or self.ca_file) and not self.uses_tls:
            raise ValueError("ca_file and fingerprint need a url that begins with https://")
        return self

    @property
    def urls(self) -> list[str]:
        """Every address."""
        return [url.strip() for url in self.url.split(",") if url.strip()]

    @property
    def uses_tls(self) -> bool:
        """Whether the addresses ask for it."""
        return all(url.startswith("https://") for url in self.urls)
