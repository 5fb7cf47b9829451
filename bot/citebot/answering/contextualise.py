"""Stage 1: from turns to a question that stands alone, without a language model.

The last turn is the query. Earlier turns never join it as text: they give their new terms to the word search at a low
weight, and a little of their direction to the vector. Only a turn that cannot be understood alone ("and for
contractors?") leans on the earlier ones with more weight.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from citebot.answering.attached import best_lines
from citebot.answering.wordlists import REFERRING
from citebot.answering.words import SPEAKER, WORD, content_stems, search_words, stem, words
from citebot.model import Question

_JOINING = frozenset({"and", "or", "but", "also", "then", "so", "for", "und", "oder", "aber", "auch", "dann", "für"})
_LEADING = _JOINING | {"what", "about", "how", "wie", "was", "ist", "mit"}
_WHICH = frozenset({"which", "whose", "welche", "welcher", "welches", "wessen"})
_BARE = 3
_NAMED = re.compile(r"(?<=[^\W_][ ,])[A-ZÄÖÜ][\w-]+")
_NAMES = 8
_LEANING_WEIGHT = 0.6
_TURNS_BACK = 3
_ATTACHED_TERMS = 8


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question as search, decision and generator need it."""

    text: str
    """Understandable alone."""
    last: str
    """The last turn without speaker marks."""
    earlier: str
    """The earlier turn it follows up on, or empty."""
    search_text: str
    """Words to look for."""
    context_text: str
    """New terms of the earlier turns."""
    leans: bool
    """The last turn cannot be understood without the earlier one."""
    context_weight: float
    terms: tuple[str, ...]
    """Stems of the content words that an answer should cover."""


class Contextualiser:
    """Rules instead of a model: about 0.1 ms."""

    def __init__(self, *, context_weight: float = 0.2) -> None:
        self._context_weight = context_weight

    async def run(self, question: Question) -> Standalone:
        """Make the last turn stand alone."""
        last = strip_speaker(question.text)
        asked = [strip_speaker(turn.text) for turn in question.history if turn.role == "user"]
        answered = [turn.text for turn in question.history if turn.role == "assistant"]
        earlier = _topic(asked)
        leans = bool(earlier) and _leans(last)
        terms = content_stems(last)
        search = search_words(last)
        context = _new_words(earlier, last) if earlier else ""
        if leans:
            named = _new_words(" ".join(_names(answered[-1])), f"{last} {earlier}") if answered else ""
            context = f"{context} {named}".strip()
            if not terms:
                # Nothing but "who do I tell?": the earlier turn is what to look for.
                search, context = context or search, ""
            terms = [*terms, *(term for term in content_stems(earlier) if term not in terms)]
        quoted = best_lines(last, question.attachments)
        if quoted:
            context = f"{context} {_new_words(quoted, f'{last} {earlier}')}".strip()
            if not terms:
                search, context, terms = context or search, "", content_stems(quoted)[:_ATTACHED_TERMS]
        return Standalone(
            text=f"{earlier.rstrip(' ?!.')}? {last}" if leans else last,
            last=last,
            earlier=earlier,
            search_text=search,
            context_text=context,
            leans=leans,
            context_weight=max(_LEANING_WEIGHT, self._context_weight) if leans or quoted else self._context_weight,
            terms=tuple(terms),
        )


def rewritten(standalone: Standalone, text: str) -> Standalone:
    """The same question in other words, which need no earlier turn any more: what that said only adds terms."""
    return replace(
        standalone,
        text=text,
        last=text,
        earlier="",
        search_text=search_words(text),
        context_text=_new_words(standalone.context_text, text),
        terms=tuple(content_stems(text)),
    )


def strip_speaker(text: str) -> str:
    """A turn without marks such as `|user|:`; left in place they cost an encoder a sixth of its quality."""
    return SPEAKER.sub("", text).strip()


def _topic(asked: list[str]) -> str:
    """The nearest earlier question, with the one it leans on itself when it does not stand alone."""
    found: list[str] = []
    for turn in reversed(asked[-_TURNS_BACK:]):
        if not WORD.search(turn):
            continue
        found.insert(0, turn)
        if not _leans(turn):
            break
    return " ".join(found)


def _leans(turn: str) -> bool:
    """Whether a turn needs an earlier one: it refers back, or is too short to have a topic of its own."""
    found = words(turn)
    content = content_stems(turn)
    if not content:
        return True
    if len(found) <= _BARE and found[0] in _WHICH:
        return True
    if len(content) <= 2 and found[0] in _LEADING and not _asks_fully(found):
        return True
    return len(content) <= 2 and any(word in REFERRING for word in found)


def _asks_fully(found: list[str]) -> bool:
    """Whether it only begins like a follow-up: "What is X" and "How do I X" are whole questions."""
    opening, rest = found[0], found[1:3]
    if opening in _JOINING:
        return False
    return not (rest[:1] in (["about"], ["mit"]) or rest == ["ist", "mit"])


def _names(answer: str) -> list[str]:
    """What the last answer named: "it" may mean any of these."""
    named = [*_NAMED.findall(answer), *(word for word in WORD.findall(answer) if any(c.isdigit() for c in word))]
    return list(dict.fromkeys(named))[:_NAMES]


def _new_words(earlier: str, last: str) -> str:
    have = {stem(word) for word in words(last)}
    kept = [word for word in search_words(earlier).split() if stem(word.casefold()) not in have]
    return " ".join(dict.fromkeys(kept))
