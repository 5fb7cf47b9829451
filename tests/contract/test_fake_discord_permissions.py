"""Permissions of the fake Discord agree with those that discord.py computes from what it was told."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from typing import Any

import discord

from citebot.testing.discord import FakeDiscord, Permission

StartBot = Callable[..., Awaitable[Any]]
MATTER = (
    *("VIEW_CHANNEL", "SEND_MESSAGES", "READ_MESSAGE_HISTORY", "EMBED_LINKS", "ATTACH_FILES", "MENTION_EVERYONE"),
    *("MANAGE_MESSAGES", "MANAGE_THREADS", "SEND_MESSAGES_IN_THREADS", "ADD_REACTIONS", "ADMINISTRATOR"),
)


def some(chance: random.Random) -> Permission:
    """A few permissions."""
    out = Permission(0)
    for name in chance.sample(MATTER[:-1], chance.randint(0, 5)):
        out |= Permission[name]
    return out


async def test_they_agree_whatever_roles_and_overrides_there_are(
    fake_discord: FakeDiscord, start_bot: StartBot
) -> None:
    chance = random.Random(5)
    roles = [fake_discord.add_role(f"role{n}", permissions=some(chance)) for n in range(6)]
    roles.append(fake_discord.add_role("chiefs", permissions=Permission.ADMINISTRATOR))
    users = [fake_discord.add_user(f"user{n}", roles=chance.sample(roles, chance.randint(0, 3))) for n in range(12)]
    app = fake_discord.add_app()
    categories = [fake_discord.add_category(f"category{n}") for n in range(3)]
    channels = [fake_discord.add_channel(f"channel{n}", category=chance.choice([None, *categories])) for n in range(12)]
    for place in [*categories, *categories, *channels[:9] * 5]:
        who: Any = chance.choice([*roles, *users, fake_discord.everyone()])
        allow = some(chance)
        await fake_discord.permit(place, who, allow=allow, deny=some(chance) & ~allow)
    for channel in channels[:3]:
        await fake_discord.permit(channel, fake_discord.everyone(), deny=Permission.VIEW_CHANNEL)
    intents = discord.Intents.default()
    intents.members = True
    bot = await start_bot(app, intents=intents)
    guild = bot.get_guild(int(fake_discord.guild.id))
    compared, hidden = 0, 0
    for channel in channels:
        for user in users:
            theirs = guild.get_channel(int(channel.id)).permissions_for(guild.get_member(int(user.id)))
            ours = fake_discord.permissions(channel, user)
            for name in MATTER:
                flag = bool(ours & Permission[name])
                if ours & Permission.VIEW_CHANNEL or name == "VIEW_CHANNEL":  # what one cannot see has no others
                    assert flag == getattr(theirs, name.lower()), (channel.name, user.name, name)
                    compared += 1
            hidden += not ours & Permission.VIEW_CHANNEL
    assert compared > 1000
    assert hidden > 10


async def test_channels_in_step_with_their_category_follow_it(fake_discord: FakeDiscord) -> None:
    alice, bob, staff = fake_discord.add_user("alice"), fake_discord.add_user("bob"), fake_discord.add_role("staff")
    category = fake_discord.add_category("internal", [staff])
    follows, own = (
        fake_discord.add_channel("follows", category=category),
        fake_discord.add_channel("own", [alice], category=category),
    )
    assert not fake_discord.permissions(follows, alice)
    assert fake_discord.permissions(own, alice)
    await fake_discord.permit(category, alice, allow=Permission.VIEW_CHANNEL)
    assert fake_discord.permissions(follows, alice) & Permission.VIEW_CHANNEL
    assert not fake_discord.permissions(follows, bob)
    await fake_discord.permit(category, bob, allow=Permission.VIEW_CHANNEL)
    assert fake_discord.permissions(follows, bob)
    assert not fake_discord.permissions(own, bob), "one with its own overrides stays as it is"


async def test_threads_have_the_permissions_of_their_channel(fake_discord: FakeDiscord) -> None:
    alice, bob = fake_discord.add_user("alice"), fake_discord.add_user("bob")
    chief = fake_discord.add_user("chief", admin=True)
    channel = fake_discord.add_channel("general")
    thread = await fake_discord.start_thread(alice, channel, "public")
    secret = await fake_discord.start_thread(alice, channel, "secret", private=True)
    assert fake_discord.permissions(thread, bob) & Permission.SEND_MESSAGES_IN_THREADS
    assert not fake_discord.permissions(secret, bob)
    assert fake_discord.permissions(secret, chief) & Permission.VIEW_CHANNEL
    await fake_discord.permit(channel, alice, deny=Permission.VIEW_CHANNEL)
    assert not fake_discord.permissions(secret, alice), "a member who cannot see the channel cannot see the thread"
