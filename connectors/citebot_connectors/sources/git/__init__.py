"""The source `git`: a branch of a repository, read from a mirror of our own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_connectors.sources.git.source import GitSource

if TYPE_CHECKING:
    from citebot.ports import Source

__all__ = ["GitSource"]


@hookimpl
def citebot_register_sources() -> Sequence[type[Source]]:
    """A repository."""
    return [GitSource]
