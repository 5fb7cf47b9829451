"""Discord with a gateway that listens and a worker that only shows; and two gateways, of which one listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("discord")

from discord_team import PARKING, DiscordTeam, Permission, furnish

from citebot.app import Citebot
from citebot.app.desk import Desk
from citebot.app.listening import listen
from citebot.app.readiness import Readiness
from citebot.app.roles import duties_of
from citebot.errors import CannotShow, PluginError
from citebot.model import Person
from citebot.ports import PartContext
from citebot.storage import Database, schema, work
from citebot.testing.discord import FakeDiscord
from citebot.testing.scripted_desk import ScriptedDesk
from citebot_connectors.platforms.discord.platform import DiscordPlatform


class SplitTeam(DiscordTeam):
    """The gateway is what a `DiscordTeam` has; the worker has a platform and a desk of its own."""

    def start(self) -> None:
        super().start()
        self.shows = DiscordPlatform(self.settings, PartContext(data_dir=Path()))
        self.shows.edit_gap, self.shows.wall = 0.05, self.platform.wall
        self.worker = Desk(self.bot, self.shows)

    async def begin(self) -> None:
        loops = (self.platform.run(self.desk), self.shows.run_apart(), self.worker.delivery.run())
        self._tasks = [asyncio.create_task(loop) for loop in loops]
        await self.discord.until(lambda: self.platform.trouble == "" or any(one.done() for one in self._tasks))

    async def crash(self) -> None:
        self.worker.delivery.close()
        await super().crash()


@pytest.fixture
async def split(slack_bot: Citebot, tmp_path: Path) -> AsyncIterator[SplitTeam]:
    """The company."""
    async with FakeDiscord(speed=60, rates=False) as discord:
        made = SplitTeam(discord, slack_bot)
        await furnish(made, tmp_path)
        async with made.working():
            yield made


def test_gateways_listen_and_workers_answer() -> None:
    assert duties_of("gateway", DiscordPlatform).answers is False
    assert duties_of("worker", DiscordPlatform).listens is False


async def test_the_worker_shows_what_the_gateway_took_without_a_connection_of_its_own(split: Any) -> None:
    asked = await split.ask(split.alice, split.general, PARKING)
    mentioned = await split.mention(split.bob, split.general, PARKING)
    direct = await split.discord.say(split.alice, split.app, PARKING)
    private = await split.ask(split.alice, split.general, PARKING, private=True)

    for one in (asked, mentioned, direct, private):
        assert "40 euros" in (await split.answer(one)).text
    assert split.discord.identifies == 1
    assert (await split.answer(asked)).element("cb:thread:*"), "the worker knows what kind of channel it is"
    assert not split.discord.calls("create_interaction_response")[0].args.get("content")


async def test_the_worker_answers_in_the_language_of_the_asker(split: Any) -> None:
    split.alice.locale = "de"
    answer = await split.answer(await split.ask(split.alice, split.general, PARKING))
    assert "Quellen" in answer.text


async def test_forum_posts_are_answered_and_tagged_by_the_worker(split: Any) -> None:
    post = await split.discord.post(split.alice, split.forum, "Parking", f"{split.app.mention} {PARKING}")
    await split.discord.until(lambda: [one for one in split.ours(post) if one.element("cb:rate:*")], timeout=40)
    await split.discord.until(lambda: post.applied_tags)


async def test_whoever_is_let_into_a_channel_closes_it_for_the_worker_at_once(split: Any) -> None:
    await split.discord.permit(split.lobby, split.guest, deny=Permission.VIEW_CHANNEL)
    await split.discord.permit(split.lobby, split.guest_role, deny=Permission.VIEW_CHANNEL)
    first = await split.answer(await split.ask(split.alice, split.lobby, PARKING))
    await split.discord.permit(split.lobby, split.guest, allow=Permission.VIEW_CHANNEL)
    await split.discord.settled()
    second = await split.answer(await split.ask(split.alice, split.lobby, PARKING))

    assert "40 euros" in first.text
    assert "40 euros" not in second.text


async def test_a_worker_that_nobody_tells_of_changes_finds_them_itself(
    split: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = split.shows._hall
    where = await hall.room(split.discord.guild.id).at.where(split.general.id)
    await hall.looked(where)
    calls = len(split.discord.calls("get_guild"))
    await hall.looked(where)
    assert len(split.discord.calls("get_guild")) == calls
    monkeypatch.setattr(hall.apart._guilds, "_clock", lambda: 1e12)
    await hall.looked(where)
    assert len(split.discord.calls("get_guild")) == calls + 1
    await split.discord.uninstall(split.app)
    monkeypatch.setattr(hall.apart._guilds, "_clock", lambda: 2e12)
    with pytest.raises(CannotShow):
        await hall.looked(where)
    assert await split.shows.seen_by(where, Person("alice@example.com")) is None


async def test_a_question_deleted_while_the_worker_writes_leaves_nothing(split: Any) -> None:
    split.generator.pause()
    question = await split.mention(split.alice, split.general, PARKING)
    await split.discord.until(lambda: split.generator.waiting)
    await split.discord.delete(split.alice, question)
    await split.discord.settled()
    split.generator.go_on()

    def at_rest() -> bool:
        with split.bot.database.read() as tx:
            return not any({"ready", "leased"} & set(work.counts(tx, queue)) for queue in ("inbox", "outbox"))

    await split.discord.until(at_rest)
    assert split.replies(question) == []
    assert split.stored() == []


async def test_a_restart_of_the_worker_takes_what_was_shown_further(split: Any) -> None:
    split.generator.pause()
    asked = await split.ask(split.alice, split.board, PARKING)
    await split.discord.until(lambda: split.generator.waiting)
    await split.crash()
    split.generator.go_on()
    await split.begin()
    assert (await split.answer(asked)).element("cb:rate:*")
    assert len(split.ours(split.board)) == 1


async def test_a_token_that_discord_does_not_know_ends_a_worker_in_one_line(tmp_path: Path) -> None:
    async with FakeDiscord() as discord:
        app = discord.add_app("citebot")
        given = {"bot_token": app.token, "base_url": discord.api_url}
        app.token += "x"
        platform = DiscordPlatform(DiscordPlatform.Settings.model_validate(given), PartContext(data_dir=tmp_path))
        with pytest.raises(PluginError, match="does not know the token"):
            await platform.run_apart()


# -- two gateways -----------------------------------------------------------------------------------------------------


class Gateway:
    """A process that listens, or waits until it may."""

    def __init__(self, team: DiscordTeam, database: Database) -> None:
        team.start()
        self.platform = team.platform
        self.desk = ScriptedDesk(platform=self.platform)
        self.readiness = Readiness(team.bot, listening=self.platform)
        self._database = database

    @asynccontextmanager
    async def working(self) -> AsyncIterator[asyncio.Task[None]]:
        """While it runs."""
        loop = listen(self.platform, self.desk, self._database, waits=self.readiness.stand_by, seconds=1.0)
        task = asyncio.create_task(loop)
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await self.desk.close()


async def test_one_of_two_gateways_listens_and_the_other_takes_over(slack_bot: Citebot, database: Database) -> None:
    async with FakeDiscord(speed=60, rates=False) as discord:
        team = DiscordTeam(discord, slack_bot)
        first, second = Gateway(team, database), Gateway(team, database)
        async with second.working() as waiting:
            async with first.working():
                listening = await discord.until(lambda: [one for one in (first, second) if not one.platform.trouble])
                other = second if listening == [first] else first
                await discord.until(lambda: other.readiness._stands_by)
                await asyncio.sleep(1.5)
                assert discord.identifies == 1
                assert await other.readiness.ready(), "waiting is no trouble"
                await team.mention(team.alice, team.general, "one?")
                await discord.until(lambda: listening[0].desk.accepted)
                assert other.desk.accepted == []
                if listening == [second]:
                    waiting.cancel()
                    await discord.until(lambda: not first.platform.trouble)
            await discord.until(lambda: waiting.done() or not second.platform.trouble)
            assert discord.identifies == 2
            assert len(discord.sessions(team.app)) <= 1


async def test_a_gateway_whose_place_was_taken_hangs_up(slack_bot: Citebot, tmp_path: Path) -> None:
    """Its lease ran out, as when nothing ran for a while."""
    store = Database(f"sqlite:///{tmp_path / 'leases.db'}")
    schema.upgrade(store)
    async with FakeDiscord(speed=60, rates=False) as discord:
        team = DiscordTeam(discord, slack_bot)
        first, second = Gateway(team, store), Gateway(team, store)
        async with first.working():
            await discord.until(lambda: not first.platform.trouble)
            with store.write() as tx:
                tx.exec_driver_sql("UPDATE lease SET until = '2000-01-01 00:00:00.000000'")
            async with second.working():
                await discord.until(lambda: not second.platform.trouble)
                await discord.until(lambda: first.readiness._stands_by)
                await discord.until(lambda: len(discord.sessions(team.app)) == 1)
    store.close()
