"""`citebot serve` with Slack, as a process of its own, over a folder of documents."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

pytest.importorskip("slack_bolt")

from citebot.testing.slack import App, FakeSlack

PLUGINS = '["slack", "files", "embedded", "local"]'


def line(folder: Path, *words: str) -> list[str]:
    settings = ["--set", "platform.use=slack", "--set", f"plugins.enabled={PLUGINS}"]
    settings += ["--set", "answering.threshold=0.0"]
    return [sys.executable, "-m", "citebot", "--data-dir", str(folder / "data"), *settings, *words]


def environment(slack: FakeSlack, app: App, **more: str) -> dict[str, str]:
    return {
        **os.environ,
        "CITEBOT_PLATFORM__SLACK__BOT_TOKEN": app.bot_token,
        "CITEBOT_PLATFORM__SLACK__APP_TOKEN": app.app_token,
        "CITEBOT_PLATFORM__SLACK__BASE_URL": slack.api_url,
        **more,
    }


@asynccontextmanager
async def serving(folder: Path, env: dict[str, str]) -> AsyncIterator[Process]:
    process = await asyncio.create_subprocess_exec(
        *line(folder, "serve"), env=env, cwd=folder, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def test_a_folder_is_served_in_slack(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "parking.md").write_text("# Parking\n\nThe parking permit costs 40 euros a month.\n")
    async with FakeSlack(speed=60) as slack:
        alice, app = slack.add_user("alice"), slack.add_app("citebot")
        general = slack.add_channel("general", [alice, app])
        env = environment(slack, app)
        add = line(tmp_path, "source", "add", "files", "--name", "handbook", "--path", str(tmp_path / "docs"))
        assert await (await asyncio.create_subprocess_exec(*add, env=env, cwd=tmp_path, stdout=PIPE)).wait() == 0
        sync = line(tmp_path, "source", "sync")
        assert await (await asyncio.create_subprocess_exec(*sync, env=env, cwd=tmp_path, stdout=PIPE)).wait() == 0
        async with serving(tmp_path, env) as process:
            await slack.until(lambda: slack.sockets(app) or process.returncode is not None, timeout=30)
            question = await slack.say(alice, general, f"{app.mention} what does the parking permit cost?")
            await slack.until(lambda: len(slack.messages(general, question.ts)) > 1, timeout=60)
            answer = await slack.until(
                lambda: next((m for m in slack.messages(general, question.ts)[1:] if "Parking" in m.text), None),
                timeout=60,
            )
            process.terminate()
            assert await asyncio.wait_for(process.wait(), 20) == 0

    assert answer is not None
    assert "40 euros" in answer.text


async def test_tokens_that_slack_does_not_take_end_in_one_line(tmp_path: Path) -> None:
    async with FakeSlack(speed=60) as slack:
        app = slack.add_app("citebot")
        env = environment(slack, app, CITEBOT_PLATFORM__SLACK__BOT_TOKEN="xoxb-wrong")
        async with serving(tmp_path, env) as process:
            _, err = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 1
    assert "check platform.slack.bot_token" in err.decode()
    assert "Traceback" not in err.decode()


async def test_missing_tokens_end_in_one_line(tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("CITEBOT_PLATFORM__SLACK")}
    async with serving(tmp_path, env) as process:
        _, err = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 1
    assert "Slack needs platform.slack.bot_token and platform.slack.app_token." in err.decode()


async def test_a_missing_extra_is_one_line(tmp_path: Path) -> None:
    code = "import sys; sys.modules['slack_bolt'] = None; from citebot.cli import main; main()"
    env = {
        **os.environ,
        "CITEBOT_PLATFORM__SLACK__BOT_TOKEN": "xoxb-1",
        "CITEBOT_PLATFORM__SLACK__APP_TOKEN": "xapp-1",
    }
    words = [sys.executable, "-c", code, *line(tmp_path, "serve")[3:]]
    process = await asyncio.create_subprocess_exec(*words, env=env, cwd=tmp_path, stdout=PIPE, stderr=PIPE)
    _, err = await asyncio.wait_for(process.communicate(), 30)

    assert process.returncode == 1
    assert "pip install 'citebot[slack]'" in err.decode()
    assert "Traceback" not in err.decode()
