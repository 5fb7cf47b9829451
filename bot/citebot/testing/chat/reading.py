"""What a person could open or fetch in what an app sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def addresses(value: Any) -> Iterator[str]:
    """Every address that blocks, embeds or components name apart from their texts."""
    if isinstance(value, list):
        for item in value:
            yield from addresses(item)
    elif isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and (name == "url" or name.endswith(("_url", "_link"))):
                yield inner
            yield from addresses(inner)
