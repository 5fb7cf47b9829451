"""A folder that is watched is read as soon as something in it changes, and not oftener than that."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from citebot.app import watching
from citebot.app.core import Citebot
from citebot.app.opening import open_citebot
from citebot.app.sources import add_source
from citebot.app.watching import Watcher
from citebot.errors import SourceBusy
from citebot.ingest.holder import new_holder
from citebot.storage import leases, sources
from citebot.storage.sources import SourceRow

Add = Callable[..., None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    folder.mkdir()
    for number in range(8):
        (folder / f"note{number}.md").write_text(f"# Note {number}\n\nThe zebra of note {number} is striped.")
    return folder


@pytest.fixture
async def bot(
    tmp_path: Path, citebot_settings: Callable[..., Any], plugin_manager: Callable[..., Any]
) -> AsyncIterator[Citebot]:
    overrides = {"embedder.use": "none", "reranker.use": ""}
    plugins = plugin_manager("embedded", "local", "files", overrides=overrides)
    async with open_citebot(citebot_settings(overrides), plugins, owner=True) as opened:
        yield opened


@pytest.fixture
def add(bot: Citebot, folder: Path) -> Add:
    def add(**values: Any) -> None:
        add_source(
            bot.database, bot.plugins, bot.settings, kind="files", name="docs", values={"path": folder, **values}
        )

    return add


@pytest.fixture
async def watcher(bot: Citebot, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Watcher]:
    monkeypatch.setattr(watching, "LOOK_EVERY", 0.05)
    monkeypatch.setattr(watching, "ASK_AGAIN", 0.1)
    monkeypatch.setattr(watching, "LOOKING_SHARE", 1.0)
    watcher = Watcher(bot)
    task = asyncio.create_task(watcher.run())
    yield watcher
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def row(bot: Citebot) -> SourceRow:
    with bot.database.read() as tx:
        found = sources.get(tx, "docs")
    assert found is not None
    return found


async def found(bot: Citebot, text: str) -> set[str]:
    return {hit.passage.document_id for hit in (await bot.search(text)).hits}


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.05)


async def test_what_changes_is_found_without_a_poll(bot: Citebot, add: Add, folder: Path, watcher: Watcher) -> None:
    add(watch=True)
    await until(lambda: _is(found(bot, "zebra"), {f"note{number}.md" for number in range(8)}))
    (folder / "note1.md").write_text("A giraffe has moved in.")
    (folder / "new").mkdir()
    (folder / "note2.md").rename(folder / "new" / "note2.md")
    (folder / "note3.md").unlink()
    await until(lambda: _is(found(bot, "giraffe"), {"note1.md"}))
    await until(lambda: _is(found(bot, "zebra"), {"new/note2.md", *(f"note{number}.md" for number in (0, 4, 5, 6, 7))}))


async def test_a_folder_that_stands_still_is_read_once(bot: Citebot, add: Add, watcher: Watcher) -> None:
    add(watch=True)
    await until(lambda: _swept(bot, 1))
    await asyncio.sleep(0.6)
    assert row(bot).sweep == 1


async def test_a_folder_that_is_not_to_be_watched_is_not(bot: Citebot, add: Add, watcher: Watcher) -> None:
    add()
    await asyncio.sleep(0.6)
    assert row(bot).sweep == 0


async def test_a_read_that_failed_is_left_to_the_next_change_or_poll(
    bot: Citebot, add: Add, folder: Path, watcher: Watcher
) -> None:
    add(watch=True)
    await until(lambda: _swept(bot, 1))
    for path in list(folder.iterdir())[:7]:
        path.unlink()
    await until(lambda: _fails(bot, "7 of 8"))
    await asyncio.sleep(0.6)
    assert row(bot).sweep == 2


async def test_a_folder_that_goes_and_comes_back_is_watched_again(
    bot: Citebot, add: Add, folder: Path, watcher: Watcher, tmp_path: Path
) -> None:
    add(watch=True)
    await until(lambda: _swept(bot, 1))
    folder.rename(tmp_path / "away")
    await asyncio.sleep(0.3)
    (tmp_path / "away" / "note1.md").write_text("A giraffe has moved in.")
    shutil.copytree(tmp_path / "away", folder)
    await until(lambda: _is(found(bot, "giraffe"), {"note1.md"}))


async def test_what_changes_while_another_run_reads_is_read_after_it(
    bot: Citebot, add: Add, folder: Path, watcher: Watcher
) -> None:
    add(watch=True)
    await until(lambda: _swept(bot, 1))
    with bot.database.write() as tx:
        held = leases.acquire(tx, f"source {row(bot).id}", new_holder(), 60)
        assert held is not None
    (folder / "note1.md").write_text("A giraffe has moved in.")
    await asyncio.sleep(0.5)
    assert await found(bot, "giraffe") == set()
    with bot.database.write() as tx:
        leases.release(tx, held)
    await until(lambda: _is(found(bot, "giraffe"), {"note1.md"}))


async def test_two_reads_of_one_source_do_not_disturb_each_other(bot: Citebot, add: Add) -> None:
    add()
    first, second = await asyncio.gather(bot.sync("docs"), bot.sync("docs"), return_exceptions=True)
    done = [one for one in (first, second) if not isinstance(one, BaseException)]
    assert [one.saved for one in done] == [8]
    assert [type(one) for one in (first, second) if isinstance(one, BaseException)] == [SourceBusy]


async def _is(value: Awaitable[set[str]], wanted: set[str]) -> bool:
    return await value == wanted


async def _swept(bot: Citebot, times: int) -> bool:
    return row(bot).sweep == times and row(bot).synced_at is not None


async def _fails(bot: Citebot, why: str) -> bool:
    return why in (row(bot).failure or "")
