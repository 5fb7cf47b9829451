"""The secrets of a Slack app: what is wrong with one as it stands there, and what Slack's refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from citebot.model import Finding
from citebot_connectors.platforms.slack.settings import PREFIXES, SlackSettings

APPS = "https://api.slack.com/apps"
KINDS = {
    "xoxb-": "a bot token",
    "xapp-": "an app-level token",
    "xoxp-": "a user token",
    "xoxe.xoxb-": "a bot token that rotates",
    "xoxe.xoxp-": "a user token that rotates",
    "xoxe-": "a refresh token",
}
WHERE = {
    "bot_token": f"It begins with xoxb- and is at {APPS}, your app, OAuth & Permissions, Bot User OAuth Token.",
    "app_token": f"It begins with xapp- and is at {APPS}, your app, Basic Information, App-Level Tokens.",
    "signing_secret": f"It is at {APPS}, your app, Basic Information, App Credentials.",
    "client_secret": f"It is at {APPS}, your app, Basic Information, App Credentials.",
}
NEEDED = {"app_token": "connections:write"}
REFUSED = {
    "invalid_auth": ("is not known to Slack", "Copy it again, whole. {where}"),
    "not_authed": ("did not reach Slack", "Set it. {where}"),
    "token_revoked": ("was revoked", "Install the app again and take the new token. {where}"),
    "account_inactive": ("is of an app that was removed", "Install the app again and take the new token. {where}"),
    "token_expired": ("has expired", "Turn token rotation off in the app, install it again, take the new token."),
    "not_allowed_token_type": ("is of the wrong kind", "{where}"),
    "org_login_required": ("is of a workspace that moves to another organisation", "Try again when it has moved."),
    "team_access_not_granted": ("may not be used in this workspace", "Let an admin approve the app, install it again."),
    "ekm_access_denied": ("is locked by the keys of your organisation", "Ask your Slack admins."),
}
UNANSWERED = (SlackClientError, aiohttp.ClientError, TimeoutError, OSError)


def unfit(name: str, token: str) -> Finding | None:
    """What is wrong with a token as it stands there."""
    if token != token.strip():
        what = f"platform.slack.{name} has white space around it"
        return Finding(ok=False, what=what, fix=f"Set {variable(name)} without spaces and line ends.")
    if token.startswith(PREFIXES[name]):
        return None
    kind = kind_of(token)
    what = f"platform.slack.{name} holds {kind}" if kind else f"platform.slack.{name} is no token of Slack's"
    rotates = "Turn token rotation off in the app. " if "rotates" in kind or "refresh" in kind else ""
    return Finding(ok=False, what=what, fix=f"{rotates}{WHERE[name]}")


def kind_of(token: str) -> str:
    """What a token is, by its first letters; empty for anything else."""
    return next((kind for prefix, kind in KINDS.items() if token.startswith(prefix)), "")


def secret(settings: SlackSettings, name: str) -> str:
    """The value of a secret setting."""
    value: str = getattr(settings, name).get_secret_value()
    return value


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"CITEBOT_PLATFORM__SLACK__{name.upper()}"


def granted_by(answer: AsyncSlackResponse) -> frozenset[str]:
    """The scopes of a token, which Slack names in the headers of every answer."""
    scopes = lowered(answer.headers).get("x-oauth-scopes", "")
    return frozenset(scope.strip() for scope in scopes.split(",") if scope.strip())


def refusal(error: SlackApiError) -> tuple[str, Mapping[str, str], str]:
    """Slack's word for why, the headers, and the scope that is needed."""
    response: Any = error.response
    body = response.data if isinstance(getattr(response, "data", None), dict) else {}
    status = getattr(response, "status_code", 0)
    code = "ratelimited" if status == 429 else str(body.get("error") or f"status {status}")
    return code, lowered(getattr(response, "headers", None) or {}), str(body.get("needed") or "")


def lowered(headers: Mapping[str, Any]) -> dict[str, str]:
    """Headers with names in lower case."""
    return {str(name).lower(): str(value) for name, value in headers.items()}


def refused(settings: SlackSettings, name: str, error: Exception) -> Finding:
    """Why a call with a secret failed, and what mends that."""
    if not isinstance(error, SlackApiError):
        what = f"Slack is not reached at {settings.api_url} ({type(error).__name__})"
        return Finding(ok=False, what=what, fix="Check the network, a proxy, and platform.slack.base_url.")
    code, headers, needed = refusal(error)
    if code == "ratelimited":
        what = "Slack wants fewer calls"
        return Finding(ok=False, what=what, fix=f"Try again in {headers.get('retry-after', '60')} seconds.")
    if code == "missing_scope":
        what = f"platform.slack.{name} lacks the scope {needed or NEEDED.get(name, '')}".rstrip()
        return Finding(ok=False, what=what, fix=f"Make a new one with it. {WHERE[name]}")
    if code == "socket_mode_not_enabled":
        fix = f"Turn it on at {APPS}, your app, Socket Mode."
        return Finding(ok=False, what="Socket Mode is off in the app", fix=fix)
    what, fix = REFUSED.get(code, (f"is refused: {code}", f"Look the error up at {APPS}, or try again later."))
    return Finding(ok=False, what=f"platform.slack.{name} {what}", fix=fix.format(where=WHERE[name]))
