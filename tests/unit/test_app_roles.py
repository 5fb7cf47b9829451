"""What each role does, and what is said where that cannot work."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from citebot.app.alone import Alone
from citebot.app.opening import open_citebot
from citebot.app.roles import Duties, Role, duties_of
from citebot.errors import CitebotError, WrongUse
from citebot.storage import Database, index_log
from citebot_connectors.platforms.console.platform import ConsolePlatform
from citebot_connectors.platforms.slack.platform import SlackPlatform


@pytest.mark.parametrize(
    ("role", "slack", "web_chat"),
    [
        ("all", Duties(True, True, True), Duties(True, True, True)),
        ("gateway", Duties(True, False, False), Duties(True, True, False)),
        ("worker", Duties(False, True, False), None),
        ("sync", Duties(False, False, True), Duties(False, False, True)),
    ],
)
def test_duties(role: Role, slack: Duties, web_chat: Duties | None) -> None:
    assert duties_of(role, SlackPlatform) == slack
    if web_chat is None:
        with pytest.raises(WrongUse, match=r"console.*--role gateway"):
            duties_of(role, ConsolePlatform)
    else:
        assert duties_of(role, ConsolePlatform) == web_chat


def test_a_worker_for_the_web_chat_is_refused_in_one_line(citebot: Any) -> None:
    ended = citebot.process("serve", "--role", "worker")
    assert ended.returncode == 2
    assert "run --role gateway" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_an_index_of_this_machine_that_nobody_fills_is_refused(
    citebot_settings: Callable[..., Any], plugin_manager: Callable[..., Any], database: Database, tmp_path: Any
) -> None:
    url = database._engine.url.render_as_string(hide_password=False)
    overrides = {"database.url": url, "data_dir": str(tmp_path / "own"), "embedder.use": "none"}
    plugins = plugin_manager("embedded", "local", "console", overrides=overrides)
    settings = citebot_settings(overrides)
    async with open_citebot(settings, plugins, owner=False, feeds=False):
        pass  # there is nothing to find yet
    with database.write() as tx:
        index_log.write(tx, "put", [1])
    with pytest.raises(CitebotError, match=r"is empty.*--role sync.*Elasticsearch"):
        async with open_citebot(settings, plugins, owner=False, feeds=False):
            pass
    async with open_citebot(settings, plugins, owner=False, feeds=False, searches=False):
        pass  # a gateway asks no index


async def test_what_one_does_alone_is_done_by_another_once_it_has_left(database: Database) -> None:
    done: list[str] = []
    first, second = Alone(database, "embedding"), Alone(database, "embedding")
    inside, on = asyncio.Event(), asyncio.Event()

    async def long() -> None:
        inside.set()
        await on.wait()
        done.append("first")

    async def other() -> None:
        done.append("second")

    going = asyncio.create_task(first.do(long))
    await inside.wait()
    await second.do(other)
    assert done == []
    on.set()
    await going
    await second.do(other)
    assert done == ["first"]
    await first.leave()
    await second.do(other)
    assert done == ["first", "second"]
