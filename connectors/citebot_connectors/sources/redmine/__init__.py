"""The source `redmine`: tickets with their comments, and wiki pages, each for those who may read them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_connectors.sources.redmine.source import RedmineSource

if TYPE_CHECKING:
    from citebot.ports import Source

__all__ = ["RedmineSource"]


@hookimpl
def citebot_register_sources() -> Sequence[type[Source]]:
    """A Redmine."""
    return [RedmineSource]
