"""Documents made to hurt whoever reads them, by name. Each is made by code when it is asked for; none is over 20 MB."""

from __future__ import annotations

import random
from collections.abc import Callable

from citebot.model import Document, DocumentFormat, Readers

Body = bytes | str
BOMBS: dict[str, Callable[[], Document]] = {}
EVERYONE = Readers.everyone()


def bomb(kind: DocumentFormat) -> Callable[[Callable[[], Body]], None]:
    """Enter the maker of a body under its name."""

    def enter(make: Callable[[], Body]) -> None:
        name = f"{kind} {make.__name__.replace('_', ' ')}"
        BOMBS[name] = lambda: Document(name, name, make(), EVERYONE, format=kind)

    return enter


def whole(make: Callable[[], Document]) -> None:
    """Enter the maker of a document."""
    BOMBS[make.__name__.replace("_", " ")] = make


def noise(size: int, seed: int = 1) -> bytes:
    """What no packing makes smaller, so that a ratio looks harmless."""
    return random.Random(seed).randbytes(size)
