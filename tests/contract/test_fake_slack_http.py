"""HTTP mode and installations of the fake Slack: signatures, retries, codes and tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.oauth.async_oauth_settings import AsyncOAuthSettings
from slack_sdk.errors import SlackApiError
from slack_sdk.oauth.installation_store import FileInstallationStore
from slack_sdk.oauth.installation_store.models.bot import Bot
from slack_sdk.oauth.state_store import FileOAuthStateStore
from slack_sdk.oauth.token_rotation.async_rotator import AsyncTokenRotator
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from citebot.testing.slack import App, FakeSlack

pytestmark = pytest.mark.filterwarnings("ignore:BasicAuth is deprecated")  # slack_sdk still uses it


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    async with FakeSlack(speed=2000) as slack:
        slack.clock.least_patience = 0.2
        yield slack


class Receiver:
    """A web server that keeps what Slack posts and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[web.Response | float] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.got.append(({k.lower(): v for k, v in request.headers.items()}, await request.read()))
        answer = self.answers.pop(0) if self.answers else web.Response()
        if isinstance(answer, float):
            await asyncio.sleep(answer)
            return web.Response()
        return answer


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    server = web.Application()
    server.router.add_post("/slack/events", receiver.take)
    runner = web.AppRunner(server, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    yield receiver
    await runner.cleanup()


async def say_something(slack: FakeSlack, app: App) -> None:
    alice = slack.add_user("alice")
    await slack.say(alice, slack.add_channel("general", [app, alice]), "hello")
    await slack.settled()


async def test_posts_are_signed_with_the_time(slack: FakeSlack, receiver: Receiver) -> None:
    app = slack.add_app(request_url=receiver.url)
    await say_something(slack, app)
    ((headers, body),) = receiver.got
    assert SignatureVerifier(app.signing_secret).is_valid_request(body, headers)
    assert not SignatureVerifier(app.signing_secret).is_valid_request(body + b" ", headers)
    assert (headers["content-type"], "x-slack-retry-num" in headers) == ("application/json", False)


@pytest.mark.parametrize(
    ("answer", "reason"), [(web.Response(status=500), "http_error"), (3.0, "http_timeout")], ids=["500", "slow"]
)
async def test_an_event_that_fails_comes_again_with_number_and_reason(
    slack: FakeSlack, receiver: Receiver, answer: web.Response | float, reason: str
) -> None:
    app = slack.add_app(request_url=receiver.url)
    receiver.answers = [answer]
    await say_something(slack, app)
    (_, first), (headers, again) = receiver.got
    assert (headers["x-slack-retry-num"], headers["x-slack-retry-reason"], again) == ("1", reason, first)
    assert slack.deliveries[0].acked


async def test_a_dead_address_is_tried_four_times(slack: FakeSlack) -> None:
    app = slack.add_app(request_url="http://127.0.0.1:9/slack/events")
    await say_something(slack, app)
    (delivery,) = slack.deliveries
    assert (delivery.acked, delivery.attempts, delivery.reason) == (False, 4, "connection_failed")


async def test_an_app_can_say_no_to_retries(slack: FakeSlack, receiver: Receiver) -> None:
    app = slack.add_app(request_url=receiver.url)
    receiver.answers = [web.Response(status=500, headers={"X-Slack-No-Retry": "1"})]
    await say_something(slack, app)
    assert (len(receiver.got), slack.deliveries[0].acked) == (1, False)


async def test_bolt_takes_the_challenge_and_refuses_another_secret(slack: FakeSlack) -> None:
    app = slack.add_app()
    bolt = AsyncApp(client=AsyncWebClient(app.bot_token, base_url=slack.api_url), signing_secret=app.signing_secret)
    runner = web.AppRunner(bolt.web_app(path="/slack/events", port=0), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    app.request_url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
    slack.clock.least_patience = 3.0
    assert (await slack.verify_url(app)).body == {"challenge": "challenge"}
    app.signing_secret = "another"
    reply = await slack.verify_url(app)
    await runner.cleanup()
    assert (reply.ok, reply.body) == (False, {"status": 401})


async def test_an_app_that_uses_http_gets_no_socket(slack: FakeSlack, receiver: Receiver) -> None:
    app = slack.add_app(request_url=receiver.url)
    assert await refusal(client(slack, app).apps_connections_open(app_token=app.app_token)) == "socket_mode_not_enabled"


def client(slack: FakeSlack, app: App | None = None) -> AsyncWebClient:
    return AsyncWebClient(app.bot_token if app else None, base_url=slack.api_url, retry_handlers=[])


async def refusal(call: Any) -> str:
    with pytest.raises(SlackApiError) as error:
        await call
    return str(error.value.response["error"])


async def test_a_file_is_given_to_a_token_that_may_read_it_and_else_a_login_page(slack: FakeSlack) -> None:
    app, alice = slack.add_app(events=[]), slack.add_user("alice")
    outsider = slack.add_app("outsider", events=[])
    channel = slack.add_channel("general", [app, alice])
    message = await slack.say(alice, channel, "see", files=[("plan.txt", b"a plan")])
    file = (await client(slack, app).files_info(file=message.files[0].id))["file"]
    assert await refusal(client(slack, outsider).files_info(file=file["id"])) == "file_not_found"
    async with aiohttp.ClientSession() as session:
        for token, expected in ((app.bot_token, "a plan"), (outsider.bot_token, "Sign in"), ("", "Sign in")):
            headers = {"Authorization": f"Bearer {token}"}
            async with session.get(file["url_private_download"], headers=headers) as answer:
                assert answer.status == 200
                assert expected in await answer.text()


async def test_a_code_is_worth_one_installation(slack: FakeSlack) -> None:
    app, alice = slack.add_app(install=False, user_scopes=["search:read.private"]), slack.add_user("alice")
    code = slack.authorize(app, alice, redirect_uri="https://bot.example/cb", scopes=["chat:write", "commands"])
    who = {"client_id": app.client_id, "client_secret": app.client_secret}
    web_client = client(slack)
    assert await refusal(web_client.oauth_v2_access(**who, code="x")) == "invalid_code"
    assert await refusal(web_client.oauth_v2_access(**who, code=code)) == "bad_redirect_uri"
    wrong = web_client.oauth_v2_access(client_id=app.client_id, client_secret="x", code=code)
    assert await refusal(wrong) == "bad_client_secret"
    given = await web_client.oauth_v2_access(**who, code=code, redirect_uri="https://bot.example/cb")
    assert (given["token_type"], given["scope"], given["bot_user_id"]) == ("bot", "chat:write,commands", app.bot.id)
    assert given["team"] == {"id": slack.workspace.id, "name": "Acme"}
    assert (given["authed_user"]["id"], given["authed_user"]["token_type"]) == (alice.id, "user")
    again = web_client.oauth_v2_access(**who, code=code, redirect_uri="https://bot.example/cb")
    assert await refusal(again) == "code_already_used"
    assert (await web_client.auth_test(token=given["access_token"]))["user_id"] == app.bot.id
    assert (await web_client.auth_test(token=given["authed_user"]["access_token"]))["user_id"] == alice.id


async def test_a_rotating_token_ends_and_is_refreshed_once() -> None:
    async with FakeSlack(speed=1) as slack:
        app, alice = slack.add_app(install=False, rotate_tokens=True), slack.add_user("alice")
        who = {"client_id": app.client_id, "client_secret": app.client_secret}
        given = await client(slack).oauth_v2_access(**who, code=slack.authorize(app, alice))
        assert given["expires_in"] == 43_200
        slack.clock.skip(43_201)
        assert await refusal(client(slack).auth_test(token=given["access_token"])) == "token_expired"
        bot = Bot(
            bot_token=given["access_token"],
            bot_id="B",
            bot_user_id=given["bot_user_id"],
            bot_refresh_token=given["refresh_token"],
            bot_token_expires_in=0,
            installed_at=0.0,
        )
        rotator = AsyncTokenRotator(**who, client=client(slack))
        fresh = await rotator.perform_bot_token_rotation(bot=bot)
        assert fresh is not None
        await client(slack).auth_test(token=fresh.bot_token)
        old = client(slack).oauth_v2_access(**who, grant_type="refresh_token", refresh_token=given["refresh_token"])
        assert await refusal(old) == "invalid_refresh_token"


async def test_bolts_own_flow_installs_the_app(slack: FakeSlack, tmp_path: Any) -> None:
    app = slack.add_app(install=False)
    slack.add_user("alice")
    store = FileInstallationStore(base_dir=str(tmp_path), client_id=app.client_id)
    settings = AsyncOAuthSettings(
        client_id=app.client_id,
        client_secret=app.client_secret,
        scopes=["chat:write"],
        installation_store=store,
        state_store=FileOAuthStateStore(expiration_seconds=60, base_dir=str(tmp_path)),
        authorization_url=f"{slack.url}/oauth/v2/authorize",
        install_page_rendering_enabled=False,
    )
    bolt = AsyncApp(signing_secret="s", client=client(slack), oauth_settings=settings)
    runner = web.AppRunner(bolt.web_app(path="/slack/events", port=0), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    app.redirect_url = f"{address}/slack/oauth_redirect"
    async with (
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
        session.get(f"{address}/slack/install", allow_redirects=False) as asked,
        session.get(asked.headers["Location"], allow_redirects=False) as agreed,
    ):
        cookie = asked.headers["Set-Cookie"].split(";")[0]
        async with session.get(agreed.headers["Location"], headers={"Cookie": cookie}) as done:
            assert (done.status, "Thank you" in await done.text()) == (200, True)
    await runner.cleanup()
    installed = await store.async_find_bot(enterprise_id=None, team_id=slack.workspace.id)
    assert installed is not None
    assert installed.bot_token == app.bot_token
