"""Settings of the source `files`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from citebot_connectors.sources.file_documents import FileRules


class FilesSettings(FileRules):
    """A folder, what to read in it, and who may read it."""

    path: Path = Field(description="The folder.")
    follow_links: bool = Field(
        False, description="Read what symbolic links within the folder lead to; rules then see the link's own path."
    )
    watch: bool = Field(
        False, description="Look every few seconds whether a file has changed, and read the folder when one has."
    )
    people: str = Field("", description='JSON or TOML file in the folder with {"groups": {"name": ["person", …]}}.')
    url_prefix: str = Field("", description="Address that a file's path is appended to; without it links are file://.")
