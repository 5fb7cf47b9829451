"""The app as Slack must know it: the least rights for the features that are wanted, and why each right is asked for."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from citebot.errors import WrongUse
from citebot_connectors.platforms.slack.texts import ENGLISH, Prompt, Texts

Manifest = dict[str, Any]
COMMAND = "/ask"
SHORTCUT = "citebot_ask_about"
"""Callback id of “Ask about this”."""
ASK_SHORTCUT = "citebot_ask"
"""Callback id of “Ask Citebot”."""
SHORTCUT_MOST = 24
PATH = "/slack/events"
"""Where Slack posts everything in mode `http`."""
INSTALL_PATH, REDIRECT_PATH = "/slack/install", "/slack/oauth_redirect"
"""Where a workspace installs the app by itself, and where Slack sends the browser then."""
FAREWELLS = ("app_uninstalled", "tokens_revoked")
NAME = "Citebot"
NAME_MOST = 35
PROMPTS_MOST = 4
TITLE_MOST = 75
"""Characters of a suggested prompt's title."""
DESCRIPTION = "Answers questions from what your team has written, with a source for every claim."
BACKGROUND = "#1f3a5f"
NEW_APP = "https://api.slack.com/apps?new_app=1&manifest_json="


@dataclass(frozen=True, slots=True)
class Feature:
    """Something people can do, and what Slack wants for it."""

    summary: str
    scopes: Mapping[str, str]
    """Each with what it is for."""
    events: tuple[str, ...] = ()


BASE = "mentions"
"""Nothing works without it."""
SEARCH = "search"
"""In only where `platform.slack.live_search` is on."""
FEATURES: Mapping[str, Feature] = {
    BASE: Feature(
        "answers in a thread where the app is mentioned",
        {
            "app_mentions:read": "to hear of mentions",
            "chat:write": "to answer",
            "channels:read": "to know who reads a public channel",
            "groups:read": "to know who reads a private channel",
            "users:read": "to tell members from guests and to speak their language",
        },
        (
            *("app_mention", "member_joined_channel", "member_left_channel", "channel_left", "group_left"),
            *("channel_shared", "channel_unshared", "user_change"),
        ),
    ),
    "mail": Feature(
        "people are recognised in the lists of readers of wikis and trackers by their e-mail address",
        {"users:read.email": "to read e-mail addresses"},
    ),
    "dm": Feature(
        "answers in direct messages",
        {"im:history": "to read direct messages to the app"},
        ("message.im",),
    ),
    "threads": Feature(
        "follow-ups without a new mention, what was said before; edited and deleted questions; the delete button",
        {
            "channels:history": "to read threads with the app in public channels",
            "groups:history": "to read threads with the app in private channels",
        },
        ("message.channels", "message.groups"),
    ),
    "files": Feature(
        "texts and code snippets attached to a question are read with it",
        {"files:read": "to read text files attached to a question"},
    ),
    "people": Feature(
        "“Ask a human” can ask user groups",
        {"usergroups:read": "to know who is in a user group that is asked"},
    ),
    "group_dm": Feature(
        "answers in direct messages of several people",
        {
            "mpim:read": "to know who reads a group message",
            "mpim:history": "to read group messages with the app",
        },
        ("message.mpim",),
    ),
    "agent": Feature(
        "suggested prompts, status lines and a stop button in Slack's own places for agents",
        {"assistant:write": "to suggest prompts and to show a status"},
        ("app_home_opened", "agent_session_stopped"),
    ),
    "home": Feature(
        "a Home tab that shows what is searched and how to ask",
        {},
        ("app_home_opened",),
    ),
    "command": Feature(
        f"{COMMAND} for answers that only the asker sees",
        {"commands": f"to offer {COMMAND}"},
    ),
    "shortcut": Feature(
        "“Ask about this” in the menu of a message, “Ask Citebot” in Slack's search and beside the message field",
        {"commands": "to offer “Ask about this” and “Ask Citebot”"},
    ),
    SEARCH: Feature(
        "public channels are searched too, as whoever asks (setting live_search)",
        {"search:read.public": "to search public channels as whoever asks"},
    ),
}


def chosen(names: Collection[str], *, search: bool = False) -> tuple[str, ...]:
    """The features of some names, with what all of them need; none named means all but the search."""
    unknown = [name for name in names if name not in FEATURES]
    if unknown:
        raise WrongUse(f"There is no feature “{unknown[0]}”; there are {', '.join(FEATURES)}.")
    always = {BASE, *([SEARCH] if search else [])}
    return tuple(name for name in FEATURES if name in always or name in names or not (names or name == SEARCH))


def scopes_of(features: Sequence[str]) -> tuple[str, ...]:
    """What the bot token must have, by name."""
    return tuple(sorted({scope for name in features for scope in FEATURES[name].scopes}))


def events_of(features: Sequence[str]) -> tuple[str, ...]:
    """What the app subscribes to, by name."""
    return tuple(sorted({event for name in features for event in FEATURES[name].events}))


def manifest(
    features: Sequence[str],
    *,
    name: str = NAME,
    http: str = "",
    several: bool = False,
    command: str = COMMAND,
    suggestions: Sequence[str] = (),
) -> Manifest:
    """The manifest for features as `chosen` gives them; with `http`, an address, Slack posts there.

    With `several`, workspaces install the app by themselves, and their tokens rotate.
    """
    if not 0 < len(name) <= NAME_MOST:
        raise WrongUse(f"The name of a Slack app has 1 to {NAME_MOST} characters.")
    address = request_url(http) if http else ""
    if several and not address:
        raise WrongUse("Several workspaces need an address: add --http https://citebot.example.com.")
    back = {"redirect_urls": [f"https://{urlsplit(address).netloc}{REDIRECT_PATH}"]} if several else {}
    farewells = FAREWELLS if several else ()
    return {
        "display_information": {"name": name, "description": DESCRIPTION, "background_color": BACKGROUND},
        "features": _offered(features, name, address, command, suggestions),
        "oauth_config": {**back, "scopes": {"bot": list(scopes_of(features))}},
        "settings": {
            "event_subscriptions": _at(address) | {"bot_events": sorted({*events_of(features), *farewells})},
            "interactivity": {"is_enabled": True} | _at(address),
            "org_deploy_enabled": False,
            "socket_mode_enabled": not address,
            "token_rotation_enabled": several,
        },
    }


def request_url(address: str) -> str:
    """Where Slack posts to: the address itself if it has a path, else the usual path there."""
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.netloc:
        raise WrongUse(
            f"Slack posts only to an https address, such as https://citebot.example.com, not to “{address}”."
        )
    return address if parts.path.strip("/") else f"https://{parts.netloc}{PATH}"


def _offered(
    features: Sequence[str], name: str, address: str, command: str, suggestions: Sequence[str]
) -> dict[str, Any]:
    offered: dict[str, Any] = {
        "app_home": {
            "home_tab_enabled": "home" in features,
            "messages_tab_enabled": "dm" in features,
            "messages_tab_read_only_enabled": "dm" not in features,
        },
        "bot_user": {"display_name": name, "always_online": True},
    }
    if "agent" in features:
        suggested = prompts(ENGLISH, suggestions)
        offered["agent_view"] = {"agent_description": DESCRIPTION, "suggested_prompts": suggested}
    if "command" in features:
        asks = {"command": command, "description": "Ask a question; only you see the answer"}
        usage = {"usage_hint": ENGLISH.ask_example, "should_escape": False}
        offered["slash_commands"] = [asks | ({"url": address} if address else {}) | usage]
    if "shortcut" in features:
        about = {"name": "Ask about this", "type": "message", "callback_id": SHORTCUT}
        anything = {"name": f"Ask {name}"[:SHORTCUT_MOST], "type": "global", "callback_id": ASK_SHORTCUT}
        offered["shortcuts"] = [
            about | {"description": "Ask a question about a message; only you see the answer"},
            anything | {"description": "Ask a question; only you see the answer"},
        ]
    return offered


def prompts(texts: Texts, suggestions: Sequence[str]) -> list[dict[str, str]]:
    """Suggested questions: the team's own first, then ours."""
    own = [Prompt(f"{q[: TITLE_MOST - 1]}…" if len(q) > TITLE_MOST else q, q) for q in suggestions]
    return [{"title": one.title, "message": one.message} for one in [*own, *texts.prompts][:PROMPTS_MOST]]


def _at(address: str) -> dict[str, Any]:
    return {"request_url": address} if address else {}


def as_json(found: Manifest) -> str:
    """The manifest as Slack's page takes it."""
    return json.dumps(found, indent=2, ensure_ascii=False)


def as_yaml(found: Manifest) -> str:
    """The same in YAML; strings are quoted as in JSON, which YAML reads too."""
    return "\n".join(_yaml(found))


def as_link(found: Manifest) -> str:
    """A page of Slack's on which the app is made by a click."""
    return NEW_APP + quote(json.dumps(found, ensure_ascii=False, separators=(",", ":")), safe="")


def _yaml(value: Any, indent: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if isinstance(inner, dict | list) and inner:
                yield f"{indent}{key}:"
                yield from _yaml(inner, f"{indent}  ")
            else:
                yield f"{indent}{key}: {json.dumps(inner, ensure_ascii=False)}"
    elif isinstance(value, list):
        for inner in value:
            first, *rest = _yaml(inner)
            yield f"{indent}- {first}"
            yield from (f"{indent}  {line}" for line in rest)
    else:
        yield f"{indent}{json.dumps(value, ensure_ascii=False)}"
