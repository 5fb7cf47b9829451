"""Front matter of Markdown and text files: `key: value` lines between lines of `---`, TOML between lines of `+++`."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime, time

_PLAIN = re.compile(r"\A---[ \t]*\n(.*?)(?:\n|(?<=\A---\n))(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_TOML = re.compile(r"\A\+\+\+[ \t]*\n(.*?)(?:\n|(?<=\A\+\+\+\n))\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL)
_LINE = re.compile(r"([A-Za-z][\w-]*)[ \t]*:(?:[ \t]+(.*))?")
_ITEM = re.compile(r"[ \t]+-[ \t]+(.*)|-[ \t]+(.*)")


def split(text: str) -> tuple[dict[str, str], str]:
    """The values and the text after them; lists come as `a, b`.

    Plain lines only: YAML's types, anchors and nesting are not worth its surprises. TOML that is none stays text.
    """
    if found := _PLAIN.match(text):
        return _plain(found[1]), text[found.end() :]
    if found := _TOML.match(text):
        try:
            values = tomllib.loads(found[1])
        except tomllib.TOMLDecodeError:
            return {}, text
        return {key.lower(): _written(value) for key, value in values.items()}, text[found.end() :]
    return {}, text


def words(value: str) -> tuple[str, ...]:
    """A list as `a, b` or `[a, b]`."""
    return tuple(word for word in map(_bare, value.strip().strip("[]").split(",")) if word)


def moment(value: str) -> datetime | None:
    """An ISO date or time; None for anything else."""
    try:
        found = datetime.fromisoformat(value.strip())
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _plain(lines: str) -> dict[str, str]:
    values: dict[str, str] = {}
    key = ""
    for line in lines.split("\n"):
        if pair := _LINE.fullmatch(line.rstrip()):
            key = pair[1].lower()
            values[key] = _bare(pair[2] or "")
        elif key and (item := _ITEM.fullmatch(line.rstrip())):
            values[key] = ", ".join(filter(None, (values[key], _bare(item[1] or item[2]))))
    return values


def _bare(word: str) -> str:
    word = word.strip()
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word


def _written(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value.isoformat() if isinstance(value, datetime | date | time) else str(value)
