"""Settings of the source `website`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, field_validator


class WebsiteSettings(BaseModel):
    """A site, which pages of it to read, and who may read them."""

    model_config = ConfigDict(extra="forbid")
    url: str = Field(description="Where to begin; only pages in this folder of the site are read.")
    sitemap: str = Field(
        "",
        description="Address of the sitemap; without it what robots.txt names, or /sitemap.xml; none: follow links.",
    )
    include: list[str] = Field(["*"], description="Globs of paths to read, as /docs/*.")
    exclude: list[str] = Field([], description="Globs of paths to leave out.")
    max_pages: int = Field(5_000, ge=1, le=200_000, description="Most pages that are read.")
    max_depth: int = Field(6, ge=0, description="Most links between the first page and one that is read.")
    readers: list[str] = Field(["everyone"], description="Who may read all of it: everyone, groups, person:ID.")

    @field_validator("url")
    @classmethod
    def _web(cls, url: str) -> str:
        url = url.strip()
        if not url.startswith(("http://", "https://")):
            raise ValueError("give the address of the site, beginning with https://")
        return url
