"""Installations: tokens are given, refreshed and exchanged for codes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from citebot.testing.chat.clock import Clock
from citebot.testing.slack.clock import ROTATION
from citebot.testing.slack.state import App, Grant, User, World


@dataclass(slots=True)
class Code:
    """What a person's consent is worth, once."""

    app_id: str
    user: str
    redirect_uri: str
    scopes: frozenset[str]
    used: bool = False


def grant(
    world: World, clock: Clock, app: App, team: str, user: str, scopes: Iterable[str], kind: Literal["bot", "user"]
) -> Grant:
    """A new token; one that rotates ends after twelve hours."""
    prefix = "xoxb-" if kind == "bot" else "xoxp-"
    rotating = app.rotate_tokens
    given = Grant(world.new_id(f"xoxe.{prefix}1-" if rotating else prefix), app.id, team, user, frozenset(scopes), kind)
    if rotating:
        given.expires = clock.now() + ROTATION
        given.refresh_token = world.new_id("xoxe-1-")
    world.grants[given.token] = given
    app.grants.append(given)
    return given


def bot_user(world: World, app: App, team: str) -> User:
    """The app's bot user in a workspace; it is made at the first installation."""
    if team not in app.bots:
        bot = User(world.new_id("U"), team, app.name, app.name.capitalize(), app_id=app.id, bot_id=world.new_id("B"))
        world.users[bot.id] = app.bots[team] = bot
    return app.bots[team]


def install(world: World, clock: Clock, app: App, team: str, *, scopes: Iterable[str] | None = None) -> Grant:
    """Install an app in a workspace."""
    bot = bot_user(world, app, team)
    return grant(world, clock, app, team, bot.id, app.scopes if scopes is None else scopes, "bot")
