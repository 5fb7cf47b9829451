"""All checks, in order."""

from __future__ import annotations

from citebot.testing.sources import (
    changes,
    completeness,
    content,
    crashes,
    deletion,
    load,
    races,
    readers,
    safety,
    shape,
    times,
)
from citebot.testing.sources.checking import Check

GROUPS = {
    "A": "Shape",
    "B": "Completeness",
    "C": "Changes",
    "D": "Time",
    "E": "Deletion",
    "F": "Safety",
    "G": "Crashes and faults",
    "H": "Readers",
    "I": "Changes while reading",
    "J": "Silent edits",
    "K": "Content",
    "L": "Load",
}
_MODULES = (shape, completeness, changes, times, deletion, safety, crashes, readers, races, content, load)
CHECKS: tuple[Check, ...] = tuple(
    found for module in _MODULES for found in vars(module).values() if isinstance(found, Check)
)
