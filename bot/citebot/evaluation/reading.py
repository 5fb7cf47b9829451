"""Reads JSON lines, and says which line is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from citebot.errors import WrongUse
from citebot.model import Turn


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """`file:line` and the object of each line that is not blank; raises `WrongUse` naming the line."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    where = f"{path}:{number}"
                    yield where, _object(where, line)
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} cannot be read: {error}") from error


def text_of(where: str, row: Mapping[str, Any], *keys: str) -> str:
    """The text under the first of `keys` that is there; numbers are taken as text."""
    for key in keys:
        if isinstance(row.get(key), str | int):
            return str(row[key])
    raise WrongUse(f"{where} has no text under {' or '.join(map(repr, keys))}")


def texts_of(where: str, row: Mapping[str, Any], key: str) -> tuple[str, ...]:
    """The list of texts under `key`, empty when it is not there."""
    values = row.get(key) or []
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise WrongUse(f"{where}: {key!r} must be a list of texts")
    return tuple(values)


def history_of(where: str, row: Mapping[str, Any]) -> tuple[Turn, ...]:
    """The earlier turns under `history`: objects with `role` and `text`, or plain texts of the asker."""
    turns = row.get("history") or []
    if not isinstance(turns, list):
        raise WrongUse(f"{where}: 'history' must be a list of turns")
    return tuple(_turn(where, turn) for turn in turns)


def _turn(where: str, turn: object) -> Turn:
    if isinstance(turn, str):
        return Turn("user", turn)
    if isinstance(turn, dict) and isinstance(turn.get("text"), str):
        if turn.get("role") == "user":
            return Turn("user", turn["text"])
        if turn.get("role") == "assistant":
            return Turn("assistant", turn["text"])
    raise WrongUse(f'{where}: a turn of the history must look like {{"role": "user" or "assistant", "text": "…"}}')


def _object(where: str, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise WrongUse(f"{where} is not JSON: {error.msg}") from error
    if not isinstance(value, dict):
        raise WrongUse(f"{where} is not a JSON object")
    return value
