"""Text as every database takes it: PostgreSQL refuses zero characters, UTF-8 has no half surrogates."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator


class CleanText(TypeDecorator[str]):
    """TEXT of any length, cleaned on the way in."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


def clean(text: str) -> str:
    """Drop zero characters, and put a question mark for half a surrogate pair."""
    if "\x00" in text:
        text = text.replace("\x00", "")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def dump_json(value: Any) -> str:
    """JSON with clean strings."""
    dumped = json.dumps(value)
    # Both show as escapes; a whole surrogate pair does too, and comes through the cleaning unchanged.
    if "\\u0000" in dumped or "\\ud" in dumped:
        dumped = json.dumps(_clean_inside(value))
    return dumped


def _clean_inside(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {_clean_inside(key): _clean_inside(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean_inside(item) for item in value]
    return value
