"""Readers as people write them: `everyone`, group names, `person:alice`."""

from __future__ import annotations

from collections.abc import Iterable

from citebot.model import EVERYONE, Readers, group_principal

KINDS = ("person:", "group:", "channel:")


def readers_of(names: Iterable[str]) -> Readers:
    """`everyone`, principals as they are, and any other word as the name of a group."""
    wanted = (name.strip() for name in names)
    return Readers(frozenset(_principal(name) for name in wanted if name and name != "nobody"))


def _principal(name: str) -> str:
    return name if name == EVERYONE or name.startswith(KINDS) else group_principal(name)
