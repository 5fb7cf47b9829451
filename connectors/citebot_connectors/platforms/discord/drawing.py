"""An answer as Discord's components: its text, where it comes from with buttons that lead there, what can be done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from discord import ButtonStyle, SeparatorSpacing, ui

from citebot.answering.sink import clean_inline
from citebot.conversing import translated
from citebot.conversing.origins import closest_to, of_documents, origin_of
from citebot.model import Answer, Citation, Inquiry, Passage
from citebot.ports import Message
from citebot_connectors.platforms.discord.calling import COMPONENTS, SUPPRESS_EMBEDS, Body
from citebot_connectors.platforms.discord.markup import escaped, quoted, safe_link, safe_markdown
from citebot_connectors.platforms.discord.texts import Texts

DISPLAY_MOST = 4_000
"""Characters of all text displays of a message."""
SOURCES_MOST = 7
"""With a button each; a message may have 40 components."""
LINE_MOST = 400
NOTES_MOST = 3
QUESTION_MOST = 300
LABEL_MOST = 80
PREFIX = "cb:"
RATE, DELETE, RETRY, AGAIN, PEOPLE, THREAD, SHARE, TAKE, SAVE = (
    *("rate", "delete", "retry", "again", "people"),
    *("thread", "share", "take", "save"),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """Where a message stands."""

    alone: bool = False
    """Only its asker sees it."""
    shareable: bool = False
    """… and there is a channel it could be shown in."""
    direct: bool = False
    threads: bool = False
    """A thread can be made of it."""
    asked: str = ""
    """The question, where nobody can see it otherwise."""


class Drawing:
    """Draws in one language, at one moment."""

    def __init__(self, texts: Texts, now: datetime, setting: Setting) -> None:
        self._texts = texts
        self._now = now
        self._setting = setting

    def message(self, message: Message, *, mark: int) -> Body:
        """The body of a message; `mark` becomes the number of its first component."""
        view = ui.LayoutView(timeout=None)
        if message.inquiry is not None:
            self._inquiry(view, message.inquiry, mark)
        else:
            self._answer(view, message, mark)
        called = [one.account for one in message.inquiry.people] if message.inquiry else []
        return {
            "components": components_of(view),
            "flags": COMPONENTS | SUPPRESS_EMBEDS,
            "allowed_mentions": {"parse": [], "users": called} if called else {"parse": []},
        }

    def _answer(self, view: ui.LayoutView, message: Message, mark: int) -> None:
        answer = message.answer
        status = translated(message.status, self._texts) if message.status else ""
        said = safe_markdown(translated(message.text, self._texts) if message.text else status) or "…"
        asked = f"> {one_line(self._setting.asked, QUESTION_MOST)}\n" if self._setting.asked else ""
        room = DISPLAY_MOST - len(asked)
        view.add_item(ui.TextDisplay(asked + said[:room], id=mark))
        room -= len(said[:room])
        if message.text and status:
            room -= self._small(view, escaped(status), room)
        citations = answer.citations if answer else message.citations
        lines = [(f"**[{one.number}]** ", one.passage) for one in sorted(citations, key=_number)]
        room = self._origins(view, self._texts.sources, lines, room)
        if answer is not None:
            closest = [("• ", passage) for passage in of_documents(closest_to(answer))]
            room = self._origins(view, self._texts.closest, closest, room)
            for note in answer.notes[:NOTES_MOST]:
                room -= self._small(view, escaped(translated(note, self._texts)), room)
        self._buttons(view, answer, message.retry)

    def _inquiry(self, view: ui.LayoutView, inquiry: Inquiry, mark: int) -> None:
        """What people are asked. They are called by our own records; nothing that others wrote can call anybody."""
        called = " ".join(f"<@{one.account}>" for one in inquiry.people if one.account.isdigit())
        asker = escaped(clean_inline(inquiry.asker.name) or inquiry.asker.id)
        words = self._texts.people_asked.format(people=called, asker=asker)
        said = f"{words}\n> {one_line(inquiry.question, 3 * QUESTION_MOST)}"
        view.add_item(ui.TextDisplay(said[:DISPLAY_MOST], id=mark))
        room = self._origins(
            view, self._texts.closest, [("• ", one) for one in inquiry.found], DISPLAY_MOST - len(said)
        )
        by = clean_inline(inquiry.resolved_by)
        hint = self._texts.people_answered.format(name=by) if by else self._texts.people_hint
        self._small(view, escaped(hint), room)

    def _origins(self, view: ui.LayoutView, heading: str, lines: Iterable[tuple[str, Passage]], room: int) -> int:
        """Sources below a heading, each with a button where there is one for it; the room that is left."""
        found = [*lines]
        title = f"**{escaped(heading)}**"
        if not found or room < len(title) + LINE_MOST:
            return room
        view.add_item(ui.Separator(spacing=SeparatorSpacing.small))
        view.add_item(ui.TextDisplay(title))
        room -= len(title)
        for number, (before, passage) in enumerate(found):
            origin = origin_of(passage, self._texts, now=self._now)
            where = f" › {escaped(origin.section)}" if origin.section else ""
            line = f"{before}{escaped(origin.title)}{where} ({escaped(origin.facts)})"[:LINE_MOST]
            if number >= SOURCES_MOST or len(line) > room - 2 * LINE_MOST:
                view.add_item(ui.TextDisplay("…"))
                return room - 1
            room -= len(line)
            if address := safe_link(origin.link):
                view.add_item(ui.Section(line, accessory=ui.Button(label=self._texts.open, url=address)))
            else:
                view.add_item(ui.TextDisplay(line))
        return room

    def _small(self, view: ui.LayoutView, text: str, room: int) -> int:
        line = f"-# {' '.join(text.split())}"[:LINE_MOST]
        if len(line) > room:
            return 0
        view.add_item(ui.TextDisplay(line))
        return len(line)

    def _buttons(self, view: ui.LayoutView, answer: Answer | None, retry: str) -> None:
        texts, setting = self._texts, self._setting
        rows: list[list[ui.Button[Any]]] = [[], []]
        if answer is not None:
            rows[0].append(button(RATE, f"helpful:{answer.id}", texts.helpful, emoji="👍"))
            rows[0].append(button(RATE, f"not_helpful:{answer.id}", texts.not_helpful, emoji="👎"))
            rows[0].append(button(AGAIN, answer.id, texts.regenerate, emoji="🔁"))
            if not setting.alone:
                rows[0].append(button(DELETE, answer.id, texts.delete, emoji="🗑️"))
            if setting.threads:
                rows[1].append(button(THREAD, answer.id, texts.follow_up))
            if setting.shareable and answer.answered:
                rows[1].append(button(SHARE, answer.id, texts.share))
            if not (setting.alone or setting.direct):
                rows[1].append(button(PEOPLE, answer.id, texts.ask_people))
        if retry:
            rows[1].append(button(RETRY, retry, texts.ask_again))
        for row in filter(None, rows):
            view.add_item(ui.ActionRow(*row))


def one_line(text: str, most: int) -> str:
    """The words of somebody, as a quotation of them."""
    return quoted(" ".join(text.split())[:most])


def button(what: str, value: str, label: str, *, emoji: str | None = None) -> ui.Button[Any]:
    """A button that `buttons.py` knows again, whoever shows it and however long ago."""
    return ui.Button(
        label=label[:LABEL_MOST], custom_id=f"{PREFIX}{what}:{value}", style=ButtonStyle.secondary, emoji=emoji
    )


def words(text: str, *buttons: ui.Button[Any]) -> Body:
    """The body of a message that only says something."""
    view = ui.LayoutView(timeout=None)
    view.add_item(ui.TextDisplay(text[:DISPLAY_MOST]))
    if buttons:
        view.add_item(ui.ActionRow(*buttons))
    return {
        "components": components_of(view),
        "flags": COMPONENTS | SUPPRESS_EMBEDS,
        "allowed_mentions": {"parse": []},
    }


def components_of(view: ui.LayoutView) -> list[Body]:
    """As Discord takes them."""
    made: list[Body] = view.to_components()  # type: ignore[no-untyped-call]
    return made


def _number(citation: Citation) -> int:
    return citation.number
