"""The documentation says what the code does: generated pages are fresh, examples run, nothing is left out."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from citebot import hookspecs
from citebot.model import Audience, Conversation, Document, Person, Question, Readers
from citebot.pluginmanager import PluginManager
from citebot.ports import PartContext, SourceContext
from citebot.settings import Choice, Settings
from citebot.settings.environment import declared_paths, variable

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
Load = Callable[..., PluginManager]


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def test_the_generated_pages_are_fresh() -> None:
    command = [sys.executable, "scripts/docs.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", declared_paths(), ids=".".join)
def test_every_setting_is_documented(path: tuple[str, ...]) -> None:
    assert f"`{variable(path)}`" in page("settings.md")


def test_every_setting_of_every_built_in_part_is_documented() -> None:
    sections = PluginManager.load(Settings()).sections()
    text = page("settings.md")
    missing = [
        f"{kind}.{name}.{key}"
        for kind, parts in sections.items()
        for name, model in parts.items()
        for key, field in model.model_fields.items()
        if f"`{key}`" not in text or not field.description
    ]
    assert missing == []


@pytest.mark.parametrize("hook", [*hookspecs.REGISTRATION, *hookspecs.MOMENTS])
def test_every_hook_is_documented_with_its_signature(hook: str) -> None:
    assert f"### `{hook}`" in page("hooks.md")
    assert f"def {hook}(" in page("hooks.md")
    assert getattr(hookspecs, hook).__doc__


def commands(group: click.Group, context: click.Context, path: str) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, click.Context(command, info_name=name, parent=context), f"{path} {name}")


def test_every_command_is_documented_and_says_what_it_does(tmp_path: Path) -> None:
    from citebot.cli import cli

    context = cli.make_context("citebot", ["--data-dir", str(tmp_path), "doctor"])
    found = dict(commands(cli, context, "citebot"))
    assert {"citebot ask", "citebot source add", "citebot db upgrade", "citebot plugins list"} <= set(found)
    assert [path for path in found if f"`{path}`" not in page("commands.md")] == []
    assert [path for path, command in found.items() if not command.help] == []


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS.glob("*.md")]
    links = [
        (path, link) for path in pages for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", path.read_text("utf-8"))
    ]
    assert links
    assert [(path.name, link) for path, link in links if not (path.parent / link).exists()] == []


# --- examples ------------------------------------------------------------------------------------------------------


def examples(path: Path) -> dict[str, str]:
    """The Python blocks of a page, by title."""
    blocks = re.findall(r"```python(?: title=(\S+))?\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)
    return {title or f"example{number}.py": code for number, (title, code) in enumerate(blocks)}


@pytest.fixture
def dropped_in(tmp_path: Path) -> Path:
    folder = tmp_path / "plugins"
    folder.mkdir()
    return folder


def test_the_plugin_of_the_readme_works(plugin_manager: Load, source_context: SourceContext, dropped_in: Path) -> None:
    (code,) = examples(ROOT / "README.md").values()
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    (dropped_in / "menu.py").write_text(code)
    manager = plugin_manager(overrides={"plugins.dir": str(dropped_in)})
    source = manager.build("source", Choice(use="menu"), PartContext(data_dir=dropped_in))
    (batch,) = source.list(source_context, None)
    (document,) = source.fetch(source_context, [ref.id for ref in batch.items])
    assert document == Document("today", "Lunch", "Soup, then dumplings.", Readers.everyone())


async def test_the_plugins_of_the_chapter_work(plugin_manager: Load, dropped_in: Path) -> None:
    for name in ("notes.py", "care.py"):
        (dropped_in / name).write_text(examples(DOCS / "plugins.md")[name])
    manager = plugin_manager(overrides={"plugins.dir": str(dropped_in)})
    asked = Question("The salary of Bob?", Person("alice"), Conversation("console", "1"), Audience(frozenset()))
    assert "people team" in str(await manager.question_received(asked))
    document = Document("d", "D", "CONFIDENTIAL plan", Readers.everyone())
    assert (await manager.document_fetched("wiki", document)).body == "[removed] plan"
    assert set(manager.sections()["source"]["notes"].model_fields) == {"file", "groups"}


def test_the_test_of_the_chapter_passes(tmp_path: Path, dropped_in: Path) -> None:
    found = examples(DOCS / "plugins.md")
    (dropped_in / "notes.py").write_text(found["notes.py"])
    head = (
        f"from pathlib import Path\nimport sys\nPLUGINS = Path({str(dropped_in)!r})\nsys.path.insert(0, str(PLUGINS))\n"
    )
    (tmp_path / "test_notes.py").write_text(head + "from notes import NotesSettings\n\n\n" + found["test_notes.py"])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_notes.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout
