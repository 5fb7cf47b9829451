"""Discord's messages as the core knows them, and the threads they stand in.

Without the intent for contents a message can be read when it mentions us, answers us, or is a direct one; of all others
only that they are there.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import discord

from citebot.conversing.chat import Said
from citebot.errors import CannotShow
from citebot_connectors.platforms.discord.calling import FAILURES, Refused, Wire
from citebot_connectors.platforms.discord.markup import called, plain, without_mention

SPOKEN = frozenset({discord.MessageType.default, discord.MessageType.reply})
DIRECT_KEPT = timedelta(hours=1)
"""How long a direct conversation goes on without a word."""
MOST = 50
UNKNOWN_CHANNEL = 10003


class Threads:
    """Reads what was said."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    async def messages(
        self, channel: str, *, most: int = MOST, before: int | None = None, after: int | None = None
    ) -> list[discord.Message]:
        """Messages of a channel or thread, the oldest first. Raises `Retry` and `CannotShow`."""
        where = self._wire.at.get_partial_messageable(int(channel))
        known = self._wire.at.get_channel(int(channel))
        place = known if isinstance(known, discord.abc.Messageable) else where
        try:
            found = [
                message
                async for message in place.history(
                    limit=most,
                    before=discord.Object(before) if before else None,
                    after=discord.Object(after) if after else None,
                    oldest_first=after is not None,
                )
            ]
        except FAILURES as error:
            raise self._wire.translated(error) from error
        return sorted(found, key=lambda message: message.id)

    async def said(self, channel: str, thread: str, *, direct: bool) -> list[Said]:
        """What was said in a thread, or around a message that has none, the oldest first."""
        us = self._us
        if direct:
            lately = datetime.now(UTC) - DIRECT_KEPT
            return [said_of(one, us) for one in await self.messages(channel, most=20) if one.created_at > lately]
        try:
            found = [said_of(one, us, thread=thread, channel=channel) for one in await self.messages(thread)]
        except Refused as error:
            if error.code != UNKNOWN_CHANNEL:
                raise
            near = await self.messages(channel, after=int(thread) - 1)
            return [one for one in (said_of(m, us) for m in near) if thread in (one.id, one.question)]
        if thread != channel and (root := await self._root(channel, thread)) is not None:
            found.insert(0, said_of(root, us, thread=thread, channel=channel))
        return [one for one in found if one.spoken]

    async def ours(self, channel: str, *, after: str, most: int = 100) -> AsyncIterator[discord.Message]:
        """Our messages in a channel since a message or interaction."""
        for message in await self.messages(channel, most=most, after=int(after)):
            if message.author.id == int(self._us):
                yield message

    async def _root(self, channel: str, thread: str) -> discord.Message | None:
        """The message that a thread was made of."""
        try:
            found = await self.messages(channel, most=1, after=int(thread) - 1)
        except CannotShow:
            return None  # a forum has no messages of its own
        return next((one for one in found if str(one.id) == thread), None)

    @property
    def _us(self) -> str:
        user = self._wire.at.user
        assert user is not None, "a client that is ready knows itself"
        return str(user.id)


def said_of(message: discord.Message, us: str, *, thread: str = "", channel: str = "") -> Said:
    """A message; `thread` and `channel` are told where its own place does not say them."""
    place, thread = (channel, thread) if channel else place_of(message)
    ours = str(message.author.id) == us
    mentioned = {str(user.id) for user in message.mentions}
    in_text = called(message.content)
    reference = message.reference.message_id if message.reference else None
    return Said(
        place,
        str(message.id),
        message.created_at.timestamp(),
        str(message.author.id),
        text_of(message.components) if ours else plain(without_mention(message.content, us)),
        thread=thread,
        direct=message.guild is None and isinstance(message.channel, discord.DMChannel | discord.PartialMessageable),
        ours=ours,
        question=str(reference or "") if ours else "",
        machine=not ours and (message.author.bot or message.webhook_id is not None),
        spoken=message.type in SPOKEN or ours,
        calls_us=us in mentioned,
        calls=in_text - {us},
        calls_many=message.mention_everyone or bool(message.raw_role_mentions),
        edited=f"{message.edited_at.timestamp():.3f}" if message.edited_at and not ours else "",
        files=message.attachments,
    )


def place_of(message: discord.Message) -> tuple[str, str]:
    """The conversation a message belongs to, and its thread.

    A private thread is a conversation of its own, because others read it than its channel. A direct message is one
    thread from its first word.
    """
    channel: Any = message.channel
    if isinstance(channel, discord.Thread):
        return (str(channel.id), str(channel.id)) if channel.is_private() else (str(channel.parent_id), str(channel.id))
    return str(channel.id), str(channel.id) if message.guild is None else ""


def text_of(components: Sequence[Any]) -> str:
    """The words of a message of ours: its first text, without the question that stands above it."""
    first = next(_texts(components), "")
    lines = first.split("\n")
    return "\n".join(lines[1:] if lines[0].startswith("> ") else lines).replace("\u200b", "").strip()


def number_of(message: discord.Message) -> int:
    """The number of the first component of a message: our mark."""
    return int(getattr(message.components[0], "id", 0) or 0) if message.components else 0


def is_inquiry(message: discord.Message, us: str) -> bool:
    """Whether a message of ours asks people: it calls them, and has nothing that can be pressed."""
    return (
        str(message.author.id) == us
        and bool(message.mentions)
        and not any(isinstance(one, discord.ActionRow) for one in message.components)
    )


def question_of(message: discord.Message) -> str:
    """The message or interaction that a message of ours is about; empty where it came too late to say so."""
    if message.reference is not None:
        return str(message.reference.message_id)
    return str(message.interaction_metadata.id) if message.interaction_metadata is not None else ""


def _texts(components: Sequence[Any]) -> Iterator[str]:
    for component in components:
        if isinstance(component, discord.TextDisplay):
            yield component.content
