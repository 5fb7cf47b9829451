"""An answer as Slack's blocks: its text, where it comes from, what a reader must know, and buttons."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from citebot.answering.sink import clean_inline
from citebot.conversing import translated
from citebot.conversing.origins import closest_to, of_documents, origin_of
from citebot.conversing.tables import Room, Table, with_first_table
from citebot.model import Answer, Citation, Inquiry, Passage
from citebot.ports import Message
from citebot_connectors.platforms.slack.blocks import (
    SECTION_MOST,
    actions,
    context,
    mrkdwn,
    plain_text,
    pressed,
    section,
)
from citebot_connectors.platforms.slack.calling import Body
from citebot_connectors.platforms.slack.markup import escaped, linked, safe_markdown
from citebot_connectors.platforms.slack.texts import Texts

MARKDOWN_MOST = 12_000
TEXT_MOST = 3_000
"""Of the words beside the blocks, for notifications and screen readers."""
BLOCKS_MOST = 50
SOURCES_MOST = 20
NOTES_MOST = 5
QUESTION_MOST = 1_000
TABLE = Room(rows=100, columns=20, cell=1_000)
"""A message may have one."""
ACCOUNT = re.compile(r"[UW][A-Z0-9]{2,30}")
FEEDBACK = "citebot_feedback"
DELETE = "citebot_delete"
RETRY = "citebot_retry"
ASK_PEOPLE = "citebot_ask_people"

_HEADING = re.compile(r"^ {0,3}#{1,6} +(.*?)\s*$", re.MULTILINE)
_RULE = re.compile(r"^\s*([-*_]\s*){3,}$", re.MULTILINE)
_FENCE = re.compile(r"^ {0,3}(?:```|~~~).*$", re.MULTILINE)
_FENCED = re.compile(r"^ {0,3}(```|~~~).*(?:\n|\Z)((?:.*\n)*?.*?)(?:^ {0,3}\1.*$|\Z)", re.MULTILINE)
_TABLE_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)+\|?\s*$", re.MULTILINE)
_CUTS = re.compile(rf"{_HEADING.pattern}|{_RULE.pattern}|{_FENCE.pattern}|{_TABLE_RULE.pattern}", re.MULTILINE)


class Drawing:
    """Draws in one language, at one moment."""

    def __init__(self, texts: Texts, now: datetime) -> None:
        self._texts = texts
        self._now = now

    def message(self, message: Message) -> Body:
        """The arguments `text` and `blocks` of a message."""
        if message.inquiry is not None:
            return self._inquiry(message.inquiry)
        words = self._said(message.text) or message.status or "…"
        below = self.below(message)
        if message.text and message.status:
            below.insert(0, context(escaped(message.status)))
        blocks = _text(words, room=BLOCKS_MOST - len(below))
        return {"text": escaped(words[:TEXT_MOST]), "blocks": [*blocks, *below]}

    def below(self, message: Message) -> list[Body]:
        """What stands below the text: sources, notes, buttons."""
        answer = message.answer
        if answer is None:
            return [*self._sources(message.citations), *self._again(message)]
        return [
            *self._sources(answer.citations),
            *self._closest(closest_to(answer)),
            *(context(escaped(translated(note, self._texts))) for note in answer.notes[:NOTES_MOST]),
            self._buttons(answer),
            *self._again(message),
            *self._people(answer),
        ]

    def _again(self, message: Message) -> list[Body]:
        return [actions(pressed(RETRY, self._texts.ask_again, message.retry))] if message.retry else []

    def _people(self, answer: Answer) -> list[Body]:
        if answer.question.conversation.visibility == "dm":
            return []  # nobody else is there
        return [actions(pressed(ASK_PEOPLE, self._texts.ask_people, answer.id))]

    def _inquiry(self, inquiry: Inquiry) -> Body:
        """What people are asked. They are called by our own records; nothing that others wrote can call anybody."""
        called = " ".join(f"<@{one.account}>" for one in inquiry.people if ACCOUNT.fullmatch(one.account))
        asker = escaped(clean_inline(inquiry.asker.name) or inquiry.asker.id)
        question = escaped(" ".join(inquiry.question.split())[:QUESTION_MOST])
        words = self._texts.people_asked.format(people=called, asker=asker)
        hint = self._texts.people_hint
        if inquiry.resolved_by:
            hint = self._texts.people_answered.format(name=clean_inline(inquiry.resolved_by))
        blocks = [section(f"{words}\n>{question}"), *self._closest(inquiry.found), context(escaped(hint))]
        return {"text": f"{words} {question}", "blocks": blocks}

    def _said(self, text: str) -> str:
        return translated(text, self._texts) if text else ""

    def _sources(self, citations: Iterable[Citation]) -> list[Body]:
        cited = sorted(citations, key=lambda citation: citation.number)
        lines = [f"*[{one.number}]* {self._origin(one.passage)}" for one in cited[:SOURCES_MOST]]
        if len(cited) > SOURCES_MOST:
            lines.append("…")
        return _sections(f"*{escaped(self._texts.sources)}*", lines)

    def _closest(self, passages: Iterable[Passage]) -> list[Body]:
        lines = [f"• {self._origin(passage)}" for passage in of_documents(passages)]
        return _sections(f"*{escaped(self._texts.closest)}*", lines)

    def _origin(self, passage: Passage) -> str:
        """One line: the title with its link, the section, and the facts."""
        origin = origin_of(passage, self._texts, now=self._now)
        where = f" › {escaped(origin.section)}" if origin.section else ""
        return f"{linked(origin.link, origin.title)}{where} ({escaped(origin.facts)})"

    def _buttons(self, answer: Answer) -> Body:
        texts = self._texts
        feedback = {
            "type": "feedback_buttons",
            "action_id": FEEDBACK,
            "positive_button": _button(texts.helpful, f"helpful:{answer.id}"),
            "negative_button": _button(texts.not_helpful, f"not_helpful:{answer.id}"),
        }
        delete = {
            "type": "icon_button",
            "action_id": DELETE,
            "icon": "trash",
            "text": plain_text(texts.delete),
            "accessibility_label": texts.delete,
            "value": answer.id,
            "confirm": {
                "title": plain_text(texts.delete),
                "text": plain_text(texts.delete_confirm),
                "confirm": plain_text(texts.remove_answer),
                "deny": plain_text(texts.keep_answer),
            },
        }
        return {"type": "context_actions", "elements": [feedback, delete]}


def _text(words: str, *, room: int) -> list[Body]:
    """The text itself. Slack makes a block of its own of each heading, table and piece of code, and counts them."""
    text = safe_markdown(words)
    for simpler in (str, without_headings, without_code):
        text = simpler(text)
        if pieces(text) <= room:
            break
    if len(text) > MARKDOWN_MOST:
        short = text[: MARKDOWN_MOST - 2]
        text = (short.rpartition("\n")[0] or short) + "\n…"
    parts = with_first_table(text, TABLE)
    return [_table(part) if isinstance(part, Table) else {"type": "markdown", "text": part} for part in parts]


def _table(table: Table) -> Body:
    cells = [[{"type": "raw_text", "text": cell or " "} for cell in row] for row in table.rows]
    return {"type": "table", "rows": cells}


def pieces(text: str) -> int:
    """Into how many blocks Slack cuts a text at most."""
    return 1 + 2 * len(_CUTS.findall(text))


def without_headings(text: str) -> str:
    """Headings become bold lines, rules go."""
    return _RULE.sub("", _HEADING.sub(r"**\1**", text))


def without_code(text: str) -> str:
    """Code loses its frame, tables their rules: the last resort, so that the words are shown.

    Each line of code stays code: what was let through as such may be a link elsewhere.
    """
    return _TABLE_RULE.sub("", _FENCED.sub(_lines_of_code, text)).replace("|", "¦")


def _lines_of_code(block: re.Match[str]) -> str:
    lines = (line.replace("`", "'").strip() for line in block[2].splitlines())
    return "\n".join(f"`{line}`" for line in lines if line)


def _button(label: str, value: str) -> Body:
    return {"text": plain_text(label), "value": value, "accessibility_label": label}


def _sections(heading: str, lines: list[str]) -> list[Body]:
    """Lines below a heading, in as many sections as they need."""
    if not lines:
        return []
    sections = [heading]
    for line in (line for line in lines if len(line) <= SECTION_MOST - 2):
        if len(sections[-1]) + 1 + len(line) > SECTION_MOST:
            sections.append(line)
        else:
            sections[-1] += f"\n{line}"
    return [{"type": "section", "text": mrkdwn(text), "expand": True} for text in sections]
