"""Stage 5: near-duplicates become one passage, so that an answer is not written from six copies of one page."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from citebot.answering.lexical import CANDIDATES, Lexical, similarity
from citebot.answering.reading import numbers_of
from citebot.model import Passage, ScoredPassage

SAME = 0.9
"""Word overlap from which two passages are one."""


class NearDuplicates:
    """Keeps the newest copy in the place of the best. Passages whose numbers differ are versions, not copies."""

    async def run(self, hits: Sequence[ScoredPassage], lexical: Lexical) -> list[ScoredPassage]:
        """The passages without copies, in the same order."""
        kept: list[ScoredPassage] = []
        for hit in hits[:CANDIDATES]:
            place = next((n for n, other in enumerate(kept) if _copies(hit.passage, other.passage, lexical)), None)
            if place is None:
                kept.append(hit)
            elif age_key(hit.passage) > age_key(kept[place].passage):
                kept[place] = ScoredPassage(hit.passage, kept[place].score, kept[place].legs)
        return [*kept, *hits[CANDIDATES:]]


def age_key(passage: Passage) -> datetime:
    """For finding the newer of two; unknown is oldest."""
    return passage.updated.replace(tzinfo=None) if passage.updated else datetime.min


def _copies(one: Passage, other: Passage, lexical: Lexical) -> bool:
    if one.text == other.text:
        return True
    mine, theirs = lexical.stems(one), lexical.stems(other)
    if min(len(mine), len(theirs)) < SAME * max(len(mine), len(theirs)):
        return False
    return similarity(mine, theirs) >= SAME and numbers_of(one.text) == numbers_of(other.text)
