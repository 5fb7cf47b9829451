"""Who may do what where: Discord's permissions and how it computes them."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from citebot.testing.discord.state import Channel, Guild, World


class Permission(IntFlag):
    """The bits, named as Discord names them."""

    CREATE_INSTANT_INVITE = 1 << 0
    KICK_MEMBERS = 1 << 1
    BAN_MEMBERS = 1 << 2
    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_AUDIT_LOG = 1 << 7
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    SEND_TTS_MESSAGES = 1 << 12
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    CHANGE_NICKNAME = 1 << 26
    MANAGE_NICKNAMES = 1 << 27
    MANAGE_ROLES = 1 << 28
    MANAGE_WEBHOOKS = 1 << 29
    USE_APPLICATION_COMMANDS = 1 << 31
    MANAGE_THREADS = 1 << 34
    CREATE_PUBLIC_THREADS = 1 << 35
    CREATE_PRIVATE_THREADS = 1 << 36
    USE_EXTERNAL_STICKERS = 1 << 37
    SEND_MESSAGES_IN_THREADS = 1 << 38
    MODERATE_MEMBERS = 1 << 40
    SEND_POLLS = 1 << 49
    USE_EXTERNAL_APPS = 1 << 50
    PIN_MESSAGES = 1 << 51


NOTHING = Permission(0)
EVERYTHING = ~NOTHING
EVERYONE = (
    Permission.CREATE_INSTANT_INVITE
    | Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.CHANGE_NICKNAME
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.CREATE_PRIVATE_THREADS
    | Permission.USE_EXTERNAL_STICKERS
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.SEND_POLLS
    | Permission.USE_EXTERNAL_APPS
)
"""What the role @everyone may in a new guild."""
IN_DIRECT = EVERYONE | Permission.PIN_MESSAGES
"""In a direct message nothing is computed."""
BOT = (
    Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.CREATE_PUBLIC_THREADS
    | Permission.EMBED_LINKS
    | Permission.READ_MESSAGE_HISTORY
    | Permission.ADD_REACTIONS
)
"""What a bot's own role may unless a test says otherwise."""
WITH_SENDING = (
    Permission.MENTION_EVERYONE
    | Permission.SEND_TTS_MESSAGES
    | Permission.ATTACH_FILES
    | Permission.EMBED_LINKS
    | Permission.SEND_POLLS
)
TIMED_OUT = Permission.VIEW_CHANNEL | Permission.READ_MESSAGE_HISTORY


def in_guild(guild: Guild, user: str) -> Permission:
    """What somebody may in a guild, channels aside."""
    member = guild.members.get(user)
    if member is None:
        return NOTHING
    if guild.owner == user:
        return EVERYTHING
    total = NOTHING
    for role in (guild.id, *member.roles):
        if role in guild.roles:
            total |= guild.roles[role].permissions
    return EVERYTHING if total & Permission.ADMINISTRATOR else total


def in_channel(world: World, channel: Channel, user: str) -> Permission:
    """What somebody may in a channel or thread; nothing when they cannot see it."""
    if not channel.guild:
        return IN_DIRECT if user in channel.recipients else NOTHING
    guild = world.guilds.get(channel.guild)
    if guild is None or user not in guild.members:
        return NOTHING
    base = in_guild(guild, user)
    if base == EVERYTHING:
        return base
    home = world.channels.get(channel.parent) if channel.is_thread else channel
    total = _overridden(base, home, guild, user) if home else base
    if world.clock.wall() < guild.members[user].timed_out_until:
        total &= TIMED_OUT
    if not total & Permission.VIEW_CHANNEL:
        return NOTHING
    if channel.kind == "private_thread" and user not in channel.thread_members:
        total = total if total & Permission.MANAGE_THREADS else NOTHING
    sending = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    return total if total & sending else total & ~WITH_SENDING


def _overridden(base: Permission, channel: Channel, guild: Guild, user: str) -> Permission:
    """Overrides in Discord's order: @everyone, then all roles together, then the member."""
    everyone = channel.overrides.get(guild.id)
    if everyone:
        base = base & ~everyone.deny | everyone.allow
    allow = deny = NOTHING
    for role in guild.members[user].roles:
        if found := channel.overrides.get(role):
            allow, deny = allow | found.allow, deny | found.deny
    base = base & ~deny | allow
    own = channel.overrides.get(user)
    return base & ~own.deny | own.allow if own else base


def can_see(world: World, channel: Channel, user: str) -> bool:
    """Whether a channel is on somebody's screen."""
    return bool(in_channel(world, channel, user) & Permission.VIEW_CHANNEL)


def may_send(world: World, channel: Channel, user: str) -> bool:
    """Whether somebody may write there."""
    needed = Permission.SEND_MESSAGES_IN_THREADS if channel.is_thread else Permission.SEND_MESSAGES
    return bool(in_channel(world, channel, user) & needed)
