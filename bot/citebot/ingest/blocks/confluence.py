"""Confluence storage format: XHTML with `ac:` and `ri:` elements, turned into plain HTML in place for the walker."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from lxml import etree
from lxml.html import HtmlElement

from citebot.ingest.blocks.cleaning import clean
from citebot.ingest.blocks.html import HEADINGS, html_tree, tree_blocks
from citebot.model import Block

PANELS = {
    "info": "Info",
    "note": "Note",
    "tip": "Tip",
    "warning": "Warning",
    "success": "Success",
    "error": "Error",
    "panel": "Panel",
    "custom": "Panel",
}
"""How a panel of a kind begins."""
NOBODY = "@someone"
"""A mention by an account id, which tells no name."""
DROPPED = frozenset(
    ["toc", "toc-zone-index", "style", "css", "pagetree", "children", "recently-updated", "contentbylabel"]
)
"""Macros that list or style; what they hold is no text."""
AC, RI = "{urn:ac}", "{urn:ri}"
_SPACE = re.compile(r"\s+")
_ENTITY = re.compile(r"&(?:#?[A-Za-z0-9]{1,31};)?")
_PREFIXED = re.compile(r"(ac|ri):([a-z][a-z0-9-]{0,60})")
_EMPTY = re.compile(r"<((?:ac|ri):[\w-]{1,60})((?:\s[^<>]{0,2000})?)/>")
_OPEN = "<![CDATA["
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def storage_blocks(text: str) -> list[Block]:
    """Blocks of a page's body; no entity is expanded beyond HTML's own characters, nothing is fetched."""
    root = _tree(text)
    if root is None:
        return []
    # From the leaves up: a macro finds what it holds already turned into HTML.
    for element in reversed(list(root.iter(etree.Element))):
        _turn(element)
    seen: dict[str, int] = {}
    for element in root.iter(*HEADINGS):
        if not element.get("id") and element.find(".//a[@name]") is None:
            element.set("id", heading_anchor("".join(element.itertext()), seen))
    return tree_blocks(root)


def heading_anchor(text: str, seen: dict[str, int]) -> str:
    """The anchor Confluence Cloud gives a heading; a second one of the same text ends in `.1`."""
    base = _SPACE.sub("-", text.strip())
    number = seen.get(base, 0)
    seen[base] = number + 1
    return f"{base}.{number}" if number else base


def _tree(text: str) -> HtmlElement | None:
    if not text.strip():
        return None
    text = _NO_XML.sub("", clean(text))
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",
    )
    # Prefixes are undeclared in what Confluence sends.
    source = f'<storage xmlns:ac="urn:ac" xmlns:ri="urn:ri">{_without_entities(text)}</storage>'
    try:
        root: HtmlElement | None = etree.fromstring(source.encode("utf-8"), parser)
    except etree.XMLSyntaxError:
        # Recovering as XML loses all that follows a wrong end tag.
        root = _loose_tree(text)
    return root


def _loose_tree(text: str) -> HtmlElement | None:
    """What is not well-formed, read as HTML and given the names it would have had."""
    root = html_tree(_EMPTY.sub(r"<\1\2></\1>", _without_entities(text, cdata=False)))
    for element in [] if root is None else list(root.iter(etree.Element)):
        if _PREFIXED.fullmatch(str(element.tag)):
            element.tag = _qualified(str(element.tag))
        for name, value in list(element.attrib.items()):
            if _PREFIXED.fullmatch(str(name)):
                element.set(_qualified(str(name)), value)
    return root


def _qualified(name: str) -> str:
    found = _PREFIXED.fullmatch(name)
    return f"{{urn:{found[1]}}}{found[2]}" if found else name


def _without_entities(text: str, *, cdata: bool = True) -> str:
    """Every reference as a character or a number; inside CDATA, where it is the author's text, as it stands.

    Without `cdata` these sections become escaped text.
    """
    pieces: list[str] = []
    at = 0
    while at < len(text):
        start = text.find(_OPEN, at)
        start = len(text) if start < 0 else start
        pieces.append(_ENTITY.sub(_character, text[at:start]))
        if start == len(text):
            break
        end = text.find("]]>", start)
        end = len(text) if end < 0 else end
        inside = text[start + len(_OPEN) : end]
        pieces.append(f"{_OPEN}{inside}]]>" if cdata else html.escape(inside))
        at = end + 3
    return "".join(pieces)


def _character(found: re.Match[str]) -> str:
    text = _NO_XML.sub("", html.unescape(found[0]))
    return "".join(f"&#{ord(letter)};" if letter in "&<>\"'" else letter for letter in text)


def _turn(element: HtmlElement) -> None:
    tag = str(element.tag)
    if tag.startswith(AC):
        _ELEMENTS.get(tag[len(AC) :], _plain)(element)
    elif tag.startswith(RI):
        _resource(element)
    elif tag == "time" and not element.text:
        element.text = element.get("datetime")
    elif tag == "table":
        # Code inside a cell makes a table no layout.
        for code in list(element.iter("pre")):
            code.tag = "code"


def _become(element: HtmlElement, tag: str, text: str | None = None, **attributes: str) -> None:
    """Rename in place, the tail kept; `text` replaces all that was inside."""
    if text is not None:
        for child in list(element):
            element.remove(child)
        element.text = text
    element.attrib.clear()
    element.attrib.update(attributes)
    element.tag = tag


def _plain(element: HtmlElement) -> None:
    _become(element, "div")


def _span(element: HtmlElement) -> None:
    _become(element, "span")


def _gone(element: HtmlElement) -> None:
    _become(element, "span", "", hidden="")


def _macro(element: HtmlElement) -> None:
    name = element.get(AC + "name", "")
    given = {p.get("ac-name", ""): "".join(p.itertext()).strip() for p in element.findall("ac-parameter")}
    for parameter in element.findall("ac-parameter"):
        _gone(parameter)
    if name in DROPPED or (name == "excerpt" and given.get("hidden") == "true"):
        _gone(element)
    elif name in PANELS:
        _panel(element, name, given.get("title", ""))
    elif name in _MACROS:
        _MACROS[name](element, given)
    else:
        # What a macro does is unknown; what people wrote into it is not.
        _become(element, "div")
        if given.get("title"):
            element.insert(0, _paragraph(given["title"]))


def _code(element: HtmlElement, given: dict[str, str]) -> None:
    body = element.find("pre")
    code = "".join(body.itertext()) if body is not None else ""
    tail = element.tail
    _become(element, "div", "")
    if given.get("title"):
        element.append(_paragraph(given["title"]))
    block = etree.SubElement(element, "pre", {"data-lang": given.get("language", "")})
    block.text = code
    element.tail = tail


def _html(element: HtmlElement, _: dict[str, str]) -> None:
    inside = html_tree(_without_entities("".join(element.itertext()), cdata=False))
    _become(element, "div", "")
    for child in [] if inside is None else list(inside):
        element.append(child)


def _word(element: HtmlElement, text: str) -> None:
    _become(element, "span", text)


def _anchor(element: HtmlElement, given: dict[str, str]) -> None:
    _become(element, "a", "", name=given.get("") or given.get("anchor", ""))


_MACROS: dict[str, Callable[[HtmlElement, dict[str, str]], None]] = {
    "code": _code,
    "noformat": _code,
    "html": _html,
    "anchor": _anchor,
    "status": lambda element, given: _word(element, f"[{given['title']}]" if given.get("title") else ""),
    "jira": lambda element, given: _word(element, given.get("key", "")),
}


def _panel(element: HtmlElement, name: str, title: str) -> None:
    """A quotation that says what it is in its first paragraph, so that no cut takes it away."""
    label = PANELS[name] + (f" ({title})" if title else "") + ": "
    _become(element, "blockquote")
    body = element.find("div")
    body = element if body is None else body
    first = body[0] if len(body) else None
    if first is not None and first.tag == "p" and not (body.text or "").strip():
        first.text = label + (first.text or "")
    elif (body.text or "").strip():
        body.text = label + (body.text or "")
    else:
        body.insert(0, _paragraph(label))


def _paragraph(text: str) -> HtmlElement:
    paragraph: HtmlElement = etree.Element("p")
    paragraph.text = text
    return paragraph


def _parameter(element: HtmlElement) -> None:
    element.set("ac-name", element.get(AC + "name", ""))
    element.tag = "ac-parameter"


def _task(element: HtmlElement) -> None:
    status = element.find("ac-status")
    done = status is not None and (status.text or "").strip() == "complete"
    if status is not None:
        _gone(status)
    _become(element, "li")
    element.insert(0, etree.Element("input", {"type": "checkbox", **({"checked": ""} if done else {})}))


def _link(element: HtmlElement) -> None:
    """The label; without one, the name of what is linked, which was turned into text already."""
    label = element.find("ac-label")
    if label is not None:
        for child in list(element):
            if child is not label:
                _gone(child)
        _span(label)
    _become(element, "a")


def _label(element: HtmlElement) -> None:
    element.tag = "ac-label"


def _resource(element: HtmlElement) -> None:
    named = element.get(RI + "content-title") or element.get(RI + "filename") or element.get(RI + "value")
    if element.tag == RI + "user":
        name = element.get(RI + "username")
        named = f"@{name}" if name else NOBODY
    _become(element, "span", named or "")


def _image(element: HtmlElement) -> None:
    alternative = element.get(AC + "alt") or ""
    for child in list(element):
        if child.tag == "span":
            _gone(child)
    _become(element, "span")
    element.insert(0, etree.Element("img", {"alt": alternative}))


def _emoticon(element: HtmlElement) -> None:
    short = element.get(AC + "emoji-shortname") or f":{element.get(AC + 'name', '')}:"
    _become(element, "span", "" if short == "::" else short)


def _adf_attribute(element: HtmlElement) -> None:
    element.set("ac-key", element.get("key", ""))
    element.tag = "ac-attribute"


def _adf_node(element: HtmlElement) -> None:
    kind = ""
    for attribute in element.findall("ac-attribute"):
        if attribute.get("ac-key") in ("panel-type", "panelType"):
            kind = (attribute.text or "").strip()
        _gone(attribute)
    if element.get("type") == "panel":
        _panel(element, kind if kind in PANELS else "panel", "")
    else:
        _become(element, "div")


_ELEMENTS: dict[str, Callable[[HtmlElement], None]] = {
    "structured-macro": _macro,
    "macro": _macro,
    "parameter": _parameter,
    "default-parameter": _parameter,
    "plain-text-body": lambda element: _become(element, "pre"),
    "link": _link,
    "link-body": _label,
    "plain-text-link-body": _label,
    "image": _image,
    "emoticon": _emoticon,
    "task-list": lambda element: _become(element, "ul"),
    "task": _task,
    "task-id": _gone,
    "task-uuid": _gone,
    "task-status": lambda element: _become(element, "ac-status"),
    "task-body": _span,
    "inline-comment-marker": _span,
    "placeholder": _gone,
    "adf-attribute": _adf_attribute,
    "adf-node": _adf_node,
    "adf-fallback": _gone,
}
