"""The fake Discord as tests hold it."""

from __future__ import annotations

from collections.abc import Callable

from citebot.testing.chat.clock import Clock
from citebot.testing.chat.fake import Delivery, Fake
from citebot.testing.chat.site import Site
from citebot.testing.discord.core import Core, Sent, Settings
from citebot.testing.discord.founding import Founding
from citebot.testing.discord.gateway import Gateway
from citebot.testing.discord.governing import Governing
from citebot.testing.discord.people import Outcome, People
from citebot.testing.discord.permissions import Permission, in_channel
from citebot.testing.discord.reading import Shown, shown
from citebot.testing.discord.rest import BASE, Rest
from citebot.testing.discord.routes import routes
from citebot.testing.discord.sessions import Session
from citebot.testing.discord.shapes import event_json, role_json
from citebot.testing.discord.state import (
    App,
    Channel,
    Guild,
    Json,
    Message,
    User,
    World,
    user_of,
)
from citebot.testing.discord.talking import Written


class FakeDiscord(Founding, People, Governing, Fake[Core]):
    """A Discord of its own, on 127.0.0.1.

    `async with FakeDiscord() as discord`, then `discord.add_app("citebot")`, and a client that is given
    `discord.api_url`, `discord.gateway_url` and `app.token` cannot tell. Nothing is stored; `speed` compresses
    Discord's durations (see `Clock`).
    """

    guild: Guild
    """The first guild; all below are put into it unless another is named."""

    def __init__(
        self, *, speed: float = 1.0, port: int = 0, rates: bool = True, clock: Clock | None = None, title: str = "Acme"
    ) -> None:
        self.clock = clock or Clock(speed)
        self.world = World(self.clock)
        self.core = Core(self.clock, self.world, settings=Settings(rates=rates))
        self.gateway = Gateway(self.core)
        self.core.publish = self.gateway.publish
        self.rest = Rest(self.core)
        self._site = Site(routes(self), port=port)
        self.guild = self.add_guild(title)

    async def hang_up(self) -> None:
        """End the connections to apps."""
        await self.gateway.close()

    @property
    def api_url(self) -> str:
        """What `discord.http.Route.BASE` is set to."""
        return self.core.url + BASE

    @property
    def gateway_url(self) -> str:
        """What `discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY` is set to, as a `yarl.URL`."""
        return self.gateway.url

    # -- connections ----------------------------------------------------------------------------------------------

    def sessions(self, app: App) -> list[Session]:
        """The sessions of an app that a socket is open for, the oldest first."""
        return self.gateway.of(app)

    @property
    def identifies(self) -> int:
        """How often clients have identified, successfully or not."""
        return self.gateway.identifies

    @property
    def resumes(self) -> int:
        """How often clients have resumed."""
        return self.gateway.resumes

    def ready(self, app: App) -> bool:
        """Whether a session of the app has been told READY and has an open socket."""
        return any(s.told_ready for s in self.sessions(app))

    def deafen(self, app: App, *, heartbeats: bool = False) -> None:
        """Let nothing pass on the app's open sockets though they stay open; with `heartbeats`, those are answered."""
        for session in self.sessions(app):
            if session.socket:
                session.socket.deafen(heartbeats=heartbeats)

    def drop_sockets(self, app: App) -> None:
        """Cut the app's open sockets; what happens from now on is kept for a RESUME."""
        for session in self.sessions(app):
            if session.socket:
                session.socket.cut()

    async def close_sockets(self, app: App, code: int = 4000) -> None:
        """Close the app's open sockets with a code: 4004 wrong token, 4014 intent not granted, 4008 too fast, ..."""
        for session in self.sessions(app):
            if session.socket:
                session.socket.close(code)

    async def reconnect_sockets(self, app: App) -> None:
        """Ask the app's clients to reconnect (op 7), as Discord does at every deployment."""
        for session in self.sessions(app):
            if session.socket:
                session.socket.send({"op": 7, "s": None, "t": None, "d": None})

    async def invalidate_sessions(self, app: App, *, resumable: bool = False) -> None:
        """Tell the app's clients that their sessions are no more (op 9); with `resumable`, that they may resume."""
        for session in self.sessions(app):
            self.gateway.invalidate(session, resumable=resumable)

    def forget_sessions(self, app: App) -> None:
        """Cut the app's sockets and forget its sessions, so that no RESUME works: what happens meanwhile is lost."""
        for session in self.gateway.of(app, connected=False):
            self.gateway.sessions.pop(session.id, None)
            if session.socket:
                session.socket.cut()

    async def send_event(self, app: App, name: str, body: object) -> None:
        """Send any event, malformed ones too."""
        for session in self.gateway.of(app, connected=False):
            session.dispatch(name, body)

    async def send_malformed(self, app: App) -> None:
        """Send a MESSAGE_CREATE with roles as objects, at which discord.py 2.7 ends its loop."""
        channel = next(c for c in self.world.channels.values() if c.kind == "text")
        members = self.world.guilds[channel.guild].members
        author = next(self.world.users[m] for m in members if not self.world.users[m].app_id)
        body = event_json(self.world, Message(self.world.new_id(), channel.id, author.id, "broken"), self.url)
        body["member"]["roles"] = [role_json(r) for r in self.world.guilds[channel.guild].roles.values()]
        await self.send_event(app, "MESSAGE_CREATE", body)

    # -- what is seen ---------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """Switches: limits of rate, bans, identifies."""
        return self.core.settings

    @property
    def sent(self) -> list[Sent]:
        """Everything apps have sent over REST, in order."""
        return self.core.sent

    @property
    def deliveries(self) -> list[Delivery]:
        """Every interaction apps were sent, in order."""
        return self.core.deliveries

    @property
    def strikes(self) -> int:
        """Invalid requests (401, 403, 429) so far; 10,000 in ten minutes end in a ban."""
        return self.rest.buckets.strikes

    def calls(self, *methods: str) -> list[Sent]:
        """The calls of some operations."""
        return [s for s in self.core.sent if s.method in methods]

    def messages(
        self, where: Channel, *, seen_by: User | None = None, which: Callable[[Message], bool] = lambda message: True
    ) -> list[Shown]:
        """What is on the screen of a channel or thread; with a person's own ephemeral messages.

        Drawing takes its time: `which` leaves messages out before they are drawn.
        """
        reader = seen_by.id if seen_by else ""
        seen = [message for message in where.messages.values() if message.only_for in ("", reader)]
        return [shown(self.world, message) for message in filter(which, seen)]

    def message(self, where: Channel, message: Written | str) -> Shown | None:
        """One message as it is now."""
        found = where.messages.get(message if isinstance(message, str) else message.id)
        return shown(self.world, found) if found else None

    def answer(self, outcome: Outcome) -> Shown | None:
        """The first answer to an interaction as it is now: None before there is one and after it was deleted."""
        begun = outcome.interaction
        return self.message(begun.channel, begun.original) if begun and begun.original else None

    def follow_ups(self, outcome: Outcome) -> list[Shown]:
        """All other messages made with the interaction's token."""
        begun = outcome.interaction
        if begun is None:
            return []
        keys = sorted(begun.written - {begun.original}, key=int)
        return [found for key in keys if (found := self.message(begun.channel, key))]

    def direct(self, user: User, app: App) -> Channel:
        """The direct message between a person and an app."""
        return self.place(user, app)

    def thread_of(self, message: Written) -> Channel | None:
        """The thread that hangs on a message."""
        found = self.world.channels.get(message.id)
        return found if found and found.parent == message.channel else None

    def threads(self, channel: Channel) -> list[Channel]:
        """The threads of a channel, forum posts too."""
        return self.world.threads(channel)

    def typing(self, where: Channel, app: App) -> bool:
        """Whether one sees the app type."""
        return self.world.typing.get((where.id, app.bot.id), 0.0) > self.clock.now()

    def permissions(self, channel: Channel, who: User | App) -> Permission:
        """What somebody may in a channel, as Discord computes it."""
        return in_channel(self.world, channel, user_of(who).id)

    def commands(self, app: App, guild: Guild | None = None) -> list[Json]:
        """The registered commands, global ones unless a guild is named."""
        return list(app.commands.get(guild.id if guild else "", {}).values())

    def report(self) -> str:
        """How things stand."""
        waiting = [(d.kind, d.reason) for d in self.deliveries if not d.over]
        return f"waiting: {waiting}; the last calls: {[(s.method, s.status) for s in self.sent[-5:]]}"
