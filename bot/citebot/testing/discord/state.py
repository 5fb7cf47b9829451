"""What Discord knows: guilds, people, roles, channels, messages, apps. Plain values in memory."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from secrets import token_hex
from typing import Any, Literal

from citebot.testing.chat.clock import Clock
from citebot.testing.discord.permissions import NOTHING, Permission

Json = dict[str, Any]
Kind = Literal["text", "dm", "voice", "category", "news", "news_thread", "public_thread", "private_thread", "forum"]
TYPES: dict[Kind, int] = {
    "text": 0,
    "dm": 1,
    "voice": 2,
    "category": 4,
    "news": 5,
    "news_thread": 10,
    "public_thread": 11,
    "private_thread": 12,
    "forum": 15,
}
THREADS: tuple[Kind, ...] = ("news_thread", "public_thread", "private_thread")
EPOCH = 1_420_070_400_000
"""The first millisecond of Discord's ids."""


def new_token(app_id: str) -> str:
    """A bot token: its first part is the app's id."""
    first = base64.urlsafe_b64encode(app_id.encode()).decode().rstrip("=")
    return f"{first}.{token_hex(3)}.{token_hex(19)}"


@dataclass(slots=True, eq=False)
class User:
    """A person or a bot user."""

    id: str
    name: str
    display_name: str = ""
    locale: str = "en-US"
    app_id: str = ""
    """Set for bot users."""
    takes_direct: bool = True
    """Whether they take direct messages."""

    @property
    def mention(self) -> str:
        """What a person types to mention them."""
        return f"@{self.name}"


@dataclass(slots=True, eq=False)
class Role:
    """A role of a guild; the one with the guild's id is @everyone."""

    id: str
    name: str
    permissions: Permission = NOTHING
    position: int = 0
    mentionable: bool = False
    app_id: str = ""
    """Set for the role that an app's installation made."""

    @property
    def mention(self) -> str:
        """What a person types to mention it."""
        return f"@{self.name}"


@dataclass(slots=True)
class Override:
    """What one role or member may in one channel."""

    kind: Literal["role", "member"]
    allow: Permission = NOTHING
    deny: Permission = NOTHING


@dataclass(slots=True)
class Member:
    """Somebody in a guild."""

    user: str
    joined_at: float
    roles: list[str] = field(default_factory=list)
    nick: str = ""
    timed_out_until: float = 0.0
    """By the wall clock."""


@dataclass(slots=True, eq=False)
class Guild:
    """A server."""

    id: str
    name: str
    owner: str = ""
    locale: str = "en-US"
    roles: dict[str, Role] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    unavailable: bool = False


@dataclass(slots=True, eq=False)
class Attachment:
    """A file on a message."""

    id: str
    name: str
    content: bytes
    kind: str
    description: str = ""


@dataclass(slots=True, eq=False)
class Message:
    """One message; `content` as Discord stores it, with mentions by id."""

    id: str
    channel: str
    author: str
    content: str = ""
    type: int = 0
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    flags: int = 0
    nonce: str = ""
    edited: str = ""
    """When, as it is written in messages."""
    app_id: str = ""
    """Set for what an app wrote."""
    by_token: bool = False
    """Written with an interaction's token."""
    reference: Json | None = None
    called: list[str] = field(default_factory=list)
    """Who is mentioned so that they are notified: user ids, role ids, `everyone`."""
    reactions: dict[str, list[str]] = field(default_factory=dict)
    interaction: Json | None = None
    """What Discord says of the interaction it answers."""
    only_for: str = ""
    """The one user who sees an ephemeral message."""
    pinned: bool = False


@dataclass(slots=True, eq=False)
class Channel:
    """A channel, category, thread or direct message."""

    id: str
    name: str
    kind: Kind
    guild: str = ""
    parent: str = ""
    """The category of a channel, the channel of a thread."""
    position: int = 0
    topic: str = ""
    nsfw: bool = False
    slow_mode: int = 0
    overrides: dict[str, Override] = field(default_factory=dict)
    recipients: list[str] = field(default_factory=list)
    """Of a direct message."""
    tags: list[Json] = field(default_factory=list)
    """Of a forum: `id`, `name`, `moderated`, `emoji_id`, `emoji_name`."""
    applied_tags: list[str] = field(default_factory=list)
    owner: str = ""
    """Who made a thread."""
    archived: bool = False
    locked: bool = False
    invitable: bool = True
    archive_after: int = 4320
    """Minutes."""
    changed_at: float = 0.0
    """When a thread was archived or opened, by the wall clock."""
    thread_members: dict[str, float] = field(default_factory=dict)
    sent: int = 0
    """Messages that were ever sent in a thread."""
    messages: dict[str, Message] = field(default_factory=dict)
    """By id, in order."""

    @property
    def is_thread(self) -> bool:
        """Whether it is a thread, forum posts included."""
        return self.kind in THREADS

    @property
    def mention(self) -> str:
        """What a person types to link it."""
        return f"#{self.name}"


@dataclass(slots=True, eq=False)
class App:
    """An application and its bot."""

    id: str
    name: str
    bot: User
    token: str
    intents: frozenset[str]
    """The privileged intents its owner has switched on: `message_content`, `members`, `presences`."""
    owner: str = ""
    commands: dict[str, dict[str, Json]] = field(default_factory=dict)
    """Registered commands by guild (empty: everywhere), then by id."""
    users: set[str] = field(default_factory=set)
    """People who installed it for themselves."""
    identifies_left: int = 1000
    day: float = 0.0
    """When the count of identifies began, by the clock's `now`."""
    public_key: str = "0" * 64
    facts: Json = field(default_factory=dict)
    """What it says of itself otherwise: `description`, `install_params`, `integration_types_config`, ..."""

    @property
    def mention(self) -> str:
        """What a person types to mention it."""
        return self.bot.mention


def user_of(who: User | App) -> User:
    """Somebody, or the bot of an app."""
    return who.bot if isinstance(who, App) else who


@dataclass(slots=True, eq=False)
class Interaction:
    """What a person did with an app, and how far the app's answer is."""

    id: str
    token: str
    app_id: str
    user: str
    channel: Channel
    type: int
    """1 ping, 2 command, 3 component, 4 autocomplete, 5 modal."""
    body: Json
    began: float
    answer_by: float
    ends: float
    """All by the clock's `now`."""
    source: str = ""
    """The message whose component was used."""
    name: str = ""
    """Of the command."""
    answered: int = 0
    """The type of the answer; 0 while there is none."""
    ephemeral: bool = False
    loading: bool = False
    """Deferred, and not yet followed by a message."""
    original: str = ""
    """The message that is its first answer."""
    written: set[str] = field(default_factory=set)
    """All messages made with its token."""
    choices: list[Json] = field(default_factory=list)
    """Of an autocomplete."""
    answer: Json = field(default_factory=dict)
    """The body of the first answer."""
    followed: int = 0
    """Messages that were made after the first answer."""
    external: bool = False
    """The app is not in the guild, only installed by the person."""
    delivered: Json = field(default_factory=dict)
    """As it was sent to the app."""
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    """Set by the first answer."""


@dataclass(slots=True, eq=False)
class Modal:
    """A dialog a person has open."""

    interaction: Interaction
    custom_id: str
    title: str
    components: list[Json]


class World:
    """Everything, and how it is found."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.users: dict[str, User] = {}
        self.guilds: dict[str, Guild] = {}
        self.channels: dict[str, Channel] = {}
        self.apps: dict[str, App] = {}
        self.interactions: dict[str, Interaction] = {}
        """By token."""
        self.modals: dict[str, Modal] = {}
        """By person."""
        self.typing: dict[tuple[str, str], float] = {}
        """By channel and user: until when, by the clock's `now`."""
        self._last = 0

    def new_id(self) -> str:
        """A snowflake later than every one before."""
        self._last = max(self._last + 1, (int(self.clock.wall() * 1000) - EPOCH) << 22)
        return str(self._last)

    def direct(self, one: str, other: str) -> Channel:
        """The direct message of two; it is opened when it is first needed."""
        for channel in self.channels.values():
            if channel.kind == "dm" and set(channel.recipients) == {one, other}:
                return channel
        channel = Channel(self.new_id(), "", "dm", recipients=[one, other])
        self.channels[channel.id] = channel
        return channel

    def in_guild(self, guild: str) -> list[Channel]:
        """The channels and threads of a guild."""
        return [c for c in self.channels.values() if c.guild == guild]

    def threads(self, parent: Channel) -> list[Channel]:
        """The threads of a channel, the oldest first."""
        return [c for c in self.channels.values() if c.is_thread and c.parent == parent.id]

    def message(self, channel: Channel, key: str) -> Message | None:
        """One message; the first message of a thread made from a message is in its parent too."""
        return channel.messages.get(key)

    def app_of(self, user: str) -> App | None:
        """The app whose bot somebody is."""
        found = self.users.get(user)
        return self.apps.get(found.app_id) if found else None
