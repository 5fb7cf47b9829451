"""What must not be in anything an app sends to Discord, decided without a line of the code under test."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from slack_sieve import ADDRESS, CALL

from citebot.testing.discord.core import Sent

EPHEMERAL, SUPPRESS_EMBEDS = 1 << 6, 1 << 2
NEW = ("create_message", "create_followup")
CHANGED = ("edit_message", "edit_original_response", "edit_followup")
MESSAGES = (*NEW, *CHANGED)
FIRST = "create_interaction_response"
SAYS, UPDATES, SUGGESTS, ASKS = 4, 7, 8, 9
"""Kinds of first answers."""
TEXT, LINK = 10, 5
DRAWN = {1, 2, 9, 10, 14, 18, 3, 4, 21}
"""Rows, buttons, sections, texts, lines, labels and inputs: no picture, no file."""
WORDS = ("label", "placeholder", "description", "title", "value", "name")
MARKS = re.compile(r"<(?:[@#:/]|a:|t:|id:|sound:)[^<>\n]*>")
MASKED = re.compile(r"\]\s?\(\s*<?[a-z][a-z0-9+.-]*:", re.IGNORECASE)
BARE = re.compile(r"[a-z][a-z0-9+.-]*://\S|\bdiscord(?:app)?\.(?:gg|com/invite)/\w", re.IGNORECASE)
OURS = re.compile(r"(?<=[<\]:@mg])\u200b")
"""Where the platform itself keeps two signs apart."""
HIDDEN = re.compile("[\u00ad\u200b\u200c\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")


@dataclass(frozen=True, slots=True)
class Sieve:
    """Knows what is our own: addresses of records, who may be called, and the threads that were made."""

    addresses: frozenset[str]
    people: frozenset[str]
    places: frozenset[str] = frozenset()
    harm: list[str] = field(default_factory=list)

    def look(self, sent: Sent) -> list[str]:
        """Everything wrong with one payload."""
        wrong = [f"{sent.method}: {what}" for what in self._wrong(sent)]
        self.harm.extend(wrong)
        return wrong

    def _wrong(self, sent: Sent) -> Iterator[str]:
        body = message_of(sent)
        if body is not None:
            if not int(body.get("flags") or 0) & SUPPRESS_EMBEDS:
                yield f"flags are {body.get('flags')}"
            yield from self._calls(body)
            for name in ("embeds", "attachments", "poll", "sticker_ids"):
                if body.get(name):
                    yield f"{name}: {str(body[name])[:100]}"
        for kind, text in shown(sent.args):
            yield from self.text(kind, text)

    def _calls(self, body: dict[str, Any]) -> Iterator[str]:
        """Nobody is called but by our own records."""
        allowed = body.get("allowed_mentions")
        found = allowed if isinstance(allowed, dict) else {}
        foreign = set(found.get("users") or ()) - self.people
        if found.get("parse") != [] or found.get("roles") or found.get("replied_user") or foreign:
            yield f"allowed_mentions is {allowed}"

    def text(self, kind: str, text: str) -> Iterator[str]:
        """What is wrong with one text: `markdown`, `plain`, `link`, or a thing that may not be there at all."""
        if kind == "link":
            if text.partition("#")[0] not in self.addresses:
                yield f"button to {text}"
            return
        if kind not in ("markdown", "plain"):
            yield f"{kind}: {text[:200]}"
            return
        if kind == "markdown":
            for mark in MARKS.findall(text):
                if not (mark[:2] in ("<@", "<#") and mark[2:-1] in self.people | self.places):
                    yield f"mark {mark}"
            for pattern, what in ((MASKED, "masked link"), (BARE, "bare address")):
                if found := pattern.search(text):
                    yield f"{what} {text[max(0, found.start() - 40) : found.end() + 60]!r}"
            text = OURS.sub("", MARKS.sub("", text))
        yield from self.words(text)

    def words(self, text: str) -> Iterator[str]:
        """What is wrong wherever it stands."""
        for pattern, what in ((ADDRESS, "address"), (HIDDEN, "hidden character"), (CALL, "call")):
            if found := pattern.search(text):
                yield f"{what} {text[max(0, found.start() - 40) : found.end() + 60]!r}"


def message_of(sent: Sent) -> dict[str, Any] | None:
    """The message in a payload, if there is one."""
    if sent.method in MESSAGES:
        return sent.args
    if sent.method == FIRST and sent.args.get("type") in (SAYS, UPDATES):
        return dict(sent.args.get("data") or {})
    return None


def shown(args: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text of a payload that somebody sees, with how it is read; and what no payload may hold."""
    data = args.get("data") if isinstance(args.get("data"), dict) else args
    assert isinstance(data, dict)
    if data.get("content"):
        yield "markdown", str(data["content"])
    for name in ("title", "name"):  # of dialogues and threads
        if data.get(name):
            yield "plain", str(data[name])
    for choice in data.get("choices") or ():
        yield "plain", str(choice["name"])
    for component in data.get("components") or ():
        yield from _inside(component)


def _inside(component: dict[str, Any]) -> Iterator[tuple[str, str]]:
    kind = component.get("type")
    if kind not in DRAWN:
        yield "component", str(component)
    if kind == TEXT:
        yield "markdown", str(component["content"])
    elif kind == 2 and component.get("style") == LINK:
        yield "link", str(component.get("url"))
    elif "url" in component or (component.get("custom_id", "").startswith("http")):
        yield "address", str(component)
    elif kind == 2 and not str(component.get("custom_id")).startswith("cb:"):
        yield "foreign button", str(component)
    for name in WORDS:
        # What stands in an input is the text of whoever sees it alone, and no markup.
        if isinstance(component.get(name), str) and not (kind == 4 and name == "value"):
            yield "plain", component[name]
    for option in component.get("options") or ():
        yield "plain", str(option.get("label"))
    inner = [*(component.get("components") or ()), component.get("component"), component.get("accessory")]
    for one in filter(None, inner):
        yield from _inside(one)
