"""The plugin as an installed package."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from citebot import Document, Failed, Gone, PartContext, Readers, SourceContext, StopSync
from citebot.pluginmanager import PluginManager
from citebot.settings import Choice

Load = Callable[..., PluginManager]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bulletins"
    folder.mkdir()
    (folder / "berlin.json").write_text(
        json.dumps({"place": "Berlin", "text": "Rain. Call +49 30 1234567.", "readers": ["everyone"]})
    )
    (folder / "oslo.json").write_text(json.dumps({"place": "Oslo", "text": "Snow.", "readers": ["group:board"]}))
    (folder / "broken.json").write_text("{")
    return folder


def test_it_is_installed_and_says_what_it_brings(plugin_manager: Load) -> None:
    (weather,) = [plugin for plugin in plugin_manager("weather").plugins() if plugin.name == "weather"]
    assert (weather.distribution, weather.version) == ("citebot-weather", "1.0.0")
    assert weather.parts == ("source bulletins",)
    assert weather.hooks == ("document_fetched",)


def test_every_id_gets_one_answer(plugin_manager: Load, folder: Path, source_context: SourceContext) -> None:
    choice = Choice.model_validate({"use": "bulletins", "bulletins": {"folder": str(folder)}})
    source = plugin_manager("weather").build("source", choice, PartContext(data_dir=folder))
    (batch,) = source.list(source_context, None)
    assert [ref.id for ref in batch.items] == ["berlin", "broken", "oslo"]
    berlin, oslo, broken, gone = source.fetch(source_context, ["berlin", "oslo", "broken", "nowhere"])
    assert (berlin.title, berlin.readers) == ("Weather in Berlin", Readers.everyone())
    assert oslo.readers == Readers.of(groups=["board"])
    assert isinstance(broken, Failed)
    assert gone == Gone("nowhere")


def test_a_folder_that_is_not_there_deletes_nothing(
    plugin_manager: Load, tmp_path: Path, source_context: SourceContext
) -> None:
    choice = Choice.model_validate({"use": "bulletins", "bulletins": {"folder": str(tmp_path / "nowhere")}})
    source = plugin_manager("weather").build("source", choice, PartContext(data_dir=tmp_path))
    with pytest.raises(StopSync):
        list(source.list(source_context, None))


async def test_telephone_numbers_are_not_indexed(plugin_manager: Load) -> None:
    manager = plugin_manager("weather")
    document = Document("berlin", "Weather in Berlin", "Rain. Call +49 30 1234567.", Readers.everyone())
    assert (await manager.document_fetched("bulletins", document)).body == "Rain. Call [phone]."


def test_the_command_is_added(plugin_manager: Load) -> None:
    cli = click.Group()
    plugin_manager("weather").register_commands(cli)
    assert CliRunner().invoke(cli, ["forecast", "Oslo"]).output == "Oslo: rain, then sun.\n"


def test_the_command_is_there_on_the_command_line(tmp_path: Path) -> None:
    from citebot.cli import cli

    options = ["--data-dir", str(tmp_path), "--set", "plugins.enabled=weather"]
    assert CliRunner().invoke(cli, [*options, "forecast", "Oslo"]).output == "Oslo: rain, then sun.\n"
