"""Settings of the source `mediawiki`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class MediaWikiSettings(BaseModel):
    """A wiki, what to read in it, and who may read it."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(description="Address of the wiki: any of its pages, or api.php.")
    user: str = Field(
        "", description="Bot password's name, as Citebot@reader; without it the wiki is read as a stranger."
    )
    password: SecretStr = Field(SecretStr(""), description="Bot password, made on Special:BotPasswords.")
    namespaces: list[int] = Field(
        [0], min_length=1, description="Numbers of the namespaces to read; 0 are the articles."
    )
    categories: list[str] = Field([], max_length=50, description="Read only pages in one of these categories.")
    page_size: int | None = Field(
        None, ge=1, description="Pages asked for at once; as many as the wiki gives, unless it is too slow for that."
    )
    readers: list[str] = Field(
        ["everyone"],
        description="Who may read what is in this wiki: everyone, groups, person:ID. It has no finer rights.",
    )

    @field_validator("url")
    @classmethod
    def _web(cls, url: str) -> str:
        url = url.strip()
        if not url.startswith(("http://", "https://")):
            raise ValueError("give the address of the wiki, beginning with https://")
        return url
