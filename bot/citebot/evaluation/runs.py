"""Run files of TREC: `question Q0 document rank score tag`, one hit a line."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote

from citebot.errors import WrongUse
from citebot.evaluation.metrics import ranked

Run = Mapping[str, Mapping[str, float]]
"""Question id to document id to score."""


def write_run(path: Path, run: Run, *, tag: str = "citebot") -> None:
    """Write a run; blanks inside ids, which the format has no room for, become %20."""
    lines = [
        f"{_id(query)} Q0 {_id(document)} {rank} {scores[document]!r} {_id(tag)}\n"
        for query, scores in run.items()
        for rank, document in enumerate(ranked(scores), start=1)
    ]
    try:
        path.write_text("".join(lines), encoding="utf-8")
    except OSError as error:
        raise WrongUse(f"The run file {path} cannot be written: {error}") from error


def read_run(path: Path) -> dict[str, dict[str, float]]:
    """Read a run of any system; raises `WrongUse` naming the line that is wrong."""
    run: dict[str, dict[str, float]] = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise WrongUse(f"The run file {path} cannot be read: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        columns = line.split()
        try:
            query, _, document, _, score = columns[:5]
            run.setdefault(_plain(query), {})[_plain(document)] = float(score)
        except ValueError as error:
            raise WrongUse(f"{path}:{number} must be `question Q0 document rank score tag`") from error
    return run


def _id(text: str) -> str:
    return re.sub(r"\s", lambda blank: "".join(f"%{byte:02X}" for byte in blank[0].encode()), text) or "%20"


def _plain(text: str) -> str:
    # Only what `_id` writes: other percent signs belong to the id.
    return re.sub(r"(?:%20|%09|%0A|%0D|%C2%A0)", lambda mark: unquote(mark[0]), text)
