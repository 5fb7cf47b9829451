"""The sources as people see them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from citebot.conversing.chat import Markup
from citebot.conversing.words import Texts
from citebot.ports import SourceStatus

SOURCES_MOST = 25
NAME_MOST = 80


def source_lines(texts: Texts, sources: Sequence[SourceStatus], *, now: datetime, markup: Markup) -> list[str]:
    """One line for each source, the largest first; of many the rest is counted."""
    ordered = sorted(sources, key=lambda source: (-source.documents, source.name))
    lines = [_line(texts, source, now, markup) for source in ordered[:SOURCES_MOST]]
    rest = len(ordered) - SOURCES_MOST
    return lines + ([texts.more_sources.of(rest)] if rest > 0 else [])


def _line(texts: Texts, source: SourceStatus, now: datetime, markup: Markup) -> str:
    name = source.name if len(source.name) <= NAME_MOST else f"{source.name[: NAME_MOST - 1]}…"
    return f"{markup.strong(markup.plain(name))}: {texts.documents.of(source.documents)}, {state(texts, source, now)}"


def state(texts: Texts, source: SourceStatus, now: datetime) -> str:
    """How fresh a source is."""
    if source.synced is None:
        return texts.never_read
    wording = texts.failing if source.failure else texts.paused if source.paused else texts.read_ago
    return wording.format(age=texts.age(source.synced, now=now))
