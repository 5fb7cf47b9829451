"""Who somebody is, what a channel is, and who reads there, in Slack's own words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

from citebot.conversing.people import Member, Place
from citebot.model import Conversation, Person, Visibility
from citebot_connectors.platforms.slack.calling import Body, Web
from citebot_connectors.platforms.slack.paging import pages
from citebot_connectors.platforms.slack.private import is_private

PAGE = 1_000


class Directory:
    """Users and channels of one workspace: `citebot.conversing.people.Directory`."""

    def __init__(self, web: Web, called: Literal["mail", "id"]) -> None:
        self._web = web
        self._called = called

    async def member(self, account: str) -> Member:
        body = await self._web.read("users.info", user=account, include_locale=True)
        return await self._member_of(body["user"])

    async def members(self) -> AsyncIterator[Member]:
        async for body in pages(self._web, "users.list", "members", limit=PAGE, include_locale=True):
            yield await self._member_of(body)

    async def place(self, channel: str) -> Place:
        body = (await self._web.read("conversations.info", channel=channel))["channel"]
        return Place(visibility_of(body), str(body.get("name") or ""))

    async def readers(self, channel: str) -> AsyncIterator[str]:
        async for account in pages(self._web, "conversations.members", "members", limit=PAGE, channel=channel):
            yield str(account)

    def is_alone(self, conversation: Conversation) -> bool:
        return is_private(conversation) or (conversation.visibility == "dm" and conversation.id.startswith("D"))

    async def _member_of(self, body: Body) -> Member:
        return member_of(body, team=(await self._web.identity()).team, called=self._called)


def member_of(body: Body, *, team: str, called: Literal["mail", "id"]) -> Member:
    """A user as Slack describes them. A stranger is only their Slack id: anybody can claim an address."""
    profile = body.get("profile") or {}
    stranger = bool(body.get("is_stranger")) or body.get("team_id", team) != team
    guest = stranger or bool(body.get("is_restricted") or body.get("is_ultra_restricted"))
    mail = str(profile.get("email") or "")
    identity = mail if called == "mail" and mail and not stranger else str(body["id"])
    name = str(
        profile.get("display_name") or profile.get("real_name") or body.get("real_name") or body.get("name") or ""
    )
    reads = not (body.get("is_bot") or body.get("deleted") or body["id"] == "USLACKBOT")
    return Member(str(body["id"]), Person(identity, name, guest), name, str(body.get("locale") or ""), reads)


def visibility_of(body: Body) -> Visibility:
    """What kind of place a conversation is; one that is shared with others is never anything better."""
    if body.get("is_ext_shared") or body.get("is_pending_ext_shared") or body.get("is_org_shared"):
        return "shared"
    if body.get("is_im"):
        return "dm"
    if body.get("is_private") or body.get("is_mpim") or body.get("is_group"):
        return "private"
    return "public" if body.get("is_channel") else "private"
