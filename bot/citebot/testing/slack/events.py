"""Events: who gets which, and in what envelope."""

from __future__ import annotations

from citebot.testing.slack.clock import ACTION_TOKEN
from citebot.testing.slack.core import Core
from citebot.testing.slack.state import SCOPE_FAMILIES, App, Channel, Grant, Json, Message, User

# What an app subscribes to, and the scope it needs for it.
SUBSCRIPTIONS = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "member_joined_channel": "channels:read",
    "member_left_channel": "channels:read",
    "channel_left": "channels:read",
    "group_left": "groups:read",
    "channel_archive": "channels:read",
    "channel_unarchive": "channels:read",
    "channel_rename": "channels:read",
    "channel_shared": "channels:read",
    "channel_unshared": "channels:read",
    "group_archive": "groups:read",
    "group_unarchive": "groups:read",
    "group_rename": "groups:read",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
    "file_shared": "files:read",
    "app_home_opened": "",
    "agent_session_stopped": "chat:write",
    "tokens_revoked": "",
    "app_uninstalled": "",
    "user_change": "users:read",
}
PRIVATE_NEEDS = dict.fromkeys(
    ("member_joined_channel", "member_left_channel", "channel_shared", "channel_unshared"), "groups:read"
)
WITH_ACTION_TOKEN = ("app_mention", "message")


def announce(
    core: Core, event: Json, *, channel: Channel | None = None, team: str = "", name: str = "", only: App | None = None
) -> None:
    """Give an event to every app that may see it: installed there, subscribed, with the scope, and a member.

    `name` is the subscription where it is not the type; with `only`, it concerns that one app alone.
    """
    subscription = name or event["type"]
    for app in [only] if only else list(core.world.apps.values()):
        seers = [g for t in sorted(channel.teams if channel else {team}) if (g := app.grant_in(t))]
        seers = [g for g in seers if only or _sees(core, app, g, subscription, channel)]
        if seers and subscription in app.events:
            core.publish(app, _envelope(core, app, dict(event), seers, channel, team))


def _sees(core: Core, app: App, grant: Grant, subscription: str, channel: Channel | None) -> bool:
    scope = SUBSCRIPTIONS.get(subscription, "")
    if channel and channel.kind == "private":
        scope = PRIVATE_NEEDS.get(subscription, scope)
    if scope and scope not in grant.scopes:
        return False
    open_to_all = channel is None or (channel.kind == "public" and subscription.startswith("channel_"))
    return open_to_all or (channel is not None and grant.user in channel.members)


def _envelope(core: Core, app: App, event: Json, seers: list[Grant], channel: Channel | None, team: str) -> Json:
    world = core.world
    home = next((g for g in seers if channel and g.team == channel.team), seers[0])
    event.setdefault("event_ts", event.get("ts") or world.new_ts())
    person = world.users.get(str(event.get("user", "")))
    if event["type"] in WITH_ACTION_TOKEN and person and not person.app_id:
        token = world.new_id("act-")
        core.action_tokens[token] = (app.id, person.id, core.clock.now() + ACTION_TOKEN)
        event["assistant_thread"] = {"action_token": token}
    context = world.new_id("4-")
    core.contexts[context] = [authorization(g) for g in seers]
    return {
        "token": "verification-token",
        "team_id": home.team,
        "context_team_id": home.team,
        "context_enterprise_id": None,
        "api_app_id": app.id,
        "event": event,
        "type": "event_callback",
        "event_id": world.new_id("Ev"),
        "event_time": int(core.clock.wall()),
        "authorizations": [authorization(home)],
        "is_ext_shared_channel": bool(channel and channel.shared_with),
        "event_context": context,
    }


def authorization(grant: Grant) -> Json:
    """One installation as events name it."""
    return {
        "enterprise_id": None,
        "team_id": grant.team,
        "user_id": grant.user,
        "is_bot": grant.kind == "bot",
        "is_enterprise_install": False,
    }


def announce_message(core: Core, channel: Channel, event: Json) -> None:
    """A `message` event of any subtype."""
    family = SCOPE_FAMILIES[channel.kind]
    event = {"type": "message", "channel": channel.id, "channel_type": channel.type, **event}
    announce(core, event, channel=channel, name=f"message.{family}")


def announce_mentions(core: Core, channel: Channel, message: Message, called: set[str], body: Json) -> None:
    """`app_mention`, beside the `message` event: only for members, never in direct messages."""
    if channel.kind == "im":
        return
    for app in list(core.world.apps.values()):
        mentioned = [b for b in app.bots.values() if b.id in called and b.id != message.user]
        if any(b.id in channel.members for b in mentioned):
            grant = app.grant_in(mentioned[0].team)
            if grant and SUBSCRIPTIONS["app_mention"] in grant.scopes:
                event = {**body, "type": "app_mention", "channel": channel.id}
                announce(core, event, channel=channel, only=app)


def foreign(channel: Channel, user: User) -> Json:
    """What is said of the author's workspace in a shared channel."""
    if not channel.shared_with:
        return {}
    return {"user_team": user.team, "source_team": user.team}
