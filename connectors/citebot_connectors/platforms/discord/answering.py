"""First answers to interactions, which Discord waits three seconds for."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import Any

import discord
import structlog

from citebot.conversing.asking import Alone
from citebot.conversing.chat import Said, Tell
from citebot.errors import CannotShow, CitebotError
from citebot.model import Conversation
from citebot_connectors.platforms.discord.calling import ACKNOWLEDGED, FAILURES, UNKNOWN_INTERACTION
from citebot_connectors.platforms.discord.drawing import SAVE, button, words
from citebot_connectors.platforms.discord.people import AgeRestricted, home_of
from citebot_connectors.platforms.discord.places import DIRECT, Token, alone_in, nonce
from citebot_connectors.platforms.discord.reading import is_inquiry, question_of
from citebot_connectors.platforms.discord.rooms import Hall, Room
from citebot_connectors.platforms.discord.texts import Texts

log = structlog.get_logger("citebot.discord")

Interaction = discord.Interaction[Any]
Take = Callable[[], Awaitable[str]]
"""Stores what is asked; what to say instead where that failed, or empty."""
TEXT_MOST = 2_000
PATIENCE = 2.0


class Answering:
    """What commands and buttons have in common."""

    def __init__(self, hall: Hall) -> None:
        self.hall = hall

    def room(self, interaction: Interaction) -> Room:
        """Where it was done; direct messages stand for every place where the app itself is not."""
        self.hall.met(interaction.user, str(interaction.locale))
        return self.hall.of(interaction.guild if interaction.is_guild_integration() else None)

    def texts(self, interaction: Interaction) -> Texts:
        """In the language of whoever did it."""
        return self.room(interaction).texts_of(str(interaction.locale))

    def alone(self, interaction: Interaction, delivery: str, tell: Tell) -> Alone:
        """Where the answer is for them alone. Where only they have installed the app, they are a guest."""
        account = str(interaction.user.id)
        place = alone_in(str(interaction.channel_id), account)
        name = Token(str(interaction.id), interaction.token, str(interaction.locale)).name
        stranger = not interaction.is_guild_integration() and not is_direct(interaction)
        return Alone(account, place, name, delivery, tell, guest=stranger)

    async def place(self, interaction: Interaction, room: Room) -> Conversation | None:
        """The place of a public answer, None where it can only be shown to them. Raises `CannotShow`."""
        question = str(interaction.id)
        if is_direct(interaction):
            return Conversation("discord", str(interaction.channel_id), DIRECT, question, "dm")
        if room.tenant == DIRECT:
            return None
        # It came in by the gateway, which may have come back this moment.
        await self.hall.come_in(self.hall.connected, patience=PATIENCE)
        found = await room.directory.channel(str(interaction.channel_id))
        private = isinstance(found, discord.Thread) and found.is_private()
        channel = str(found.id if private else home_of(found).id)
        visibility = (await room.people.place(str(found.id))).visibility
        thread = str(found.id) if isinstance(found, discord.Thread) else question
        return Conversation("discord", channel, room.tenant, thread, visibility)

    async def take(self, interaction: Interaction, take: Take, *, hidden: bool) -> bool:
        """Store a question, then show that it is being looked into; whether it was taken."""
        acknowledged = self.hall.outlet.acknowledging(str(interaction.id))
        try:
            if wrong := await take():
                await say(interaction, wrong)
                return False
            try:
                await interaction.response.defer(ephemeral=hidden, thinking=True)
            except FAILURES as error:
                # The question is stored: its answer comes in the channel, or another process has said that it comes.
                log.info("not deferred", why=_code(error))
            return True
        finally:
            acknowledged.set()

    async def offer_saving(self, room: Room, said: Said, message: discord.Message) -> bool:
        """Whether somebody who was asked has written an answer to it, and is offered to save that."""
        asked = message.reference.resolved if message.reference else None
        if not isinstance(asked, discord.Message) or not is_inquiry(asked, (await room.us()).account):
            return False
        if (found := await room.buttons.open_inquiry(replace(said, thread=said.thread or question_of(asked)))) is None:
            return False
        inquiry, texts, offer = found
        channel = said.thread or said.channel
        saving = button(SAVE, f"{inquiry.answer_id}:{channel}:{said.id}", texts.save_answer)
        reference = {"message_reference": {"message_id": said.id, "fail_if_not_exists": False}}
        try:
            await self.hall.wire.send(channel, words(offer, saving) | reference, nonce=nonce(f"save {said.id}"))
        except CitebotError as error:
            log.info("saving not offered", why=str(error))
        return True

    async def failed(self, interaction: Interaction, error: BaseException) -> None:
        """One line with an id that stands in the log too."""
        number = uuid.uuid4().hex[:8]
        why = str(error) if isinstance(error, CitebotError) else type(error).__name__
        log.error("not done for somebody", id=number, why=why, error=type(error).__name__)
        texts = self.texts(interaction)
        said = texts.not_here if isinstance(error, CannotShow) else texts.failed.format(id=number)
        said = texts.wrong_place if isinstance(error, AgeRestricted) else said
        await say(interaction, said)


def is_direct(interaction: Interaction) -> bool:
    """Whether it was done in a direct message with us."""
    return interaction.guild_id is None and bool(interaction.context and interaction.context.dm_channel)


async def say(interaction: Interaction, text: str) -> None:
    """Something for whoever did it alone. Never fatal."""
    if not text:
        return
    try:
        if interaction.response.is_done():
            await interaction.followup.send(text[:TEXT_MOST], ephemeral=True, suppress_embeds=True)
        else:
            await interaction.response.send_message(text[:TEXT_MOST], ephemeral=True, suppress_embeds=True)
    except (discord.InteractionResponded, *FAILURES) as error:
        log.info("notice not shown", why=_code(error))


def telling(interaction: Interaction) -> Tell:
    """The same for later."""
    return partial(say, interaction)


async def quietly(done: Awaitable[Any]) -> None:
    """An answer to an interaction that can be lost."""
    try:
        await done
    except (discord.InteractionResponded, *FAILURES) as error:
        log.info("interaction not answered", why=_code(error))


def _code(error: Exception) -> str:
    code = getattr(error, "code", 0)
    known = {UNKNOWN_INTERACTION: "it came too late", ACKNOWLEDGED: "another process has answered it"}
    return known.get(code, f"{type(error).__name__} {code}")
