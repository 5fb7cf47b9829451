"""HTML: a walker on lxml that keeps code with its language, tables with their spans, nested lists and anchors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from citebot.errors import SkipDocument
from citebot.model import Block

# fmt: off
SKIPPED = frozenset([
    "script", "style", "template", "noscript", "head", "nav", "aside", "footer", "iframe", "object", "embed", "svg",
    "math", "button", "select", "input", "textarea", "canvas", "audio", "video", "map",
])
"""Not `form`: whole pages of some wikis are inside one."""
HEADINGS = {f"h{level}": level for level in range(1, 7)}
INLINE = frozenset([
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em", "font", "i", "ins",
    "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "time", "tt", "u",
    "var",
])
# fmt: on
STRUCK = frozenset(["del", "s", "strike"])
"""Marked as in Markdown: it holds no more, and a reader must see that."""
FURNITURE = frozenset(["headerlink", "anchor-link", "mw-editsection", "linenos", "linenodiv", "gutter", "noprint"])
"""Classes of what surrounds text: links to a heading, edit buttons, line numbers."""
MAX_DEPTH = 200
"""What is nested deeper keeps its text and loses its structure."""
MAX_SPAN = 100
_SPACES = re.compile(r"[ \t\n\r\f]+")
_LANGUAGE = re.compile(r"(?:language|lang|highlight-source|highlight|brush:|brush)[-:_ ]\s*([\w+#-]+)")
_NAME = re.compile(r"[\w+#.-]{1,40}")
_CONCEALING = re.compile(r"display:none|visibility:hidden|font-size:0(?![.\d])|opacity:0(?![.\d])")


def html_blocks(text: str) -> list[Block]:
    """Blocks of a page or fragment; scripts, styles, navigation and forms are left out, nothing is fetched."""
    root = html_tree(text)
    return [] if root is None else tree_blocks(root)


def html_tree(text: str) -> HtmlElement | None:
    """The body of a page or fragment as a tree, None where there is nothing."""
    if not text.strip():
        return None
    # Within the limits of libxml2 a page with 10 MB of pictures in it would lose the rest, and say nothing.
    parser = HTMLParser(no_network=True, remove_comments=True, remove_pis=True, huge_tree=True, encoding="utf-8")
    try:
        root = document_fromstring(text.encode("utf-8"), parser=parser)
    except etree.ParserError:
        return None
    except etree.XMLSyntaxError as error:
        # No text is wrong HTML; what failed is the memory for its tree.
        raise MemoryError from error
    if any(entry.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for entry in parser.error_log):
        raise SkipDocument("The document is nested too deeply to be read.", document="")
    body = root.find("body")
    return body if body is not None else root


def tree_blocks(root: HtmlElement) -> list[Block]:
    """Blocks of a tree whose elements are named as in HTML, whatever it was made from."""
    walker = _Walker()
    walker.children(root, 0)
    walker.flush()
    return walker.blocks


class _Walker:
    """Collects inline text until a block element ends it."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._inline: list[str] = []
        self._anchor = ""
        self._lists: list[int | None] = []
        self._marker = ""
        self._quotes = 0

    def children(self, element: HtmlElement, depth: int) -> None:
        self._text(element.text)
        for child in element:
            if isinstance(child.tag, str):
                self.element(child, depth + 1)
            self._text(child.tail)

    def element(self, element: HtmlElement, depth: int) -> None:
        tag = element.tag.lower()
        if _unseen(element):
            return
        if depth > MAX_DEPTH:
            self._text(_words(element))
            return
        if anchor := element.get("id") or element.get("name"):
            self._anchor = anchor
        if tag in HEADINGS:
            self._heading(element, HEADINGS[tag])
        elif tag == "pre":
            self.flush()
            self._add(Block("code", _raw(element).strip("\n"), language=_language(element)))
        elif tag == "table" and _holds_data(element):
            self.flush()
            self._table(element)
        elif tag in ("ul", "ol", "li", "blockquote"):
            self._container(element, tag, depth)
        elif tag == "br":
            self._inline.append("\n")
        elif tag == "img":
            self._text(element.get("alt"))
        elif tag in STRUCK:
            self._text(_words(element))
        elif tag in INLINE:
            self.children(element, depth)
        else:
            self.flush()
            self.children(element, depth)
            self.flush()

    def flush(self) -> None:
        """End the paragraph, item or quote being collected."""
        lines = [_SPACES.sub(" ", line).strip() for line in "".join(self._inline).split("\n")]
        text = "\n".join(line for line in lines if line)
        self._inline = []
        if not text:
            return
        if self._lists:
            marker, self._marker = self._marker, ""
            self._add(Block("list_item", (marker or "  ") + text, level=len(self._lists) - 1))
        else:
            self._add(Block("quote" if self._quotes else "paragraph", text))

    def _container(self, element: HtmlElement, tag: str, depth: int) -> None:
        self.flush()
        if tag in ("ul", "ol"):
            self._lists.append(_number(element.get("start"), 1) if tag == "ol" else None)
        elif tag == "li":
            self._open_item(element)
        elif tag == "blockquote":
            self._quotes += 1
        self.children(element, depth)
        self.flush()
        if tag in ("ul", "ol"):
            self._lists.pop()
        elif tag == "blockquote":
            self._quotes -= 1

    def _open_item(self, element: HtmlElement) -> None:
        if not self._lists:
            return
        following = self._lists[-1]
        if following is None:
            self._marker = "- "
        else:
            number = _number(element.get("value"), following)
            self._marker = f"{number}. "
            self._lists[-1] = number + 1
        box = element.find(".//input[@type='checkbox']")
        if box is not None:
            self._marker += "[x] " if box.get("checked") is not None else "[ ] "

    def _heading(self, element: HtmlElement, level: int) -> None:
        self.flush()
        anchor = element.get("id") or self._anchor
        if not anchor:
            inner = element.find(".//*[@id]")
            named = element.find(".//a[@name]")
            anchor = inner.get("id", "") if inner is not None else named.get("name", "") if named is not None else ""
        text = _words(element).rstrip("¶").strip()
        if not text:
            return
        if self._lists or self._quotes:
            # It heads no section of the page.
            self._text(text)
            self.flush()
        else:
            self._add(Block("heading", text, level=level, anchor=anchor))

    def _table(self, table: HtmlElement) -> None:
        caption = table.find("caption")
        if caption is not None:
            self._add(Block("paragraph", _words(caption)))
        rows = [" | ".join(row) for row in _grid(table) if any(row)]
        if rows:
            self._add(Block("table", "\n".join(rows)))

    def _add(self, block: Block) -> None:
        if block.text.strip():
            self.blocks.append(block)
            # An anchor belongs to what comes next, not to some heading pages later.
            self._anchor = ""

    def _text(self, text: str | None) -> None:
        if text:
            self._inline.append(_SPACES.sub(" ", text))


def _grid(table: HtmlElement) -> Iterator[list[str]]:
    """Rows of cells; a cell that spans rows or columns is repeated in each."""
    carried: dict[int, tuple[int, str]] = {}
    for row in table.iter("tr"):
        if next(row.iterancestors("table"), None) is not table:
            continue
        cells: list[str] = []
        for cell in [c for c in row if c.tag in ("td", "th")]:
            _carry(carried, cells)
            text = _words(cell).replace("|", "/")
            rows, columns = _span(cell, "rowspan"), _span(cell, "colspan")
            for _ in range(columns):
                if rows > 1:
                    carried[len(cells)] = (rows - 1, text)
                cells.append(text)
        _carry(carried, cells)
        yield cells


def _carry(carried: dict[int, tuple[int, str]], cells: list[str]) -> None:
    while len(cells) in carried:
        left, text = carried.pop(len(cells))
        if left > 1:
            carried[len(cells)] = (left - 1, text)
        cells.append(text)


def _span(cell: HtmlElement, name: str) -> int:
    value = cell.get(name, "1")
    return min(MAX_SPAN, max(1, int(value))) if value.isdecimal() and len(value) < 5 else 1


def _number(given: str | None, otherwise: int) -> int:
    return int(given) if given and given.isdecimal() and len(given) <= 9 else otherwise


def _holds_data(table: HtmlElement) -> bool:
    """Whether a table is one, rather than a way to place a page's parts or code beside its line numbers."""
    if table.get("role") in ("presentation", "none") or table.find(".//pre") is not None:
        return False
    return any(len([cell for cell in row if cell.tag in ("td", "th")]) > 1 for row in table.iter("tr"))


def _words(element: HtmlElement) -> str:
    return _SPACES.sub(" ", "".join(_pieces(element))).strip()


def _pieces(element: HtmlElement) -> Iterator[str]:
    apart = "~~" if element.tag in STRUCK else "" if element.tag in INLINE else " "
    yield apart
    yield element.text or ""
    if element.tag == "img":
        yield element.get("alt") or ""
    for child in element:
        if isinstance(child.tag, str) and not _unseen(child):
            yield from _pieces(child)
        yield child.tail or ""
    yield apart


def _raw(element: HtmlElement) -> str:
    """Text with its line breaks; markup that only colours code leaves no trace."""
    pieces: list[str] = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str) and not _unseen(child):
            pieces.append("\n" if child.tag == "br" else _raw(child))
        pieces.append(child.tail or "")
    return "".join(pieces)


def _language(element: HtmlElement) -> str:
    for node in [element, *element.iter("code"), *islice(element.iterancestors(), 2)]:
        if named := node.get("data-lang") or node.get("data-language"):
            # It is written beside a fence: nothing but a name may stand there.
            word = _NAME.match(named.strip())
            return word[0] if word else ""
        if found := _LANGUAGE.search(node.get("class") or ""):
            return found[1].removeprefix("source-")
    return ""


def _unseen(element: HtmlElement) -> bool:
    """Whether people do not see it: it must not reach a model either, for hidden text is how pages carry orders."""
    if element.tag in SKIPPED or element.get("hidden") is not None:
        return True
    style = element.get("style")
    if style and _CONCEALING.search("".join(style.lower().split())):
        return True
    classes = element.get("class")
    return bool(classes) and not FURNITURE.isdisjoint(classes.split())
