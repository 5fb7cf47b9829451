"""Markdown (CommonMark with tables), through markdown-it-py. What is struck out keeps its `~~`: it holds no more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from citebot.model import Block, BlockKind

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_TASK = re.compile(r"\[([ xX])\]\s+")
_NOT_SLUG = re.compile(r"[^\w\- ]")
_OWN_ANCHOR = re.compile(r"\s*\{#([\w.:-]+)\}\s*$")
_UNSEEN = re.compile(r"<!--.*?(?:-->|\Z)|<(script|style|template)\b.*?(?:</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_HTML_TAG = re.compile(r"<[^<>]{0,2000}>")
_UNSEEN_OPEN = re.compile(r"<(script|style|template)\b", re.IGNORECASE)


def markdown_blocks(text: str) -> list[Block]:
    """Blocks with anchors as GitHub makes them; front matter must have been taken off."""
    return _Walker().walk(_parser().parse(text))


def slug(heading: str, seen: dict[str, int]) -> str:
    """The anchor of a heading, numbered as often as it takes to be the only one."""
    base = found = _NOT_SLUG.sub("", heading.strip().lower()).replace(" ", "-")
    while found in seen:
        seen[base] += 1
        found = f"{base}-{seen[base]}"
    seen[found] = 0
    return found


@cache
def _parser() -> MarkdownIt:
    # Not at import: an idle server parses nothing.
    from markdown_it import MarkdownIt

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
                self._add("code", token.content.rstrip("\n"), language=language)
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                start = token.attrGet("start")
                self._lists.append(1 if start is None else int(start))
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
                self._add("table", "\n".join(self._rows))
                self._rows = []
            case "html_block":
                self._words(" ".join(_HTML_TAG.sub(" ", _UNSEEN.sub(" ", token.content)).split()))

    def _open_item(self) -> None:
        number = self._lists[-1]
        self._marker = "- " if number is None else f"{number}. "
        if number is not None:
            self._lists[-1] = number + 1

    def _inline(self, token: Token, before: Token | None) -> None:
        text = _plain(token)
        opened = before.type if before else ""
        if opened == "heading_open" and before is not None:
            self._heading(text, int(before.tag[1:]))
        elif opened in ("td_open", "th_open"):
            self._cells.append(text.replace("|", "/").replace("\n", " "))
        else:
            self._words(text)

    def _heading(self, text: str, level: int) -> None:
        own = _OWN_ANCHOR.search(text)
        text = text[: own.start()] if own else text
        anchor = own[1] if own else slug(text, self._slugs)
        # A heading inside a list or a quotation heads no section of the page.
        if self._lists or self._quotes:
            self._words(text)
        else:
            self._add("heading", " ".join(text.split()), level=level, anchor=anchor)

    def _words(self, text: str) -> None:
        if self._lists:
            marker, self._marker = self._marker, ""
            text = _TASK.sub(lambda m: f"[{m[1].lower()}] ", text, count=1) if marker else text
            self._add("list_item", (marker or "  ") + text if text else "", level=len(self._lists) - 1)
        else:
            self._add("quote" if self._quotes else "paragraph", text)

    def _add(self, kind: BlockKind, text: str, *, level: int = 0, anchor: str = "", language: str = "") -> None:
        if text.strip():
            self._blocks.append(Block(kind, text, level=level, anchor=anchor, language=language))


def _plain(token: Token) -> str:
    """The words of inline markup: labels of links, alt texts of images, code as it stands."""
    pieces: list[str] = []
    hidden = ""
    for child in token.children or ():
        if child.type == "html_inline":
            opened = _UNSEEN_OPEN.match(child.content)
            if opened:
                hidden = opened[1].lower()
            elif child.content.lower().startswith(f"</{hidden or '-'}"):
                hidden = ""
            elif child.content.lower().startswith("<br"):
                pieces.append("\n")
        elif not hidden:
            pieces.append(_words_of(child))
    return "".join(pieces).strip()


def _words_of(child: Token) -> str:
    match child.type:
        case "text" | "code_inline" | "image":
            return child.content
        case "softbreak":
            return " "  # a line that was wrapped by an editor
        case "hardbreak":
            return "\n"
        case _:
            return ""
