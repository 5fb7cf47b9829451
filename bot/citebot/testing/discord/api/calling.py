"""One call of the REST API, and how operations are registered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from citebot.testing.discord.buckets import Rate
from citebot.testing.discord.core import Core
from citebot.testing.discord.permissions import Permission, in_channel
from citebot.testing.discord.refusing import Refused
from citebot.testing.discord.state import App, Channel, Guild, Json, Message
from citebot.testing.discord.writing import Files

Result = Json | list[Json] | None
DEFAULT = Rate(10, 10)


@dataclass(slots=True)
class Call:
    """What came, and who calls."""

    core: Core
    path: dict[str, str]
    query: dict[str, str]
    body: Any
    files: Files
    caller: App | None = None
    reason: str = ""
    noted: Json = field(default_factory=dict)

    @property
    def app(self) -> App:
        """The app whose bot calls."""
        if self.caller is None:
            raise Refused(40001)
        return self.caller

    @property
    def bot(self) -> str:
        """The id of the bot that calls."""
        return self.app.bot.id

    @property
    def json(self) -> Json:
        """The body as an object."""
        return self.body if isinstance(self.body, dict) else {}

    def own_application(self) -> App:
        """The application of the path, which must be the caller's."""
        if self.path["application_id"] != self.app.id:
            raise Refused(20012)
        return self.app

    def guild(self) -> Guild:
        """The guild of the path."""
        return self.guild_at(self.path["guild_id"])

    def guild_at(self, key: str) -> Guild:
        """A guild the bot is in."""
        found = self.core.world.guilds.get(key)
        if found is None or self.bot not in found.members:
            raise Refused(10004 if found is None else 50001)
        return found

    def channel(self, *needed: Permission) -> Channel:
        """The channel of the path, which the bot must see and may do something in."""
        found = self.core.world.channels.get(self.path["channel_id"])
        if found is None:
            raise Refused(10003)
        may = in_channel(self.core.world, found, self.bot)
        if not may & Permission.VIEW_CHANNEL:
            raise Refused(50001)
        if any(not may & permission for permission in needed):
            raise Refused(50013)
        return found

    def message(self, channel: Channel) -> Message:
        """The message of the path; ephemeral ones cannot be found in a channel."""
        found = channel.messages.get(self.path["message_id"])
        if found is None or found.only_for:
            raise Refused(10008)
        return found


@dataclass(frozen=True, slots=True)
class Operation:
    """How a route is answered."""

    name: str
    verb: str
    path: str
    handle: Callable[[Call], Result]
    rate: Rate
    bucket: str
    bot: bool
    """Whether it needs a bot's token; what needs none is also outside of the limit over all."""


OPERATIONS: dict[str, Operation] = {}
Handler = Callable[[Call], Result]


def operation(
    verb: str, path: str, *, rate: Rate = DEFAULT, bucket: str = "", bot: bool = True, name: str = ""
) -> Callable[[Handler], Handler]:
    """Register a function as the operation of its name, or of another one."""

    def register(handle: Handler) -> Handler:
        key = name or handle.__name__
        OPERATIONS[key] = Operation(key, verb, path, handle, rate, bucket or key, bot)
        return handle

    return register
