"""A Discord in the browser, with a company in it that asks the app."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from citebot.model import Person
from citebot.ports import Playground
from citebot.testing.discord import FakeDiscord, Permission


@asynccontextmanager
async def playground(people: Sequence[Person], *, port: int) -> AsyncIterator[Playground]:
    """Everybody in #general, guests in a channel of their own; the first person looks after the server."""
    async with FakeDiscord(port=port) as discord:
        guests = discord.add_role("guest")
        users = {}
        for number, person in enumerate(people):
            roles = [guests] if person.guest else []
            name = "".join(
                letter for letter in person.id.partition("@")[0].lower() if letter.isalnum() or letter in "._"
            )
            users[person.id] = discord.add_user(name, admin=number == 0, owner=number == 0, roles=roles)
            users[person.id].display_name = person.name or name
        app = discord.add_app()
        members = [users[person.id] for person in people if not person.guest]
        general = discord.add_channel("general")
        discord.add_channel("quiet-corner", [*members[:3], app])
        if len(members) < len(people):
            discord.add_channel("partners", [*members[:3], guests, app])
        forum = discord.add_channel("questions", kind="forum", tags=["answered", "solved"])
        for channel in (general, forum):  # by roles: people let in by name are asked for one by one
            await discord.permit(channel, guests, deny=Permission.VIEW_CHANNEL)
        yield Playground(
            discord.url,
            {
                "bot_token": app.token,
                "guilds": [discord.guild.id],
                "guest_roles": [guests.id],
                "people": {user.id: name for name, user in users.items()},
                "base_url": discord.api_url,
                "gateway_url": discord.gateway_url,
            },
        )
