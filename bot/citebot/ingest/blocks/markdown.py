"""Markdown (CommonMark with tables), through markdown-it-py."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from citebot.model import Block

_TASK = re.compile(r"\[([ xX])\]\s+")
_NOT_SLUG = re.compile(r"[^\w\- ]")
_HTML_TAG = re.compile(r"<[^>]{0,2000}>")


def markdown_blocks(text: str) -> list[Block]:
    """Blocks with anchors as GitHub makes them; front matter must have been taken off."""
    return _Walker().walk(_parser().parse(text))


def slug(heading: str, seen: dict[str, int]) -> str:
    """The anchor of a heading, numbered when it is not the first of its name."""
    base = _NOT_SLUG.sub("", heading.strip().lower()).replace(" ", "-")
    number = seen.get(base, 0)
    seen[base] = number + 1
    return f"{base}-{number}" if number else base


@cache
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"maxNesting": 40}).enable("table")


class _Walker:
    """Keeps what surrounds the token being looked at."""

    def __init__(self) -> None:
        self._blocks: list[Block] = []
        self._slugs: dict[str, int] = {}
        self._lists: list[int | None] = []
        """Of each open list the next number, None for bullets."""
        self._marker = ""
        self._quotes = 0
        self._rows: list[str] = []
        self._cells: list[str] = []

    def walk(self, tokens: Sequence[Token]) -> list[Block]:
        for at, token in enumerate(tokens):
            self._see(token, tokens[at - 1] if at else None)
        return self._blocks

    def _see(self, token: Token, before: Token | None) -> None:
        match token.type:
            case "inline":
                self._inline(token, before)
            case "fence" | "code_block":
                language = token.info.split()[0] if token.info.split() else ""
                self._blocks.append(Block("code", token.content.rstrip("\n"), language=language))
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                self._open_item()
            case "blockquote_open":
                self._quotes += 1
            case "blockquote_close":
                self._quotes -= 1
            case "tr_close":
                self._rows.append(" | ".join(self._cells))
                self._cells = []
            case "table_close":
                self._blocks.append(Block("table", "\n".join(self._rows)))
                self._rows = []
            case "html_block":
                self._add("paragraph", " ".join(_HTML_TAG.sub(" ", token.content).split()))

    def _open_item(self) -> None:
        number = self._lists[-1]
        self._marker = "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def _inline(self, token: Token, before: Token | None) -> None:
        text = _plain(token)
        opened = before.type if before else ""
        if opened == "heading_open" and before is not None:
            level = int(before.tag[1:])
            self._blocks.append(Block("heading", text, level=level, anchor=slug(text, self._slugs)))
        elif opened in ("td_open", "th_open"):
            self._cells.append(text.replace("|", "/").replace("\n", " "))
        elif self._lists:
            marker, self._marker = self._marker, ""
            self._add("list_item", marker + _TASK.sub(lambda m: f"[{m[1].lower()}] ", text, count=1))
        else:
            self._add("quote" if self._quotes else "paragraph", text)

    def _add(self, kind: str, text: str) -> None:
        if not text.strip():
            return
        if kind == "list_item":
            self._blocks.append(Block("list_item", text, level=len(self._lists) - 1))
        else:
            self._blocks.append(Block("quote" if kind == "quote" else "paragraph", text))


def _plain(token: Token) -> str:
    """The words of inline markup: labels of links, alt texts of images, code as it stands."""
    pieces: list[str] = []
    for child in token.children or ():
        match child.type:
            case "text" | "code_inline":
                pieces.append(child.content)
            case "softbreak" | "hardbreak":
                pieces.append("\n")
            case "image":
                pieces.append(child.content)
    return "".join(pieces).strip()
