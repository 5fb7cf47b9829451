"""Every sentence the question's path says in its own voice."""

from __future__ import annotations

from collections.abc import Sequence

SEARCHING = "Searching"
READING = "Reading"
WRITING = "Writing"

NO_QUESTION = "I could not find a question in that. Please ask it in a few words."
NOTHING_FOUND = "I don't know: I found nothing about this in the documents that may be used here."
KEYWORDS_ONLY = "keyword search only"
PARTIAL_INDEX = "part of the index did not answer"
SIMPLE_RANKING = "simple ranking used"
STOPPED_EARLY = "Stopped before anything was written."
STOPPED = "stopped before it was finished"
TOO_SLOW = "cut off: writing took too long"
CUT_OFF = "cut off: the draft was too long"


def question_cut(limit: int) -> str:
    """The question was longer than the settings allow."""
    return f"only the first {limit:,} characters of the question were read"


def groups_unchecked(sources: Sequence[str]) -> str:
    """Group lists are too old, so what only they open was left out."""
    return (
        f"documents for your groups in {', '.join(sources)} may be left out: "
        "who is in these groups was not checked for too long, and counts again once the source is read"
    )


def readers_unchecked(sources: Sequence[str]) -> str:
    """A source did not say in time who may read."""
    return f"documents in {', '.join(sources)} are left out: the source did not say who may read them now"


def unknown(titles: Sequence[str]) -> str:
    """The passages do not answer the question."""
    return f"I don't know. The closest I found: {_listed(titles)}." if titles else NOTHING_FOUND


def unsupported(titles: Sequence[str]) -> str:
    """Something was written, but nothing of it held against the passages."""
    return "I could not back an answer with sources." + (f" The closest I found: {_listed(titles)}." if titles else "")


def cannot_write(numbers: Sequence[int]) -> str:
    """The generator does not work."""
    return "I can't write an answer now. These passages fit best: " + " ".join(f"[{number}]" for number in numbers)


def older_version(title: str, day: str) -> str:
    """Two passages contradict each other and the newer was used."""
    when = f" of {day}" if day else ""
    return f"an older version says otherwise: “{title}”{when}"


def _listed(titles: Sequence[str]) -> str:
    quoted = [f"“{title}”" for title in titles]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
