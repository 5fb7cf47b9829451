"""The commands, and what they do."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import locale_str

from citebot.answering.sink import clean_inline
from citebot.conversing.forms import QUESTION, QUESTION_MOST, Field, Form, about_form
from citebot.conversing.orders import Order
from citebot.errors import CitebotError
from citebot_connectors.platforms.discord.answering import Answering, Interaction, quietly, say, telling
from citebot_connectors.platforms.discord.markup import plain
from citebot_connectors.platforms.discord.modals import ABOUT, SETTINGS, TEACH, carrying, modal
from citebot_connectors.platforms.discord.people import AgeRestricted, age_restricted
from citebot_connectors.platforms.discord.syncing import Names

CHOICES_MOST = 25
CHOICE_MOST = 100
TYPED_MOST = 100
SAID = "said"
TEXT_MOST = 4_000
ABOUT_NAME, TEACH_NAME = "Ask about this", "Save as knowledge"
ORDERS = {
    "status": "The sources, how fresh they are, and what is wrong",
    "mute": "Say nothing in this channel",
    "unmute": "Answer in this channel again",
    "settings": "Sources, tone and limits of this channel",
}
SOURCE_ORDERS = {"sync": "Read a source now", "pause": "Read a source no more", "resume": "Read a source again"}
EVERYWHERE = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
BOTH = app_commands.AppInstallationType(guild=True, user=True)
HERE = app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False)
ADMINS = discord.Permissions(manage_guild=True)
IN_SERVERS = app_commands.AppInstallationType(guild=True, user=False)


class Commands:
    """Handlers of commands."""

    def __init__(self, answering: Answering) -> None:
        self._answering = answering

    async def ask(self, interaction: Interaction, question: str, private: bool) -> None:
        """`/ask`."""
        room = self._answering.room(interaction)
        alone = self._answering.alone(interaction, f"interaction:{interaction.id}", telling(interaction))
        where = await self._answering.place(interaction, room)
        if where is not None and not private:
            alone = replace(alone, where=where)
            self._answering.hall.outlet.remember_question(alone.message_id, question)
        text = plain(question)
        await self._answering.take(interaction, lambda: room.asking.refused(alone, text), hidden=alone.where is None)

    async def titles(self, interaction: Interaction, typed: str) -> list[app_commands.Choice[str]]:
        """Titles of documents that whoever types may read."""
        room = self._answering.room(interaction)
        try:
            member = await room.people.member_or_guest(str(interaction.user.id))
            found = await room.at.desk.titles(member.person, typed[:TYPED_MOST], most=CHOICES_MOST)
        except CitebotError:
            return []
        short = {clean_inline(title)[:CHOICE_MOST]: title[:CHOICE_MOST] for title in reversed(found)}
        return [app_commands.Choice(name=name, value=title) for name, title in [*short.items()][::-1] if name]

    async def about(self, interaction: Interaction, message: discord.Message) -> None:
        """“Ask about this”: a dialogue with the message."""
        if age_restricted(interaction.channel):
            raise AgeRestricted("Nothing is answered in age-restricted channels.")
        texts = self._answering.texts(interaction)
        said = plain(message.content)[:QUESTION_MOST]
        view = modal(about_form(texts, said=bool(said)), carried=carrying(ABOUT, str(message.id)))
        if said:
            above = discord.ui.TextInput[Any](
                custom_id=SAID, style=discord.TextStyle.paragraph, default=said, required=False, max_length=4_000
            )
            view.add_item(discord.ui.Label(text=texts.ask_about[:45], component=above))
        await quietly(interaction.response.send_modal(view))

    async def teach(self, interaction: Interaction, message: discord.Message) -> None:
        """“Save as knowledge”: a dialogue with what the message says; who may is asked by the desk."""
        texts = self._answering.texts(interaction)
        fields = (
            Field(QUESTION, texts.ask_label, example=texts.ask_example, most=QUESTION_MOST),
            Field(SAID, texts.teach_text, value=plain(message.content), most=TEXT_MOST),
        )
        form = Form(TEACH, texts.teach, texts.settings_save, texts.cancel, fields)
        await quietly(interaction.response.send_modal(modal(form, carried=carrying(TEACH, str(message.id)))))

    async def order(self, interaction: Interaction, text: str) -> None:
        """`/citebot …`; who may is asked again by the desk."""
        room = self._answering.room(interaction)
        channel = await self._answering.place(interaction, room)
        where = channel.id if channel is not None else str(interaction.channel_id)

        async def show(form: Any, texts: Any) -> None:
            await quietly(interaction.response.send_modal(modal(form, carried=carrying(SETTINGS, where))))

        order = Order(text, str(interaction.user.id), where, show, telling(interaction))
        await say(interaction, await room.orders.obeyed(order) or "")


class Tree(app_commands.CommandTree[Any]):
    """Our commands, for servers and for people who install the app for themselves."""

    def __init__(self, client: Any, commands: Commands, failed: Callable[..., Coroutine[Any, Any, None]]) -> None:
        super().__init__(client, allowed_contexts=EVERYWHERE, allowed_installs=BOTH)
        self._failed = failed
        self.add_command(_ask(commands))
        about = app_commands.ContextMenu(
            name=locale_str(ABOUT_NAME), callback=_about(commands), allowed_contexts=EVERYWHERE, allowed_installs=BOTH
        )
        self.add_command(about)
        teach = app_commands.ContextMenu(
            name=locale_str(TEACH_NAME), callback=_teach(commands), allowed_contexts=HERE, allowed_installs=IN_SERVERS
        )
        teach.default_permissions = ADMINS
        self.add_command(teach)
        self.add_command(_orders(commands))

    async def names(self) -> None:
        """Use the names of other languages."""
        await self.set_translator(Names())

    async def on_error(self, interaction: Interaction, error: app_commands.AppCommandError, /) -> None:
        await self._failed(interaction, getattr(error, "original", error))


def _ask(commands: Commands) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name="ask", description=locale_str("Ask what your team has written"))
    @app_commands.rename(question=locale_str("question"), private=locale_str("private"))
    @app_commands.describe(question=locale_str("Your question"), private=locale_str("Only you see the answer"))
    async def ask(
        interaction: discord.Interaction[Any], question: app_commands.Range[str, 1, 3000], private: bool = False
    ) -> None:
        await commands.ask(interaction, question, private)

    @ask.autocomplete("question")
    async def titles(interaction: discord.Interaction[Any], typed: str) -> list[app_commands.Choice[str]]:
        return await commands.titles(interaction, typed)

    return ask


def _about(commands: Commands) -> Any:
    async def about(interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await commands.about(interaction, message)

    return about


def _teach(commands: Commands) -> Any:
    async def teach(interaction: discord.Interaction[Any], message: discord.Message) -> None:
        await commands.teach(interaction, message)

    return teach


def _orders(commands: Commands) -> app_commands.Group:
    group = app_commands.Group(
        name="citebot",
        description=locale_str("For those who look after Citebot"),
        guild_only=True,
        allowed_installs=IN_SERVERS,
        default_permissions=ADMINS,
    )
    for name, description in ORDERS.items():
        group.add_command(_order(commands, name, description))
    for name, description in SOURCE_ORDERS.items():
        group.add_command(_source_order(commands, name, description))
    return group


def _order(commands: Commands, name: str, description: str) -> app_commands.Command[Any, ..., None]:
    text = name if name == "settings" else f"admin {name}"

    @app_commands.command(name=locale_str(name), description=locale_str(description))
    async def order(interaction: discord.Interaction[Any]) -> None:
        await commands.order(interaction, text)

    return order


def _source_order(commands: Commands, name: str, description: str) -> app_commands.Command[Any, ..., None]:
    @app_commands.command(name=locale_str(name), description=locale_str(description))
    @app_commands.rename(source=locale_str("source"))
    @app_commands.describe(source=locale_str("Name of the source"))
    async def order(interaction: discord.Interaction[Any], source: app_commands.Range[str, 1, 64]) -> None:
        await commands.order(interaction, f"admin {name} {source}")

    return order
