"""The default index: BM25 by tantivy and vectors beside it, in a folder of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_plugins.embedded.index import EmbeddedIndex

if TYPE_CHECKING:
    from citebot.ports import Index


@hookimpl
def citebot_register_indexes() -> Sequence[type[Index]]:
    """The embedded index."""
    return [EmbeddedIndex]
