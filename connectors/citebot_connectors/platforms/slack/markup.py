"""Slack's text, in both directions: what people wrote becomes plain, what we show cannot call or link anything."""

from __future__ import annotations

import re
from collections.abc import Callable

from citebot.answering.sink import clean_words
from citebot.conversing.chat import Markup
from citebot.conversing.links import safe_address

LINK_MOST = 2_000
_TOKEN = re.compile(r"<([^<>\n]+)>")
_CALLED = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^<>]*)?>")
# What a chat client would take for a call, a date or a link. The check of answers has removed these already; a text
# that reached us in pieces may have joined up again.
_OPENS = re.compile(r"<(?=[@!#]|[A-Za-z][\w+.-]*:|$)")
_ENTITY = re.compile(r"&(?=(?:lt|gt|amp|#\d+|#x[0-9a-f]+);)", re.IGNORECASE)


def escaped(text: str) -> str:
    """Plain text for Slack's own markup: nothing in it is a mention or a link."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def quoted(text: str) -> str:
    """The words of somebody for Slack's own markup: we make no link and call nobody for them."""
    return escaped(clean_words(text))


def unescaped(text: str) -> str:
    """The reverse."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def safe_markdown(text: str) -> str:
    """Checked Markdown for a `markdown` block or a piece of a stream; harmless text stays as it is."""
    return _OPENS.sub("< ", _ENTITY.sub("&amp;", text))


def safe_link(url: str) -> str:
    """An address from our own records as it may stand in Slack's `<address|words>`, or empty."""
    return safe_address(url).replace("&", "&amp;") if len(url) <= LINK_MOST else ""


def linked(url: str, words: str) -> str:
    """Words that lead to an address, or only the words."""
    address = safe_link(url)
    words = escaped(words)
    return f"<{address}|{words.replace('|', '¦')}>" if address else words


def called(text: str) -> set[str]:
    """The ids of the people a message mentions."""
    return set(_CALLED.findall(text))


def without_mention(text: str, user: str) -> str:
    """The text without the mention of one user, wherever it stands."""
    return re.sub(rf"\s*<@{re.escape(user)}(?:\|[^<>]*)?>[ \t]*[:,]?[ \t]*", " ", text).strip()


def plain(text: str, name_of: Callable[[str], str]) -> str:
    """What a person wrote, without Slack's markup; `name_of` gives the name of a user id."""
    return unescaped(_TOKEN.sub(lambda token: _words(token[1], name_of), text))


def _words(token: str, name_of: Callable[[str], str]) -> str:
    target, _, label = token.partition("|")
    if target.startswith("@"):
        return f"@{label or name_of(target[1:])}"
    if target.startswith("#"):
        return f"#{label or target[1:]}"
    if target.startswith("!"):
        name = target[1:].partition("^")[0]
        return label or f"@{name}"
    bare = target.removeprefix("mailto:")
    return label if label and label != bare else bare


MARKUP = Markup(plain=escaped, quoted=quoted, strong=lambda text: f"*{text}*", mention=lambda account: f"<@{account}>")
