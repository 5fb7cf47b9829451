"""Cuts a long list of tokens into windows, because sentence encoders read short texts better than long ones."""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST_WORD = 20
"""Tokens by which a window may grow so that it begins with a whole word."""


def cut(words: Sequence[int | None], *, room: int, target: int, limit: int) -> list[slice]:
    """Slices over the tokens of one text: all of it if it has `room`, else even windows of about `target` tokens.

    `words[i]` is the number of the word that token i belongs to; windows begin at the start of a word where that is
    near. Text after the first `limit` windows is left out.
    """
    count = len(words)
    if count <= room:
        return [slice(0, count)]
    slack = min(_LONGEST_WORD, room // 8)
    parts = max(round(count / target), -(-count // (room - slack)))
    starts = [_word_start(words, count * part // parts, slack) for part in range(parts)]
    ends = [*starts[1:], count]
    return [slice(start, end) for start, end in zip(starts, ends, strict=True)][:limit]


def _word_start(words: Sequence[int | None], position: int, slack: int) -> int:
    for start in range(position, max(position - slack, 0), -1):
        if words[start] is None or words[start] != words[start - 1]:
            return start
    return max(position - slack, 0)
