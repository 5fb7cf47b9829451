"""MediaWiki's rendered HTML (`action=parse`): what the skin and templates put around the text is dropped first."""

from __future__ import annotations

import re

from lxml.html import HtmlElement

from citebot.ingest.blocks.html import html_tree, tree_blocks
from citebot.model import Block

CHROME = frozenset(
    [
        "toc", "toctogglespan", "navbox", "vertical-navbox", "navbox-styles", "catlinks", "printfooter", "magnify",
        "mw-editsection", "mw-editsection-like", "mw-cite-backlink", "mw-cite-up-arrow-backlink", "mw-jump-link",
        "mw-indicators", "mw-empty-elt", "mw-references-columns-toggle", "mw-hidden-catlinks", "sistersitebox",
        "cite-accessibility-label", "printonly", "noprint",
    ]
)  # fmt: skip
"""Classes of what links, edits or repeats. Message boxes stay: "this page is out of date" is worth reading."""
_LANGUAGE = re.compile(r"(?:^|\s)mw-highlight-lang-([\w+#.-]+)")


def mediawiki_blocks(text: str) -> list[Block]:
    """Blocks of a rendered page; headings keep the anchors of old (`mw-headline`) and new (`mw-heading`) releases."""
    root = html_tree(text)
    if root is None:
        return []
    for element in list(root.iter()):
        if isinstance(element.tag, str) and element is not root:
            _prepare(element)
    return tree_blocks(root)


def _prepare(element: HtmlElement) -> None:
    classes = element.get("class") or ""
    if element.get("id") == "toc" or not CHROME.isdisjoint(classes.split()):
        # Emptied rather than removed: what follows it in its parent is text of the page.
        element.set("hidden", "")
        return
    if found := _LANGUAGE.search(classes):
        for code in element.iter("pre"):
            code.set("data-lang", found[1])
    if element.tag == "table" and "wikitable" in classes.split():
        # Code inside a cell makes a table no layout here: authors chose to write a table.
        for code in element.iter("pre"):
            code.tag = "code"
