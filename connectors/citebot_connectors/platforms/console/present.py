"""Values of the core as the JSON the page gets. Links come from our own records and only with harmless schemes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from citebot.model import Answer, Citation, Passage
from citebot.ports import DocumentView, SourceStatus

LINK_SCHEMES = frozenset({"http", "https", "file"})


def safe_link(url: str) -> str:
    """The address when a person may be sent there, else an empty string."""
    if not url.isprintable() or " " in url:
        return ""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    wants_host = parts.scheme in ("http", "https")
    return url if parts.scheme in LINK_SCHEMES and (parts.netloc or not wants_host) else ""


def moment(value: datetime | None) -> str | None:
    """A time in ISO 8601 with its zone; ours are UTC without saying so."""
    if value is None:
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()


def passage_to_json(passage: Passage) -> dict[str, Any]:
    """Where a passage comes from; its text is shown only inside its document."""
    return {
        "passage": passage.id,
        "source": passage.source,
        "title": passage.title,
        "headings": [heading for heading in passage.headings if heading != passage.title],
        "path": list(passage.path),
        "link": safe_link(passage.link),
        "updated": moment(passage.updated),
        "synced": moment(passage.synced),
    }


def citation_to_json(citation: Citation) -> dict[str, Any]:
    """A number and what it stands for."""
    sentences = list(citation.sentences)
    return {"number": citation.number, "sentences": sentences, **passage_to_json(citation.passage)}


def answer_to_json(answer: Answer) -> dict[str, Any]:
    """A complete answer."""
    return {
        "id": answer.id,
        "question": answer.question.text,
        "text": answer.text,
        "answered": answer.answered,
        "citations": [citation_to_json(citation) for citation in answer.citations],
        "closest": [passage_to_json(near.passage) for near in answer.closest],
        "notes": list(answer.notes),
        "waiting": answer.unwritten == "waiting",
        "created": moment(answer.created),
    }


def document_to_json(view: DocumentView, cited: int) -> dict[str, Any]:
    """A document as its passages, one of them marked as the cited one."""
    here = next((passage for passage in view.passages if passage.id == cited), None)
    return {
        "source": view.source,
        "title": view.title,
        "path": list(view.path),
        "link": safe_link(here.link if here else view.url),
        "updated": moment(view.updated),
        "passages": [
            {
                "id": passage.id,
                "headings": [heading for heading in passage.headings if heading != view.title],
                "text": passage.text,
                "kind": passage.kind,
                "cited": passage.id == cited,
            }
            for passage in view.passages
        ],
    }


def source_to_json(status: SourceStatus) -> dict[str, Any]:
    """A source and how fresh it is."""
    return {
        "name": status.name,
        "type": status.type,
        "documents": status.documents,
        "passages": status.passages,
        "synced": moment(status.synced),
        "paused": status.paused,
        "failure": status.failure,
        "waiting": status.waiting,
        "parked": status.parked,
    }
