"""Who may change what. Slack is asked each time; whoever it does not speak for may change nothing."""

from __future__ import annotations

from collections.abc import Collection

from citebot.ports import Actor, Role
from citebot_connectors.platforms.slack.calling import Body, Refused, Web

ADMIN = ("is_admin", "is_owner", "is_primary_owner")
NEVER = ("deleted", "is_bot", "is_stranger", "is_restricted", "is_ultra_restricted")


async def role_of(web: Web, admins: Collection[str], actor: Actor) -> Role:
    """The role of a user in a channel. Raises `Retry` when Slack does not answer."""
    team = (await web.identity()).team
    if actor.conversation.tenant != team:
        return ""
    try:
        user: Body = (await web.read("users.info", user=actor.account))["user"]
        if user.get("id") != actor.account or user.get("team_id") != team or any(user.get(flag) for flag in NEVER):
            return ""
        if actor.account in admins or any(user.get(flag) is True for flag in ADMIN):
            return "admin"
        if not actor.conversation.id.startswith(("C", "G")):
            return ""
        channel: Body = (await web.read("conversations.info", channel=actor.conversation.id))["channel"]
    except Refused:
        return ""
    return "keeper" if channel.get("creator") == actor.account else ""
