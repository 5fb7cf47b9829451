"""What the buttons below an answer do, and the dialogues that they open."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import discord
from discord import ui

from citebot.answering.sink import clean_inline
from citebot.conversing import translated
from citebot.conversing.asking import Asking
from citebot.conversing.chat import Said
from citebot.conversing.forms import QUESTION, REASON, Field, Form, settings_form
from citebot.errors import CannotShow, CitebotError, NotAllowed, WrongUse
from citebot.ports import Actor
from citebot_connectors.platforms.discord.answering import Answering, Interaction, quietly, say, telling
from citebot_connectors.platforms.discord.calling import Refused
from citebot_connectors.platforms.discord.commands import SAID
from citebot_connectors.platforms.discord.drawing import (
    AGAIN,
    DELETE,
    PEOPLE,
    PREFIX,
    RATE,
    RETRY,
    SAVE,
    SHARE,
    TAKE,
    THREAD,
)
from citebot_connectors.platforms.discord.forums import Forums
from citebot_connectors.platforms.discord.modals import ABOUT, SETTINGS, TEACH, WHY, carrying, filled, modal
from citebot_connectors.platforms.discord.reading import number_of, said_of
from citebot_connectors.platforms.discord.texts import ENGLISH

KIND = "kind"
NAME_MOST = 90
ARCHIVE_AFTER = 1440
"""Minutes without a word after which Discord puts a thread away; the next word brings it back."""
HAS_THREAD = 160004
Pressed = Callable[[Interaction, str], Awaitable[None]]


class Press(ui.DynamicItem[ui.Button[Any]], template=rf"{PREFIX}(?P<what>[a-z]+):(?P<value>.*)"):
    """Any of our buttons: what it does and what it is about stand in its id."""

    def __init__(self, item: ui.Button[Any], what: str, value: str) -> None:
        super().__init__(item)
        self._what = what
        self._value = value

    @classmethod
    async def from_custom_id(cls, interaction: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Press:
        assert isinstance(item, ui.Button), "nothing else has such an id"
        return cls(item, match["what"], match["value"])

    async def callback(self, interaction: Interaction) -> None:
        await interaction.client.pressed(interaction, self._what, self._value)


class Buttons:
    """Handlers."""

    def __init__(self, answering: Answering, forums: Forums) -> None:
        self._answering = answering
        self._hall = answering.hall
        self._forums = forums
        self._handlers: dict[str, Pressed] = {
            RATE: self._rate,
            DELETE: self._delete,
            RETRY: self._retry,
            AGAIN: self._again,
            PEOPLE: self._people,
            THREAD: self._thread,
            SHARE: self._share,
            TAKE: self._take,
            SAVE: self._save,
        }
        self._dialogues: dict[str, Pressed] = {
            WHY: self._why,
            ABOUT: self._about,
            SETTINGS: self._settings,
            TEACH: self._teach,
        }

    async def pressed(self, interaction: Interaction, what: str, value: str) -> None:
        """A button."""
        await self._done(self._handlers, interaction, what, value)

    async def submitted(self, interaction: Interaction) -> None:
        """A dialogue."""
        data: dict[str, Any] = dict(interaction.data or {})
        what, _, value = str(data.get("custom_id", "")).removeprefix(PREFIX).partition(":")
        await self._done(self._dialogues, interaction, what, value)

    async def _done(self, known: dict[str, Pressed], interaction: Interaction, what: str, value: str) -> None:
        try:
            if (handler := known.get(what)) is not None:
                await handler(interaction, value)
        except Exception as error:  # noqa: BLE001 - whoever pressed it is told that it failed
            await self._answering.failed(interaction, error)

    # -- feedback -------------------------------------------------------------------------------------------------

    async def _rate(self, interaction: Interaction, value: str) -> None:
        verdict, _, answer_id = value.partition(":")
        room, texts = self._answering.room(interaction), self._answering.texts(interaction)
        said = await room.buttons.rate(str(interaction.user.id), answer_id, verdict)
        if isinstance(said, Form):
            kinds = Field(KIND, texts.why_kind, "one", None, texts.why_kinds, optional=True)
            form = replace(said, fields=(kinds, *said.fields))
            await quietly(interaction.response.send_modal(modal(form, carried=carrying(WHY, answer_id))))
            return
        await say(interaction, said)
        if verdict == "helpful" and said == texts.thanks:
            await self._forums.solved(str(interaction.channel_id))

    async def _why(self, interaction: Interaction, answer_id: str) -> None:
        room, texts = self._answering.room(interaction), self._answering.texts(interaction)
        values = filled(interaction.data or {})
        kind = dict(ENGLISH.why_kinds).get(values.get(KIND, ""), "")
        reason = ": ".join(filter(None, (kind, values.get(REASON, ""))))
        said = await room.buttons.explain(str(interaction.user.id), answer_id, reason)
        await say(interaction, said or texts.thanks)

    # -- the answer itself ----------------------------------------------------------------------------------------

    async def _delete(self, interaction: Interaction, answer_id: str) -> None:
        room, texts = self._answering.room(interaction), self._answering.texts(interaction)
        refused = await room.buttons.refuse_deletion(str(interaction.user.id), answer_id)
        if refused or interaction.message is None:
            await say(interaction, refused)
            return
        await quietly(interaction.response.defer(ephemeral=True))
        await self._take_away(interaction, interaction.message)
        await say(interaction, texts.deleted)

    async def _take_away(self, interaction: Interaction, message: discord.Message) -> None:
        where = str(interaction.channel_id)
        try:
            await self._hall.outlet.delete_whole(where, str(message.id), number_of(message))
        except CannotShow:  # we cannot see the channel; what was pressed can be taken away by its own token
            await quietly(interaction.delete_original_response())

    async def _retry(self, interaction: Interaction, key: str) -> None:
        room = self._answering.room(interaction)
        hidden = interaction.message is not None and interaction.message.flags.ephemeral
        begun, said = await room.buttons.retry(str(interaction.user.id), key, anew=hidden)
        if said:
            await say(interaction, said)
            return
        await quietly(interaction.response.defer())
        if begun and hidden:
            await quietly(interaction.delete_original_response())

    async def _again(self, interaction: Interaction, answer_id: str) -> None:
        """The same question anew, in the place of the answer."""
        room, texts = self._answering.room(interaction), self._answering.texts(interaction)
        member = await room.people.member(str(interaction.user.id))
        answer = await room.at.desk.show_answer(answer_id, member.person)
        if answer is None:
            await say(interaction, texts.only_asker)
            return
        hidden = interaction.message is not None and interaction.message.flags.ephemeral
        alone = self._answering.alone(interaction, f"again:{interaction.id}", telling(interaction))
        where = None if hidden else await self._answering.place(interaction, room)
        alone = replace(alone, where=where)
        text = answer.question.text
        if where is not None:
            self._hall.outlet.remember_question(alone.message_id, text)
        taken = await self._answering.take(interaction, lambda: room.asking.refused(alone, text), hidden=where is None)
        if taken and not hidden and interaction.message is not None:
            await self._hall.outlet.delete_whole(
                str(interaction.channel_id), str(interaction.message.id), number_of(interaction.message)
            )

    async def _thread(self, interaction: Interaction, answer_id: str) -> None:
        """A thread made from the answer; once there is one, it is named."""
        texts, message = self._answering.texts(interaction), interaction.message
        assert message is not None, "a button stands below a message"
        await quietly(interaction.response.defer(ephemeral=True, thinking=True))
        where = {"channel_id": str(interaction.channel_id), "message_id": str(message.id)}
        body = {"name": await self._named(interaction, answer_id, texts), "auto_archive_duration": ARCHIVE_AFTER}
        try:
            path = "/channels/{channel_id}/messages/{message_id}/threads"
            await self._hall.wire.call("POST", path, body=body, **where)
        except Refused as error:
            if error.code != HAS_THREAD:
                await say(interaction, texts.no_thread)
                return
        await say(interaction, texts.thread_made.format(thread=f"<#{message.id}>"))

    async def _named(self, interaction: Interaction, answer_id: str, texts: Any) -> str:
        room = self._answering.room(interaction)
        member = await room.people.member_or_guest(str(interaction.user.id))
        answer = await room.at.desk.show_answer(answer_id, member.person)
        asked = clean_inline(answer.question.text) if answer is not None else texts.follow_up
        return asked[:NAME_MOST] or "…"

    # -- private answers ------------------------------------------------------------------------------------------

    async def _share(self, interaction: Interaction, answer_id: str) -> None:
        room = self._answering.room(interaction)
        await quietly(interaction.response.defer(ephemeral=True, thinking=True))
        await room.asking.share(str(interaction.user.id), answer_id, str(interaction.channel_id), telling(interaction))

    async def _take(self, interaction: Interaction, value: str) -> None:
        """“Answer me alone”."""
        answer_id, _, question = value.partition(":")
        told: list[str] = []

        async def tell(text: str) -> None:
            told.append(text)

        room = self._answering.room(interaction)
        alone = self._answering.alone(interaction, f"alone:{answer_id}", tell)
        asking: Asking = room.asking

        async def take() -> str:
            await asking.take(alone, answer_id, question)
            return "".join(told)

        await self._answering.take(interaction, take, hidden=True)

    async def _about(self, interaction: Interaction, message_id: str) -> None:
        """The dialogue of “Ask about this” was sent."""
        values = filled(interaction.data or {})
        room = self._answering.room(interaction)

        async def nothing(text: str) -> None:
            """That it is looked for is shown by Discord."""

        alone = self._answering.alone(interaction, f"about:{interaction.id}", nothing)
        said, question = str(values.get(SAID, "")), str(values.get(QUESTION, ""))
        await self._answering.take(interaction, lambda: room.asking.ask_about(alone, said, question), hidden=True)

    # -- people and settings --------------------------------------------------------------------------------------

    async def _people(self, interaction: Interaction, answer_id: str) -> None:
        """“Ask a human”."""
        room = self._answering.room(interaction)
        await quietly(interaction.response.defer(ephemeral=True, thinking=True))
        await say(interaction, await room.buttons.ask_people(str(interaction.user.id), answer_id))

    async def _save(self, interaction: Interaction, value: str) -> None:
        """“Save as answer”: what somebody who was asked has written."""
        answer_id, channel, message = [*value.split(":"), "", ""][:3]
        room = self._answering.room(interaction)
        await quietly(interaction.response.defer(ephemeral=True, thinking=True))

        async def written() -> Said | None:
            us = (await room.us()).account
            found = await self._hall.threads.messages(channel, most=1, after=int(message) - 1)
            return next((said_of(one, us) for one in found if str(one.id) == message), None)

        async def link() -> str:
            return link_to(room.tenant, channel, message)

        await say(interaction, await room.buttons.save(str(interaction.user.id), answer_id, written, link))

    async def _teach(self, interaction: Interaction, message: str) -> None:
        """The dialogue of “Save as knowledge” was sent."""
        room, texts = self._answering.room(interaction), self._answering.texts(interaction)
        account = str(interaction.user.id)
        where = await self._answering.place(interaction, room)
        if where is None:
            return
        actor = Actor((await room.people.member(account)).person, account, where)
        values, link = filled(interaction.data or {}), link_to(room.tenant, str(interaction.channel_id), message)
        question, text = str(values.get(QUESTION, "")), str(values.get(SAID, ""))
        try:
            kept = await room.at.desk.manage.teach(actor, question, text, message_id=message, url=link)
        except (NotAllowed, WrongUse) as refusal:
            await say(interaction, translated(str(refusal), texts))
            return
        await say(interaction, texts.answer_saved if kept else texts.answer_saved_already)

    async def _settings(self, interaction: Interaction, channel: str) -> None:
        """What stood there is asked again: only what somebody changed since is set."""
        room, account = self._answering.room(interaction), str(interaction.user.id)
        member = await room.people.member(account)
        actor = Actor(member.person, account, await room.at.where(channel))
        texts = self._answering.texts(interaction)
        try:
            shown = settings_form(texts, *await room.at.desk.manage.settings(actor)).values
        except CitebotError as error:
            await say(interaction, str(error))
            return
        wrong = await room.orders.change(
            account, channel, filled(interaction.data or {}), shown, tell=telling(interaction)
        )
        await say(interaction, wrong)


def link_to(tenant: str, channel: str, message: str) -> str:
    """The address of a message."""
    return f"https://discord.com/channels/{tenant}/{channel}/{message}"


def offer_value(answer_id: str, question: str) -> str:
    """What “Answer me alone” must know."""
    return f"{answer_id}:{question}"
