"""How answers and passages look in the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from citebot.model import Answer, Citation, Passage, ScoredPassage


def passage_to_json(passage: Passage) -> dict[str, Any]:
    """The public facts about a passage."""
    return {
        "passage": passage.id,
        "source": passage.source,
        "document": passage.document_id,
        "title": passage.title,
        "headings": list(passage.headings),
        "link": passage.link,
        "updated": passage.updated,
        "synced": passage.synced,
        "text": passage.text,
    }


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """An answer as programs want it."""
    return {
        "id": answer.id,
        "question": answer.question.text,
        "asker": answer.question.asker.id,
        "answered": answer.answered,
        "confidence": round(answer.confidence, 4),
        "text": answer.text,
        "citations": [
            {"number": c.number, "sentences": list(c.sentences), **passage_to_json(c.passage)} for c in answer.citations
        ],
        "closest": [passage_to_json(hit.passage) for hit in answer.closest],
        "notes": list(answer.notes),
        "created": answer.created,
    }


def print_answer_end(answer: Answer) -> None:
    """Print what stands below an answer: its sources, what to know about it, and its id."""
    if answer.citations or answer.closest:
        click.echo()
    for line in citation_lines(answer.citations):
        click.echo(line)
    cited = {citation.passage.id for citation in answer.citations}
    for hit in answer.closest:
        if hit.passage.id not in cited:
            click.echo(f" ·  {where(hit.passage)}")
    for text in answer.notes:
        click.secho(f"Note: {text}", dim=True)
    click.secho(f"\nConfidence {answer.confidence:.2f}. How it came about: citebot answers show {answer.id}", dim=True)


def citation_lines(citations: Iterable[Citation]) -> list[str]:
    """One line per citation: number, document, section, date, link."""
    return [f"{click.style(f'[{c.number}]', bold=True)} {where(c.passage)}" for c in citations]


def where(passage: Passage) -> str:
    """Document, section and age of a passage in one line."""
    section = " › ".join([passage.title, *(h for h in passage.headings if h != passage.title)])
    facts = [passage.source]
    if passage.updated:
        facts.append(f"updated {passage.updated:%Y-%m-%d}")
    return f"{section} ({', '.join(facts)})" + (f" {passage.link}" if passage.link else "")


def hit_to_json(hit: ScoredPassage) -> dict[str, Any]:
    """A search hit with the score of every leg."""
    return {"score": hit.score, "legs": dict(hit.legs), **passage_to_json(hit.passage)}
