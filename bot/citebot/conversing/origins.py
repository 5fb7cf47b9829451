"""Where an answer comes from, in words: what stands beside its text on every platform."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from citebot.answering.sink import clean_inline
from citebot.conversing.words import Texts
from citebot.model import Answer, Passage

TITLE_MOST = 120
CLOSEST_MOST = 5


@dataclass(frozen=True, slots=True)
class Origin:
    """A passage as one line; nothing in it is markup yet."""

    title: str
    link: str
    section: str
    facts: str
    """Its source, how old it is, when its source was read."""


def origin_of(passage: Passage, texts: Texts, *, now: datetime) -> Origin:
    """The line of one passage."""
    title = clean_inline(passage.title)[:TITLE_MOST] or passage.document_id[:TITLE_MOST]
    section = next((heading for heading in reversed(passage.headings) if heading != passage.title), "")
    facts = [passage.source]
    if passage.updated is not None:
        facts.append(texts.updated.format(day=passage.updated.date().isoformat()))
    if passage.synced is not None:
        facts.append(texts.read_ago.format(age=texts.age(passage.synced, now=now)))
    return Origin(title, passage.link, clean_inline(section)[:TITLE_MOST], ", ".join(facts))


def closest_to(answer: Answer) -> list[Passage]:
    """What came close where nothing was cited."""
    return [] if answer.citations else [scored.passage for scored in answer.closest[:CLOSEST_MOST]]


def of_documents(passages: Iterable[Passage]) -> list[Passage]:
    """The first passage of each document."""
    documents: dict[tuple[str, str], Passage] = {}
    for passage in passages:
        documents.setdefault(passage.document_key, passage)
    return [*documents.values()]
