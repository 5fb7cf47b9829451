"""What is typed after the command by those who look after us. The desk decides who may; here it is said."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from citebot.conversing.chat import Tell
from citebot.conversing.forms import Form, settings_changed, settings_form
from citebot.conversing.languages import translated
from citebot.conversing.reception import PATIENCE, Reception
from citebot.conversing.sources import source_lines
from citebot.conversing.words import Texts
from citebot.errors import CitebotError
from citebot.ports import Actor

log = structlog.get_logger("citebot.conversing")

TEXT_MOST = 3_000
COUNTED = ("listed", "saved", "removed", "failed")
ORDER = re.compile(
    r"(?:(?P<settings>settings|einstellungen)|admin(?:\s+(?P<what>help|status|mute|unmute)|"
    r"\s+(?P<of>sync|pause|resume)\s+(?P<name>\S+))?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody typed."""

    text: str
    account: str
    channel: str
    show: Callable[[Form, Texts], Awaitable[None]]
    """A form, to them alone."""
    tell: Tell


class Orders:
    """What is returned is for the one who gave the order alone."""

    def __init__(self, at: Reception) -> None:
        self._at = at

    async def obeyed(self, order: Order) -> str | None:
        """What to say to it, empty where a form is shown; None when it is no order but a question."""
        found = ORDER.fullmatch(order.text.strip())
        if found is None:
            return None
        texts = self._at.texts_of("")
        try:
            async with asyncio.timeout(PATIENCE):
                member = await self._at.people.member(order.account)
                texts = self._at.texts_of(member.locale)
                actor = Actor(member.person, order.account, await self._at.where(order.channel))
                return await self._obey(found, actor, order, texts)
        except (CitebotError, TimeoutError) as error:
            log.info("order not obeyed", order=found[0], why=str(error) or type(error).__name__)
            return self._at.markup.plain(_said(error, texts))

    async def change(
        self, account: str, channel: str, filled: Mapping[str, Any], shown: Mapping[str, Any], *, tell: Tell
    ) -> str:
        """The form with the settings was filled in: only what was changed in it is set; what went wrong, or empty."""
        texts = self._at.texts_of("")
        try:
            async with asyncio.timeout(PATIENCE):
                member = await self._at.people.member(account)
                texts = self._at.texts_of(member.locale)
                actor = Actor(member.person, account, await self._at.where(channel))
                await self._at.desk.manage.change(actor, settings_changed(filled, shown))
        except (CitebotError, TimeoutError) as error:
            return _said(error, texts)
        self._at.spawn(tell(texts.settings_saved))
        return ""

    async def _obey(self, found: re.Match[str], actor: Actor, order: Order, texts: Texts) -> str:
        manage, name, plain = self._at.desk.manage, found["name"] or "", self._at.markup.plain
        if found["settings"]:
            await order.show(settings_form(texts, *await manage.settings(actor)), texts)
            return ""
        match (found["of"] or found["what"] or "help").lower():
            case "status":
                return await self._status(actor, texts)
            case "mute" | "unmute" as what:
                await manage.change(actor, {"muted": what == "mute"})
                said = texts.admin_muted if what == "mute" else texts.admin_unmuted
                return said.format(command=self._at.command)
            case "pause" | "resume" as what:
                await manage.pause(actor, name, paused=what == "pause")
                return (texts.admin_paused if what == "pause" else texts.admin_resumed).format(name=plain(name))
            case "sync":
                await manage.status(actor)
                self._at.spawn(self._sync(actor, name, order.tell, texts))
                return texts.admin_reading.format(name=plain(name))
        return texts.admin_help.format(command=self._at.command)

    async def _status(self, actor: Actor, texts: Texts) -> str:
        markup = self._at.markup
        sources, problems = await self._at.desk.manage.status(actor)
        known = source_lines(texts, sources, now=self._at.now(), markup=markup)
        lines = [f"• {line}" for line in known] or [texts.no_sources]
        for one in (one for one in sources if one.waiting or one.parked):
            work = texts.admin_work.format(waiting=one.waiting, parked=one.parked)
            lines.append(f"• {markup.plain(one.name)}: {work}")
        wrong = [*problems, *(f"{one.name}: {one.failure}" for one in sources if one.failure)]
        told = [markup.strong(texts.admin_problems), *(f"• {markup.plain(line)}" for line in wrong)]
        lines += told if wrong else [texts.admin_well]
        return "\n".join([markup.strong(texts.sources), *lines])[:TEXT_MOST]

    async def _sync(self, actor: Actor, name: str, tell: Tell, texts: Texts) -> None:
        try:
            counts = await self._at.desk.manage.sync(actor, name)
            shown = {"name": self._at.markup.plain(name), **dict.fromkeys(COUNTED, 0), **counts}
            said = texts.admin_read.format_map(shown)
        except CitebotError as error:
            said = self._at.markup.plain(translated(str(error), texts))
        await tell(said)


def _said(error: Exception, texts: Texts) -> str:
    return translated(str(error), texts) if isinstance(error, CitebotError) else texts.cannot_save
