"""Models that run on this machine, with no key and no server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from citebot import hookimpl
from citebot_plugins.local.embedder import LocalEmbedder
from citebot_plugins.local.extractive import ExtractiveGenerator
from citebot_plugins.local.none import NoEmbedder

if TYPE_CHECKING:
    from citebot.ports import Embedder, Generator


@hookimpl
def citebot_register_embedders() -> list[type[Embedder]]:
    """The built-in sentence encoder (or any other in a folder), and none at all."""
    return [LocalEmbedder, NoEmbedder]


@hookimpl
def citebot_register_generators() -> list[type[Generator]]:
    """Answers in the documents' own sentences."""
    return [ExtractiveGenerator]
