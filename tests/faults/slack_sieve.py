"""What must not be in anything an app sends to Slack, decided without a line of the code under test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from markdown_it import MarkdownIt

from citebot.testing.slack.core import Sent

POSTS = ("chat.postMessage", "response_url")
SAYS = ("text", "markdown_text", "blocks", "view", "status", "loading_messages", "title", "prompts", "attachments")
OURS = re.compile(r"citebot_\w+")
NOT_SHOWN = {"value", "action_id", "block_id", "callback_id", "private_metadata", "type", "style"}
TOKEN = re.compile(r"<([^<>]*)>")
DATE = re.compile(r"!date\^\d+\^\{time\}\|\d\d:\d\d UTC")
ADDRESS = re.compile(
    r"""[a-z][a-z0-9+.-]*\s?:\s?[/\\]{2} | (?<![\w.@])www\d?\.\w | //[\w.-]+\.\w
    | \b(?:mailto|tel|sms|javascript|vbscript|slack):\S | \bdata:[\w/+-]*[;,]
    | \d{1,3}(?:\.\d{1,3}){3}/(?!\d)\S | \[[0-9a-f]*::[0-9a-f]*\]/\S
    | \b[\w-]+(?:[.\u3002\uff0e\uff61][\w-]+)*[.\u3002\uff0e\uff61](?:com|net|org|io|co|ru|de|dev|xyz)\b(?!\.\w)
    | evil[\w-]*\s?[.\u3002\uff0e\uff61]\s?\w+[/?:#]""",
    re.IGNORECASE | re.VERBOSE,
)
CALL = re.compile("[@\uff20\ufe6b](?:everyone|here|channel)\\b", re.IGNORECASE)
HIDDEN = re.compile("[\u00ad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
MARKDOWN = MarkdownIt("commonmark").enable("table").enable("strikethrough")
LINKS = {"link_open", "image", "html_block", "html_inline"}


@dataclass(frozen=True, slots=True)
class Sieve:
    """Knows what is our own: addresses of records, and who may be named."""

    addresses: frozenset[str]
    people: frozenset[str]
    harm: list[str] = field(default_factory=list)

    def look(self, sent: Sent) -> list[str]:
        """Everything wrong with one payload."""
        wrong = [f"{sent.method}: {what}" for what in self._wrong(sent)]
        self.harm.extend(wrong)
        return wrong

    def _wrong(self, sent: Sent) -> Iterator[str]:
        args = sent.args
        if sent.method in POSTS and args.get("delete_original") is None:
            for name in ("unfurl_links", "unfurl_media"):
                if args.get(name) is not False:
                    yield f"{name} is {args.get(name)}"
        if args.get("link_names") or args.get("parse", "none") != "none":
            yield "names or addresses in it are made links"
        for kind, text in shown(args):
            yield from self.text(kind, text)

    def text(self, kind: str, text: str) -> Iterator[str]:
        """What is wrong with one text: `mrkdwn`, `markdown`, `plain`, or a thing that may not be there at all."""
        if kind == "mrkdwn":
            for token in TOKEN.findall(text):
                target, bar, label = token.partition("|")
                if target.partition("#")[0] in self.addresses and bar:
                    yield from self.words(label)
                elif not (DATE.fullmatch(token) or (target[:1] == "@" and target[1:] in self.people)):
                    yield f"token <{token}>"
            text = TOKEN.sub("", text)
            if "<" in text or ">" in re.sub("^>", "", text, flags=re.MULTILINE):
                yield f"loose sign in {text[:200]!r}"
        elif kind == "markdown":
            for token in MARKDOWN.parse(text):
                for one in [token, *(token.children or ())]:
                    if one.type in LINKS:
                        yield f"{one.type} in {text[:300]!r}"
            if found := re.search(r"<[@!#]", text):
                yield f"call {text[found.start() :][:80]!r}"
        elif kind not in ("plain", "text"):
            yield f"{kind}: {text[:200]}"
        yield from self.words(text)

    def words(self, text: str) -> Iterator[str]:
        """What is wrong wherever it stands."""
        for pattern, what in ((ADDRESS, "address"), (CALL, "call"), (HIDDEN, "hidden character")):
            if found := pattern.search(text):
                yield f"{what} {text[max(0, found.start() - 40) : found.end() + 60]!r}"


def shown(args: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text of a payload that somebody sees, with how it is read; and what no payload may hold."""
    for name in SAYS:
        value = args.get(name)
        if name == "text" and isinstance(value, str):
            yield "mrkdwn", value
        elif name == "markdown_text" and isinstance(value, str):
            yield "markdown", value
        elif name == "attachments" and value:
            yield "attachment", str(value)
        elif value:
            yield from _inside(value)


def _inside(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield "plain", value
    elif isinstance(value, list):
        for item in value:
            yield from _inside(item)
    elif isinstance(value, dict):
        kind = str(value.get("type", ""))
        if kind == "image" or "image_url" in value or "slack_file" in value:
            yield "image", str(value)
        if "url" in value:
            yield "button with an address", str(value)
        if "action_id" in value and not (OURS.fullmatch(value["action_id"]) or kind == "plain_text_input"):
            yield "foreign button", str(value)
        if kind in ("mrkdwn", "markdown") and isinstance(value.get("text"), str):
            yield kind, value["text"]
            if kind == "mrkdwn" and value.get("verbatim") is not True:
                yield "not verbatim", value["text"]
            return
        for name, inner in value.items():
            if name not in NOT_SHOWN:
                yield from _inside(inner)
