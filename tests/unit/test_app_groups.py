"""Groups of a source that is read seldom: they are read on a clock of their own, before their lists count no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from citebot.app.core import Citebot
from citebot.app.opening import open_citebot
from citebot.app.serving import _keep_schedule
from citebot.app.sources import add_source
from citebot.scheduling import Clock
from citebot.storage import people, sources

CLUB = '''
"""A source of one page and one group, which is kept in a file."""

from pathlib import Path
from pydantic import BaseModel
from citebot import Batch, Document, Group, Readers, Ref, SourceSpec, hookimpl


class ClubSource:
    name = "club"
    summary = "one page and one group"
    spec = SourceSpec()

    class Settings(BaseModel):
        members: Path

    def __init__(self, settings, context):
        self._members = settings.members

    def list(self, ctx, cursor):
        yield Batch((Ref("rules", "1"),), None)

    def fetch(self, ctx, ids):
        for one in ids:
            yield Document(one, "Rules", "Members wear a hat.", Readers(frozenset({"group:club"})))

    def groups(self, ctx):
        yield Group("club", frozenset(self._members.read_text().split()))


@hookimpl
def citebot_register_sources():
    return [ClubSource]
'''


@pytest.fixture
def members(tmp_path: Path) -> Path:
    file = tmp_path / "members"
    file.write_text("alice")
    return file


@pytest.fixture
async def bot(
    tmp_path: Path, members: Path, citebot_settings: Callable[..., Any], plugin_manager: Callable[..., Any]
) -> AsyncIterator[Citebot]:
    dropped_in = tmp_path / "plugins"
    dropped_in.mkdir()
    (dropped_in / "club.py").write_text(CLUB)
    overrides = {"plugins.dir": str(dropped_in), "access.staleness": 3.0, "embedder.use": "none", "reranker.use": ""}
    settings, plugins = citebot_settings(overrides), plugin_manager("embedded", "local", overrides=overrides)
    async with open_citebot(settings, plugins, owner=True) as opened:
        add_source(opened.database, plugins, settings, kind="club", name="club", values={"members": str(members)})
        await opened.sync("club")
        yield opened


def in_club(bot: Citebot) -> set[str]:
    with bot.database.read() as tx:
        return set(people.all_groups(tx).get("club", ()))


async def test_a_source_that_is_read_seldom_has_its_groups_read_in_between(bot: Citebot, members: Path) -> None:
    clock, stopping = Clock(bot.database), asyncio.Event()
    clock.start()
    keeping = asyncio.create_task(_keep_schedule(bot, clock, stopping))
    try:
        # The first change may be found by the read of the documents at the start, the second is too soon for another.
        for now in ("alice bob", "alice bob carol"):
            members.write_text(now)
            async with asyncio.timeout(30):
                while in_club(bot) != set(now.split()):
                    await asyncio.sleep(0.1)
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        await clock.close()


async def test_only_sources_with_groups_that_are_read_too_seldom_are_wanted(bot: Citebot) -> None:
    [seldom] = await bot.sources()
    assert bot.groups.wanted(seldom)
    with bot.database.write() as tx:
        sources.set_paused(tx, "club", True)
    [paused] = await bot.sources()
    assert not bot.groups.wanted(paused)


async def test_groups_of_a_source_that_was_removed_meanwhile_are_not_kept(bot: Citebot, members: Path) -> None:
    members.write_text("carol")
    with bot.database.write() as tx:
        sources.remove(tx, "club")
        people.replace(tx, "club", [])
    with pytest.raises(Exception, match="club"):
        await bot.groups.read("club")
    assert in_club(bot) == set()
