"""Discord's text, in both directions: what people wrote becomes plain, what we show cannot call or link anything."""

from __future__ import annotations

import re

from discord.utils import escape_markdown

from citebot.answering.sink import clean_words
from citebot.conversing.chat import Markup
from citebot.conversing.links import safe_address

LINK_MOST = 512
"""Characters of the address of a button."""
# What a client would take for a call, a time, an emoji or a link. The check of answers has removed these already; a
# text that reached us in pieces may have joined up again.
_OPENS = re.compile(r"<(?=[@#:/]|a:|t:|id:|sound:|[A-Za-z][\w+.-]*:|$)")
_INVITES = re.compile(r"(discord(?:app)?\.(?:gg|com)|dsc\.gg)/", re.IGNORECASE)
_SCHEME = re.compile(r"\b(https?|ftp|discord|steam|mailto|tel):(?=\S)", re.IGNORECASE)
_MASKED = re.compile(r"\](?=\()")
_CALLED = re.compile(r"<@!?(\d+)>")
_TOKEN = re.compile(r"<(?:a?:(\w+):\d+|#(\d+)|@&(\d+)|/([\w -]+):\d+|t:(-?\d+)(?::\w)?)>")


def safe_markdown(text: str) -> str:
    """Checked Markdown for a text display; harmless text stays as it is."""
    text = _OPENS.sub("<\u200b", text)
    text = _SCHEME.sub(lambda found: f"{found[1]}\u200b:", text)
    return _MASKED.sub("]\u200b", _INVITES.sub(lambda found: f"{found[1]}\u200b/", text))


def escaped(text: str) -> str:
    """Plain text: nothing in it is markup, a mention or a link."""
    flat = escape_markdown(text, as_needed=False, ignore_links=False)
    return safe_markdown(flat).replace("@everyone", "@\u200beveryone").replace("@here", "@\u200bhere")


def quoted(text: str) -> str:
    """The words of somebody: we make no link and call nobody for them."""
    return escaped(clean_words(text))


def safe_link(url: str) -> str:
    """An address from our own records as a button may have it, or empty."""
    found = safe_address(url)
    return found if len(found) <= LINK_MOST else ""


def called(text: str) -> frozenset[str]:
    """The ids of the people that stand in a text."""
    return frozenset(_CALLED.findall(text))


def without_mention(text: str, user: str) -> str:
    """The text without the mention of one user, wherever it stands."""
    return re.sub(rf"\s*<@!?{re.escape(user)}>[ \t]*[:,]?[ \t]*", " ", text).strip()


def plain(text: str) -> str:
    """What a person wrote, without Discord's markup; people stay as `@id`."""
    text = _CALLED.sub(lambda found: f"@{found[1]}", text)
    return _TOKEN.sub(_words, text).strip()


def _words(token: re.Match[str]) -> str:
    emoji, channel, role, command, moment = token.groups()
    if emoji:
        return f":{emoji}:"
    if command:
        return f"/{command}"
    return f"#{channel}" if channel else f"@{role}" if role else str(moment)


MARKUP = Markup(
    plain=escaped, quoted=quoted, strong=lambda text: f"**{text}**", mention=lambda account: f"<@{account}>"
)
