"""The source `example`."""

from __future__ import annotations

from citebot import hookimpl
from citebot_example.source import ExampleSource


@hookimpl
def citebot_register_sources() -> list[type[ExampleSource]]:
    """Pages of an Example server."""
    return [ExampleSource]
