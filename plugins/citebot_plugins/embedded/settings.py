"""Settings of the embedded index."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class EmbeddedSettings(BaseModel):
    """`[index.embedded]`."""

    model_config = ConfigDict(extra="forbid")
    language: str = Field("en", description="Language of texts that do not say theirs: stemming and stop words.")
    writer_memory_mb: int = Field(64, ge=16, le=2048, description="Memory for words not yet written.")
    exact_below: int = Field(150_000, ge=0, description="Vectors up to which every one is compared.")
    threads: int = Field(2, ge=1, le=16, description="Threads for searching and building.")
