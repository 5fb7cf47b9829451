"""Texts that are longer than a model reads."""

from __future__ import annotations

from citebot.prompting import tokens


def pieces(text: str, *, limit: int, most: int) -> list[str]:
    """The text in parts of at most so many tokens, cut at spaces where there are some, and of them the first `most`."""
    found: list[str] = []
    waiting = [text]
    while waiting and len(found) < most:
        part = waiting.pop()
        # A token has at least one byte, which is counted sooner.
        if len(part) < 2 or len(part.encode(errors="replace")) <= limit or tokens(part) <= limit:
            found.append(part)
            continue
        middle = len(part) // 2
        at = part.rfind(" ", middle // 2, middle) + 1 or middle
        waiting += [part[at:], part[:at]]
    return found
