"""auth.*, apps.*, team.info: tokens and where they belong."""

from __future__ import annotations

from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.clock import TICKET
from citebot.testing.slack.events import announce
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.shapes import team_json
from citebot.testing.slack.state import Json
from citebot.testing.slack.tiers import CONNECTIONS, SPECIAL, TIER_3, TIER_4

LEAST = 5.0
"""Real seconds a ticket is good for, however fast time passes: an app on a busy machine uses it late."""


@method("auth.test", SPECIAL)
def test(call: Call) -> Json:
    """Who the token is."""
    workspace = call.core.world.workspaces[call.team]
    body = {
        "url": f"https://{workspace.domain}.slack.com/",
        "team": workspace.name,
        "user": call.user.name,
        "team_id": workspace.id,
        "user_id": call.user.id,
        "is_enterprise_install": False,
    }
    return body | ({"bot_id": call.user.bot_id} if call.user.app_id else {})


@method("auth.revoke", TIER_3)
def revoke(call: Call) -> Json:
    """End a token."""
    if not call.flag("test"):
        call.granted.refused = "token_revoked"
        kind = "bot" if call.granted.kind == "bot" else "oauth"
        tokens: Json = {"oauth": [], "bot": [], kind: [call.granted.user]}
        announce(call.core, {"type": "tokens_revoked", "tokens": tokens}, team=call.team, only=call.caller)
    return {"revoked": not call.flag("test")}


@method("apps.connections.open", CONNECTIONS, kind="app")
def open_connection(call: Call) -> Json:
    """A socket's address, good once."""
    if call.caller.request_url:
        raise Refused("socket_mode_not_enabled")
    ticket = call.core.world.new_id("ticket-")
    call.core.tickets[ticket] = (call.caller.id, call.core.clock.deadline(max(TICKET, LEAST * call.core.clock.speed)))
    address = call.core.url.replace("http://", "ws://")
    return {"url": f"{address}/link/?ticket={ticket}&app_id={call.caller.id}"}


@method("apps.event.authorizations.list", TIER_4, "authorizations:read", kind="app")
def list_authorizations(call: Call) -> Json:
    """Every installation that an event is visible to."""
    found = call.core.contexts.get(call.text("event_context"))
    if found is None:
        raise Refused("invalid_event_context")
    items, metadata = call.page(found, default=100, most=1000)
    return {"authorizations": items, "response_metadata": metadata}


@method("team.info", TIER_3, "team:read")
def team_info(call: Call) -> Json:
    """The workspace."""
    return {"team": team_json(call.core.world.workspaces[call.team])}
