"""The client of discord.py: which handler hears of what. It asks for no privileged intent and keeps no messages."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import aiohttp
import discord
import structlog

from citebot.conversing.chat import Said
from citebot.errors import CitebotError
from citebot_connectors.platforms.discord.answering import Answering
from citebot_connectors.platforms.discord.buttons import Buttons, Press
from citebot_connectors.platforms.discord.calling import CLIENT
from citebot_connectors.platforms.discord.commands import Commands, Tree
from citebot_connectors.platforms.discord.departures import Departures
from citebot_connectors.platforms.discord.forums import Forums
from citebot_connectors.platforms.discord.history import KNOWN
from citebot_connectors.platforms.discord.link import FRAMES, Link
from citebot_connectors.platforms.discord.people import age_restricted
from citebot_connectors.platforms.discord.places import DIRECT
from citebot_connectors.platforms.discord.reading import said_of
from citebot_connectors.platforms.discord.rooms import Hall
from citebot_connectors.platforms.discord.syncing import sync

log = structlog.get_logger("citebot.discord")

FAREWELL = 3.0
discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # we do not speak


class Events(discord.Client):
    """What comes in."""

    def __init__(self, hall: Hall, link: Link, **options: Any) -> None:
        intents = discord.Intents.none()
        intents.guilds = intents.guild_messages = intents.dm_messages = True
        super().__init__(
            intents=intents,
            guild_ready_timeout=link.pace.ready,
            heartbeat_timeout=link.pace.silent,
            **CLIENT,
            **options,
        )
        self._hall = hall
        self._link = link
        self.http.ws_connect = partial(_connected, self.http.ws_connect)  # type: ignore[method-assign]
        self._departures = Departures(hall)
        self._answering = Answering(hall)
        self._forums = Forums(hall)
        self._buttons = Buttons(self._answering, self._forums)
        self._tree = Tree(self, Commands(self._answering), self._answering.failed)
        self.refused = ""
        """What Discord does not take of the commands."""

    async def setup_hook(self) -> None:
        self._hall.outlet.shown = self._forums.shown
        self.add_dynamic_items(Press)
        await self._tree.names()
        guild = self._hall.settings.development_guild
        self.refused = await sync(self._tree, self._hall.marks, guild=guild)

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        await self._link.identifies.take(shard_id)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        log.error("an event was not dealt with", handler=event_method, trace=traceback.format_exc(limit=-FRAMES))

    # -- the connection -------------------------------------------------------------------------------------------

    async def on_ready(self) -> None:
        self._link.back(anew=True)
        for room in (self._hall.room(DIRECT), *(self._hall.room(str(guild.id)) for guild in self.guilds)):
            room.people.forget_places()
            room.look_back()
        await self._departures.settle(self)

    async def on_resumed(self) -> None:
        if self.shard_count in (None, 1):
            self._link.back(anew=False)

    async def on_disconnect(self) -> None:
        if self.shard_count in (None, 1):
            self._link.lost()

    async def on_shard_disconnect(self, shard_id: int) -> None:
        self._link.lost(shard_id)

    async def on_shard_resumed(self, shard_id: int) -> None:
        self._link.back(shard_id, anew=False)

    async def on_shard_ready(self, shard_id: int) -> None:
        self._link.back(shard_id, anew=True)

    # -- messages -------------------------------------------------------------------------------------------------

    async def on_message(self, message: discord.Message) -> None:
        """Of those we can read: direct ones, and where we are mentioned or answered."""
        if message.author.bot or message.webhook_id is not None or self.user is None:
            return
        if not message.content and not message.attachments:
            return
        self._hall.met(message.author)
        room = self._hall.of(message.guild)
        said = said_of(message, str(self.user.id))
        if message.guild is None:
            await self._note_direct(said)
        elif age_restricted(message.channel):
            if said.calls_us:
                locale = self._hall.faces.locales.get(said.author, "")
                await _quietly(room.tell, said, room.texts_of(locale).wrong_place)
            return
        elif said.calls_us and await self._answering.offer_saving(room, said, message):
            return
        await room.heard(said)

    async def on_raw_message_edit(self, payload: discord.RawMessageUpdateEvent) -> None:
        message = payload.message
        unreadable = message.author.bot or not message.content or message.edited_at is None
        if unreadable or self.user is None or age_restricted(message.channel):
            return
        now = said_of(message, str(self.user.id))
        try:
            # What it said before is not kept: an edit that changes nothing names no new question.
            await self._hall.of(message.guild).hearing.changed(now, replace(now, text="", edited=""))
        except CitebotError as error:
            log.warning("edit not taken", why=str(error))

    async def on_raw_message_delete(self, payload: discord.RawMessageDeleteEvent) -> None:
        await self._deleted(payload.guild_id, payload.channel_id, payload.message_id)

    async def on_raw_bulk_message_delete(self, payload: discord.RawBulkMessageDeleteEvent) -> None:
        for message in payload.message_ids:
            await self._deleted(payload.guild_id, payload.channel_id, message)

    async def _deleted(self, guild: int | None, channel: int, message: int) -> None:
        room = self._hall.room(str(guild) if guild else DIRECT)
        found = room.guild.get_thread(channel) if room.guild is not None else None
        inside = found is not None and not found.is_private()
        home = str(found.parent_id) if found is not None and inside else str(channel)
        thread = str(channel) if found is not None or guild is None else ""
        try:
            await room.hearing.deleted(Said(home, str(message), 0.0, thread=thread, direct=guild is None))
        except CitebotError as error:
            log.warning("deletion not taken", why=str(error))

    async def _note_direct(self, said: Said) -> None:
        if said.channel not in self._hall.directs:
            try:
                await self._hall.marks.put(f"{KNOWN}{said.channel}", said.author)
                self._hall.directs[said.channel] = None
            except CitebotError as error:
                log.info("direct message not noted, it is not read back", why=str(error))

    # -- interactions ---------------------------------------------------------------------------------------------

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Dialogues; discord.py gives commands to the tree, and buttons to `Press`."""
        if interaction.type is discord.InteractionType.modal_submit:
            await self._buttons.submitted(interaction)

    async def pressed(self, interaction: discord.Interaction[Any], what: str, value: str) -> None:
        """A button."""
        await self._buttons.pressed(interaction, what, value)

    # -- servers --------------------------------------------------------------------------------------------------

    async def on_guild_join(self, guild: discord.Guild) -> None:
        self._hall.room(str(guild.id)).look_back()
        await self._departures.joined(self, guild)

    async def on_guild_remove(self, guild: discord.Guild) -> None:
        await self._departures.left(self, str(guild.id))

    async def on_thread_create(self, thread: discord.Thread) -> None:
        try:
            await self._forums.opened(thread)
        except CitebotError as error:
            log.info("forum post not looked at", why=str(error))

    def dispatch(self, event: str, /, *args: Any, **kwargs: Any) -> None:
        if event in CHANGES:
            # At once, not in a task of its own: whoever asks next must know.
            for room in self._hall.rooms:
                if room.tenant in {str(_guild_id(one)) for one in args}:
                    room.changed()
        super().dispatch(event, *args, **kwargs)


class Sharded(Events, discord.AutoShardedClient):
    """The same over as many connections as Discord recommends."""


CHANGES = frozenset(
    {
        *("guild_channel_create", "guild_channel_update", "guild_channel_delete"),
        *("guild_role_create", "guild_role_update", "guild_role_delete"),
        *("guild_update", "thread_update", "thread_remove", "thread_delete"),
    }
)
"""Events that may change who reads where."""


async def _connected(connect: Callable[..., Any], *args: Any, **kwargs: Any) -> aiohttp.ClientWebSocketResponse:
    """A socket that waits for no farewell of a peer which is silent; discord.py waits for half a minute."""
    made: aiohttp.ClientWebSocketResponse = await connect(*args, **kwargs)
    made._timeout = aiohttp.ClientWSTimeout(ws_close=FAREWELL)
    return made


def _guild_id(thing: object) -> int:
    if isinstance(thing, discord.Guild):
        return thing.id
    guild = getattr(thing, "guild", None)
    return guild.id if isinstance(guild, discord.Guild) else 0


async def _quietly(tell: Callable[..., Any], *args: Any) -> None:
    try:
        await tell(*args)
    except CitebotError as error:
        log.info("notice not shown", why=str(error))
