"""`citebot slack doctor` names what is wrong with a Slack app, and what mends it, over a Slack with rights enforced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence

import pytest

pytest.importorskip("slack_sdk")

from click.testing import CliRunner

from citebot.cli import cli
from citebot.model import Finding
from citebot.testing.slack import App, FakeSlack
from citebot_connectors.platforms.slack.doctor import Doctor
from citebot_connectors.platforms.slack.manifest import chosen, events_of, scopes_of
from citebot_connectors.platforms.slack.settings import SlackSettings

ALL = chosen([])


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack() as slack:
        yield slack


@pytest.fixture
def app(slack: FakeSlack) -> App:
    return slack.add_app("citebot", scopes=scopes_of(ALL), events=events_of(ALL))


def settings(slack: FakeSlack, app: App, **changed: str) -> SlackSettings:
    tokens = {"bot_token": app.bot_token, "app_token": app.app_token, "base_url": slack.api_url}
    return SlackSettings.model_validate(tokens | changed)


async def examined(settings: SlackSettings, features: Sequence[str] = ALL) -> list[Finding]:
    return [finding async for finding in Doctor(settings, features).examine()]


async def wrong(settings: SlackSettings, features: Sequence[str] = ALL) -> list[str]:
    return [f"{finding.what}. {finding.fix}" for finding in await examined(settings, features) if not finding.ok]


async def test_nothing_is_wrong_with_an_app_made_from_the_manifest(slack: FakeSlack, app: App) -> None:
    slack.add_channel("general", [slack.add_user("alice"), app])
    slack.add_channel("partners", [app], shared_with=[slack.add_workspace("Other")])
    found = await examined(settings(slack, app))
    assert [finding.what for finding in found if not finding.ok] == []
    text = "\n".join(finding.what for finding in found)
    for words in ("@citebot in the workspace Acme", "Scopes: all", "#general, #partners", "Socket Mode is on"):
        assert words in text
    assert "Shared with other organisations: #partners" in text


async def test_an_app_in_no_channel_is_told_how_to_get_into_one(slack: FakeSlack, app: App) -> None:
    found = await examined(settings(slack, app))
    (lonely,) = [finding for finding in found if "in no channel" in finding.what]
    assert lonely.ok
    assert "/invite @citebot" in lonely.fix


async def test_swapped_tokens_are_seen_without_asking_slack(slack: FakeSlack, app: App) -> None:
    swapped = settings(slack, app, bot_token=app.app_token, app_token=app.bot_token)
    assert await wrong(swapped) == [
        "platform.slack.bot_token and platform.slack.app_token are swapped. Give each the value of the other."
    ]
    assert slack.sent == []


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [
        ("bot_token", "xapp-1-A1-x", "bot_token holds an app-level token"),
        ("bot_token", "xoxp-1-x", "bot_token holds a user token"),
        ("bot_token", "xoxe.xoxb-1-x", "Turn token rotation off"),
        ("bot_token", "s3cret", "bot_token is no token of Slack's"),
        ("bot_token", "", "bot_token is not set. Set CITEBOT_PLATFORM__SLACK__BOT_TOKEN"),
        ("bot_token", " xoxb-1 ", "bot_token has white space around it"),
        ("bot_token", "xoxb-nobody", "bot_token is not known to Slack"),
        ("app_token", "xoxb-1-x", "app_token holds a bot token"),
        ("app_token", "xapp-1-nobody", "app_token is not known to Slack"),
        ("app_token", "", "app_token is not set"),
    ],
)
async def test_a_wrong_token_is_named_with_where_the_right_one_is(
    slack: FakeSlack, app: App, setting: str, value: str, words: str
) -> None:
    found = await wrong(settings(slack, app, **{setting: value}))
    assert len(found) == 1
    assert words in found[0]
    assert "api.slack.com/apps" in found[0] or "without spaces" in found[0]
    assert len(value) < 5 or value.strip() not in found[0]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("token_revoked", "was revoked. Install the app again"),
        ("account_inactive", "removed. Install the app again"),
        ("token_expired", "has expired. Turn token rotation off"),
        ("internal_error", "is refused: internal_error"),
    ],
)
async def test_a_token_that_ended_is_named(slack: FakeSlack, app: App, error: str, words: str) -> None:
    app.grants[-1].refused = error
    (found,) = await wrong(settings(slack, app))
    assert words in found


async def test_a_missing_scope_is_named_with_the_feature_that_needs_it(slack: FakeSlack) -> None:
    scopes = {*scopes_of(ALL)} - {"im:history", "users:read"}
    app = slack.add_app("citebot", scopes=scopes)
    found = await wrong(settings(slack, app))
    assert len(found) == 2
    assert "The scope im:history is missing, to read direct messages to the app (dm)." in found[0]
    assert "leave out: --features without dm" in found[0]
    assert "users:read is missing" in found[1]
    assert "leave out" not in found[1]
    assert await wrong(settings(slack, app), chosen(["command"])) == found[1:]


async def test_more_rights_than_needed_are_pointed_out(slack: FakeSlack) -> None:
    app = slack.add_app("citebot", scopes=[*scopes_of(ALL), "files:write"])
    (spare,) = [f for f in await examined(settings(slack, app)) if "More scopes" in f.what]
    assert spare.ok
    assert spare.what.endswith("files:write")


async def test_the_search_is_looked_at_where_it_is_on(slack: FakeSlack, app: App) -> None:
    on = chosen([], search=True)
    searching = settings(slack, app, live_search="true")
    (found,) = await wrong(searching, on)
    assert "The scope search:read.public is missing, to search public channels as whoever asks (search)." in found

    able = slack.add_app("able", scopes=scopes_of(on), events=events_of(on))
    searching = settings(slack, able, live_search="true")
    assert await wrong(searching, on) == []
    assert "Search: public channels, as whoever asks, by words and by meaning" in [
        finding.what for finding in await examined(searching, on)
    ]
    slack.faults.error("assistant.search.info", "internal_error")
    assert "is refused: internal_error" in (await wrong(searching, on))[0]
    assert [one.what for one in await examined(settings(slack, able)) if one.what.startswith("Search")] == []


async def test_tokens_of_two_apps_are_noticed(slack: FakeSlack, app: App) -> None:
    other = slack.add_app("other", scopes=scopes_of(ALL))
    (found,) = await wrong(settings(slack, app, app_token=other.app_token))
    assert f"different apps: bot {app.id}, app token {other.id}" in found


async def test_socket_mode_that_is_off_is_noticed(slack: FakeSlack, app: App) -> None:
    app.request_url = "https://citebot.example.com/slack/events"
    (found,) = await wrong(settings(slack, app))
    assert "Socket Mode is off" in found
    http = settings(slack, app, mode="http", signing_secret=app.signing_secret)
    assert await wrong(http) == []


async def test_what_several_workspaces_need_is_noticed(slack: FakeSlack, app: App) -> None:
    given = {"bot_token": "", "app_token": "", "client_id": app.client_id, "mode": "http"}
    found = await wrong(settings(slack, app, **given, client_secret="s", signing_secret="s"))
    assert found == [
        "No workspace may install the app. Set platform.slack.workspaces to their ids, which begin with T."
    ]
    (found,) = await wrong(settings(slack, app, **given, signing_secret="s", workspaces=["T1"]))
    assert "platform.slack.client_secret is not set" in found


async def test_an_app_token_without_its_scope_is_noticed(slack: FakeSlack, app: App) -> None:
    slack.faults.error("apps.connections.open", "missing_scope")
    (found,) = await wrong(settings(slack, app))
    assert "platform.slack.app_token lacks the scope connections:write. Make a new one with it." in found


async def test_a_socket_behind_a_wall_is_noticed(slack: FakeSlack, app: App) -> None:
    async def blocked(address: str) -> None:
        raise ConnectionRefusedError

    doctor = Doctor(settings(slack, app), ALL, reach=blocked)
    (found,) = [finding async for finding in doctor.examine() if not finding.ok]
    assert "is not reached: ConnectionRefusedError" in found.what
    assert "Let this machine connect to 127.0.0.1" in found.fix


async def test_a_slack_that_cannot_be_reached_is_no_traceback(slack: FakeSlack, app: App) -> None:
    found = await wrong(settings(slack, app, base_url="http://127.0.0.1:9/api"))
    assert len(found) == 2
    assert all("Slack is not reached at http://127.0.0.1:9/api/" in text for text in found)


async def test_too_many_calls_are_said_with_the_time_to_wait(slack: FakeSlack, app: App) -> None:
    slack.faults.storm("auth.test", retry_after=7)
    (found,) = await wrong(settings(slack, app))
    assert "Try again in 7 seconds" in found


async def test_it_opens_no_socket_that_could_be_given_an_event(slack: FakeSlack, app: App) -> None:
    await examined(settings(slack, app))
    assert slack.calls("apps.connections.open")
    assert slack.sockets(app) == []
    changes = {sent.method for sent in slack.sent} - {"auth.test", "users.info", "users.conversations"}
    assert changes == {"apps.connections.open"}


async def test_channels_are_read_page_by_page(slack: FakeSlack, app: App) -> None:
    for number in range(205):
        slack.add_channel(f"room-{number}", [app])
    text = "\n".join(finding.what for finding in await examined(settings(slack, app)))
    assert "and 197 more" in text


async def test_the_command_prints_and_says_by_its_exit_code(
    slack: FakeSlack, app: App, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    def run(bot_token: str, *more: str) -> tuple[int, str]:
        options = {"bot_token": bot_token, "app_token": app.app_token, "base_url": slack.api_url}
        line = [f"--set=platform.slack.{name}={value}" for name, value in options.items()]
        line += [f"--data-dir={tmp_path}", '--set=plugins.enabled=["slack"]']
        result = CliRunner().invoke(cli, [*line, "slack", "doctor", *more])
        return result.exit_code, result.output

    code, text = await asyncio.to_thread(run, app.bot_token)
    assert (code, "ok  Bot token: @citebot" in text) == (0, True)
    code, text = await asyncio.to_thread(run, app.app_token, "--json")
    assert code == 1
    assert [finding["ok"] for finding in json.loads(text)].count(False) == 1


# --- by `citebot doctor` -------------------------------------------------------------------------------------------


async def doctored(slack: FakeSlack, app: App, folder: object, *arguments: str, **changed: str) -> tuple[int, str]:
    values = {"bot_token": app.bot_token, "app_token": app.app_token, "base_url": slack.api_url} | changed
    sets = [part for name, value in values.items() for part in ("--set", f"platform.slack.{name}={value}")]
    line = ["--data-dir", str(folder), "--set", "embedder.use=", *sets, *arguments]
    done = await asyncio.to_thread(CliRunner().invoke, cli, line)
    return done.exit_code, done.output


async def test_the_doctor_of_citebot_examines_slack_by_its_name(slack: FakeSlack, app: App, tmp_path: object) -> None:
    code, said = await doctored(slack, app, tmp_path, "doctor", "slack")
    assert (code, "@citebot in the workspace Acme" in said, "Database" in said) == (0, True, False)
    code, said = await doctored(slack, app, tmp_path, "doctor", "slack", "--json", bot_token="xoxb-wrong")
    assert code == 1
    assert "is not known to Slack" in next(one for one in json.loads(said) if not one["ok"])["what"]


async def test_the_whole_doctor_names_troubles_of_the_platform_in_use_alone(
    slack: FakeSlack, app: App, tmp_path: object
) -> None:
    code, said = await doctored(slack, app, tmp_path, "--set", "platform.use=slack", "doctor", bot_token="xoxb-wrong")
    assert (code, "is not known to Slack" in said, "Database" in said) == (1, True, True)
    code, said = await doctored(slack, app, tmp_path, "doctor", bot_token="xoxb-wrong")
    assert (code, "Slack" in said) == (0, False)
    code, said = await doctored(slack, app, tmp_path, "doctor", "files")
    assert (code, "There is nothing named “files” to check; there is" in said, "slack." in said) == (2, True, True)
