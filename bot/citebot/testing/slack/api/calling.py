"""One call of a Web API method: its arguments, who calls, what that token may do and see."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from citebot.testing.slack.core import Core
from citebot.testing.slack.refusing import Refused, invalid
from citebot.testing.slack.state import SCOPE_FAMILIES, App, Channel, Grant, Json, Message, User
from citebot.testing.slack.tiers import Rate

T = TypeVar("T")
TokenKind = Literal["bot", "app", "none"]


@dataclass(frozen=True, slots=True)
class Method:
    """What is known of a method before it is called."""

    name: str
    handle: Callable[[Call], Json]
    rate: Rate
    scopes: tuple[str, ...]
    """Any of them is enough."""
    kind: TokenKind


METHODS: dict[str, Method] = {}
Handler = Callable[["Call"], Json]


def method(name: str, rate: Rate, *scopes: str, kind: TokenKind = "bot") -> Callable[[Handler], Handler]:
    """Register a method of the Web API."""

    def register(handle: Handler) -> Handler:
        METHODS[name] = Method(name, handle, rate, scopes, kind)
        return handle

    return register


@dataclass(slots=True)
class Call:
    """See the module."""

    core: Core
    method: str
    args: Json
    token: str
    app: App | None = None
    grant: Grant | None = None
    basic: str = ""
    """The credentials of HTTP basic authentication, as they came."""
    warnings: list[str] = field(default_factory=list)

    # -- arguments: strings in a query or form, typed in JSON ---------------------------------------------------------

    def text(self, name: str, default: str | None = None) -> str:
        """A string; without a default it must be given."""
        value = self.args.get(name)
        if value is None or value == "":
            if default is None:
                raise invalid(f"missing required field: {name}")
            return default
        return str(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """A boolean in any spelling."""
        value = self.args.get(name)
        return default if value is None else value in (True, 1, "1", "true", "True")

    def number(self, name: str, default: int, *, most: int) -> int:
        """A whole number between 1 and `most`."""
        try:
            value = int(self.args.get(name) or default)
        except (TypeError, ValueError):
            raise invalid(f"must be a valid integer [json-pointer:/{name}]") from None
        return min(max(value, 1), most)

    def json(self, name: str) -> Any:
        """A value that is JSON by itself, or a string that holds it."""
        value = self.args.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise invalid(f"must be valid JSON [json-pointer:/{name}]", error=f"invalid_{name}") from None

    def names(self, name: str) -> list[str]:
        """A list, or a string with commas."""
        value = self.args.get(name) or []
        parts = value.split(",") if isinstance(value, str) else value
        return [str(p).strip() for p in parts if str(p).strip()]

    # -- who calls ------------------------------------------------------------------------------------------------

    @property
    def granted(self) -> Grant:
        """The token's grant; every method with a token has one."""
        assert self.grant is not None, "checked before the method is called"
        return self.grant

    @property
    def caller(self) -> App:
        """The app that calls."""
        assert self.app is not None, "checked before the method is called"
        return self.app

    @property
    def user(self) -> User:
        """Whom the token acts as."""
        return self.core.world.users[self.granted.user]

    @property
    def team(self) -> str:
        """The workspace of the token."""
        return self.granted.team

    def need(self, *scopes: str) -> None:
        """Refuse unless the token has one of the scopes."""
        granted = self.granted.scopes
        if scopes and not granted.intersection(scopes):
            raise Refused("missing_scope", needed=scopes[0], provided=",".join(sorted(granted)))

    # -- what the caller sees -------------------------------------------------------------------------------------

    def channel(self, name: str = "channel", *, scope: str = "", opened: bool = False) -> Channel:
        """The conversation of an argument: an id, a #name, or with `opened` a user; hidden ones are not found.

        `scope` is the part after the colon, as `history`: which family is needed depends on the kind.
        """
        wanted = self.text(name)
        world = self.core.world
        channel = world.channels.get(wanted)
        if opened and channel is None:
            other = world.users.get(wanted)
            named = (c for c in world.channels.values() if c.name == wanted.lstrip("#") and self.team in c.teams)
            channel = world.im(self.user, other) if other and other.id != self.user.id else next(named, None)
        if channel is None or self.team not in channel.teams:
            raise Refused("channel_not_found")
        if channel.kind != "public" and self.user.id not in channel.members:
            raise Refused("channel_not_found")
        if scope:
            self.need(f"{SCOPE_FAMILIES[channel.kind]}:{scope}")
        return channel

    def message(self, channel: Channel, ts: str, *, error: str = "message_not_found") -> Message:
        """A message of a conversation."""
        message = self.core.world.message(channel, ts)
        if message is None or message.only_for not in ("", self.user.id):
            raise Refused(error)
        return message

    def page(self, items: Sequence[T], *, default: int, most: int) -> tuple[list[T], Json]:
        """The part of a list that is asked for by `cursor` and `limit`, and the metadata with the next cursor."""
        start = read_cursor(self.text("cursor", ""))
        limit = self.number("limit", default, most=most)
        cursor = write_cursor(start + limit) if start + limit < len(items) else ""
        return list(items[start : start + limit]), {"next_cursor": cursor}


def write_cursor(position: int) -> str:
    """A position that clients cannot read."""
    return base64.b64encode(f"next:{position}".encode()).decode()


def read_cursor(cursor: str) -> int:
    """The position of a cursor."""
    if not cursor:
        return 0
    try:
        return int(base64.b64decode(cursor, validate=True).decode().removeprefix("next:"))
    except ValueError:
        raise Refused("invalid_cursor") from None
