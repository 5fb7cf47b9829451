"""Settings of the source `redmine`."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class RedmineSettings(BaseModel):
    """A Redmine, what to read in it, and whose rights count."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(description="Address of the Redmine.")
    key: SecretStr = Field(description="API key of an administrator; see its account page.")
    projects: list[str] = Field([], description="Identifiers of the projects to read; none: all that are active.")
    tickets: bool = Field(True, description="Read tickets and their comments.")
    wiki: bool = Field(True, description="Read wiki pages.")
    format: Literal["textile", "markdown"] = Field(
        "textile", description="Text formatting of the Redmine (Administration, Settings, General)."
    )
    page_size: int = Field(100, ge=1, le=100, description="Tickets asked for at once; fewer for a slow server.")
    people: Literal["mail", "login"] = Field("mail", description="What people are called by everywhere else.")
    public: list[str] = Field(
        ["everyone"], description="Readers of what every registered user may see: everyone, groups, person:ID."
    )

    @field_validator("url")
    @classmethod
    def _web(cls, url: str) -> str:
        url = url.strip().rstrip("/")
        if not url.startswith(("http://", "https://")):
            raise ValueError("give the address of the Redmine, beginning with https://")
        return url
