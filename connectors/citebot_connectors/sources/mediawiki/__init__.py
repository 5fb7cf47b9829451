"""The source `mediawiki`: a wiki, or some namespaces or categories of it, through its web API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_connectors.sources.mediawiki.source import MediaWikiSource

if TYPE_CHECKING:
    from citebot.ports import Source

__all__ = ["MediaWikiSource"]


@hookimpl
def citebot_register_sources() -> Sequence[type[Source]]:
    """A wiki."""
    return [MediaWikiSource]
