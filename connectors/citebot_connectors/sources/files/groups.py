"""The file that says who is in which group: `{"groups": {"board": ["alice"]}}` as JSON, or `[groups]` as TOML."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from citebot.errors import StopSync
from citebot.model import Group


def read_groups(path: Path) -> list[Group]:
    """All groups of the file; raises `StopSync` for any other content: half a list would close or open documents."""
    try:
        data = path.read_bytes()
        found = tomllib.loads(data.decode()) if path.suffix.lower() == ".toml" else json.loads(data)
        return [Group(str(name), _people(people)) for name, people in found["groups"].items()]
    except OSError as error:
        raise _refused(path, error.strerror or "it cannot be read") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _refused(path, 'it must hold {"groups": {"name": ["person", …]}}') from error


def _people(people: object) -> frozenset[str]:
    if not isinstance(people, list) or not all(isinstance(person, str) for person in people):
        raise TypeError("not a list of people")
    return frozenset(people)


def _refused(path: Path, why: str) -> StopSync:
    return StopSync(f"{path} holds no groups: {why}. Groups stay as they were.")
