"""users.*, usergroups.*: people."""

from __future__ import annotations

from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.shapes import user_json
from citebot.testing.slack.state import Json
from citebot.testing.slack.tiers import TIER_2, TIER_4


@method("users.info", TIER_4, "users:read")
def info(call: Call) -> Json:
    """One user: of the workspace, or of one that shares a channel with it."""
    user = call.core.world.users.get(call.text("user"))
    shared = [c for c in call.core.world.channels.values() if call.team in c.teams and user and user.id in c.members]
    if user is None or (user.team != call.team and not shared):
        raise Refused("user_not_found")
    body = user_json(user, team=call.team, locale=call.flag("include_locale"))
    if "users:read.email" not in call.granted.scopes:
        body["profile"].pop("email")
    return {"user": body}


@method("users.list", TIER_2, "users:read")
def list_all(call: Call) -> Json:
    """The users of the workspace."""
    users = [u for u in call.core.world.users.values() if u.team == call.team]
    page, metadata = call.page(users, default=1000, most=1000)
    locale = call.flag("include_locale")
    members = [user_json(u, team=call.team, locale=locale) for u in page]
    return {"members": members, "cache_ts": 0, "response_metadata": metadata}


@method("usergroups.users.list", TIER_2, "usergroups:read")
def list_group(call: Call) -> Json:
    """The members of a user group."""
    group = call.core.world.groups.get(call.text("usergroup"))
    if group is None or group.team != call.team:
        raise Refused("no_such_subteam")
    return {"users": list(group.users)}
