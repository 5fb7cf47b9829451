"""The manifest of the Slack app: no more rights than the features need, in the form that Slack takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

pytest.importorskip("slack_sdk")

from citebot.cli import cli
from citebot.errors import WrongUse
from citebot.testing.slack.api import METHODS
from citebot.testing.slack.events import SUBSCRIPTIONS
from citebot_connectors.platforms.slack import manifest as module
from citebot_connectors.platforms.slack.app import MEMBERSHIP
from citebot_connectors.platforms.slack.manifest import (
    ASK_SHORTCUT,
    BASE,
    FEATURES,
    SEARCH,
    SHORTCUT,
    as_yaml,
    chosen,
    events_of,
    manifest,
    scopes_of,
)

ALL = chosen([])
EVERY = chosen([], search=True)
CONNECTOR = Path(module.__file__).parent
BY_NAME = re.compile(
    r'"((?:chat|conversations|users|views|assistant|agents|auth|reactions|files|usergroups)\.[A-Za-z.]+)"'
)
BY_METHOD = re.compile(r"client\.((?:auth|users|apps|conversations|chat|views)_[a-z_]+)\(")


def called_methods() -> set[str]:
    """The methods of the Web API that the connector's code names."""
    text = "\n".join(path.read_text("utf-8") for path in CONNECTOR.glob("*.py"))
    found = set(BY_NAME.findall(text)) | {name.replace("_", ".") for name in BY_METHOD.findall(text)}
    return {name for name in found if name in METHODS}


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ['--set=plugins.enabled=["slack"]', "slack", "manifest", *words])


# --- rights --------------------------------------------------------------------------------------------------------


def test_every_method_that_is_called_is_allowed_by_the_scopes_of_all_features() -> None:
    methods = called_methods()
    assert {"chat.postMessage", "users.info", "conversations.members", "views.publish"} <= methods
    scopes = {*scopes_of(EVERY)}
    bot = [METHODS[name] for name in methods if METHODS[name].kind == "bot"]
    assert [method.name for method in bot if method.scopes and not scopes & {*method.scopes}] == []


def test_no_scope_is_asked_for_that_nothing_needs() -> None:
    by_events = {SUBSCRIPTIONS.get(event, "") for event in events_of(EVERY)}
    by_methods = {scope for name in called_methods() for scope in METHODS[name].scopes}
    needless = {*scopes_of(EVERY)} - by_events - by_methods
    assert needless == {"commands", "users:read.email"}  # the first offers the command, the second is read from answers
    assert '"email"' in (CONNECTOR / "people.py").read_text("utf-8")


@pytest.mark.parametrize("name", FEATURES)
def test_every_event_of_a_feature_comes_with_its_scope(name: str) -> None:
    scopes = {*scopes_of(chosen([name]))}
    missing = {event for event in FEATURES[name].events if SUBSCRIPTIONS.get(event)} - {
        event for event in FEATURES[name].events if SUBSCRIPTIONS.get(event) in scopes
    }
    assert missing == set()


def test_every_event_has_a_handler() -> None:
    text = (CONNECTOR / "app.py").read_text("utf-8") + (CONNECTOR / "parts.py").read_text("utf-8")
    handled = {event for event in events_of(ALL) if MEMBERSHIP.fullmatch(event)}
    handled |= {event for event in events_of(ALL) if f'"{event.partition(".")[0]}"' in text}
    assert {*events_of(ALL)} - handled == set()


@pytest.mark.parametrize("name", [name for name in FEATURES if name != BASE])
def test_a_feature_that_is_left_out_asks_for_nothing_of_its_own(name: str) -> None:
    others = [other for other in FEATURES if other != name]
    own = {*FEATURES[name].scopes} - {scope for other in others for scope in FEATURES[other].scopes}
    assert own & {*scopes_of(chosen(others))} == set()
    assert name not in chosen(others)


def test_the_search_is_asked_for_only_where_it_is_on() -> None:
    assert {*EVERY} - {*ALL} == {SEARCH}
    assert {*scopes_of(EVERY)} - {*scopes_of(ALL)} == {"search:read.public"}
    assert SEARCH in chosen(["dm"], search=True)
    for on in ("false", "true"):
        made = CliRunner().invoke(
            cli, ['--set=plugins.enabled=["slack"]', f"--set=platform.slack.live_search={on}", "slack", "manifest"]
        )
        assert ("search:read.public" in made.stdout) == (on == "true")


def test_mentions_alone_read_no_messages() -> None:
    assert chosen([BASE]) == (BASE,)
    assert [scope for scope in scopes_of([BASE]) if scope.endswith(":history")] == []
    assert [event for event in events_of([BASE]) if event.startswith("message.")] == []


# --- form ----------------------------------------------------------------------------------------------------------


def test_the_manifest_of_all_features_for_socket_mode() -> None:
    made = manifest(ALL)
    offered, settings = made["features"], made["settings"]
    assert offered["bot_user"] == {"display_name": "Citebot", "always_online": True}
    assert offered["app_home"]["home_tab_enabled"]
    assert offered["app_home"]["messages_tab_enabled"]
    assert not offered["app_home"]["messages_tab_read_only_enabled"]
    assert offered["agent_view"]["suggested_prompts"] == [{"title": "What can I ask you?", "message": "help"}]
    assert [(one["command"], one["should_escape"]) for one in offered["slash_commands"]] == [("/ask", False)]
    assert [(s["name"], s["type"], s["callback_id"]) for s in offered["shortcuts"]] == [
        ("Ask about this", "message", SHORTCUT),
        ("Ask Citebot", "global", ASK_SHORTCUT),
    ]
    assert settings["socket_mode_enabled"]
    assert settings["interactivity"] == {"is_enabled": True}
    assert "request_url" not in json.dumps(made)


def test_the_manifest_for_http_names_the_address_everywhere() -> None:
    made = manifest(ALL, http="https://bot.example.com")
    url = "https://bot.example.com/slack/events"
    assert not made["settings"]["socket_mode_enabled"]
    assert made["settings"]["event_subscriptions"]["request_url"] == url
    assert made["settings"]["interactivity"]["request_url"] == url
    assert made["features"]["slash_commands"][0]["url"] == url
    assert module.request_url("https://bot.example.com/a/b") == "https://bot.example.com/a/b"


def test_the_manifest_for_several_workspaces_lets_tokens_rotate_and_tells_when_they_end() -> None:
    made = manifest(ALL, http="https://bot.example.com", several=True)
    assert made["oauth_config"]["redirect_urls"] == ["https://bot.example.com/slack/oauth_redirect"]
    assert made["settings"]["token_rotation_enabled"]
    assert {"app_uninstalled", "tokens_revoked"} <= {*made["settings"]["event_subscriptions"]["bot_events"]}
    assert not manifest(ALL, http="https://bot.example.com")["settings"]["token_rotation_enabled"]
    with pytest.raises(WrongUse, match="need an address"):
        manifest(ALL, several=True)


@pytest.mark.parametrize("features", [[], ["dm"], ["command"], ["shortcut"], ["home"], ["agent"], ["mentions"]])
def test_the_manifest_stays_within_the_limits_of_slack(features: list[str]) -> None:
    made = manifest(chosen(features), name="N" * 35, suggestions=["q" * 500] * 3)
    about, offered = made["display_information"], made["features"]
    assert len(about["name"]) <= 35
    assert len(about["description"]) <= 140
    assert re.fullmatch("#[0-9a-f]{6}", about["background_color"])
    for shortcut in offered.get("shortcuts", []):
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
    for prompt in offered.get("agent_view", {}).get("suggested_prompts", []):
        assert len(prompt["title"]) <= 75
    assert len(offered.get("agent_view", {}).get("suggested_prompts", [])) <= 4


@pytest.mark.parametrize(
    ("features", "options", "words"),
    [
        (["dms"], {}, "no feature “dms”; there are mentions, mail, dm"),
        ([], {"http": "http://bot.example.com"}, "only to an https address"),
        ([], {"http": "bot.example.com"}, "only to an https address"),
        ([], {"name": ""}, "1 to 35 characters"),
        ([], {"name": "N" * 36}, "1 to 35 characters"),
    ],
)
def test_what_slack_would_refuse_is_refused_here(features: list[str], options: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongUse, match=words):
        manifest(chosen(features), **options)


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command_prints_json_by_default() -> None:
    assert json.loads(run().stdout) == json.loads(run("--json").stdout) == manifest(ALL)


def test_yaml_says_the_same_as_json() -> None:
    yaml = pytest.importorskip("yaml")
    assert yaml.safe_load(run("--yaml").stdout) == manifest(ALL)
    odd = {"a": [], "b": {}, "c": [{"x": "yes: no # – „ä“\n", "y": [1, None, True]}, ["p", ["q"]]], "d": "012"}
    assert yaml.safe_load(as_yaml(odd)) == odd


def test_the_link_carries_the_manifest() -> None:
    address = urlsplit(run("--link").stdout.strip())
    assert (address.netloc, address.path) == ("api.slack.com", "/apps")
    assert json.loads(parse_qs(address.query)["manifest_json"][0]) == manifest(ALL)
    assert len(address.query) < 8_000


def test_features_and_settings_shape_the_manifest() -> None:
    made = CliRunner().invoke(
        cli,
        [
            '--set=plugins.enabled=["slack"]',
            "--set=platform.slack.command=/wiki",
            '--set=platform.slack.suggestions=["Who is on call?"]',
            *("slack", "manifest", "--features", "command, agent", "--name", "Wiki"),
        ],
    )
    shaped = json.loads(made.stdout)
    assert shaped["features"]["slash_commands"][0]["command"] == "/wiki"
    assert shaped["features"]["agent_view"]["suggested_prompts"][0]["message"] == "Who is on call?"
    assert shaped["oauth_config"]["scopes"]["bot"] == list(scopes_of([BASE, "command", "agent"]))


def test_a_wrong_feature_is_one_line_and_exit_code_two() -> None:
    result = run("--features", "dms")
    assert result.exit_code == 2
    assert result.stderr.strip().count("\n") == 0
