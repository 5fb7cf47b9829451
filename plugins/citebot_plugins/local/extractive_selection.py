"""Which sentences make the answer, and in what order they are read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import takewhile

from citebot.answering.words import words
from citebot_plugins.local.extractive_scoring import Candidate, Scoring, best_first

_SAME = 0.7
"""Word overlap from which two sentences say the same."""
_REPEATING = 0.3
"""How much an overlap with what is already chosen costs."""
_ITEMS = 8
"""Items of a list that are quoted with the line before it."""
_POINTING = frozenset(
    {
        *("it", "its", "they", "them", "their", "this", "these", "that", "those", "he", "she", "his", "her", "such"),
        *(
            "otherwise",
            "then",
            "both",
            "er",
            "sie",
            "es",
            "dies",
            "diese",
            "dieser",
            "dieses",
            "diesem",
            "dabei",
            "dazu",
        ),
        *("sonst", "dafür", "davon", "damit"),
    }
)
_ENDS = re.compile(r"[.!?…:。！？][\"'”’»)\]*_`]*$")


def selected(
    candidates: Sequence[Candidate], scoring: Scoring, *, most: int, keep_within: float, keep_elsewhere: float
) -> list[Candidate]:
    """The best sentence and up to `most - 1` more that come near it and add something.

    Another passage must come nearer: most questions are answered in one place, and a second source that is only about
    the same topic makes an answer worse.
    """
    left = best_first(candidates, scoring.score)
    chosen = [left.pop(0)]
    best = scoring.score(chosen[0])

    def good(one: Candidate) -> bool:
        share = keep_within if one.place == chosen[0].place else keep_elsewhere
        return scoring.score(one) >= share * best and all(_overlap(one, other) < _SAME for other in chosen)

    while left and len(chosen) < most:
        left = [one for one in left if good(one)]
        if not left:
            break
        next_ = max(left, key=lambda one: scoring.score(one) - _REPEATING * max(_overlap(one, c) for c in chosen))
        chosen.append(next_)
        left.remove(next_)
    return chosen


def arranged(chosen: Sequence[Candidate], candidates: Sequence[Candidate], scoring: Scoring) -> Iterator[str]:
    """Texts with citation and separator: the best passage first, within a passage as it was written."""
    wanted = {(one.place, one.number) for one in _with_lead_ins(chosen, candidates)}
    places = list(dict.fromkeys(one.place for one in best_first(chosen, scoring.score)))
    before: Candidate | None = None
    for place in places:
        for one in candidates:
            if one.place == place and (one.place, one.number) in wanted:
                yield _gap(before, one) + _cited(one)
                before = one


def _with_lead_ins(chosen: Sequence[Candidate], candidates: Sequence[Candidate]) -> list[Candidate]:
    """A sentence that begins with "It" needs the one before; a list item or code block the line that announces it."""
    found = list(chosen)
    for one in chosen:
        found += _announced(one, candidates)
        earlier = [c for c in candidates if c.place == one.place and c.number < one.number]
        if one.unit.kind in {"item", "code", "table"}:
            announcing = next((c for c in reversed(earlier) if c.unit.kind != "item"), None)
            if announcing and announcing.unit.kind == "sentence" and announcing.text.rstrip().endswith(":"):
                found.append(announcing)
        elif earlier and _points_back(one) and earlier[-1].unit.kind == "sentence":
            found.append(earlier[-1])
    return found


def _announced(one: Candidate, candidates: Sequence[Candidate]) -> list[Candidate]:
    """What follows a line that ends in a colon: the code, the table, or the items of the list."""
    if one.unit.kind != "sentence" or not one.text.rstrip().endswith(":"):
        return []
    later = [c for c in candidates if c.place == one.place and c.number > one.number]
    if later and later[0].unit.kind in {"code", "table"}:
        return later[:1]
    return list(takewhile(lambda c: c.unit.kind == "item", later))[:_ITEMS]


def _points_back(one: Candidate) -> bool:
    first = words(one.text)[:1]
    return bool(first) and first[0] in _POINTING and one.unit.kind == "sentence"


def _cited(one: Candidate) -> str:
    return f"{one.text}\n[{one.place}]" if one.unit.kind in {"code", "table"} else f"{one.text} [{one.place}]"


def _gap(before: Candidate | None, one: Candidate) -> str:
    """Sentences run on; everything else begins a line of its own."""
    if before is None:
        return ""
    if before.unit.kind == one.unit.kind == "item" and before.place == one.place:
        return "\n"
    together = before.unit.kind == one.unit.kind == "sentence" and before.place == one.place
    return " " if together and _ENDS.search(before.text) and before.unit.paragraph == one.unit.paragraph else "\n\n"


def _overlap(one: Candidate, other: Candidate) -> float:
    smaller = min(len(one.stems), len(other.stems))
    return len(one.stems & other.stems) / len(one.stems | other.stems) if smaller else 0.0
