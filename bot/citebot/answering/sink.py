"""Stage 11, the last before anybody sees the text: only our citation numbers and plain Markdown pass.

No address, mention, image or HTML of a model's or a document's making leaves. Addresses are rendered by platforms from
our own records of the cited passages. Each call cleans one unit (a sentence, a list item, a code block, a table) on its
own: what is broken in one unit cannot join up with the next.
"""

from __future__ import annotations

import html
import re

from citebot.answering.addresses import LINK_REMOVED, without_addresses

# Zero-width, bidirectional, tag, variation and other invisible characters, and controls apart from line ends and tabs.
_INVISIBLE = re.compile(
    "[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# A joiner belongs between two pictures (👩‍👩‍👧) and nowhere else.
_PICTURE = "\u2600-\u27bf\ufe0f\U0001f000-\U0001faff"
_JOINER = re.compile(f"\u200d(?![{_PICTURE}])|(?<![{_PICTURE}])\u200d")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_SEPARATOR = re.compile("[\u2028\u2029\u0085]")
_FENCE = re.compile(r"^\s{0,3}(```|~~~)")
_CODE_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_MENTION_WORD = re.compile(r"[@＠﹫]+(?=everyone|here|(?:channel|room|all|group|team)\b)", re.IGNORECASE)
# <@U123>, <!channel>, <#C1|name>, <:emoji:1>, <t:1>, </command:1>, <id:guide>, and any tag that may be HTML.
_ANGLED = re.compile(r"<(?:[@!#:/a-z?%]|&(?!lt;))[^<>\n]*>", re.IGNORECASE)
# `List<String>` is code that lost its backticks, unless it is the name of an HTML element.
_HTML = (
    "a|abbr|applet|area|audio|b|base|body|br|button|canvas|details|div|embed|em|font|form|frame|frameset|h[1-6]|head|html|hr|"
    "i|iframe|img|input|li|link|map|marquee|math|meta|object|ol|option|p|plaintext|portal|pre|script|select|slot|source|span|"
    "strong|style|svg|table|td|template|textarea|th|title|tr|track|u|ul|video|xmp"
)
_GENERIC = rf"(?!(?i:{_HTML})\b)[A-Z][A-Za-z0-9]*(?:,\s?[A-Z][A-Za-z0-9]*)*>"
_IS_GENERIC = re.compile(f"<{_GENERIC}")
_OPEN_ANGLE = re.compile(f"<(?=[@!#:/a-zA-Z?%&])(?!{_GENERIC})")
_CODE_ANGLE = re.compile(r"<(?=[@!#:]|/\w+:\d|t:\d|a:\w|id:)", re.IGNORECASE)
_IMAGE = re.compile(r"!+(?=\[)")
# The target may be missing its end: what is cut off in this unit must not be completed by the next.
_INLINE_LINK = re.compile(r"\[((?:[^\[\]\n]|\[[^\[\]\n]*\])*)\]\(([^()\n]*(?:\([^()\n]*\)[^()\n]*)*)(?:\)|$)")
_REFERENCE_LINK = re.compile(r"\[([^\[\]\n]+)\]\s?\[([^\[\]\n]*)\]")
_DEFINITION = re.compile(r"^\s{0,3}\[(?!\d{1,3}\]:?\s*$)[^\]\n]+\]:.*$", re.MULTILINE)
_CITATION = re.compile(r"\d{1,3}")
_AFTER_BRACKET = re.compile(r"\](?=\(|:|\[(?!\d{1,3}\]))")


def clean(text: str) -> str:
    """One unit of text as it may leave; a text that was harmless comes back as it was."""
    text = _LINE_SEPARATOR.sub("\n", _visible(_SURROGATE.sub("\ufffd", text)))
    if _FENCE.match(text):
        return _clean_fence(text)
    return _clean_lines(text)


def clean_words(text: str) -> str:
    """What a person typed, for a place where nothing is markup: without addresses, calls and what cannot be seen."""
    visible = _LINE_SEPARATOR.sub("\n", _visible(_SURROGATE.sub("\ufffd", text)))
    return _MENTION_WORD.sub("", without_addresses(visible))


def _visible(text: str) -> str:
    return _JOINER.sub("", _INVISIBLE.sub("", text))


def clean_inline(text: str) -> str:
    """A title or name inside one of our own sentences: one line without any markup."""
    unmarked = re.sub(r"[`*_~|\[\]]|^\s*#+", " ", clean(" ".join(text.split())))
    flat = " ".join(clean(unmarked).split())
    return flat if len(flat) <= 120 else flat[:119].rstrip() + "…"


def _clean_fence(text: str) -> str:
    """A code block: shown as it is, but addresses and mentions are no more welcome there; the fence is closed."""
    lines = text.strip("\n").splitlines()
    fence = "~~~" if lines[0].lstrip().startswith("~~~") else "```"
    language = re.sub(r"[^\w+#-]", "", lines[0].lstrip().lstrip("`~"))[:20]
    body = lines[1:]
    if body and body[-1].strip().startswith(fence):
        body = body[:-1]
    safe = [_clean_code(line.replace("```", "'''").replace("~~~", "---")) for line in body]
    return "\n".join([f"{fence}{language}", *safe, fence])


def _clean_code(text: str) -> str:
    text = _MENTION_WORD.sub("", without_addresses(text))
    return _CODE_ANGLE.sub("< ", text)


def _clean_lines(text: str) -> str:
    """Running text: code spans are cut out first, so that what they hold is treated as code."""
    pieces: list[str] = []
    end = 0
    for span in _CODE_SPAN.finditer(text):
        pieces.append(_clean_prose(text[end : span.start()]))
        pieces.append(f"`{_clean_code(span.group(1))}`")
        end = span.end()
    pieces.append(_clean_prose(text[end:]))
    return without_addresses("".join(pieces))


def _clean_prose(text: str) -> str:
    if not text:
        return text
    text = text.replace("`", "'") if "`" in text else text
    text = _unescape(text)
    text = _DEFINITION.sub("", text)
    text = _IMAGE.sub("", text)
    for _ in range(3):  # links inside links
        text, links = _INLINE_LINK.subn(_label, text)
        text, references = _REFERENCE_LINK.subn(_reference_label, text)
        if not links + references:
            break
    text = _ANGLED.sub(lambda match: _angled(match.group()), text)
    text = without_addresses(text)
    text = _OPEN_ANGLE.sub("< ", text)
    text = _AFTER_BRACKET.sub("] ", text)
    return _MENTION_WORD.sub("", text)


def _unescape(text: str) -> str:
    """Entities and backslashes can hide an address; decoded twice, because `&amp;#104;` hides one twice."""
    if "&" in text:
        text = html.unescape(html.unescape(text))
        text = _visible(text)
    return re.sub(r"\\(?=[:/.@\[\]()<>!])", "", text)


def _label(match: re.Match[str]) -> str:
    label, target = match.group(1), match.group(2).strip()
    if _CITATION.fullmatch(label):
        return f"[{label}]"  # our own number; where it leads is for our records to say
    if target and not re.search(r"[:/.#@\\%]", target):
        return f"{label} ({target})" if " " in target or not label else label
    return label or LINK_REMOVED


def _reference_label(match: re.Match[str]) -> str:
    label, reference = match.group(1), match.group(2)
    if _CITATION.fullmatch(label) and _CITATION.fullmatch(reference):
        return match.group()  # two citations in a row
    if _CITATION.fullmatch(reference):
        return f"{label} [{reference}]"
    return f"[{label}]" if _CITATION.fullmatch(label) else label


def _angled(tag: str) -> str:
    """Slack's `<url|label>` keeps its label, everything else in angle brackets goes."""
    if _IS_GENERIC.fullmatch(tag):
        return tag
    inner = tag[1:-1]
    if "|" in inner and not inner.startswith(("@", "!", "#")):
        return inner.partition("|")[2]
    return "" if re.match(r"</?[a-z!?%@#:&]", tag, re.IGNORECASE) else inner
