"""What people do in Slack: a test says it, apps hear of it."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from citebot.testing.chat.fake import NotPossible
from citebot.testing.slack import acts
from citebot.testing.slack.composing import compose, escape
from citebot.testing.slack.core import Core
from citebot.testing.slack.delivering import Courier
from citebot.testing.slack.events import announce
from citebot.testing.slack.interactions import (
    action_of,
    answer,
    command_body,
    filled,
    interaction,
    message_place,
    new_response_url,
)
from citebot.testing.slack.reading import Shown, find_element, shown
from citebot.testing.slack.shapes import view_json
from citebot.testing.slack.state import App, Channel, File, Json, Message, User, View

Place = Channel | User | App
Written = Message | Shown


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an app took a command, a click or a submission."""

    acked: bool
    body: Json = field(default_factory=dict)
    """What it acknowledged with."""
    reason: str = ""
    """Why a person reads that the app did not answer: `no_connections`, `timeout`, `http_error`, ..."""


class People:
    """All that a person can do; what Slack would not let them do raises `NotPossible`."""

    core: Core
    courier: Courier

    # -- messages -------------------------------------------------------------------------------------------------

    async def say(
        self,
        user: User,
        where: Place,
        text: str,
        *,
        thread_ts: str = "",
        files: Sequence[tuple[str, bytes]] = (),
        broadcast: bool = False,
    ) -> Message:
        """Write a message. `@name`, `@here` and `#channel` become mentions; everything else is literal."""
        channel = self._member(user, where)
        world = self.core.world
        if thread_ts:
            if thread_ts not in channel.messages:
                raise NotPossible("there is no such thread")
            thread_ts = channel.messages[thread_ts].thread_ts or thread_ts
        stored, blocks = compose(world, user.team, text)
        message = Message(world.new_ts(), channel.id, user.id, stored, thread_ts, blocks)
        message.client_msg_id = world.new_id("cmid-")
        message.files = [self._upload(user, name, content) for name, content in files]
        message.subtype = "thread_broadcast" if broadcast and thread_ts else "file_share" if files else ""
        return acts.post(self.core, channel, message)

    async def edit(self, user: User, message: Written, text: str) -> None:
        """Change one's own message."""
        channel, found = self._found(message)
        if found.user != user.id:
            raise NotPossible("only its author can edit a message")
        stored, blocks = compose(self.core.world, user.team, text)
        acts.edit(self.core, channel, found, text=stored, blocks=blocks, by=user.id)

    async def delete(self, user: User, message: Written) -> None:
        """Delete one's own message; admins may delete any."""
        channel, found = self._found(message)
        if found.user != user.id and not user.is_admin:
            raise NotPossible("only its author or an admin can delete a message")
        acts.delete(self.core, channel, found)

    async def react(self, user: User, message: Written, name: str, *, add: bool = True) -> None:
        """Add a reaction, or take it back."""
        channel, found = self._found(message)
        self._member(user, channel)
        acts.react(self.core, channel, found, user=user, name=name, add=add)

    # -- channels -------------------------------------------------------------------------------------------------

    async def join(self, user: User, channel: Channel) -> None:
        """Join a public channel."""
        if channel.kind != "public":
            raise NotPossible("one is invited to such a channel")
        acts.join(self.core, channel, user)

    async def invite(self, user: User, channel: Channel, other: User | App) -> None:
        """Bring somebody, or an app's bot, into a channel."""
        self._member(user, channel)
        acts.join(self.core, channel, self._bot(other, channel), inviter=user)

    async def leave(self, user: User, channel: Channel) -> None:
        """Leave a channel."""
        acts.leave(self.core, self._member(user, channel), user)

    async def kick(self, user: User, channel: Channel, other: User | App) -> None:
        """Put somebody out of a channel."""
        acts.leave(self.core, self._member(user, channel), self._bot(other, channel), actor=user)

    async def archive(self, user: User, channel: Channel, *, archived: bool = True) -> None:
        """Archive a channel, or open it again."""
        acts.archive(self.core, channel, by=user, archived=archived)

    async def rename(self, user: User, channel: Channel, name: str) -> None:
        """Rename a channel."""
        acts.rename(self.core, self._member(user, channel), name)

    # -- what apps offer ------------------------------------------------------------------------------------------

    async def command(self, user: User, where: Place, line: str) -> Outcome:
        """Send a slash command such as `/ask where are the keys?`."""
        channel = self._member(user, where)
        name, _, text = line.partition(" ")
        app = next((a for a in self._apps(user.team) if name in a.commands), None)
        if app is None:
            raise NotPossible(f"{name} is not a valid command")
        body: Json = dict(command_body(self.core, app, user, channel, name, escape(text.strip())))
        outcome = await self._interact(app, "slash_commands", body)
        if outcome.body.get("text") or outcome.body.get("blocks"):
            answer(self.core, app, user.id, channel, outcome.body)
        return outcome

    async def shortcut(self, user: User, callback_id: str, message: Written | None = None) -> Outcome:
        """Use a shortcut: of a message when one is given, else a global one."""
        app = next((a for a in self._apps(user.team) if callback_id in a.shortcuts), None)
        if app is None:
            raise NotPossible(f"there is no shortcut {callback_id}")
        body = interaction(self.core, app, user, "message_action" if message else "shortcut")
        body["callback_id"] = callback_id
        if message:
            channel, found = self._found(message)
            self._member(user, channel)
            body |= {k: v for k, v in message_place(self.core, channel, found).items() if k != "container"}
            body |= {"message_ts": found.ts, "response_url": new_response_url(self.core, app, user, channel, found)}
        return await self._interact(app, "interactive", body)

    async def click(self, user: User, on: Written | View, action_id: str, value: object = None) -> Outcome:
        """Press a button or choose `value` in an element; feedback is `positive` or `negative`."""
        if isinstance(on, View):
            app, element = self.core.world.apps[on.app_id], find_element(on.body["blocks"], action_id)
            body = interaction(self.core, app, user, "block_actions")
            body |= {"container": {"type": "view", "view_id": on.id}, "view": view_json(on, app)}
        else:
            channel, found = self._found(on)
            if found.only_for not in ("", user.id) or user.id not in channel.members:
                raise NotPossible("the message is not on this person's screen")
            app, element = self.core.world.apps[found.app_id], shown(found).element(action_id)
            body = interaction(self.core, app, user, "block_actions") | message_place(self.core, channel, found)
            body |= {"state": {"values": {}}, "response_url": new_response_url(self.core, app, user, channel, found)}
        if element is None:
            raise NotPossible(f"there is nothing with the action_id {action_id}")
        if user.id not in element.get("visible_to_user_ids", [user.id]):
            raise NotPossible(f"{action_id} is not shown to {user.name}")
        body["actions"] = [action_of(element, value, body["action_ts"])]
        return await self._interact(app, "interactive", body)

    async def submit(self, user: User, view: View, values: Mapping[str, object] | None = None) -> Outcome:
        """Submit a modal with what was filled in, by action id; the app may answer with errors or another view."""
        app = self._open(user, view)
        body = interaction(self.core, app, user, "view_submission")
        state = filled(view, dict(values or {}))
        body |= {"view": view_json(view, app) | {"state": state}, "response_urls": []}
        outcome = await self._interact(app, "interactive", body)
        if outcome.acked:
            self._after_submit(user, view, outcome.body)
        return outcome

    async def close(self, user: User, view: View) -> Outcome:
        """Close a modal; the app hears of it if it asked for that."""
        app = self._open(user, view)
        self._shut(user, view)
        if not view.body.get("notify_on_close"):
            return Outcome(True)
        body = interaction(self.core, app, user, "view_closed", trigger=False)
        return await self._interact(app, "interactive", body | {"view": view_json(view, app), "is_cleared": False})

    async def open_home(self, user: User, app: App, tab: str = "home", *, viewing: Channel | None = None) -> None:
        """Open an app's Home or Messages tab, perhaps beside a channel."""
        world = self.core.world
        direct = world.im(user, self._bot_in(app, user.team))
        home = self.home(user, app)
        event: Json = {"type": "app_home_opened", "user": user.id, "channel": direct.id, "tab": tab}
        if tab == "home" and home:
            event["view"] = view_json(home, app)
        if app.agent:
            seen = {"type": "slack#/types/channel_id", "value": viewing.id, "team_id": user.team} if viewing else None
            event["context"] = {"entities": [seen]} if seen else {}
        announce(self.core, event, channel=direct, only=app)

    async def stop_stream(self, user: User, where: Place, thread_ts: str) -> None:
        """Press the stop button of an agent that is processing."""
        channel = self._member(user, where)
        session = self.core.world.sessions.get((channel.id, thread_ts))
        if session is None or session.status != "processing":
            raise NotPossible("there is no stop button: no agent is processing here")
        app = self.core.world.apps[session.app_id]
        if "agent_session_stopped" not in app.events:
            raise NotPossible("the app did not subscribe to agent_session_stopped: its indicator cannot be pressed")
        stopped = []
        for message in self.core.world.replies(channel, thread_ts):
            _, found = self._found(message)
            if found.app_id == app.id and found.stream and not found.stream.ended:
                found.stream.ended = "stopped_by_user"
                stopped.append(found.ts)
        event = {"type": "agent_session_stopped", "user": user.id, "channel": channel.id, "thread_ts": thread_ts}
        announce(self.core, event | {"streaming_message_ts": stopped}, channel=channel, only=app)
        self.core.touch()

    def modal(self, user: User) -> View | None:
        """The modal a person has open, the topmost one."""
        stack = self.core.world.modals.get(user.id)
        return self.core.world.views[stack[-1]] if stack else None

    def home(self, user: User, app: App) -> View | None:
        """The Home tab an app has published for a person."""
        views = self.core.world.views.values()
        return next((v for v in views if (v.app_id, v.user, v.body["type"]) == (app.id, user.id, "home")), None)

    def place(self, user: User, where: Place) -> Channel:
        """A channel, or the direct message with a user or an app."""
        if isinstance(where, Channel):
            return where
        other = self._bot_in(where, user.team) if isinstance(where, App) else where
        return self.core.world.im(user, other)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _member(self, user: User, where: Place) -> Channel:
        channel = self.place(user, where)
        if user.id not in channel.members:
            raise NotPossible(f"{user.name} is not in #{channel.name}")
        if channel.archived:
            raise NotPossible(f"#{channel.name} is archived")
        return channel

    def _found(self, message: Written) -> tuple[Channel, Message]:
        channel = self.core.world.channels[message.channel]
        found = self.core.world.message(channel, message.ts)
        if found is None:
            raise NotPossible("the message is gone")
        return channel, found

    def _upload(self, user: User, name: str, content: bytes) -> File:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        file = File(self.core.world.new_id("F"), user.team, user.id, name, kind, content)
        self.core.world.files[file.id] = file
        return file

    def _apps(self, team: str) -> list[App]:
        return [a for a in self.core.world.apps.values() if a.grant_in(team)]

    def _bot_in(self, app: App, team: str) -> User:
        if team not in app.bots:
            raise NotPossible(f"{app.name} is not installed there")
        return app.bots[team]

    def _bot(self, other: User | App, channel: Channel) -> User:
        return self._bot_in(other, channel.team) if isinstance(other, App) else other

    def _open(self, user: User, view: View) -> App:
        if view.id not in self.core.world.modals.get(user.id, []):
            raise NotPossible("the modal is not open")
        return self.core.world.apps[view.app_id]

    def _shut(self, user: User, view: View) -> None:
        self.core.world.modals[user.id].remove(view.id)
        del self.core.world.views[view.id]
        self.core.touch()

    def _after_submit(self, user: User, view: View, body: Json) -> None:
        match body.get("response_action"):
            case "errors":
                view.errors = dict(body["errors"])
            case "update":
                view.body, view.errors = body["view"], {}
            case "push":
                new = View(
                    self.core.world.new_id("V"), view.app_id, view.team, user.id, body["view"], "h1", view.root, view.id
                )
                self.core.world.views[new.id] = new
                self.core.world.modals[user.id].append(new.id)
            case "clear":
                for key in self.core.world.modals.pop(user.id, []):
                    self.core.world.views.pop(key, None)
            case _:
                self._shut(user, view)
        self.core.touch()

    async def _interact(self, app: App, kind: str, body: Json) -> Outcome:
        reply = await self.courier.interact(app, kind, body)
        return Outcome(reply.ok, reply.body, reply.reason)
