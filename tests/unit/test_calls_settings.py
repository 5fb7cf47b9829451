"""Fallbacks in the settings, what becomes of them at start, and how a bot is told that a model is ill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from citebot.app.desk import Desk
from citebot.app.opening import open_citebot
from citebot.errors import ModelRefused, SettingsError
from citebot.pluginmanager import PluginManager
from citebot.ports import Limited, PartContext, Rewrites, unmetered
from citebot.settings import load_settings
from citebot.testing.models.openai import FakeOpenAI
from citebot_connectors.platforms.console.platform import ConsolePlatform
from citebot_connectors.platforms.console.settings import ConsoleSettings
from citebot_connectors.platforms.console.streams import Streams
from citebot_connectors.platforms.console.web import Clocks, build_web

NOWHERE = Path("/nonexistent")
SERVER = {"base_url": "http://127.0.0.1:1/v1", "model": "big"}
OPENAI = {"generator.use": "openai_compatible", "generator.openai_compatible": SERVER}


def opened(folder: Path, **overrides: Any) -> Any:
    """Citebot without vectors."""
    settings = load_settings(
        environ={}, folder=NOWHERE, overrides={"data_dir": folder, "embedder.use": "none", **overrides}
    )
    return open_citebot(settings, PluginManager.load(settings), owner=True)


async def test_each_fallback_is_a_model_of_its_own(tmp_path: Path) -> None:
    overrides = OPENAI | {"generator.fallback": ["openai_compatible/small/2026", "extractive"]}
    async with opened(tmp_path, **overrides) as bot:
        assert list(map(str, bot.calls.callees)) == [
            "generator openai_compatible/big",
            "generator openai_compatible/small/2026",
            "generator extractive",
        ]
        assert isinstance(bot.generator, Limited)
        assert isinstance(bot.generator, Rewrites)
        parts = [callee.part for callee in bot.calls.callees]
        assert [part.most().model for part in parts if isinstance(part, Limited)] == ["big", "small/2026"]


async def test_the_built_in_generator_costs_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as bot:
        assert not isinstance(bot.generator, Limited | Rewrites)
        assert list(map(str, bot.calls.callees)) == ["generator extractive"]


@pytest.mark.parametrize(
    ("fallback", "says"),
    [
        ("extractiv", "“generator.fallback” names “extractiv”. There is no generator “extractiv”. Did you mean"),
        ("extractive/x", "“generator.fallback” names “extractive/x”, but extractive has no setting “model”."),
        ("openai_compatible", "“generator.fallback” names “openai_compatible”, which is asked before already."),
        ("extractive,extractive", "“generator.fallback” names “extractive”, which is asked before already."),
        ("", ""),
    ],
)
def test_a_wrong_fallback_is_one_line_at_start(fallback: str, says: str) -> None:
    settings = load_settings(environ={}, folder=NOWHERE, overrides=OPENAI | {"generator.fallback": fallback})
    if not says:
        assert PluginManager.load(settings)
        return
    with pytest.raises(SettingsError) as raised:
        PluginManager.load(settings)
    assert str(raised.value).startswith(says)
    assert "\n" not in str(raised.value)


def test_only_generators_have_fallbacks() -> None:
    with pytest.raises(SettingsError, match=r"reranker\.fallback"):
        load_settings(environ={}, folder=NOWHERE, overrides={"reranker.fallback": ["extractive"]})


async def test_a_model_that_is_ill_is_told_of_and_questions_are_still_answered(tmp_path: Path) -> None:
    async with opened(tmp_path) as bot:
        call = bot.calls.callees[0].begin(unmetered)
        assert call is not None
        call.fail(ModelRefused("The key is not valid: set another.", why="key"))
        settings = ConsoleSettings()
        desk = Desk(bot, ConsolePlatform(settings, PartContext(data_dir=tmp_path)))
        app = build_web(settings, desk, Streams(clock=lambda: 0.0), Clocks(wall=lambda: 0.0, monotonic=lambda: 0.0))
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            page = await client.get("/readyz")
        assert page.status_code == 200
        assert page.json() == {"ready": True, "problems": ["generator extractive: The key is not valid: set another."]}


def test_doctor_asks_every_generator_for_a_word(citebot: Any) -> None:
    with FakeOpenAI() as server:
        for key, value in {
            "use": "openai_compatible",
            "fallback": "openai_compatible/unheard-of,extractive",
            "openai_compatible.base_url": server.base_url,
            "openai_compatible.model": "chat-1",
            "openai_compatible.api_key": server.key,
        }.items():
            citebot.options += ("--set", f"generator.{key}={value}")
        done = citebot("doctor")
        assert done.exit_code == 1
        assert [chat.body["model"] for chat in server.chats] == ["chat-1"]
        assert "unheard-of" in done.stdout
        assert server.key not in done.stdout
