"""Finds the tables of a Markdown text, for platforms that can show some as tables."""

from __future__ import annotations

import re
from dataclasses import dataclass

_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_CELL_END = re.compile(r"(?<!\\)\|")
_EMPHASIS = re.compile(r"\*\*|__|`")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, the header first."""

    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Room:
    """What a table may have at most."""

    rows: int
    columns: int
    cell: int
    """Characters."""


def with_first_table(text: str, room: Room) -> list[str | Table]:
    """The text with its first simple table that fits taken out; others stay as they are."""
    lines = text.split("\n")
    fenced = False
    for at, line in enumerate(lines):
        if _FENCE.match(line):
            fenced = not fenced
        if fenced or "|" not in line or at + 1 == len(lines) or not _is_rule(lines[at + 1], line):
            continue
        end = at + 2
        while end < len(lines) and "|" in lines[end]:
            end += 1
        if (table := _table([line, *lines[at + 2 : end]], room)) is not None:
            around = ("\n".join(lines[:at]), "\n".join(lines[end:]))
            return [part for part in (around[0], table, around[1]) if isinstance(part, Table) or part.strip()]
    return [text]


def _is_rule(line: str, header: str) -> bool:
    return "|" in line and bool(_RULE.match(line)) and len(_cells(line)) == len(_cells(header))


def _table(lines: list[str], room: Room) -> Table | None:
    rows = [_cells(line) for line in lines]
    width = len(rows[0])
    fits = len(rows) <= room.rows and width <= room.columns and all(len(row) <= width for row in rows)
    if not fits or any(len(cell) > room.cell for row in rows for cell in row):
        return None
    return Table(tuple((*row, *[""] * (width - len(row))) for row in rows))


def _cells(line: str) -> tuple[str, ...]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return tuple(_EMPHASIS.sub("", cell).replace("\\|", "|").strip() for cell in _CELL_END.split(inner))
