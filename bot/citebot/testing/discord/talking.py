"""What people say in Discord: messages, reactions, threads."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence

from citebot.testing.chat.fake import NotPossible
from citebot.testing.discord import acts
from citebot.testing.discord.composing import compose, notified
from citebot.testing.discord.core import Core
from citebot.testing.discord.permissions import Permission, can_see, in_channel, may_send
from citebot.testing.discord.reading import Shown
from citebot.testing.discord.state import App, Attachment, Channel, Kind, Message, User, user_of

Place = Channel | User | App
Written = Message | Shown


class Talking:
    """What Discord would not let a person do raises `NotPossible`."""

    core: Core

    # -- messages -------------------------------------------------------------------------------------------------

    async def say(
        self,
        user: User,
        where: Place,
        text: str,
        *,
        reply_to: Written | None = None,
        ping: bool = True,
        files: Sequence[tuple[str, bytes]] = (),
    ) -> Message:
        """Write a message; to a user or app it is a direct one.

        `@name`, `@role`, `@everyone` and `#channel` become mentions, as `<@1>`, `<@&1>` and `<#1>` are; where a user
        and a role have the same name, the user is meant. A reply mentions the author of the other message unless
        `ping` is off.
        """
        channel, world = self._writable(user, where), self.core.world
        message = Message(world.new_id(), channel.id, user.id, compose(world, channel, text))
        message.attachments = [self._upload(name, content) for name, content in files]
        replied = ""
        if reply_to:
            other = self._found(reply_to)
            message.type, replied = acts.REPLY, other.author if ping else ""
            message.reference = {"type": 0, "channel_id": channel.id, "message_id": other.id}
            if channel.guild:
                message.reference["guild_id"] = channel.guild
        message.called = self._called(user, channel, message.content, replied)
        return acts.post(self.core, channel, message)

    async def edit(self, user: User, message: Written, text: str) -> None:
        """Change one's own message."""
        found = self._found(message)
        channel = self.core.world.channels[found.channel]
        if found.author != user.id:
            raise NotPossible("only its author can edit a message")
        self._writable(user, channel)
        found.content = compose(self.core.world, channel, text)
        found.called = self._called(user, channel, found.content, "")
        acts.changed(self.core, found)

    async def delete(self, user: User, message: Written) -> None:
        """Delete one's own message; who may manage messages may delete any."""
        found = self._found(message)
        channel = self.core.world.channels[found.channel]
        may = in_channel(self.core.world, channel, user.id)
        if found.author != user.id and (not channel.guild or not may & Permission.MANAGE_MESSAGES):
            raise NotPossible("only its author or a moderator can delete a message")
        acts.delete(self.core, found)

    async def react(self, user: User, message: Written, emoji: str, *, add: bool = True) -> None:
        """Add a reaction, or take it back."""
        found = self._found(message)
        self._visible(user, self.core.world.channels[found.channel])
        acts.react(self.core, found, user=user.id, emoji=emoji, add=add)

    # -- threads --------------------------------------------------------------------------------------------------

    async def start_thread(
        self, user: User, on: Written | Channel, name: str, *, private: bool = False, members: Sequence[User | App] = ()
    ) -> Channel:
        """Make a thread of a message, or in a channel; private ones only in a channel."""
        world = self.core.world
        source = None if isinstance(on, Channel) else self._found(on)
        parent = on if isinstance(on, Channel) else world.channels[on.channel]
        needed = Permission.CREATE_PRIVATE_THREADS if private else Permission.CREATE_PUBLIC_THREADS
        if (
            parent.kind not in ("text", "news")
            or (private and source)
            or not in_channel(world, parent, user.id) & needed
        ):
            raise NotPossible(f"{user.name} cannot make such a thread in #{parent.name}")
        if source and source.id in world.channels:
            raise NotPossible("there is a thread on it already")
        kind: Kind = "private_thread" if private else "news_thread" if parent.kind == "news" else "public_thread"
        key = source.id if source else world.new_id()
        thread = Channel(key, name, kind, parent.guild, parent.id, owner=user.id)
        acts.make_thread(self.core, thread, source=source)
        acts.join_thread(self.core, thread, [user_of(m).id for m in members])
        return thread

    async def post(self, user: User, forum: Channel, title: str, text: str, *, tags: Sequence[str] = ()) -> Channel:
        """Begin a forum post; its thread, whose first message has the thread's id."""
        world = self.core.world
        if forum.kind != "forum" or not may_send(world, forum, user.id):
            raise NotPossible(f"{user.name} cannot post in #{forum.name}")
        known = {t["name"]: t["id"] for t in forum.tags}
        thread = Channel(world.new_id(), title, "public_thread", forum.guild, forum.id, owner=user.id)
        thread.applied_tags = [known[t] for t in tags]
        acts.make_thread(self.core, thread)
        content = compose(world, thread, text)
        message = Message(thread.id, thread.id, user.id, content)
        message.called = self._called(user, thread, content, "")
        acts.post(self.core, thread, message)
        return thread

    async def invite(self, user: User, thread: Channel, other: User | App) -> None:
        """Bring somebody, or an app's bot, into a thread."""
        world, who = self.core.world, user_of(other)
        self._writable(user, thread)
        if not can_see(world, world.channels[thread.parent], who.id):
            raise NotPossible(f"{who.name} cannot see the channel of the thread")
        acts.join_thread(self.core, thread, [who.id])

    async def leave(self, user: User, thread: Channel) -> None:
        """Leave a thread."""
        acts.leave_thread(self.core, thread, user.id)

    async def archive(self, user: User, thread: Channel, *, archived: bool = True, locked: bool | None = None) -> None:
        """Archive a thread or open it again; with `locked`, let nobody but moderators write in it or open it."""
        moderator = in_channel(self.core.world, thread, user.id) & Permission.MANAGE_THREADS
        if not moderator and (locked is not None or thread.locked or thread.owner != user.id):
            raise NotPossible("only its maker or a moderator can archive a thread, and only a moderator lock it")
        acts.change_thread(self.core, thread, archived=archived, locked=locked)

    def place(self, user: User, where: Place) -> Channel:
        """A channel, or the direct message with a user or an app."""
        return where if isinstance(where, Channel) else self.core.world.direct(user.id, user_of(where).id)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _visible(self, user: User, where: Place) -> Channel:
        channel = self.place(user, where)
        if channel.id not in self.core.world.channels or not can_see(self.core.world, channel, user.id):
            raise NotPossible(f"{user.name} does not see #{channel.name}")
        return channel

    def _writable(self, user: User, where: Place) -> Channel:
        channel = self._visible(user, where)
        moderator = in_channel(self.core.world, channel, user.id) & Permission.MANAGE_THREADS
        if channel.kind in ("category", "forum") or not may_send(self.core.world, channel, user.id):
            raise NotPossible(f"{user.name} cannot write in #{channel.name}")
        if channel.locked and not moderator:
            raise NotPossible(f"the thread {channel.name} is locked")
        return channel

    def _found(self, message: Written) -> Message:
        channel = self.core.world.channels.get(message.channel)
        found = channel.messages.get(message.id) if channel else None
        if found is None:
            raise NotPossible("the message is gone")
        return found

    def _called(self, user: User, channel: Channel, content: str, replied: str) -> list[str]:
        everyone = bool(in_channel(self.core.world, channel, user.id) & Permission.MENTION_EVERYONE)
        return notified(self.core.world, channel, [content], None, may_everyone=everyone, replied=replied)

    def _upload(self, name: str, content: bytes) -> Attachment:
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Attachment(self.core.world.new_id(), name, content, kind)
