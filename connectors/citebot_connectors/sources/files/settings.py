"""Settings of the source `files`."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

PATTERNS = ["*.md", "*.markdown", "*.html", "*.htm", "*.txt", "*.pdf", "*.docx"]


class ReaderRule(BaseModel):
    """Who may read the files that match a glob."""

    model_config = ConfigDict(extra="forbid")
    glob: str
    readers: list[str] = Field(description="everyone, group names, person:ID; empty means nobody.")


class FilesSettings(BaseModel):
    """A folder, what to read in it, and who may read it."""

    model_config = ConfigDict(extra="forbid")
    path: Path = Field(description="The folder.")
    include: list[str] = Field(PATTERNS, description="Globs of file names to read.")
    exclude: list[str] = Field([], description="Globs of paths to leave out, as drafts/*.")
    follow_links: bool = Field(
        False, description="Read what symbolic links within the folder lead to; rules then see the link's own path."
    )
    readers: list[str] = Field(
        ["everyone"], description="Who may read what no rule names: everyone, groups, person:ID."
    )
    rules: list[ReaderRule] = Field(
        [], description='Readers by path, the first match counts: [{"glob": …, "readers": […]}].'
    )
    front_matter_readers: bool = Field(
        False,
        description="Let a file's own `readers:` line decide. Only where every author may open what they write; "
        "otherwise such a line can only close.",
    )
    people: str = Field("", description='JSON or TOML file in the folder with {"groups": {"name": ["person", …]}}.')
    url_prefix: str = Field("", description="Address that a file's path is appended to; without it links are file://.")
