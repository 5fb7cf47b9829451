"""The source `files`: a folder of Markdown, HTML, text, PDF and DOCX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_connectors.sources.files.source import FilesSource

if TYPE_CHECKING:
    from citebot.ports import Source

__all__ = ["FilesSource"]


@hookimpl
def citebot_register_sources() -> Sequence[type[Source]]:
    """A folder on this machine."""
    return [FilesSource]
