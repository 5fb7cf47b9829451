"""oauth.v2.access: tokens for codes, and new tokens for old ones."""

from __future__ import annotations

import base64
import binascii

from citebot.testing.slack.api.calling import Call, method
from citebot.testing.slack.clock import ROTATION
from citebot.testing.slack.installing import grant, install
from citebot.testing.slack.refusing import Refused
from citebot.testing.slack.state import App, Grant, Json
from citebot.testing.slack.tiers import TIER_4


@method("oauth.v2.access", TIER_4, kind="none")
def access(call: Call) -> Json:
    """An installation, or with `grant_type=refresh_token` the next token of one that rotates."""
    app = call.app = _client(call)
    kind = call.text("grant_type", "")
    if kind not in ("", "authorization_code", "refresh_token"):
        raise Refused("invalid_grant_type")
    return _refresh(call, app) if kind == "refresh_token" else _exchange(call, app)


def _client(call: Call) -> App:
    client_id, secret = call.text("client_id", ""), call.text("client_secret", "")
    if call.basic:
        try:
            client_id, _, secret = base64.b64decode(call.basic).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise Refused("invalid_client_id") from None
    app = next((a for a in call.core.world.apps.values() if a.client_id == client_id), None)
    if app is None:
        raise Refused("invalid_client_id")
    if app.client_secret != secret:
        raise Refused("bad_client_secret")
    return app


def _exchange(call: Call, app: App) -> Json:
    code = call.core.codes.get(call.text("code", ""))
    if code is None or code.app_id != app.id:
        raise Refused("invalid_code")
    if code.used:
        raise Refused("code_already_used")
    if call.text("redirect_uri", "") != code.redirect_uri:
        raise Refused("bad_redirect_uri")
    code.used = True
    world, clock = call.core.world, call.core.clock
    person = world.users[code.user]
    bot = install(world, clock, app, person.team, scopes=code.scopes)
    authed: Json = {"id": person.id}
    if app.user_scopes:
        authed |= _token(call, grant(world, clock, app, person.team, person.id, app.user_scopes, "user"))
    return _installation(call, app, bot) | {"authed_user": authed}


def _refresh(call: Call, app: App) -> Json:
    given = call.text("refresh_token", "")
    old = next((g for g in app.grants if g.refresh_token and g.refresh_token == given), None)
    if old is None or old.refused:
        raise Refused("invalid_refresh_token")
    old.refresh_token = ""
    new = grant(
        call.core.world, call.core.clock, app, old.team, old.user, old.scopes, "user" if old.kind == "user" else "bot"
    )
    if old.kind == "user":
        return _team(call, app, new) | {"id": new.user} | _token(call, new)
    return _installation(call, app, new)


def _installation(call: Call, app: App, bot: Grant) -> Json:
    return _team(call, app, bot) | {"bot_user_id": bot.user, "is_enterprise_install": False} | _token(call, bot)


def _team(call: Call, app: App, given: Grant) -> Json:
    workspace = call.core.world.workspaces[given.team]
    return {"app_id": app.id, "team": {"id": workspace.id, "name": workspace.name}, "enterprise": None}


def _token(call: Call, given: Grant) -> Json:
    body = {"access_token": given.token, "token_type": given.kind, "scope": ",".join(sorted(given.scopes))}
    if not given.refresh_token:
        return body
    return body | {"refresh_token": given.refresh_token, "expires_in": call.core.clock.whole(ROTATION)}
