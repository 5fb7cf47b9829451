"""Front matter of Markdown and text files: `key: value` lines between two lines of `---`."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_BLOCK = re.compile(r"\A﻿?---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_LINE = re.compile(r"([A-Za-z][\w-]*)[ \t]*:[ \t]*(.*)")


def split(text: str) -> tuple[dict[str, str], str]:
    """The values and the text after them. Plain lines only: YAML's types and anchors are not worth its surprises."""
    found = _BLOCK.match(text)
    if not found:
        return {}, text
    values: dict[str, str] = {}
    for line in found[1].splitlines():
        if pair := _LINE.fullmatch(line.strip()):
            values[pair[1].lower()] = pair[2].strip().strip("\"'")
    return values, text[found.end() :]


def words(value: str) -> tuple[str, ...]:
    """A list as `a, b` or `[a, b]`."""
    return tuple(word for word in (part.strip().strip("\"'") for part in value.strip("[]").split(",")) if word)


def moment(value: str) -> datetime | None:
    """An ISO date or time; None for anything else."""
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
