"""The source `website`: pages of one site, by its sitemap or by its links."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_connectors.sources.website.source import WebsiteSource

if TYPE_CHECKING:
    from citebot.ports import Source

__all__ = ["WebsiteSource"]


@hookimpl
def citebot_register_sources() -> Sequence[type[Source]]:
    """A website."""
    return [WebsiteSource]
