"""Atlassian Document Format: a tree in JSON, written as HTML for the walker that knows lists, spans and tasks."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Any

from citebot.errors import SkipDocument
from citebot.ingest.blocks.confluence import PANELS, heading_anchor
from citebot.ingest.blocks.html import html_blocks
from citebot.model import Block

MAX_DEPTH = 60
"""Of nested nodes; what is deeper keeps its text and loses its structure."""
NOBODY = "@someone"
"""A mention whose name the document does not hold."""

Node = dict[str, Any]
_UNSEEN = frozenset(["placeholder"])
_PLAIN_TAGS = {
    "paragraph": "p",
    "bulletList": "ul",
    "taskList": "ul",
    "decisionList": "ul",
    "listItem": "li",
    "decisionItem": "li",
    "blockquote": "blockquote",
    "panel": "blockquote",
    "expand": "div",
    "nestedExpand": "div",
    "layoutSection": "div",
    "layoutColumn": "div",
    "mediaSingle": "div",
    "mediaGroup": "div",
    "caption": "p",
    "table": "table",
    "tableRow": "tr",
    "bodiedExtension": "div",
    "extension": "div",
}


def adf_blocks(text: str) -> list[Block]:
    """Blocks of a document; `SkipDocument` for what is no ADF."""
    if not text.strip():
        return []
    try:
        root = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SkipDocument("The ADF is no JSON, or nested too deeply.", document="") from error
    if not isinstance(root, dict):
        raise SkipDocument("The ADF is no JSON object.", document="")
    return html_blocks(_html(root))


def _html(root: Node) -> str:
    """Walk without recursion: nesting is the author's choice, the stack is ours."""
    out: list[str] = []
    seen: dict[str, int] = {}
    todo: list[str | tuple[Node, int, bool]] = [(root, 0, False)]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            out.append(item)
            continue
        node, depth, in_table = item
        kind = node.get("type")
        if not isinstance(kind, str) or kind in _UNSEEN:
            continue
        opened, closed = _tags(node, kind, seen, in_table=in_table) if depth <= MAX_DEPTH else (_leaf(node, kind), " ")
        out.append(opened)
        todo.append(closed)
        inside = in_table or kind == "table"
        todo += [(child, depth + 1, inside) for child in reversed(_children(node, kind))]
    return "".join(out)


def _tags(node: Node, kind: str, seen: dict[str, int], *, in_table: bool) -> tuple[str, str]:
    attrs = _attrs(node)
    if kind in _PLAIN_TAGS:
        tag = _PLAIN_TAGS[kind]
        return f"<{tag}>" + _leaf(node, kind), f"</{tag}>"
    match kind:
        case "heading":
            level = _integer(attrs.get("level"), 1, 6)
            return f'<h{level} id="{escape(heading_anchor(_said(node), seen))}">', f"</h{level}>"
        case "codeBlock" if not in_table:
            return f'<pre data-lang="{escape(_string(attrs.get("language")))}">', "</pre>"
        case "orderedList":
            return f'<ol start="{_integer(attrs.get("order"), 1, 999_999)}">', "</ol>"
        case "tableHeader" | "tableCell":
            tag = "th" if kind == "tableHeader" else "td"
            rows, columns = (_integer(attrs.get(name), 1, 100) for name in ("rowspan", "colspan"))
            return f'<{tag} rowspan="{rows}" colspan="{columns}">', f"</{tag}>"
        case "taskItem":
            done = " checked" if attrs.get("state") == "DONE" else ""
            return f'<li><input type="checkbox"{done}>', "</li>"
        case _:
            return _leaf(node, kind), " " if in_table and kind == "codeBlock" else ""


def _leaf(node: Node, kind: str) -> str:
    """What a node says by itself, escaped."""
    said = _SAID.get(kind)
    return said(node, _attrs(node)) if said else ""


def _text(node: Node, _: Node) -> str:
    text = escape(_string(node.get("text")))
    marks = node.get("marks")
    kinds = [mark.get("type") for mark in marks if isinstance(mark, dict)] if isinstance(marks, list) else []
    return f"<del>{text}</del>" if "strike" in kinds and text.strip() else text


def _date(_: Node, attrs: Node) -> str:
    """Milliseconds since 1970, as text."""
    try:
        return f"{datetime.fromtimestamp(int(attrs['timestamp']) / 1000, UTC):%Y-%m-%d}"
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return ""


def _card(_: Node, attrs: Node) -> str:
    return escape(_string(attrs.get("url"))) + " "


_SAID: dict[str, Callable[[Node, Node], str]] = {
    "text": _text,
    "hardBreak": lambda _, __: "<br>",
    "mention": lambda _, attrs: escape(_string(attrs.get("text")) or NOBODY),
    "emoji": lambda _, attrs: escape(_string(attrs.get("shortName")) or _string(attrs.get("text"))),
    "status": lambda _, attrs: f"[{escape(_string(attrs.get('text')))}]",
    "date": _date,
    "media": lambda _, attrs: escape(_string(attrs.get("alt"))),
    "mediaInline": lambda _, attrs: escape(_string(attrs.get("alt"))),
    "inlineCard": _card,
    "blockCard": lambda node, attrs: f"<p>{_card(node, attrs)}</p>",
    "embedCard": lambda node, attrs: f"<p>{_card(node, attrs)}</p>",
    "expand": lambda _, attrs: f"<p>{escape(_string(attrs.get('title')))}</p>",
    "nestedExpand": lambda _, attrs: f"<p>{escape(_string(attrs.get('title')))}</p>",
    "extension": lambda _, attrs: escape(_string(attrs.get("text"))),
    "inlineExtension": lambda _, attrs: escape(_string(attrs.get("text"))),
    "rule": lambda _, __: "<hr>",
}


def _children(node: Node, kind: str) -> list[Node]:
    content = node.get("content")
    children = [child for child in content if isinstance(child, dict)] if isinstance(content, list) else []
    if kind != "panel":
        return children
    # What kind of panel it is stands in its first paragraph, so that no cut takes it away.
    label = {"type": "text", "text": f"{PANELS.get(_string(_attrs(node).get('panelType')), 'Note')}: "}
    if children and children[0].get("type") == "paragraph":
        return [{**children[0], "content": [label, *_children(children[0], "paragraph")]}, *children[1:]]
    return [{"type": "paragraph", "content": [label]}, *children]


def _said(node: Node) -> str:
    return "".join(_string(child.get("text")) for child in _children(node, ""))


def _attrs(node: Node) -> Node:
    attrs = node.get("attrs")
    return attrs if isinstance(attrs, dict) else {}


def _string(value: object) -> str:
    """Text without what UTF-8 cannot hold: JSON may carry halves of characters."""
    return value.encode("utf-8", "ignore").decode() if isinstance(value, str) else ""


def _integer(value: object, least: int, most: int) -> int:
    return min(most, max(least, value)) if isinstance(value, int) else least
