"""A small language for what may stand where in Block Kit, and the check that speaks Slack's error texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Anything:
    """Not looked into."""


@dataclass(frozen=True, slots=True)
class String:
    """Characters."""

    most: int
    least: int = 0


@dataclass(frozen=True, slots=True)
class Text:
    """A text object."""

    most: int
    kinds: tuple[str, ...] = ("plain_text", "mrkdwn")


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    most: int
    of: Spec
    least: int = 1


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shape:
    """An object; `type` is always allowed."""

    properties: Mapping[str, Spec]
    required: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    open: bool = False
    """Whether other properties are let through."""


@dataclass(frozen=True, slots=True)
class Typed:
    """An object whose `type` names its shape in a table."""

    table: Mapping[str, Shape]
    only: tuple[str, ...] = ()


Spec = Anything | String | Text | Items | Choice | Shape | Typed


def problems(spec: Spec, value: Any, pointer: str = "") -> Iterator[str]:
    """What is wrong with a value, as Slack words it."""
    match spec:
        case String():
            yield from _string(value, pointer, spec.most, spec.least)
        case Text():
            yield from _text(spec, value, pointer)
        case Items():
            yield from _items(spec, value, pointer)
        case Choice() if value not in spec.values:
            yield f"value must be one of {', '.join(spec.values)} [json-pointer:{pointer}]"
        case Shape():
            yield from _shape(spec, value, pointer)
        case Typed():
            kind = str(value.get("type")) if isinstance(value, dict) else ""
            if kind not in spec.table or (spec.only and kind not in spec.only):
                yield f"unsupported type: {kind} [json-pointer:{pointer}/type]"
            else:
                yield from _shape(spec.table[kind], value, pointer)


def _string(value: Any, pointer: str, most: int, least: int) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"must provide a string [json-pointer:{pointer}]"
    elif len(value) > most:
        yield f"must be less than {most + 1} characters [json-pointer:{pointer}]"
    elif len(value) < least:
        yield f"must be more than {least - 1} characters [json-pointer:{pointer}]"


def _text(spec: Text, value: Any, pointer: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"must provide an object [json-pointer:{pointer}]"
        return
    if value.get("type") not in spec.kinds:
        yield f"unsupported type: {value.get('type')} [json-pointer:{pointer}/type]"
    if unknown := set(value) - {"type", "text", "emoji", "verbatim"}:
        yield f"invalid additional property: {min(unknown)} [json-pointer:{pointer}]"
    yield from _string(value.get("text"), f"{pointer}/text", spec.most, 1)


def _items(spec: Items, value: Any, pointer: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"must provide an array [json-pointer:{pointer}]"
    elif len(value) > spec.most:
        yield f"no more than {spec.most} items allowed [json-pointer:{pointer}]"
    elif len(value) < spec.least:
        yield f"no fewer than {spec.least} items allowed [json-pointer:{pointer}]"
    else:
        for number, item in enumerate(value):
            yield from problems(spec.of, item, f"{pointer}/{number}")


def _shape(spec: Shape, value: Any, pointer: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"must provide an object [json-pointer:{pointer}]"
        return
    for name in spec.required:
        if value.get(name) is None:
            yield f"missing required field: {name} [json-pointer:{pointer}]"
    if spec.any_of and not any(value.get(name) for name in spec.any_of):
        yield f"missing required field: {' or '.join(spec.any_of)} [json-pointer:{pointer}]"
    for name, inner in value.items():
        if name in spec.properties:
            if inner is not None:
                yield from problems(spec.properties[name], inner, f"{pointer}/{name}")
        elif name != "type" and not spec.open:
            yield f"invalid additional property: {name} [json-pointer:{pointer}]"
