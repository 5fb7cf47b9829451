"""Who may import what: the contracts hold, and each of them notices a planted violation."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("bot", "connectors", "plugins", "alembic")


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on a tree, whose packages go before the installed ones."""
    code = (
        f"import sys; sys.path[:0] = {[str(tree / source) for source in SOURCES]!r}; "
        "from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-P", "-c", code], cwd=tree, capture_output=True, text=True, check=False, timeout=100
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources to plant something in."""
    for source in SOURCES:
        shutil.copytree(
            ROOT / source, tmp_path / source, ignore=lambda folder, names: [n for n in names if not keep(folder, n)]
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def keep(folder: str, name: str) -> bool:
    return name != "__pycache__" and (Path(folder, name).is_dir() or name.endswith(".py"))


def test_the_contracts_hold(tree: Path) -> None:
    done = lint_imports(tree)
    assert done.returncode == 0, done.stdout
    assert "3 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("planted_in", "line", "contract", "chain"),
    [
        (
            "bot/citebot/answering/planted.py",
            "import citebot_plugins.local",
            "The core never imports an edge",
            "citebot.answering.planted -> citebot_plugins.local",
        ),
        (
            "connectors/citebot_connectors/planted.py",
            "import citebot_plugins.local",
            "The core never imports an edge, and the edges never each other",
            "citebot_connectors.planted -> citebot_plugins.local",
        ),
        (
            "bot/citebot/ingest/planted.py",
            "import elasticsearch",
            "No vendor SDK in the core",
            "citebot.ingest.planted -> elasticsearch",
        ),
        (
            "bot/citebot/model.py",
            "import citebot.storage",
            "Layers of the core",
            "citebot.model -> citebot.storage",
        ),
        ("bot/citebot/newcomer.py", "", "Layers of the core", "newcomer"),
    ],
)
def test_a_planted_violation_is_noticed(tree: Path, planted_in: str, line: str, contract: str, chain: str) -> None:
    path = tree / planted_in
    before = path.read_text(encoding="utf-8") if path.exists() else '"""Planted."""\n'
    path.write_text(f"{before}\n{line}\n", encoding="utf-8")
    done = lint_imports(tree)
    assert done.returncode != 0
    assert contract in done.stdout
    assert chain in done.stdout


def test_the_folder_of_migrations_does_not_shadow_the_library() -> None:
    assert not (ROOT / "alembic" / "__init__.py").exists()


def test_only_storage_and_migrations_know_the_database_library() -> None:
    knowing = {
        path.relative_to(ROOT)
        for source in SOURCES
        for path in (ROOT / source).rglob("*.py")
        if "import sqlalchemy" in (text := path.read_text(encoding="utf-8")) or "from sqlalchemy" in text
    }
    allowed = ("bot/citebot/storage/", "alembic/citebot_migrations/")
    assert [str(path) for path in knowing if not str(path).startswith(allowed)] == []


def test_only_the_plugin_manager_knows_pluggy() -> None:
    knowing = {
        path.relative_to(ROOT)
        for source in SOURCES
        for path in (ROOT / source).rglob("*.py")
        if "import pluggy" in path.read_text(encoding="utf-8")
    }
    allowed = ("bot/citebot/pluginmanager/", "bot/citebot/hookspecs.py")
    assert [str(path) for path in knowing if not str(path).startswith(allowed)] == []
