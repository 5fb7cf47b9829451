"""The source `jsonl`: one document a line, the door for exports of anything.

A line is an object with `id` (or `_id`), `title`, one of `text`, `markdown`, `html`, and as far as known `url`,
`readers`, `updated`, `created`, `authors`, `kind`, `language`, `path`, `fields` and `parts` (comments with `author`,
`created`, `readers`, `anchor` and one of the texts).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_connectors.sources.jsonl.source import JsonlSource

if TYPE_CHECKING:
    from citebot.ports import Source

__all__ = ["JsonlSource"]


@hookimpl
def citebot_register_sources() -> Sequence[type[Source]]:
    """JSON lines."""
    return [JsonlSource]
