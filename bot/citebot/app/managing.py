"""What admins do from where people ask: look at the sources, read and pause them, settings of a conversation.

The platform says who somebody is there; it is asked at every call, and what it cannot say nobody may do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import structlog

from citebot.app.consulting import QUESTION_MOST, TEXT_MOST
from citebot.app.core import Citebot
from citebot.app.sources import known_source
from citebot.errors import CitebotError, NotAllowed, WrongUse
from citebot.model import Json, Readers, channel_principal
from citebot.ports import Actor, KnowsAdmins, Platform, Role, SourceStatus
from citebot.settings.conversations import ConversationSettings
from citebot.storage import Transaction, audit, conversations, curated, sources
from citebot.storage.audit import Line
from citebot.storage.conversations import Place

log = structlog.get_logger("citebot.desk")

ADMINS_ONLY = "Only an admin can do that."
KEEPERS_ONLY = "Only an admin, or whoever made this channel, can do that."


class Managing:
    """`citebot.ports.Manages` over an open `Citebot`."""

    def __init__(self, bot: Citebot, platform: Platform, problems: Callable[[], Awaitable[Sequence[str]]]) -> None:
        self._bot = bot
        self._platform = platform
        self._problems = problems

    async def status(self, actor: Actor) -> tuple[Sequence[SourceStatus], Sequence[str]]:
        await self._admin(actor)
        return await self._bot.sources(), await self._problems()

    async def sync(self, actor: Actor, name: str) -> Mapping[str, int]:
        await self._admin(actor)

        def note() -> None:
            with self._bot.database.write() as tx:
                known_source(tx, name)
                audit.write(tx, _line(actor, "source.sync", name))

        await asyncio.to_thread(note)
        return (await self._bot.sync(name)).counts()

    async def pause(self, actor: Actor, name: str, *, paused: bool) -> None:
        await self._admin(actor)

        def change() -> None:
            with self._bot.database.write() as tx:
                before = known_source(tx, name).paused
                sources.set_paused(tx, name, paused)
                action = "source.pause" if paused else "source.resume"
                audit.write(tx, _line(actor, action, name, {"paused": before}, {"paused": paused}))

        await asyncio.to_thread(change)

    async def settings(self, actor: Actor) -> tuple[ConversationSettings, Sequence[str]]:
        await self._keeper(actor)

        def find() -> tuple[ConversationSettings, list[str]]:
            with self._bot.database.read() as tx:
                resolved = conversations.resolve(tx, Place.of(actor.conversation))
                return resolved.settings, [row.name for row in sources.list_all(tx)]

        return await asyncio.to_thread(find)

    async def change(self, actor: Actor, changes: Mapping[str, object]) -> ConversationSettings:
        await self._keeper(actor)
        place = Place.of(actor.conversation)

        def change() -> ConversationSettings:
            with self._bot.database.write() as tx:
                change_settings(tx, place, changes, by=_line(actor, "conversation.set", str(place)))
                return conversations.resolve(tx, place).settings

        return await asyncio.to_thread(change)

    async def teach(self, actor: Actor, question: str, text: str, *, message_id: str, url: str) -> bool:
        await self._admin(actor)
        question, text, place = question.strip(), text.strip(), actor.conversation
        if not question or not text:
            raise WrongUse("An answer needs a question and a text.")
        readers = Readers(frozenset({channel_principal(place.platform, place.tenant, place.id)}))

        def keep() -> bool:
            with self._bot.database.write() as tx:
                if curated.from_message(tx, place, message_id):
                    return False
                made = curated.add(
                    tx,
                    question=question[:QUESTION_MOST],
                    text=text[:TEXT_MOST],
                    author=actor.person,
                    url=url,
                    readers=readers,
                    place=place,
                    message_id=message_id,
                )
                audit.write(tx, _line(actor, "curated.add", str(made)))
                return True

        return await asyncio.to_thread(keep)

    async def _admin(self, actor: Actor) -> None:
        if await self._role(actor) != "admin":
            raise NotAllowed(ADMINS_ONLY)

    async def _keeper(self, actor: Actor) -> None:
        if not await self._role(actor):
            raise NotAllowed(KEEPERS_ONLY)

    async def _role(self, actor: Actor) -> Role:
        if not isinstance(self._platform, KnowsAdmins):
            return ""
        try:
            return await self._platform.role_of(actor)
        except CitebotError as error:
            log.warning("role not known, nothing is allowed", why=str(error))
            return ""


def change_settings(tx: Transaction, place: Place, changes: Mapping[str, object], *, by: Line) -> dict[str, Any]:
    """Change what is set for a place, with its audit line; what is set there now. Refuses sources that do not exist."""
    before, after = conversations.change(tx, place, changes)
    known = {row.name for row in sources.list_all(tx)}
    unknown = sorted({*after.get("sources", ())} - known) if changes.get("sources") else []
    if unknown:
        raise WrongUse(f"There is no source “{unknown[0]}”. Known: {', '.join(sorted(known)) or 'none yet'}.")
    if before != after:
        audit.write(tx, replace(by, before=before, after=after))
    return after


def _line(actor: Actor, action: str, target: str, before: Json = None, after: Json = None) -> Line:
    place = str(Place.of(actor.conversation))
    return Line(actor.person.id, actor.account, place, action, target, before, after)
