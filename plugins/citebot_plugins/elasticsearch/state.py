"""How far an index is, as a small document beside it says, and which of them has which part."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["active", "next", "kept"]
"""Answers questions; is being built; answered before."""


@dataclass(frozen=True, slots=True)
class State:
    """How far one index is."""

    index: str
    seq: int = 0
    model: str = ""
    dimensions: int = 0
    built_to: int | None = None
    """Of one that is being built: passages up to this id are in."""
    began: float | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> State:
        """As its document says."""
        return cls(**{name: body[name] for name in cls.__slots__ if body.get(name) is not None})

    def document(self) -> dict[str, Any]:
        """Its document."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) is not None}


def alias_of(name: str, role: Role) -> str:
    """What the index with this part is called by."""
    return name if role == "active" else f"{name}-{role}"


def place_of(name: str, role: Role) -> dict[str, dict[str, Any]]:
    """Its alias, as an index is made with it.

    A server refuses a second index to write to behind one alias, whatever whoever asks for it has seen of the cluster.
    """
    return {alias_of(name, role): {"is_write_index": True} if role == "active" else {}}


def is_ours(index: str, name: str) -> bool:
    """Whether an index is a version that was made under a name."""
    return re.fullmatch(rf"{re.escape(name)}-\d{{6}}", index) is not None


def roles_in(aliases: Mapping[str, Any], name: str) -> dict[Role, str]:
    """Which index has which part, in an answer of `_alias`."""
    roles: tuple[Role, ...] = ("active", "next", "kept")
    return {
        role: index for role in roles for index, about in aliases.items() if alias_of(name, role) in about["aliases"]
    }


def to_next(name: str, roles: Mapping[Role, str]) -> list[dict[str, Any]]:
    """Let the next one answer and keep the one that did, as one change of aliases."""
    actions = [
        _put(name, roles["next"], "active"),
        _take(name, roles["next"], "next"),
        _take(name, roles["active"], "active"),
        _put(name, roles["active"], "kept"),
    ]
    return actions + ([{"remove_index": {"index": roles["kept"]}}] if "kept" in roles else [])


def to_kept(name: str, roles: Mapping[Role, str]) -> list[dict[str, Any]]:
    """Let the kept one and the one that answers change places, as one change of aliases."""
    return [
        _put(name, roles["kept"], "active"),
        _take(name, roles["kept"], "kept"),
        _take(name, roles["active"], "active"),
        _put(name, roles["active"], "kept"),
    ]


def to_new(name: str, index: str, before: str) -> list[dict[str, Any]]:
    """An empty index in the place of the one that answers, which goes."""
    return [_put(name, index, "active"), {"remove_index": {"index": before}}]


def _put(name: str, index: str, role: Role) -> dict[str, Any]:
    ((alias, how),) = place_of(name, role).items()
    return {"add": {"index": index, "alias": alias, **how}}


def _take(name: str, index: str, role: Role) -> dict[str, Any]:
    return {"remove": {"index": index, "alias": alias_of(name, role)}}
