"""The end of an answer: the closest documents when there is none, and what plugins made of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from citebot.answering.sentences import units
from citebot.answering.sink import clean, clean_inline
from citebot.answering.writing import separator
from citebot.model import Answer, ScoredPassage

CLOSEST = 3
_NUMBER = re.compile(r"\s?\[(\d{1,3})\]")


def closest_documents(hits: Sequence[ScoredPassage]) -> tuple[ScoredPassage, ...]:
    """The best passage of each of the nearest documents."""
    found: dict[tuple[str, str], ScoredPassage] = {}
    for hit in hits:
        found.setdefault(hit.passage.document_key, hit)
    return tuple(found.values())[:CLOSEST]


def titles_of(hits: Sequence[ScoredPassage]) -> list[str]:
    """What to call these documents in a sentence of ours."""
    return [clean_inline(hit.passage.title) or clean_inline(hit.passage.document_id) or "untitled" for hit in hits]


def amended(made: Answer, returned: Answer) -> Answer:
    """A plugin's version of an answer, as far as it may go: fewer sources, other words, but nothing new to read."""
    if returned == made:
        return made
    numbers = {citation.number for citation in returned.citations}
    citations = tuple(citation for citation in made.citations if citation.number in numbers)
    near = {hit.passage.id for hit in returned.closest}
    text = _safe(returned.text, {citation.number for citation in citations})
    return replace(
        made,
        text=text,
        answered=made.answered and returned.answered and bool(text),
        citations=citations,
        closest=tuple(hit for hit in made.closest if hit.passage.id in near),
        notes=tuple(filter(None, map(clean_inline, returned.notes))),
    )


def _safe(text: str, allowed: set[int]) -> str:
    safe, last = "", None
    for unit in units(text):
        body = clean(unit.text).strip()
        if unit.kind != "code":
            body = _NUMBER.sub(lambda match: match.group() if int(match.group(1)) in allowed else "", body)
        if body:
            safe += (separator(last, unit) if last else "") + body
            last = unit
    return safe
