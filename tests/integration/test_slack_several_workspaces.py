"""Several workspaces: installing, renewing and losing tokens, and nothing that crosses over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from citebot.errors import CannotShow, PluginError
from citebot.model import Conversation, Person
from citebot.ports import MemoryVault, PartContext
from citebot.testing.scripted_desk import ScriptedDesk, outbound

pytest.importorskip("slack_bolt")

from citebot.testing.slack import Channel, FakeSlack, Message, User, Workspace
from citebot_connectors.platforms.slack.installations import EARLY, Installations
from citebot_connectors.platforms.slack.manifest import INSTALL_PATH, PATH, REDIRECT_PATH
from citebot_connectors.platforms.slack.platform import SlackPlatform
from citebot_connectors.platforms.slack.settings import SlackSettings


class Group:
    """Two workspaces that may install the app, and one that may not."""

    def __init__(self, slack: FakeSlack, *, rotate: bool = False) -> None:
        self.slack = slack
        self.app = slack.add_app("citebot", install=False, rotate_tokens=rotate, distribution="unlisted")
        self.one, self.two, self.other = slack.workspace, slack.add_workspace("Two"), slack.add_workspace("Other")
        self.ann = slack.add_user("ann", workspace=self.one)
        self.ben = slack.add_user("ben", workspace=self.two)
        self.eve = slack.add_user("eve", workspace=self.other)
        self.vault = MemoryVault()
        self.settings = SlackSettings.model_validate({
            "mode": "http", "port": 0, "catch_up": 0, "base_url": slack.api_url,
            "signing_secret": self.app.signing_secret, "client_id": self.app.client_id,
            "client_secret": self.app.client_secret, "workspaces": [self.one.id, self.two.id],
        })  # fmt: skip
        self.ahead = 0.0
        self.platform = SlackPlatform(self.settings, PartContext(data_dir=Path(), vault=self.vault))
        self.platform.wall = self.wall
        self.desk = ScriptedDesk(platform=self.platform)

    def wall(self) -> float:
        return time.time() + self.ahead

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        running = asyncio.create_task(self.platform.run(self.desk))
        await asyncio.wait_for(self.platform.connected.wait(), 30)
        self.app.request_url = self.platform.address + PATH
        self.app.redirect_url = self.platform.address + REDIRECT_PATH
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await self.desk.close()

    async def install(self, user: User) -> tuple[int, str]:
        """What a browser sees at the end."""
        async with (
            aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser,
            browser.get(self.platform.address + INSTALL_PATH, allow_redirects=False) as sent,
            browser.get(f"{sent.headers['Location']}&user={user.id}") as seen,
        ):
            return seen.status, await seen.text()

    def tokens(self, workspace: Workspace) -> list[str]:
        return [grant.token for grant in self.app.grants if grant.team == workspace.id and not grant.refused]

    def installations(self) -> Installations:
        return Installations(self.settings, self.vault, now=self.wall)


@pytest.fixture
async def group() -> AsyncIterator[Group]:
    async with FakeSlack(speed=1) as slack:
        made = Group(slack)
        async with made.working():
            yield made


async def test_item_22_workspaces_install_the_app_and_are_answered(group: Group) -> None:
    slack = group.slack
    assert (await group.install(group.ann))[0] == 200
    assert (await group.install(group.ben))[0] == 200
    for user, workspace in ((group.ann, group.one), (group.ben, group.two)):
        channel = slack.add_channel("general", [user, group.app], workspace=workspace)
        question = await slack.say(user, channel, f"{group.app.bots[workspace.id].mention} where are the keys?")
        await slack.until(partial(_answered, slack, channel, question))
    await slack.settled()

    assert [one.conversation.tenant for one in group.desk.accepted] == [group.one.id, group.two.id]
    assert all(delivery.acked for delivery in slack.deliveries)


async def test_a_workspace_that_is_not_on_the_list_is_refused_and_its_token_given_back(group: Group) -> None:
    status, text = await group.install(group.eve)
    assert (status, group.other.id in text) == (403, True)
    assert (group.tokens(group.other), await group.vault.names()) == ([], [])


async def test_nothing_crosses_over(group: Group) -> None:
    slack = group.slack
    for user in (group.ann, group.ben):
        await group.install(user)
    board = slack.add_channel("board", [group.ann, group.app], private=True, workspace=group.one)
    # What Slack signs names one workspace; the ids in it are those of the other.
    body = {
        "type": "event_callback", "team_id": group.two.id, "api_app_id": group.app.id, "event_id": "Ev1",
        "authorizations": [{"team_id": group.two.id, "user_id": group.app.bots[group.two.id].id, "is_bot": True}],
        "event": {"type": "app_mention", "channel": board.id, "user": group.ann.id, "ts": "1700000000.000001",
                  "text": f"<@{group.app.bots[group.two.id].id}> what is secret?"},
    }  # fmt: skip
    group.desk.plays = False
    assert (await slack.poster.send(group.app, "events_api", body)).ok
    (asked,) = group.desk.accepted
    assert asked.conversation.tenant == group.two.id
    assert asked.asker.guest
    assert await group.platform.seen_by(asked.conversation, asked.asker) is None
    here = Conversation("slack", board.id, group.one.id, "", "private")
    readers = await group.platform.seen_by(here, Person("x"))
    assert readers is not None
    assert len(readers) == 2
    with pytest.raises(CannotShow):
        await group.platform.post(outbound(asked), _message(), key="k")


def _answered(slack: FakeSlack, channel: Channel, question: Message) -> bool:
    return len(slack.messages(channel, question.ts)) > 1


def _message() -> Any:
    from citebot.ports import Message

    return Message("text")


async def test_a_state_counts_once_and_in_its_browser(group: Group) -> None:
    install, back = group.platform.address + INSTALL_PATH, group.platform.address + REDIRECT_PATH
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser, aiohttp.ClientSession() as thief:
        async with browser.get(install, allow_redirects=False) as sent:
            state = sent.headers["Location"].partition("state=")[2]
        codes = [group.slack.authorize(group.app, group.ann) for _ in range(3)]
        async with thief.get(back, params={"code": codes[0], "state": state}) as seen:
            assert seen.status == 400
        kept = {cookie.key: cookie.value for cookie in jar}
        for code, status in ((codes[1], 200), (codes[2], 400)):
            async with thief.get(back, params={"code": code, "state": state}, cookies=kept) as seen:
                assert seen.status == status
        group.ahead = 601
        async with browser.get(install, allow_redirects=False) as sent:
            state = sent.headers["Location"].partition("state=")[2]
        group.ahead = 1300
        async with browser.get(back, params={"code": codes[2], "state": state}) as seen:
            assert seen.status == 400


async def test_tokens_are_renewed_once_by_five_replicas_before_they_end() -> None:
    async with FakeSlack(speed=1) as slack:
        group = Group(slack, rotate=True)
        async with group.working():
            await group.install(group.ann)
            (first,) = group.tokens(group.one)
            before = await group.installations().get(group.one.id)
            assert before is not None
            await group.platform._workspaces.look()
            assert group.tokens(group.one) == [first]  # not yet
            group.ahead = before.expires - group.wall() - EARLY + 60
            await asyncio.gather(*(group.installations().renewed(before) for _ in range(5)))
            await group.platform._workspaces.look()

            assert len(group.tokens(group.one)) == 2
            parts = await group.platform._workspaces.of(group.one.id)
            assert parts.web.client.token == group.tokens(group.one)[-1] != first
            await parts.web.write("auth.test")


async def test_a_token_that_cannot_be_renewed_now_stays_in_use() -> None:
    async with FakeSlack(speed=1) as slack:
        group = Group(slack, rotate=True)
        async with group.working():
            await group.install(group.ann)
            before = await group.installations().get(group.one.id)
            assert before is not None
            group.ahead = before.expires - group.wall() - EARLY + 60
            slack.faults.fail("oauth.v2.access", status=500)
            await group.platform._workspaces.look()
            assert await group.installations().get(group.one.id) == before
            await group.platform._workspaces.look()
            assert await group.installations().get(group.one.id) != before


async def test_an_app_that_was_removed_leaves_nothing_behind(group: Group) -> None:
    slack = group.slack
    for user in (group.ann, group.ben):
        await group.install(user)
    general = slack.add_channel("general", [group.ann, group.app], workspace=group.one)
    group.desk.plays = False
    await slack.say(group.ann, general, f"{group.app.bots[group.one.id].mention} where are the keys?")
    await slack.until(lambda: group.desk.accepted)
    await slack.uninstall(group.app, group.one)
    await slack.settled()

    assert await group.vault.names() == [f"team:{group.two.id}"]
    (waiting,) = group.desk.accepted
    assert await group.platform.seen_by(waiting.conversation, waiting.asker) is None
    with pytest.raises(CannotShow, match="not installed in the workspace"):
        await group.platform.post(outbound(waiting), _message(), key="k")
    assert (await group.install(group.ann))[0] == 200  # and it may come back


async def test_a_farewell_that_comes_late_does_not_end_a_new_installation(group: Group) -> None:
    await group.install(group.ann)
    await group.slack.uninstall(group.app, group.one)
    await group.slack.settled()
    (late,) = [d for d in group.slack.deliveries if d.body["event"]["type"] == "app_uninstalled"]
    await group.install(group.ann)
    late.body["event_time"] += 1  # or it would be signed as the first time
    group.slack.redeliver(late)
    await group.slack.settled()
    assert await group.vault.names() == [f"team:{group.one.id}"]


async def test_an_installation_for_a_whole_organisation_is_one_line(group: Group) -> None:
    org = {"access_token": "xoxb-org", "team": None, "enterprise": {"id": "E1"}, "is_enterprise_install": True}
    made = group.installations()
    made._access = lambda **_: _returned(org)  # type: ignore[method-assign]
    with pytest.raises(Exception, match="one workspace after the other"):
        await made.add("code")


async def _returned(value: Any) -> Any:
    return value


async def test_several_workspaces_need_http() -> None:
    settings = SlackSettings.model_validate(
        {"client_id": "1.2", "client_secret": "s", "signing_secret": "s", "mode": "socket"}
    )
    with pytest.raises(PluginError, match="need mode http"):
        await SlackPlatform(settings, PartContext(data_dir=Path())).run(ScriptedDesk())
