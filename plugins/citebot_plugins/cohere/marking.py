"""Cohere's citations as numbers in the text, where everything behind a generator looks for them."""

from __future__ import annotations

import re
from collections.abc import Mapping

from citebot_plugins.cohere.streaming import Cited

_NUMBERS = r"\s*[\[【][\d\s,;–-]*[\]】]"
_END = re.compile(
    rf"(?:[.!?…][\"'”’»)*_`]*(?:{_NUMBERS})*\s++|[。！？][\"'”’»）」』]*(?:{_NUMBERS})*\s*+|\n\s*+)(?=[^\s\[【])"
)
"""Where a sentence or a line ends; what comes next has begun, and is no number that still belongs to it."""
_BACK = 80
"""Characters before new text in which an end may have begun: marks, quotes and numbers."""
_OWN = re.compile(r"[\[【]([\d\s,;–-]+)[\]】]")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~)", re.MULTILINE)


class Marking:
    """Holds a sentence back until its citations are known, and writes their numbers behind it.

    Cohere names a citation right after the piece of text in which the words end that it covers (`FAST`): a sentence is
    given out with the second piece after its end. Or it names all of them after the text (`ACCURATE`): then everything
    is held back. Of a citation that comes later than that the number is left out, never the text.
    """

    def __init__(self, numbers: Mapping[str, int], *, all_at_end: bool = False) -> None:
        self._numbers = numbers
        self._all_at_end = all_at_end
        self._text = ""
        self._given = 0
        """Characters given out; `_text` begins there."""
        self._searched = 0
        self._ends: list[int] = []
        self._cited: list[tuple[int, int, int]] = []
        self._fenced = False

    def add(self, text: str) -> str:
        """More text; what was complete before it."""
        if not self._numbers:
            return text
        if text.isspace() or not text:
            self._text += text
            return ""
        given = "" if self._all_at_end else self._give(self._ends)
        before = len(self._text)
        self._text += text
        back = max(self._searched, len(self._text[:before].rstrip()) - _BACK, 0)
        for found in _END.finditer(self._text, back):
            self._ends.append(found.end())
            self._searched = found.end()
        return given

    def cite(self, cited: Cited) -> None:
        """A citation of what was added before."""
        numbers = [self._numbers[name] for name in cited.documents if name in self._numbers]
        start, end = self._place(cited)
        if start < end:
            self._cited += [(start, end, number) for number in numbers]

    def end(self) -> str:
        """What is left."""
        return self._give([*self._ends, len(self._text)])

    def _place(self, cited: Cited) -> tuple[int, int]:
        """Where it is in the held text: where it says so, else where its words are, in case it counts otherwise."""
        start, end = cited.start - self._given, cited.end - self._given
        if end <= 0:  # too late
            return 0, 0
        if not cited.text or (start >= 0 and self._text[start:end] == cited.text):
            return max(start, 0), min(end, len(self._text))
        found = self._text.rfind(cited.text)
        if found >= 0:
            return found, found + len(cited.text)
        return max(start, 0), min(end, len(self._text))

    def _give(self, ends: list[int]) -> str:
        given, begin = [], 0
        for end in ends:
            given.append(self._marked(begin, end))
            begin = end
        self._text = self._text[begin:]
        self._given += begin
        self._cited = [(s - begin, e - begin, n) for s, e, n in self._cited if e > begin]
        self._searched, self._ends = max(0, self._searched - begin), []
        return "".join(given)

    def _marked(self, begin: int, end: int) -> str:
        sentence = self._text[begin:end]
        fences = len(_FENCE.findall(sentence))
        in_code = self._fenced or bool(fences)
        self._fenced ^= fences % 2 == 1
        body = sentence.rstrip()
        # The end of a citation may be the blank after a sentence, which makes it none of the next one.
        covering = [n for s, e, n in self._cited if s < begin + len(body) and e > begin and self._text[s:e].strip()]
        own = {int(digits) for group in _OWN.findall(body) for digits in re.findall(r"\d+", group)}
        new = [number for number in dict.fromkeys(covering) if number not in own]
        if in_code or not body or not new:
            return sentence
        gap = "" if body.endswith(("]", "】")) else " "
        return body + gap + "".join(f"[{number}]" for number in new) + sentence[len(body) :]
