"""Citebot: answers a team's questions from what the team already wrote, with a citation for every claim.

These names are the public API for plugin authors; everything else may change.
"""

from __future__ import annotations

from citebot.errors import (
    CitebotError,
    CursorExpired,
    IndexUnavailable,
    ModelUnavailable,
    NotAllowed,
    Retry,
    SkipDocument,
    StopSync,
)
from citebot.hookspecs import hookimpl
from citebot.model import (
    Answer,
    Audience,
    Batch,
    Block,
    Document,
    Embedding,
    Failed,
    Feedback,
    Finding,
    Gone,
    Group,
    Part,
    Passage,
    Person,
    Question,
    Readers,
    Ref,
    ScoredPassage,
)
from citebot.ports import NoSettings, PartContext, SourceContext, SourceEvent, SourceSpec

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Audience",
    "Batch",
    "Block",
    "CitebotError",
    "CursorExpired",
    "Document",
    "Embedding",
    "Failed",
    "Feedback",
    "Finding",
    "Gone",
    "Group",
    "IndexUnavailable",
    "ModelUnavailable",
    "NoSettings",
    "NotAllowed",
    "Part",
    "PartContext",
    "Passage",
    "Person",
    "Question",
    "Readers",
    "Ref",
    "Retry",
    "ScoredPassage",
    "SkipDocument",
    "SourceContext",
    "SourceEvent",
    "SourceSpec",
    "StopSync",
    "hookimpl",
]
