"""From a line's object to a document. Whatever is not as it should be ends in an error that says so in a few words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from citebot.model import Document, DocumentFormat, Part, Readers
from citebot_connectors.sources.principals import readers_of

LONGEST_ID = 512
TEXTS: tuple[tuple[str, DocumentFormat], ...] = (("markdown", "markdown"), ("html", "html"), ("text", "text"))
_UNKEPT = re.compile("[\0\ud800-\udfff]")
KINDS = ("page", "ticket", "file", "thread")


def id_of(row: Any) -> str:
    """The document's id; raises an error that says what is wrong with it."""
    if not isinstance(row, dict):
        raise TypeError("it is not an object")
    key = row.get("id", row.get("_id"))
    if not isinstance(key, str | int) or isinstance(key, bool) or not str(key).strip():
        raise KeyError("it has no id")
    key = str(key)
    if len(key.encode("utf-8", "surrogatepass")) > LONGEST_ID:
        raise ValueError(f"its id is longer than {LONGEST_ID} bytes")
    if _UNKEPT.search(key):
        raise ValueError("its id has characters that no database keeps")
    return key


def document_of(row: dict[str, Any], *, version: str, default: Readers) -> Document:
    """The document of a row that has an id."""
    body, kind = _text(row)
    return Document(
        id=id_of(row),
        title=str(row.get("title") or ""),
        body=body,
        readers=_readers(row, default) or Readers.nobody(),
        url=str(row.get("url") or ""),
        format=kind,
        version=version,
        kind=row["kind"] if row.get("kind") in KINDS else "page",
        path=_words(row, "path"),
        created=_moment(row, "created"),
        updated=_moment(row, "updated"),
        authors=_words(row, "authors"),
        language=str(row.get("language") or ""),
        fields=_fields(row),
        parts=tuple(_part(part) for part in _objects(row, "parts")),
    )


def explain(error: Exception) -> str:
    """Why a line is no document, in a few words."""
    if isinstance(error, json.JSONDecodeError):
        return f"not JSON ({error.msg} at column {error.colno})"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    return str(error.args[0]) if error.args else type(error).__name__


def _part(row: dict[str, Any]) -> Part:
    body, kind = _text(row)
    return Part(
        body=body,
        format=kind,
        author=str(row.get("author") or ""),
        created=_moment(row, "created"),
        anchor=str(row.get("anchor") or ""),
        readers=_readers(row, None),
    )


def _text(row: dict[str, Any]) -> tuple[str, DocumentFormat]:
    for name, kind in TEXTS:
        if isinstance(row.get(name), str):
            return row[name], kind
    raise KeyError("it has none of markdown, html, text")


def _readers(row: dict[str, Any], missing: Readers | None) -> Readers | None:
    given = row.get("readers")
    if given is None:
        return missing
    return readers_of(_listed(given, "readers"))


def _words(row: dict[str, Any], name: str) -> tuple[str, ...]:
    return tuple(_listed(row.get(name) or (), name))


def _listed(given: Any, name: str) -> Iterable[str]:
    """A list of words; one word alone is taken for a list of one, never for a list of its letters."""
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list | tuple) or not all(isinstance(word, str) for word in given):
        raise TypeError(f"{name} is not a list of words")
    return given


def _fields(row: dict[str, Any]) -> dict[str, str]:
    given = row.get("fields") or {}
    if not isinstance(given, dict):
        raise TypeError("fields is not an object")
    return {str(name): str(value) for name, value in given.items() if value is not None}


def _objects(row: dict[str, Any], name: str) -> Iterable[dict[str, Any]]:
    given = row.get(name) or ()
    if not isinstance(given, list | tuple) or not all(isinstance(item, dict) for item in given):
        raise TypeError(f"{name} is not a list of objects")
    return given


def _moment(row: dict[str, Any], name: str) -> datetime | None:
    given = row.get(name)
    if not given:
        return None
    try:
        if isinstance(given, int | float):
            return datetime.fromtimestamp(given, UTC)
        found = datetime.fromisoformat(str(given))
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{name} is not an ISO 8601 time: {given!s:.40}") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
