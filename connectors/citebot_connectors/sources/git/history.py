"""Who changed which file when, from one pass over the log: a process for every file would take hours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

LOG_FORMAT = "--format=/%H/%at/%an"
"""Of `git log -z --name-only`. No path in git begins with a slash, whatever else it holds."""
AUTHORS = 5
"""The last ones that changed a file are named."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit."""

    id: str
    moment: datetime
    author: str


@dataclass(slots=True)
class Past:
    """What the log says about one file."""

    last: Commit
    created: datetime
    authors: tuple[str, ...] = ()


def read_log(pieces: Iterable[bytes], wanted: Collection[str]) -> dict[str, Past]:
    """By path, from a log that begins with the newest commit; merges that changed nothing themselves name no file."""
    found: dict[str, Past] = {}
    for commit, path in _changes(pieces):
        if path not in wanted:
            continue
        past = found.setdefault(path, Past(commit, commit.moment))
        past.created = commit.moment
        if commit.author and commit.author not in past.authors and len(past.authors) < AUTHORS:
            past.authors += (commit.author,)
    return found


def _changes(pieces: Iterable[bytes]) -> Iterator[tuple[Commit, str]]:
    commit: Commit | None = None
    is_first = False
    for entry in _between_zeros(pieces):
        if entry.startswith(b"/"):
            commit, is_first = _commit(entry), True
            continue
        path = entry.removeprefix(b"\n") if is_first else entry
        is_first = False
        if commit is not None:
            yield commit, path.decode("utf-8", "replace")


def _commit(entry: bytes) -> Commit:
    commit, moment, author = entry[1:].split(b"/", 2)
    try:
        when = datetime.fromtimestamp(int(moment), UTC)
    except (ValueError, OverflowError, OSError):
        when = datetime.fromtimestamp(0, UTC)  # a commit may claim any date
    return Commit(commit.decode(), when, author.decode("utf-8", "replace"))


def _between_zeros(pieces: Iterable[bytes]) -> Iterator[bytes]:
    left = b""
    for piece in pieces:
        *whole, left = (left + piece).split(b"\0")
        yield from whole
    if left:
        yield left
