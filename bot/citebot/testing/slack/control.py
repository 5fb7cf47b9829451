"""The fake Slack as tests hold it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from citebot.testing.chat.clock import Clock
from citebot.testing.chat.fake import Fake, Settings
from citebot.testing.chat.site import Site
from citebot.testing.slack.api import METHODS
from citebot.testing.slack.core import Core, Delivery, Sent
from citebot.testing.slack.delivering import Courier
from citebot.testing.slack.events import SUBSCRIPTIONS, announce
from citebot.testing.slack.http_mode import Poster
from citebot.testing.slack.installing import Code, install
from citebot.testing.slack.people import People
from citebot.testing.slack.reading import Shown, visible
from citebot.testing.slack.routes import routes
from citebot.testing.slack.server import Api
from citebot.testing.slack.socket_mode import Reply, Socket, Sockets
from citebot.testing.slack.state import App, Channel, Grant, Group, Thinking, User, Workspace, World
from citebot.testing.slack.tiers import Meter

APP_SCOPES = frozenset({"connections:write", "authorizations:read"})
BOT_SCOPES = frozenset(
    {"commands", *(s for m in METHODS.values() for s in m.scopes), *filter(None, SUBSCRIPTIONS.values())}
) - (APP_SCOPES | {"search:read.private", "search:read.im", "search:read.mpim", "search:read.files"})


class FakeSlack(People, Fake[Core]):
    """A Slack of its own, on 127.0.0.1.

    `async with FakeSlack() as slack`, then `slack.add_app("citebot")`, and an app that is given `slack.api_url` and the
    app's tokens cannot tell. Nothing is stored; `speed` compresses Slack's durations (see `Clock`).
    """

    def __init__(
        self, *, speed: float = 1.0, port: int = 0, rates: bool = True, clock: Clock | None = None, title: str = "Acme"
    ) -> None:
        self.clock = clock or Clock(speed)
        self.world = World(self.clock)
        self.core = Core(self.clock, self.world, Meter(self.clock), settings=Settings(rates=rates))
        self._sockets = Sockets(self.core)
        self.poster = Poster(self.core)
        self.courier = Courier(self.core, self._sockets, self.poster)
        self.core.publish = self.courier.publish
        self._site = Site(routes(self, Api(self.core), self._sockets), port=port)
        self.workspace = self.add_workspace(title)
        self.world.users["USLACKBOT"] = User("USLACKBOT", self.workspace.id, "slackbot", "Slackbot", app_id="slackbot")

    async def hang_up(self) -> None:
        """End the connections to apps."""
        await self.courier.close()
        await self._sockets.close()
        await self.poster.close()

    @property
    def api_url(self) -> str:
        """The `base_url` for Slack's client."""
        return f"{self.core.url}/api/"

    # -- set up ---------------------------------------------------------------------------------------------------

    def add_workspace(self, name: str) -> Workspace:
        """Another workspace; there is one from the start, `workspace`."""
        workspace = Workspace(self.world.new_id("T"), name, name.lower().replace(" ", "-"))
        self.world.workspaces[workspace.id] = workspace
        return workspace

    def add_user(
        self,
        name: str,
        *,
        workspace: Workspace | None = None,
        guest: Literal["", "multi", "single"] = "",
        admin: bool = False,
        locale: str = "en-US",
    ) -> User:
        """A person; a guest of several channels is `is_restricted`, of a single one also `is_ultra_restricted`."""
        team = (workspace or self.workspace).id
        user = User(
            self.world.new_id("U"), team, name, name.capitalize(), f"{name}@example.com", locale, is_admin=admin
        )
        user.is_restricted, user.is_ultra_restricted = bool(guest), guest == "single"
        self.world.users[user.id] = user
        return user

    def add_channel(
        self,
        name: str,
        members: Iterable[User | App] = (),
        *,
        private: bool = False,
        workspace: Workspace | None = None,
        shared_with: Iterable[Workspace] = (),
    ) -> Channel:
        """A channel; `shared_with` makes it a Slack Connect channel."""
        team = (workspace or self.workspace).id
        ids = [(m.bots[team] if isinstance(m, App) else m).id for m in members]
        channel = Channel(self.world.new_id("C"), team, name, "private" if private else "public", ids)
        channel.shared_with = {w.id for w in shared_with}
        channel.creator = ids[0] if ids else ""
        return self.world.add_channel(channel)

    def add_group(self, handle: str, members: Iterable[User]) -> Group:
        """A user group."""
        group = Group(self.world.new_id("S"), self.workspace.id, handle, [m.id for m in members])
        self.world.groups[group.id] = group
        return group

    def add_app(
        self,
        name: str = "citebot",
        *,
        scopes: Iterable[str] = BOT_SCOPES,
        user_scopes: Iterable[str] = (),
        events: Iterable[str] = tuple(SUBSCRIPTIONS),
        commands: Iterable[str] = (),
        shortcuts: Iterable[str] = (),
        agent: bool = True,
        request_url: str = "",
        redirect_url: str = "",
        distribution: Literal["internal", "unlisted", "marketplace"] = "internal",
        rotate_tokens: bool = False,
        install: bool = True,
    ) -> App:
        """An app with all scopes and events unless fewer are named; with a `request_url` it uses HTTP."""
        key = self.world.new_id("A")
        app = App(
            key,
            name,
            client_id=f"{key}.client",
            client_secret=f"{key}-client-secret",
            signing_secret=f"{key}-signing-secret",
            app_token=f"xapp-1-{key}",
            scopes=frozenset(scopes),
            user_scopes=frozenset(user_scopes),
            events=frozenset(events),
            commands=frozenset(commands),
            shortcuts=frozenset(shortcuts),
            agent=agent,
            distribution=distribution,
            rotate_tokens=rotate_tokens,
            redirect_url=redirect_url,
            request_url=request_url,
        )
        self.world.apps[key] = app
        self.world.grants[app.app_token] = Grant(app.app_token, key, "", "", APP_SCOPES, kind="app")
        if install:
            self.install(app)
        return app

    def install(self, app: App, workspace: Workspace | None = None, *, scopes: Iterable[str] | None = None) -> Grant:
        """Install an app as an admin does without OAuth; its bot user is made at the first time."""
        return install(self.world, self.clock, app, (workspace or self.workspace).id, scopes=scopes)

    def authorize(self, app: App, user: User, *, redirect_uri: str = "", scopes: Iterable[str] | None = None) -> str:
        """Let a person agree to the installation of an app; the code that `oauth.v2.access` takes."""
        wanted = app.scopes if scopes is None else frozenset(scopes)
        code = self.world.new_id("code-")
        self.core.codes[code] = Code(app.id, user.id, redirect_uri, wanted)
        return code

    async def uninstall(self, app: App, workspace: Workspace | None = None) -> None:
        """Take an app away from a workspace: its tokens end, its bot leaves."""
        team = (workspace or self.workspace).id
        bot = app.bots[team]
        announce(self.core, {"type": "tokens_revoked", "tokens": {"oauth": [], "bot": [bot.id]}}, team=team, only=app)
        announce(self.core, {"type": "app_uninstalled"}, team=team, only=app)
        for grant in app.grants:
            if grant.team == team:
                grant.refused = grant.refused or "account_inactive"
        for channel in self.world.channels.values():
            if bot.id in channel.members and channel.kind in ("public", "private"):
                channel.members.remove(bot.id)

    async def deactivate(self, user: User) -> None:
        """Close the account of a person."""
        user.deleted = True
        for channel in self.world.channels.values():
            if user.id in channel.members and channel.kind in ("public", "private"):
                channel.members.remove(user.id)
        body = {"id": user.id, "team_id": user.team, "name": user.name, "deleted": True}
        announce(self.core, {"type": "user_change", "user": body}, team=user.team)

    # -- connections ----------------------------------------------------------------------------------------------

    def sockets(self, app: App) -> list[Socket]:
        """The open sockets of an app."""
        return self._sockets.of(app)

    def deafen(self, app: App, *, pings: bool = False) -> list[Socket]:
        """Let nothing pass on the app's open sockets though they stay open; with `pings`, those still come."""
        sockets = self.sockets(app)
        for socket in sockets:
            socket.deaf, socket.mute = True, not pings
        return sockets

    def drop_sockets(self, app: App) -> None:
        """Cut the app's open sockets."""
        for socket in self.sockets(app):
            self._sockets.drop(socket)

    async def refresh_sockets(self, app: App, *, warn: bool = False) -> None:
        """Send `disconnect` on the app's sockets, as Slack does every few hours; with `warn`, the warning before."""
        for socket in self.sockets(app):
            await self._sockets.refresh(socket, warn=warn)

    async def verify_url(self, app: App) -> Reply:
        """Send the challenge that proves the ownership of a `request_url`."""
        body = {"type": "url_verification", "token": "verification-token", "challenge": "challenge"}
        return await self.poster.send(app, "events_api", body)

    def redeliver(self, delivery: Delivery) -> None:
        """Deliver an event once more, as if its ack had been lost."""
        self.courier.redeliver(self.world.apps[delivery.app_id], delivery.body)

    # -- what is seen ---------------------------------------------------------------------------------------------

    @property
    def settings(self) -> Settings:
        """Switches: limits of rate, copies of each event."""
        return self.core.settings

    @property
    def sent(self) -> list[Sent]:
        """Everything apps have sent, in order."""
        return self.core.sent

    @property
    def deliveries(self) -> list[Delivery]:
        """Everything apps were sent, in order."""
        return self.core.deliveries

    def calls(self, method: str) -> list[Sent]:
        """The calls of one method."""
        return [s for s in self.core.sent if s.method == method]

    def messages(self, where: Channel, thread_ts: str = "", *, seen_by: User | None = None) -> list[Shown]:
        """What is on the screen: a channel, or one thread; with a person's own ephemeral messages."""
        return visible(self.world, where, thread_ts=thread_ts, seen_by=seen_by.id if seen_by else "")

    def direct(self, user: User, app: App) -> Channel:
        """The direct message between a person and an app."""
        return self.place(user, app)

    def thinking(self, where: Channel, thread_ts: str) -> Thinking | None:
        """The status line below a thread."""
        found = self.world.thinking.get((where.id, thread_ts))
        return found if found and found.until > self.clock.now() else None

    def report(self) -> str:
        """How things stand."""
        waiting = [(d.kind, d.attempts, d.reason) for d in self.deliveries if not d.over]
        return f"waiting: {waiting}; the last calls: {[s.method for s in self.sent[-5:]]}"
