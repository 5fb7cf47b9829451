"""Who somebody is, what a channel is, and who reads there.

Without the intent for members Discord names nobody who is in a server. It tells what roles may see: so the readers of a
channel are everybody in the server, or its roles and the people named in it, each taken for somebody of whom nothing
else is known. All comes from the gateway's cache; while that is not connected, nothing is known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence

import discord

from citebot.conversing.known import Known, Lately
from citebot.conversing.people import HELPERS_MOST, Member, Place
from citebot.errors import CannotShow, Retry
from citebot.model import Conversation, Helper, Person
from citebot.ports import Actor, Role
from citebot_connectors.platforms.discord.calling import FAILURES, Refused, Wire
from citebot_connectors.platforms.discord.places import DIRECT, is_alone
from citebot_connectors.platforms.discord.settings import DiscordSettings

ROLE = "role:"
STRANGERS = "strangers"
"""Who reads in a server that is not the team's."""
UNKNOWN_MEMBER, UNKNOWN_USER = 10007, 10013
LOCALES_KEPT = 20_000
MET = 60.0
"""Seconds for which what an event or a call told of somebody serves all servers; each keeps it for longer."""
Guildish = discord.abc.GuildChannel | discord.Thread


class AgeRestricted(CannotShow):
    """A channel for adults alone."""


class Faces:
    """What all servers together tell of people."""

    def __init__(self, wire: Wire, settings: DiscordSettings, *, clock: Callable[[], float]) -> None:
        self._wire = wire
        self.settings = settings
        self._members: Known[str, discord.Member | discord.User] = Known(clock, fresh=MET)
        self.current: Callable[[], bool] = lambda: True
        """Whether the gateway tells of every change now."""
        self.locales: Lately[str, str] = Lately(LOCALES_KEPT)

    def is_team(self, guild: int | str) -> bool:
        """Whether the members of a server are the team's."""
        return str(guild) in self.settings.guilds

    def met(self, user: discord.Member | discord.User, locale: str = "") -> bool:
        """An event tells of somebody: whether they count for something else from now on than they may have before.

        Only one of the team's servers knows whether they are in the team.
        """
        if locale:
            self.locales[str(user.id)] = locale
        if not isinstance(user, discord.Member) or not self.is_team(user.guild.id):
            return False
        before = self._members.get(str(user.id))
        self._members.keep(str(user.id), user)
        return not isinstance(before, discord.Member) or self._is_guest(before) != self._is_guest(user)

    async def member(self, account: str) -> Member:
        """Somebody as the team knows them; a guest who is in none of its servers."""
        found = await self._members.fetch(account, lambda: self._look_up(account))
        guest = not isinstance(found, discord.Member) or self._is_guest(found)
        person = Person(self.settings.people.get(account, account), found.display_name, guest)
        return Member(account, person, found.display_name, self.locales.get(account, ""), reads=not found.bot)

    async def is_here(self, account: str) -> bool:
        """Whether somebody is in one of the team's servers."""
        return isinstance(await self._members.fetch(account, lambda: self._look_up(account)), discord.Member)

    async def _look_up(self, account: str) -> discord.Member | discord.User:
        if not account.isdigit():
            raise CannotShow("Nobody is called so.")
        client = self._wire.at
        for guild in (client.get_guild(int(one)) for one in self.settings.guilds):
            if guild is not None and (member := await self.fresh(guild, account)) is not None:
                return member
        try:
            return await client.fetch_user(int(account))
        except FAILURES as error:
            raise self._wire.translated(error) from error

    async def fresh(self, guild: discord.Guild, account: str) -> discord.Member | None:
        """A member as the server knows them at this moment; None for whoever is none."""
        try:
            return await guild.fetch_member(int(account))
        except FAILURES as error:
            meant = self._wire.translated(error)
            if isinstance(meant, Refused) and meant.code in (UNKNOWN_MEMBER, UNKNOWN_USER):
                return None
            raise meant from error

    def _is_guest(self, member: discord.Member) -> bool:
        return any(str(role.id) in self.settings.guest_roles for role in member.roles)


class Directory:
    """People and channels of one server, or of direct messages: `citebot.conversing.people.Directory`."""

    def __init__(self, wire: Wire, faces: Faces, tenant: str) -> None:
        self._wire = wire
        self._faces = faces
        self._tenant = tenant

    async def member(self, account: str) -> Member:
        if account == STRANGERS:
            return Member(account, Person(STRANGERS, guest=True), account)
        if account.startswith(ROLE):
            return self._role(self._guild.get_role(int(account.removeprefix(ROLE))), account)
        return await self._faces.member(account)

    async def members(self) -> AsyncIterator[Member]:
        for role in self._guild.roles:
            yield self._role(role, f"{ROLE}{role.id}")

    async def place(self, channel: str) -> Place:
        found = await self.channel(channel)
        if not self._faces.is_team(self._guild.id):
            return Place("shared", found.name)
        return Place("public" if everybody_sees(found) else "private", found.name)

    async def readers(self, channel: str) -> AsyncIterator[str]:
        found = await self.channel(channel)
        if not self._faces.is_team(self._guild.id):
            yield STRANGERS
            return
        for account in readers_of(found, self._faces.settings.guest_roles):
            if not account.isdigit() or await self._faces.is_here(account):  # who has left keeps their override
                yield account

    def is_alone(self, conversation: Conversation) -> bool:
        return is_alone(conversation) or (conversation.visibility == "dm" and conversation.tenant == DIRECT)

    async def channel(self, id: str) -> Guildish:
        """A channel or thread that we may look into. Raises `CannotShow` and `Retry`."""
        found: object = self._guild.get_channel_or_thread(int(id)) if id.isdigit() else None
        if found is None and id.isdigit():
            try:
                found = await self._wire.at.fetch_channel(int(id))  # an archived thread
            except FAILURES as error:
                raise self._wire.translated(error) from error
        if not isinstance(found, Guildish) or found.guild.id != self._guild.id:
            raise CannotShow("There is no such channel here.")
        if age_restricted(found):
            raise AgeRestricted("Nothing is shown in age-restricted channels.")
        return found

    @property
    def _guild(self) -> discord.Guild:
        if not self._faces.current():
            raise Retry("Discord is not connected: who reads there is not known.", after=1.0)
        found = self._wire.at.get_guild(int(self._tenant)) if self._tenant.isdigit() else None
        if found is None:
            raise CannotShow("The app is not in this server any more.")
        if found.unavailable:
            raise Retry("Discord does not reach this server now.", after=5.0)
        return found

    def _role(self, role: discord.Role | None, account: str) -> Member:
        if role is None:
            raise CannotShow("There is no such role.")
        guest = str(role.id) in self._faces.settings.guest_roles
        return Member(account, Person(account, role.name, guest), role.name, reads=not role.is_bot_managed())

    # -- what somebody may do -------------------------------------------------------------------------------------

    async def role_of(self, actor: Actor) -> Role:
        """What somebody may change; Discord is asked each time. Only the team's servers have admins."""
        admin = actor.account in self._faces.settings.admins
        if self._tenant == DIRECT:
            return "admin" if admin else ""
        member = await self._faces.fresh(self._guild, actor.account)
        if member is None:
            return ""
        if self._faces.is_team(self._guild.id) and (admin or member.guild_permissions.manage_guild):
            return "admin"
        try:
            rights = (await self.channel(actor.conversation.id)).permissions_for(member)
        except CannotShow:
            return ""
        return "keeper" if rights.manage_channels else ""

    async def helpers(self, conversation: Conversation, authors: Sequence[str]) -> list[Helper]:
        """Whom to ask in a channel: the authors of what was found, and the setting `experts`, as far as they see it."""
        channel = await self.channel(conversation.id)
        accounts = {name: account for account, name in self._faces.settings.people.items()}
        wanted = [accounts.get(one, one) for one in authors]
        found = []
        for account in dict.fromkeys([one for one in wanted if one.isdigit()] + self._faces.settings.experts):
            member = await self._faces.fresh(self._guild, account)
            if member is None or member.bot or not channel.permissions_for(member).view_channel:
                continue
            person = (await self._faces.member(account)).person
            if not person.guest:
                found.append(Helper(account, person))
        return found[:HELPERS_MOST]


def home_of(channel: Guildish) -> discord.abc.GuildChannel:
    """The channel whose permissions count: a thread has those of its parent."""
    if not isinstance(channel, discord.Thread):
        return channel
    if channel.parent is None:
        raise CannotShow("The app cannot see the channel of this thread.")
    return channel.parent


def everybody_sees(channel: Guildish) -> bool:
    """Whether all of the server see it; of a private thread only those who were brought in."""
    home = home_of(channel)
    private = isinstance(channel, discord.Thread) and channel.is_private()
    return home.permissions_for(home.guild.default_role).view_channel and not private


def readers_of(channel: Guildish, guests: Sequence[str]) -> Iterator[str]:
    """Who sees it besides everybody. Whoever is in a private thread sees its channel too."""
    home = home_of(channel)
    guild = home.guild
    public = home.permissions_for(guild.default_role).view_channel
    for role in guild.roles:
        guest = str(role.id) in guests
        # A role that everybody's view covers adds nobody, unless it makes them guests.
        if (guest or not public) and home.permissions_for(role).view_channel:
            yield f"{ROLE}{role.id}"
    if public and not everybody_sees(channel):
        yield f"{ROLE}{guild.default_role.id}"
    for target, overwrite in home.overwrites.items():
        # Also where everybody sees it: a guest whose role does not is let in by this.
        if not isinstance(target, discord.Role) and overwrite.view_channel:
            yield str(target.id)
    if guild.owner_id is not None and not public:
        yield str(guild.owner_id)


def age_restricted(channel: object) -> bool:
    """Whether a channel, or the one a thread is in, is for adults alone."""
    return isinstance(channel, Guildish) and bool(getattr(home_of(channel), "nsfw", False))
