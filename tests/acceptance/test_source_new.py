"""`citebot source new`: what it writes is a package that installs, shows up, and passes the conformance kit."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from citebot.testing.sources.catalogue import CHECKS, GROUPS
from citebot.testing.sources.lab import Comments, EditsSilently, Labels, Moves, Unshares

FILES = [
    "README.md",
    "citebot_intranet/__init__.py",
    "citebot_intranet/source.py",
    "pyproject.toml",
    "tests/test_intranet.py",
]
NOT_IN_THE_LAB = (Comments, EditsSilently, Labels, Moves, Unshares)
NEITHER_FEED_NOR_LIVE = {"H5"}


@pytest.fixture
def written(citebot: Any) -> Path:
    """A package, written into the empty folder we are in."""
    assert citebot("source", "new", "intranet").exit_code == 0
    return Path("citebot-intranet").absolute()


def test_it_writes_a_package_and_says_how_to_go_on(citebot: Any, tmp_path: Path) -> None:
    result = citebot("source", "new", "intranet")

    assert result.exit_code == 0
    assert result.stderr == ""
    assert [line for line in result.stdout.splitlines() if line.startswith("wrote ")] == [
        f"wrote citebot-intranet/{name}" for name in FILES
    ]
    assert "cd citebot-intranet && pip install -e '.[testing]' && pytest" in result.stdout
    assert not citebot.folder.exists(), "nothing else was touched"
    project = tomllib.loads((tmp_path / "citebot-intranet" / "pyproject.toml").read_text("utf-8"))["project"]
    assert (project["name"], project["entry-points"]["citebot"]) == (
        "citebot-intranet",
        {"intranet": "citebot_intranet"},
    )


def test_no_trace_of_the_template_is_left(written: Path) -> None:
    found = sorted(str(path.relative_to(written)) for path in written.rglob("*") if path.is_file())
    assert found == FILES
    assert [name for name in FILES if "example" in (written / name).read_text("utf-8").lower()] == []


def test_programs_are_told_the_files(citebot: Any, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "er"
    said = citebot.json("source", "new", "intranet", "--folder", str(folder))
    assert said == {"name": "intranet", "folder": str(folder), "files": [str(folder / name) for name in FILES]}
    assert all(Path(name).is_file() for name in said["files"])


@pytest.mark.parametrize("name", ["Intranet", "x", "1st", "my-wiki", "my_wiki", "../up", "", "x" * 32, "wëb"])
def test_a_name_that_is_none_of_a_package_is_refused(name: str, citebot: Any, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    refused = citebot("source", "new", name)
    assert refused.exit_code == 2
    assert "2 to 31 lower-case letters and digits" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_name_that_a_plugin_has_is_refused(citebot: Any) -> None:
    refused = citebot("source", "new", "redmine")
    assert (refused.exit_code, len(refused.stderr.splitlines())) == (2, 1)
    assert "There is a plugin “redmine” already, in citebot" in refused.stderr
    assert not Path("citebot-redmine").exists()


@pytest.mark.parametrize("kind", ["file", "full folder", "below a file"])
def test_a_place_that_is_taken_is_refused_and_left_as_it_is(kind: str, citebot: Any, tmp_path: Path) -> None:
    place = tmp_path / "place"
    mine = place / "mine.txt" if kind == "full folder" else place
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    folder = place / "below" if kind == "below a file" else place

    refused = citebot("source", "new", "intranet", "--folder", str(folder))

    assert (refused.exit_code, len(refused.stderr.splitlines())) == (1, 1)
    assert str(folder) in refused.stderr
    assert mine.read_text() == "mine"
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == [mine]


def test_an_empty_folder_is_welcome(citebot: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert citebot("source", "new", "intranet", "--folder", "empty").exit_code == 0
    assert (tmp_path / "empty" / "pyproject.toml").is_file()


def test_it_can_be_installed_and_then_is_a_kind_of_source(written: Path, citebot: Any, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target))
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, str(written)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

    citebot.options += ("--set", 'plugins.enabled=["console", "embedded", "local", "intranet"]')
    env = {**os.environ, "PYTHONPATH": str(target)}
    types = {one["type"]: one for one in json.loads(citebot.process("source", "types", "--json", env=env).stdout)}
    assert types["intranet"]["summary"] == "Pages of an Intranet server"
    options_of_it = citebot.process("source", "add", "intranet", "--help", env=env).stdout
    assert all(option in options_of_it for option in ("--url", "--token", "--page-size", "@FILE"))


def kit(package: Path, groups: str) -> str:
    """What pytest says of the checks of these groups, run in the package as its author does."""
    ids = " or ".join(check.id for check in CHECKS if check.id[0] in groups)
    command = [
        sys.executable,
        "-B",
        "-m",
        "pytest",
        "-q",
        "-rs",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-k",
        ids,
    ]
    env = {**os.environ, "PYTHONPATH": str(package)}
    done = subprocess.run(command, cwd=package, env=env, capture_output=True, text=True, check=False, timeout=115)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def skipped(groups: str) -> set[str]:
    """Checks that say nothing about the template."""
    wanted = {check.id for check in CHECKS if check.needs in NOT_IN_THE_LAB} | NEITHER_FEED_NOR_LIVE
    return {id for id in wanted if id[0] in groups}


@pytest.mark.parametrize("groups", ["ABC", "DEF", pytest.param("GHIJKL", marks=pytest.mark.slow)])
def test_what_it_writes_passes_the_conformance_kit(groups: str, written: Path) -> None:
    said = kit(written, groups)

    mine = {check.id for check in CHECKS if check.id[0] in groups}
    assert f"{len(mine - skipped(groups))} passed, {len(skipped(groups))} skipped" in said
    assert set(re.findall(r"^SKIPPED .*: ([A-L]\d+): the ", said, re.MULTILINE)) == skipped(groups)


def test_no_group_of_the_kit_is_forgotten() -> None:
    assert "".join(GROUPS) == "ABC" + "DEF" + "GHIJKL"


def test_a_broken_package_does_not_pass(written: Path) -> None:
    source = written / "citebot_intranet" / "source.py"
    source.write_text(source.read_text("utf-8").replace('page["version"], self', '"", self'), "utf-8")
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-k", "C1"]
    env = {**os.environ, "PYTHONPATH": str(written)}
    done = subprocess.run(command, cwd=written, env=env, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 1
    assert "C1 A poll without change reads nothing: In the second read, 7 documents are fetched again." in done.stdout
