"""Textile as Redmine writes it: read line by line into HTML for the walker.

Every pattern is anchored or bounded, and no part of one can take what the next needs: time grows with the text alone.
"""

from __future__ import annotations

import re
from html import escape

from citebot.ingest.blocks.cleaning import clean
from citebot.ingest.blocks.html import html_blocks
from citebot.model import Block

MAX_NESTING = 20
_PRE = re.compile(r"<pre\b[^<>]{0,200}>", re.IGNORECASE)
_PRE_END = re.compile(r"</pre>", re.IGNORECASE)
_CODE = re.compile(r"\s{0,20}<code\b([^<>]{0,200})>", re.IGNORECASE)
_CODE_END = re.compile(r"</code>\Z", re.IGNORECASE)
_CLASS = re.compile(r"class=[\"']?(?:language-|lang-)?([\w+#-]{1,40})")
_ATTRIBUTES = r"((?:\([^()\n]{0,80}\)|\{[^{}\n]{0,80}\}|\[[^\[\]\n]{0,20}\]|[<>=~^-]){0,6})"
_SIGN = re.compile(
    rf"(h[1-6]|bq|bc|pre|p|table|notextile|fn\d{{1,3}}){_ATTRIBUTES}(\.\.?)(?::\S{{0,500}})?(?: (.*))?\Z"
)
_ITEM = re.compile(rf"([*#]{{1,200}}){_ATTRIBUTES} +(\S.*)")
_CELL = re.compile(r"((?:_|\\\d{1,3}|/\d{1,3}|[<>=^~-]|\([^()\n]{0,80}\)|\{[^{}\n]{0,80}\}){1,8})\. ?")
_CELL_SPAN = re.compile(r"([\\/])(\d{1,3})")
_COLLAPSE = re.compile(r"\{\{(\w{1,40})(?:\(([^()\n]{0,300})\))?\s{0,20}\Z")
_MACRO = re.compile(r"\{\{[^{}\n]{0,500}\}\}")
_WIKI = re.compile(r"!?\[\[([^\[\]\n|]{1,300})(?:\|([^\[\]\n|]{1,300}))?\]\]")
_AT_CODE = re.compile(r"(?<![\w@])@(?=\S)([^@\n]{1,300})(?<=\S)@(?![\w@])")
_LINK = re.compile(r"\"([^\"\n]{1,500})\":(?:[a-z]{2,10}:|/|#|\.\./|www\.)[^\s\"<>|\]]{0,2000}")
_TRAILING = ".,;:!?)"
_IMAGE = re.compile(
    r"(?<![\w!])!(?:[<>=]|\{[^{}\n]{0,80}\})?(?=[^\s!()]{0,500}[./])[^\s!()]{1,500}(?:\(([^()\n]{0,200})\))?!(?::\S{1,500})?"
)
_TAGS = re.compile(r"</?(?:code|notextile|pre)\b[^<>]{0,100}>", re.IGNORECASE)
_PERCENT = re.compile(r"%(?:\{[^{}\n]{0,80}\}|\([^()\n]{0,80}\))([^%\n]{1,500})%")
_PAIRS = [
    re.compile(rf"(?<![\w{sign}]){sign}(?=[^\s{sign}])([^{sign}\n]{{1,1000}})(?<=\S){sign}(?![\w{sign}])")
    for sign in (r"\*", "_", r"\+", r"\^", "~")
]
_STRUCK = re.compile(r"(?<![\w-])-(?=[^\s-])([^-\n]{1,500})(?<=\S)-(?![\w-])")
_NOT_ANCHOR = re.compile(r"[^\s\w-]")
_ANCHOR_SPACE = re.compile(r"\s+(?:-+\s*)?")


def textile_blocks(text: str) -> list[Block]:
    """Blocks of a wiki page or ticket, with the anchors that Redmine gives headings."""
    writer = _Writer()
    for code, piece in _pieces(_without_comments(clean(text))):
        if code:
            writer.code(*_unwrapped(piece))
        else:
            writer.lines(piece.split("\n"))
    writer.end()
    return html_blocks("".join(writer.out))


class _Writer:
    """Holds the paragraph, list, table or quotation that the next line may go on with."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self._held: list[str] = []
        self._kind = "p"
        """What `_held` will be: `p`, `blockquote`, `pre`, or `row` for a table row of several lines."""
        self._language = ""
        self._extended = False
        self._lists: list[str] = []
        self._table = False
        self._macros = 0
        self._anchors: dict[str, int] = {}

    def lines(self, lines: list[str]) -> None:
        for line in lines:
            self._line(line)

    def code(self, code: str, language: str) -> None:
        self.end()
        self.out.append(f'<pre data-lang="{escape(language)}">\n{escape(code)}</pre>')

    def end(self) -> None:
        """Close whatever is open."""
        self._flush()
        self._close_lists(0)
        if self._table:
            self.out.append("</table>")
            self._table = False

    def _line(self, line: str) -> None:
        stripped = line.strip()
        sign = _SIGN.match(line)
        if self._kind == "pre" and not (sign and self._extended):
            if stripped or self._extended:
                self._held.append(line)
            else:
                self.end()
        elif not stripped:
            self._blank()
        elif sign and (sign[4] or sign[1] == "table"):
            self._signed(sign)
        elif not self._macro(stripped):
            self._plain(line, stripped)

    def _blank(self) -> None:
        if self._kind == "blockquote" and self._extended:
            self._held.append("")
        else:
            self.end()

    def _plain(self, line: str, stripped: str) -> None:
        if self._kind == "row":
            self._row(stripped)
        elif stripped.startswith("|") and len(stripped) > 1:
            if not self._table:
                self.end()
            self._row(stripped)
        elif item := _ITEM.match(stripped):
            self._item(item[1], item[3])
        elif stripped.startswith(">"):
            if self._kind != "blockquote":
                self.end()
            self._kind = "blockquote"
            self._held.append(stripped.lstrip("> "))
        elif stripped.strip("-"):
            if self._table:
                self.end()
            self._held.append(line)

    def _signed(self, sign: re.Match[str]) -> None:
        name, text = sign[1], sign[4] or ""
        self.end()
        self._extended = sign[3] == ".."
        if name[0] == "h":
            self.out.append(f'<{name} id="{escape(self._anchor(text))}">{_inline(text)}</{name}>')
        elif name in ("bc", "pre"):
            self._kind, self._held, self._language = "pre", [text], sign[2].strip("()") if name == "bc" else ""
        elif name == "bq":
            self._kind, self._held = "blockquote", [text]
        elif name.startswith("fn"):
            self._held = [f"[{name[2:]}] {text}"]
        elif name != "table":
            self._held = [text]

    def _macro(self, stripped: str) -> bool:
        """A macro that holds lines, such as a collapsed part: its title stays, its inside is read as ever."""
        if stripped == "}}" and self._macros:
            self._macros -= 1
            self.end()
            return True
        if found := _COLLAPSE.match(stripped):
            self.end()
            self._macros += 1
            if found[1] == "collapse" and found[2]:
                self.out.append(f"<p>{escape(found[2])}</p>")
            return True
        return False

    def _item(self, marks: str, text: str) -> None:
        self._flush()
        if self._table:
            self.end()
        depth, tag = min(len(marks), MAX_NESTING), "ul" if marks[-1] == "*" else "ol"
        self._close_lists(depth)
        if len(self._lists) == depth and self._lists[-1] != tag:
            self._close_lists(depth - 1)
        while len(self._lists) < depth:
            self._lists.append(tag)
            self.out.append(f"<{tag}>")
        self.out.append("<li>")
        self._held = [text]

    def _close_lists(self, depth: int) -> None:
        while len(self._lists) > depth:
            self.out.append(f"</{self._lists.pop()}>")

    def _row(self, line: str) -> None:
        self._held.append(line)
        if not line.endswith("|"):
            self._kind = "row"
            return
        row = "\n".join(self._held)
        self._held, self._kind = [], "p"
        if not self._table:
            self.out.append("<table>")
            self._table = True
        # Labels of links may hold the sign that parts cells.
        cells = _WIKI.sub(_label, row).strip()[1:-1].split("|")
        self.out += ["<tr>", *map(_cell, cells), "</tr>"]

    def _flush(self) -> None:
        text = "\n".join(self._held)
        kind, self._kind, self._held, self._extended = self._kind, "p", [], False
        if not text.strip():
            return
        if kind == "pre":
            self.out.append(f'<pre data-lang="{escape(self._language)}">\n{escape(text)}</pre>')
        elif self._lists:
            self.out.append(_inline(text))
        else:
            tag = "blockquote" if kind == "blockquote" else "p"
            self.out.append(f"<{tag}>{_inline(text)}</{tag}>")

    def _anchor(self, text: str) -> str:
        anchor = _ANCHOR_SPACE.sub("-", _NOT_ANCHOR.sub("", _plain_text(text).strip()))
        number = self._anchors[anchor] = self._anchors.get(anchor, 0) + 1
        return anchor if number == 1 else f"{anchor}-{number}"


def _pieces(text: str) -> list[tuple[bool, str]]:
    """Text and the insides of `<pre>` in turn; one that is never closed goes to the end."""
    pieces: list[tuple[bool, str]] = []
    at = 0
    while opened := _PRE.search(text, at):
        closed = _PRE_END.search(text, opened.end())
        pieces.append((False, text[at : opened.start()]))
        language = _CLASS.search(opened[0])
        inside = text[opened.end() : closed.start() if closed else len(text)]
        pieces.append((True, f'<code class="{language[1]}">{inside}' if language else inside))
        at = closed.end() if closed else len(text)
    return [*pieces, (False, text[at:])]


def _unwrapped(code: str) -> tuple[str, str]:
    """Code without the `<code class="ruby">` around it, and its language."""
    opened = _CODE.match(code)
    if not opened:
        return code.strip("\n"), ""
    language = _CLASS.search(opened[1])
    inside = _CODE_END.sub("", code[opened.end() :].rstrip())
    return inside.strip("\n"), language[1] if language else ""


def _without_comments(text: str) -> str:
    pieces: list[str] = []
    at = 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start)) >= 0:
        pieces.append(text[at:start])
        at = end + 3
    return "".join([*pieces, text[at:]])


def _cell(text: str) -> str:
    tag, spans = "td", ""
    if found := _CELL.match(text):
        text = text[found.end() :]
        tag = "th" if "_" in found[1] else "td"
        for sign, number in _CELL_SPAN.findall(found[1]):
            spans += f' {"colspan" if sign == chr(92) else "rowspan"}="{number}"'
    return f"<{tag}{spans}>{_inline(text.strip())}</{tag}>"


def _inline(text: str) -> str:
    """HTML of a paragraph's words; `@code@` is kept as it stands."""
    pieces = _AT_CODE.split(text)
    written = [
        f"<code>{escape(piece)}</code>" if at % 2 else escape(_plain_text(piece)) for at, piece in enumerate(pieces)
    ]
    return "".join(written).replace("\n", "<br>")


def _plain_text(text: str) -> str:
    """Words without markup: labels of links, alternative texts of images, what is struck out between `~~`."""
    text = _TAGS.sub("", _MACRO.sub("", text))
    text = _WIKI.sub(_label, text)
    text = _LINK.sub(_linked, text)
    text = _IMAGE.sub(lambda found: found[1] or "", text)
    text = _PERCENT.sub(r"\1", text)
    for pair in _PAIRS:
        text = pair.sub(r"\1", text)
    return _STRUCK.sub(r"~~\1~~", text)


def _label(found: re.Match[str]) -> str:
    return found[2] or found[1]


def _linked(found: re.Match[str]) -> str:
    """The label, and the punctuation that ends the sentence rather than the address."""
    ends = _TRAILING.replace(")", "") if "(" in found[0][len(found[1]) :] else _TRAILING
    return found[1] + found[0][len(found[0].rstrip(ends)) :]
