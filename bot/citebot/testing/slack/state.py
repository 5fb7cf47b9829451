"""What Slack knows: workspaces, people, channels, messages, apps. Plain values in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from citebot.testing.chat.clock import Clock
from citebot.testing.slack.clock import STREAM

Json = dict[str, Any]
Kind = Literal["public", "private", "im", "mpim"]
CHANNEL_TYPES: dict[Kind, str] = {"public": "channel", "private": "group", "im": "im", "mpim": "mpim"}
SCOPE_FAMILIES: dict[Kind, str] = {"public": "channels", "private": "groups", "im": "im", "mpim": "mpim"}


@dataclass(slots=True)
class Workspace:
    """A team."""

    id: str
    name: str
    domain: str


@dataclass(slots=True)
class User:
    """A person or a bot user."""

    id: str
    team: str
    name: str
    real_name: str = ""
    email: str = ""
    locale: str = "en-US"
    tz: str = "Europe/Amsterdam"
    is_admin: bool = False
    is_restricted: bool = False
    is_ultra_restricted: bool = False
    deleted: bool = False
    app_id: str = ""
    """Set for bot users."""
    bot_id: str = ""

    @property
    def mention(self) -> str:
        """What a person types to mention them."""
        return f"@{self.name}"


@dataclass(slots=True)
class Group:
    """A user group such as @support."""

    id: str
    team: str
    handle: str
    users: list[str]


@dataclass(slots=True)
class File:
    """An upload."""

    id: str
    team: str
    user: str
    name: str
    mimetype: str
    content: bytes
    channels: set[str] = field(default_factory=set)
    facts: Json = field(default_factory=dict)
    """What Slack says of it otherwise, as `mode` and `is_external` of a file that lives elsewhere."""
    withheld: bool = False
    """Messages only say that there is a file, as in channels shared with others; `files.info` says more."""


@dataclass(slots=True)
class Stream:
    """A message that is being written; `ended` says why it cannot be written any more."""

    started: float
    plan: bool
    text: str = ""
    title: str = ""
    tasks: dict[str, Json] = field(default_factory=dict)
    blocks: list[Json] = field(default_factory=list)
    ended: Literal["", "stopped", "stopped_by_user", "died"] = ""


@dataclass(slots=True)
class Message:
    """One message; `text` as Slack stores it, with `& < >` escaped."""

    ts: str
    channel: str
    user: str
    text: str
    thread_ts: str = ""
    blocks: list[Json] = field(default_factory=list)
    attachments: list[Json] = field(default_factory=list)
    subtype: str = ""
    app_id: str = ""
    bot_id: str = ""
    edited: Json | None = None
    reactions: dict[str, list[str]] = field(default_factory=dict)
    files: list[File] = field(default_factory=list)
    metadata: Json | None = None
    only_for: str = ""
    """The one user who sees an ephemeral message."""
    stream: Stream | None = None
    options: Json = field(default_factory=dict)
    """`unfurl_links`, `username` and the like, as they were sent."""
    client_msg_id: str = ""


@dataclass(slots=True)
class Channel:
    """A conversation of any kind."""

    id: str
    team: str
    name: str
    kind: Kind
    members: list[str] = field(default_factory=list)
    shared_with: set[str] = field(default_factory=set)
    """Other workspaces, by Slack Connect."""
    archived: bool = False
    topic: str = ""
    created: int = 0
    creator: str = ""
    messages: dict[str, Message] = field(default_factory=dict)
    """By `ts`, in order."""

    @property
    def teams(self) -> set[str]:
        """All workspaces it is in."""
        return {self.team} | self.shared_with

    @property
    def type(self) -> str:
        """As events name its kind."""
        return CHANNEL_TYPES[self.kind]


@dataclass(slots=True)
class Grant:
    """A token and what it may do."""

    token: str
    app_id: str
    team: str
    user: str
    scopes: frozenset[str]
    kind: Literal["bot", "user", "app"] = "bot"
    refused: str = ""
    """The error it meets now: `token_revoked`, `account_inactive`."""
    expires: float | None = None
    """By the clock's `now`."""
    refresh_token: str = ""


@dataclass(slots=True)
class App:
    """An app as its manifest describes it, and where it is installed."""

    id: str
    name: str
    client_id: str
    client_secret: str
    signing_secret: str
    app_token: str
    scopes: frozenset[str]
    user_scopes: frozenset[str]
    events: frozenset[str]
    commands: frozenset[str]
    shortcuts: frozenset[str]
    agent: bool
    """Declared as an agent: sessions, a stop button."""
    distribution: Literal["internal", "unlisted", "marketplace"]
    rotate_tokens: bool
    redirect_url: str = ""
    request_url: str = ""
    """Where events, commands and clicks are posted; empty for Socket Mode."""
    grants: list[Grant] = field(default_factory=list)
    bots: dict[str, User] = field(default_factory=dict)
    """Its bot user by workspace."""

    @property
    def bot_token(self) -> str:
        """The token of its latest installation."""
        return next(g.token for g in reversed(self.grants) if g.kind == "bot")

    @property
    def bot(self) -> User:
        """Its bot user in the first workspace."""
        return next(iter(self.bots.values()))

    @property
    def mention(self) -> str:
        """What a person types to mention it."""
        return self.bot.mention

    def grant_in(self, team: str) -> Grant | None:
        """Its newest bot token that works in a workspace."""
        living = (g for g in reversed(self.grants) if g.kind == "bot" and g.team == team and not g.refused)
        return next(living, None)


@dataclass(slots=True)
class View:
    """A modal or a Home tab of one person."""

    id: str
    app_id: str
    team: str
    user: str
    body: Json
    hash: str
    root: str = ""
    previous: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    """What the app found wrong in the last submission, by block id."""


@dataclass(slots=True)
class Session:
    """An agent session of a thread."""

    channel: str
    thread_ts: str
    app_id: str
    status: str
    title: str = ""
    initiator: str = ""


@dataclass(slots=True)
class Thinking:
    """The line below a thread that says what the app is doing."""

    text: str
    loading_messages: list[str]
    until: float
    app_id: str


class World:
    """Everything, and how it is found."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.workspaces: dict[str, Workspace] = {}
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.apps: dict[str, App] = {}
        self.grants: dict[str, Grant] = {}
        self.groups: dict[str, Group] = {}
        self.files: dict[str, File] = {}
        self.views: dict[str, View] = {}
        """Open ones, and each person's Home."""
        self.modals: dict[str, list[str]] = {}
        """The stack of open views by person."""
        self.sessions: dict[tuple[str, str], Session] = {}
        self.thinking: dict[tuple[str, str], Thinking] = {}
        self.prompts: dict[tuple[str, str], Json] = {}
        """Suggested prompts by channel and thread (empty: the whole Messages tab)."""
        self.titles: dict[tuple[str, str], str] = {}
        self._numbers = count(1)
        self._stamp = 0

    def new_id(self, prefix: str) -> str:
        """An id like Slack's, in the order of creation."""
        return f"{prefix}0FAKE{next(self._numbers):05d}"

    def new_ts(self) -> str:
        """A time stamp later than every one before."""
        self._stamp = max(self._stamp + 1, int(self.clock.wall() * 1_000_000))
        return f"{self._stamp // 1_000_000}.{self._stamp % 1_000_000:06d}"

    def im(self, one: User, other: User) -> Channel:
        """The direct message of two; it is opened when it is first needed."""
        for channel in self.channels.values():
            if channel.kind == "im" and set(channel.members) == {one.id, other.id}:
                return channel
        return self.add_channel(Channel(self.new_id("D"), one.team, "", "im", [one.id, other.id]))

    def add_channel(self, channel: Channel) -> Channel:
        """Keep a new conversation."""
        channel.created = int(self.clock.wall())
        self.channels[channel.id] = channel
        return channel

    def message(self, channel: Channel, ts: str) -> Message | None:
        """One message, also while a stream is written; streams that ran out of time are closed here."""
        message = channel.messages.get(ts)
        if (
            message
            and message.stream
            and not message.stream.ended
            and self.clock.now() > message.stream.started + STREAM
        ):
            message.stream.ended = "died"
        return message

    def replies(self, channel: Channel, ts: str) -> list[Message]:
        """The answers in a thread, without its root and without what only one person sees."""
        return [m for m in channel.messages.values() if m.thread_ts == ts != m.ts and not m.only_for]
