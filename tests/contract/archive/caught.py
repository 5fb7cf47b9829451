"""Keeps the list of broken sources, and what the kit says of them."""

from __future__ import annotations

from collections.abc import Callable

from archive_source import ArchiveSource

BROKEN: list[tuple[type[ArchiveSource], dict[str, str]]] = []
"""Each source with the checks that must fail, and words of what they say."""


def caught_by(**checks: str) -> Callable[[type[ArchiveSource]], type[ArchiveSource]]:
    """The checks that must catch a broken source, and some words of what they must say."""

    def add(kind: type[ArchiveSource]) -> type[ArchiveSource]:
        BROKEN.append((kind, checks))
        return kind

    return add
