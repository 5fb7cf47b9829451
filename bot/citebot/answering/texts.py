"""Every sentence the question's path says in its own voice."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

WRITING = "Writing"
STILL_WORKING = "Still working…"
SEARCH_DOWN = "Search is down; I saved your question and will answer here."

NO_QUESTION = "I could not find a question in that. Please ask it in a few words."
NOTHING_FOUND = "I don't know: I found nothing about this in the documents that may be used here."
KEYWORDS_ONLY = "keyword search only"
PARTIAL_INDEX = "part of the index did not answer"
SIMPLE_RANKING = "simple ranking used"
LIVE_UNSEARCHED = "chat messages were not searched"
STOPPED_EARLY = "Stopped before anything was written."
STOPPED = "stopped before it was finished"
TOO_SLOW = "cut off: writing took too long"
CUT_OFF = "cut off: the draft was too long"
BROKEN_OFF = "cut off: the model stopped writing"
_BUSY = re.compile(r"Busy: about \d{1,4} s\.")


def searching(sources: int) -> str:
    """The search has begun."""
    return f"Searching {sources} sources" if sources > 1 else "Searching"


def reading(passages: int) -> str:
    """Something was found."""
    return f"Reading {passages} passages" if passages > 1 else "Reading"


def question_cut(limit: int) -> str:
    """The question was longer than the settings allow."""
    return f"only the first {limit:,} characters of the question were read"


def not_read(names: Sequence[str]) -> str:
    """Attached files of a kind or size that is not read, or that could not be had."""
    return f"I did not read {', '.join(names)}"


def read_in_part(names: Sequence[str]) -> str:
    """Attached files with more text than goes along with a question."""
    return f"I read only a part of {', '.join(names)}"


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
    return "I can't write an answer now. These passages fit best: " + _marks(numbers)


def will_update(text: str) -> str:
    """Passages that an answer may take the place of."""
    return _followed(text, "I will update this message if the model is back within 10 minutes.")


def not_back(text: str) -> str:
    """Passages that nothing takes the place of any more."""
    return _followed(text, "The model did not come back within 10 minutes. Please ask again.")


def busy(seconds: float) -> str:
    """The model wants us to wait."""
    return f"Busy: about {max(1.0, seconds):.0f} s."


def is_busy(note: str) -> bool:
    """Whether a note is this one, and not what a part has made up."""
    return _BUSY.fullmatch(note) is not None


def over_budget(numbers: Sequence[int]) -> str:
    """Nothing more is written today, but what was found is shown."""
    return "Today's limit is used up (resets 00:00 UTC). Passages only: " + _marks(numbers)


def source_old(source: str, age: timedelta) -> str:
    """A cited source was not read for longer than it should."""
    return f"{source} last read {_duration(age)} ago"


def standby(seconds: float) -> str:
    """The index is down and its standby answered, which was last seen to hold everything so long ago."""
    return f"answers may miss the latest {max(1, math.ceil(seconds / 60))} min"


def open_to_all(titles: Sequence[str]) -> str:
    """What is cited is of a kind that anybody can write."""
    return f"anybody may have written {_listed(titles)}"


def asked_at(moment: datetime) -> str:
    """The answer comes late."""
    return f"asked at {moment:%Y-%m-%d %H:%M} UTC"


def older_version(title: str, day: str) -> str:
    """Two passages contradict each other and the newer was used."""
    when = f" of {day}" if day else ""
    return f"an older version says otherwise: “{title}”{when}"


def _followed(text: str, sentence: str) -> str:
    return f"{text}{'' if text.endswith(('.', '!', '?')) else '.'} {sentence}"


def _duration(age: timedelta) -> str:
    minutes = int(age.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 2880 else f"{minutes // 1440} days"


def _marks(numbers: Sequence[int]) -> str:
    return " ".join(f"[{number}]" for number in numbers)


def _listed(titles: Sequence[str]) -> str:
    quoted = [f"“{title}”" for title in titles]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
